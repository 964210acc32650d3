"""Find the function for a HogQL name: case-insensitive look-up, aggregate combinators, hints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, get_args

from hogql_lang import tree
from hogql_lang.walk import children

from ..errors import HogqlError, Span, nearest, query_error
from ..values import UNKNOWN, Fragment, Kind, Type
from . import allowed as function_names
from . import macro_texts

type Family = Literal["function", "aggregate", "window"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `most` is None for any number of arguments; `result` is a kind or `argN`."""

    name: str
    fewest: int
    most: int | None
    result: str
    nullability: Literal["", "?", "!"]
    family: Family

    def result_type(self, args: tuple[Fragment, ...]) -> Type:
        """Return the type of the result; it can be null if an argument can, unless the table defines that."""
        if self.result.startswith("arg"):
            index = int(self.result[3:])
            base = args[index].type if index < len(args) else UNKNOWN
        else:
            base = Type(_KINDS[self.result])
        if self.nullability:
            return base.or_null() if self.nullability == "?" else base.not_null()
        if self.name in ("coalesce", "ifNull"):
            nullable = all(arg.type.nullable for arg in args)
        else:
            nullable = base.nullable or any(arg.type.nullable for arg in args)
        return base.or_null() if nullable else base

    def check_count(self, count: int, shown_name: str, span: Span | None) -> None:
        """Reject a call with too few or too many arguments, in PostHog's words."""
        if count >= self.fewest and (self.most is None or count <= self.most):
            return
        if self.fewest == self.most:
            wanted, number = "expects", self.fewest
        elif count < self.fewest:
            wanted, number = "expects at least", self.fewest
        else:
            wanted, number = "expects at most", self.most or 0
        noun = "argument" if number == 1 else "arguments"
        what = "Aggregation" if self.family == "aggregate" else "Function"
        raise query_error(f"{what} '{shown_name}' {wanted} {number} {noun}, found {count}", span)


_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind.__value__)}


def _read(table: str, family: Family) -> Iterator[tuple[str, Function]]:
    for entry in table.replace("\n", "|").split("|"):
        if not entry.strip():
            continue
        name, fewest, most, result = entry.split()
        nullability: Literal["", "?", "!"] = "?" if result.endswith("?") else "!" if result.endswith("!") else ""
        limit = None if most == "*" else int(most)
        yield name.lower(), Function(name, int(fewest), limit, result.rstrip("?!"), nullability, family)


@cache
def _functions() -> dict[str, Function]:
    table = dict(_read(function_names.SCALAR, "function"))
    table.update(_read(function_names.AGGREGATE, "aggregate"))
    table.update(_read(function_names.WINDOW, "window"))
    for name, target in function_names.HOGQL_NAMES.items():
        if target.lower() in table:
            table[name.lower()] = table[target.lower()]
    return table


def allowed_functions() -> frozenset[Function]:
    """Return all functions and aggregates that a query can call, aggregates without combinators."""
    return frozenset(_functions().values())


def find_function(name: str) -> Function | None:
    """Return the function with this name, ignoring case; aggregates can have combinators."""
    folded = name.lower()
    return _functions().get(folded) or _combined(folded)


def has_aggregate(item: tree.Node) -> bool:
    """Return whether an expression aggregates rows; subqueries and windows do not count."""
    if isinstance(item, tree.Select | tree.SetQuery | tree.WindowCall):
        return False
    if isinstance(item, tree.Call):
        function = find_function(item.name)
        if (function is not None and function.family == "aggregate") or item.name.lower() in macro_texts.AGGREGATES:
            return True
    return any(has_aggregate(each) for each in children(item))


@lru_cache(maxsize=1024)
def _combined(folded: str) -> Function | None:
    for combinator in function_names.COMBINATORS:
        suffix = combinator.lower()
        inner = find_function(folded.removesuffix(suffix)) if folded.endswith(suffix) and folded != suffix else None
        if inner is not None and inner.family == "aggregate":
            return _combine(inner, combinator)
    return None


def _combine(inner: Function, combinator: str) -> Function:
    extra = 1 if combinator in ("If", "ArgMin", "ArgMax") else 0
    most = None if inner.most is None else inner.most + extra
    nullability: Literal["", "?", "!"] = "?" if combinator == "OrNull" else inner.nullability
    result = "unknown" if combinator in ("Array", "State", "Merge", "Map", "ForEach") else inner.result
    fewest = 1 if combinator in ("Merge", "Map") else inner.fewest + extra
    return Function(inner.name + combinator, fewest, most, result, nullability, "aggregate")


def with_filter(function: Function, distinct: bool) -> Function:
    """Return the function for `f(...) filter (where ...)`."""
    return _combine(_combine(function, "Distinct") if distinct else function, "If")


def unknown_function(name: str, special: frozenset[str], span: Span | None) -> HogqlError:
    """Return the error for a name that is not allowed, with the nearest allowed name."""
    known = {function.name for function in _functions().values()} | special | set(function_names.HOGQL_NAMES)
    candidate = nearest(name, known)
    hint = f". Perhaps you meant '{candidate}(...)'?" if candidate else ""
    return query_error(f"Unsupported function call '{name}(...)'{hint}", span)
