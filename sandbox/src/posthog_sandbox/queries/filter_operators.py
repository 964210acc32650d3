"""Operators of property filters, applied to a HogQL expression."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import invalid
from ..hogql import HogqlError, escape

_TRUTHS = {"true": True, "false": False, "1": True, "0": False}
_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:[-+].*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operand:
    """The left side of a comparison: a HogQL expression and its property type.

    `kind` is `Numeric`, `Boolean`, `DateTime` or `String`; None means text. `moment` parses dates; `cleaning` has the
    path cleaning rules.
    """

    expression: str
    kind: str | None
    moment: Callable[[str], datetime]
    cleaning: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The expression as text; null stays null."""
        return self.expression if self.kind in (None, "String") else f"toString({self.expression})"

    @property
    def number(self) -> str:
        """The expression as a number; null if it is not one."""
        return self.expression if self.kind == "Numeric" else f"toFloat({self.text})"


type _Operator = Callable[[Operand, list[Any]], str]


def condition(operand: Operand, operator: str, values: list[Any]) -> str:
    """Return the condition of an operator. Raises ApiError 400 for an unknown operator or invalid values."""
    make = OPERATORS.get(operator)
    if make is None:
        raise invalid(f"The sandbox does not support the operator {operator[:40]}.", attr="properties")
    try:
        return make(operand, values)
    except HogqlError as error:
        raise invalid(error.message, attr="properties") from error


def _plain(value: Any) -> str:
    """Return a value as text for comparison."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _constant(operand: Operand, value: Any) -> str:
    """Return a value as a constant of the operand's type, or as text if it does not fit."""
    if operand.kind == "Boolean":
        truth = _TRUTHS.get(_plain(value).lower())
        return "null" if truth is None else escape.constant(truth)
    if operand.kind == "Numeric":
        number = _number(value)
        return "null" if number is None else escape.constant(number)
    if operand.kind == "DateTime":
        return _moment(operand, value)
    return escape.string(_plain(value))


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _moment(operand: Operand, value: Any) -> str:
    return f"toDateTime({escape.string(operand.moment(_plain(value)).isoformat())})"


def _exact(operand: Operand, values: list[Any]) -> str:
    shown = [_constant(operand, value) for value in values]
    if len(shown) == 1:
        return "false" if shown[0] == "null" else f"({operand.expression} = {shown[0]})"
    return f"({operand.expression} IN ({', '.join(shown)}))"


def _is_not(operand: Operand, values: list[Any]) -> str:
    shown = [_constant(operand, value) for value in values]
    if len(shown) == 1:
        return "true" if shown[0] == "null" else f"({operand.expression} != {shown[0]})"
    return f"({operand.expression} NOT IN ({', '.join(shown)}))"


def _each(template: str, joint: str, value: Callable[[Operand, Any], str]) -> _Operator:
    """Apply the template to every value and join the results."""

    def make(operand: Operand, values: list[Any]) -> str:
        terms = [template.format(text=operand.text, value=value(operand, item)) for item in values]
        return f"({f' {joint} '.join(terms)})"

    return make


def _substring(_operand: Operand, value: Any) -> str:
    plain = _plain(value)
    for special in ("\\", "%", "_"):
        plain = plain.replace(special, f"\\{special}")
    return escape.string(f"%{plain}%")


def _pattern(_operand: Operand, value: Any) -> str:
    return escape.string(_plain(value))


def _is_set(operand: Operand, _values: list[Any]) -> str:
    return f"({operand.expression} != null)"


def _is_not_set(operand: Operand, _values: list[Any]) -> str:
    return f"({operand.expression} = null)"


def _ordered(symbol: str) -> _Operator:
    """Compare numbers as numbers, times as times, and other values as text."""

    def make(operand: Operand, values: list[Any]) -> str:
        terms: list[str] = []
        for value in values:
            number = _number(value)
            if operand.kind == "DateTime":
                terms.append(f"{operand.expression} {symbol} {_moment(operand, value)}")
            elif number is not None:
                terms.append(f"{operand.number} {symbol} {escape.constant(number)}")
            else:
                terms.append(f"{operand.text} {symbol} {escape.string(_plain(value))}")
        return f"({' OR '.join(terms)})"

    return make


def _bounds(values: list[Any]) -> tuple[str, str]:
    numbers = [_number(value) for value in values]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise invalid("between and not_between take two numbers.", attr="properties")
    if numbers[0] > numbers[1]:
        raise invalid("The minimum of between is above its maximum.", attr="properties")
    return escape.constant(numbers[0]), escape.constant(numbers[1])


def _between(operand: Operand, values: list[Any]) -> str:
    low, high = _bounds(values)
    return f"({operand.number} >= {low} AND {operand.number} <= {high})"


def _not_between(operand: Operand, values: list[Any]) -> str:
    low, high = _bounds(values)
    return f"({operand.number} < {low} OR {operand.number} > {high})"


def _date(symbol: str) -> _Operator:
    def make(operand: Operand, values: list[Any]) -> str:
        time = operand.expression if operand.kind == "DateTime" else f"toDateTime({operand.text})"
        return f"({' OR '.join(f'{time} {symbol} {_moment(operand, value)}' for value in values)})"

    return make


def _cleaned_path(operand: Operand, values: list[Any]) -> str:
    def cleaned(text: str) -> str:
        for regex, alias in operand.cleaning:
            text = f"replaceRegexpAll({text}, {escape.string(regex)}, {escape.string(alias)})"
        return text

    terms = [f"{cleaned(operand.text)} = {cleaned(escape.string(_plain(value)))}" for value in values]
    return f"({' OR '.join(terms)})"


def _version(operand: Operand) -> str:
    """Return a version as an array of numbers, which compares part by part; empty if it is not a version."""
    numbers = f"extract(ifNull({operand.text}, ''), '^v?([0-9]+(?:[.][0-9]+)*)')"
    return f"arrayMap(part -> toInt64OrZero(part), splitByChar('.', {numbers}))"


def _parts(value: Any) -> list[int]:
    found = _VERSION.fullmatch(_plain(value).strip().removesuffix(".*"))
    if found is None:
        raise invalid(f"{_plain(value)[:40]} is not a version.", attr="properties")
    return [int(part) for part in found[1].split(".")]


def _whole(numbers: list[int]) -> list[int]:
    return [*numbers, 0, 0, 0][: max(3, len(numbers))]


def _semver(symbol: str) -> _Operator:
    def make(operand: Operand, values: list[Any]) -> str:
        present = _has_version(operand)
        terms = [f"{_version(operand)} {symbol} {_whole(_parts(value))}" for value in values]
        joined = f"({' OR '.join(terms)})"
        return f"({present} AND {joined})" if symbol != "!=" else f"(NOT {present} OR {joined})"

    return make


def _has_version(operand: Operand) -> str:
    return f"match(ifNull({operand.text}, ''), '^v?[0-9]')"


def _semver_range(upper: Callable[[list[int]], list[int]]) -> _Operator:
    """Match versions from the value up to but excluding `upper` of it."""

    def make(operand: Operand, values: list[Any]) -> str:
        version = _version(operand)
        terms = list[str]()
        for value in values:
            parts = _parts(value)
            terms.append(f"({version} >= {_whole(parts)} AND {version} < {_whole(upper(parts))})")
        return f"({_has_version(operand)} AND ({' OR '.join(terms)}))"

    return make


def _tilde(parts: list[int]) -> list[int]:
    return [parts[0], parts[1] + 1] if len(parts) > 1 else [parts[0] + 1]


def _caret(parts: list[int]) -> list[int]:
    fixed = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
    return [*parts[:fixed], parts[fixed] + 1]


def _wildcard(parts: list[int]) -> list[int]:
    return [*parts[:-1], parts[-1] + 1]


_CONTAINS = _each("{text} ILIKE {value}", "OR", _substring)
_LACKS = _each("{text} NOT ILIKE {value}", "AND", _substring)
OPERATORS: Mapping[str, _Operator] = {
    "exact": _exact,
    "in": _exact,
    "is_not": _is_not,
    "not_in": _is_not,
    "icontains": _CONTAINS,
    "icontains_multi": _CONTAINS,
    "not_icontains": _LACKS,
    "not_icontains_multi": _LACKS,
    "regex": _each("{text} =~ {value}", "OR", _pattern),
    "not_regex": _each("{text} !~ {value}", "AND", _pattern),
    "is_set": _is_set,
    "is_not_set": _is_not_set,
    "gt": _ordered(">"),
    "gte": _ordered(">="),
    "min": _ordered(">="),
    "lt": _ordered("<"),
    "lte": _ordered("<="),
    "max": _ordered("<="),
    "between": _between,
    "not_between": _not_between,
    "is_date_exact": _date("="),
    "is_date_before": _date("<"),
    "is_date_after": _date(">"),
    "is_cleaned_path_exact": _cleaned_path,
    "semver_eq": _semver("="),
    "semver_neq": _semver("!="),
    "semver_gt": _semver(">"),
    "semver_gte": _semver(">="),
    "semver_lt": _semver("<"),
    "semver_lte": _semver("<="),
    "semver_tilde": _semver_range(_tilde),
    "semver_caret": _semver_range(_caret),
    "semver_wildcard": _semver_range(_wildcard),
}
