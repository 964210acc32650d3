"""ClickHouse type names, parsed to find the columns that need a conversion for JSON."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

type Convert = Callable[[Any], Any]


class TypeName(NamedTuple):
    """A type such as `Array(Nullable(String))`: its name and, for compound types, its arguments as text."""

    head: str
    arguments: tuple[str, ...]


def parse(text: str) -> TypeName:
    """Split a type name at its outermost parentheses. Quoted text and nested types stay intact."""
    head, bracket, rest = text.strip().partition("(")
    return TypeName(head, _split(rest.rpartition(")")[0]) if bracket else ())


def without_low_cardinality(text: str) -> str:
    """Return the type name without `LowCardinality`, which describes the storage of a column and not its values."""
    if "LowCardinality(" not in text:
        return text
    head, arguments = parse(text)
    if head == "LowCardinality":
        return without_low_cardinality(arguments[0])
    if head in ("Tuple", "Nested"):
        named = [_name_and_type(argument) for argument in arguments]
        return f"{head}({', '.join(name + without_low_cardinality(kind) for name, kind in named)})"
    return f"{head}({', '.join(without_low_cardinality(argument) for argument in arguments)})"


def converter(text: str) -> Convert | None:
    """Return the conversion from ClickHouse's JSON output to the value to show; None when there is none to make.

    Expects `date_time_output_format='iso'`. Date-times become ISO 8601 text in the type's time zone, floats and
    decimals become `float`. The conversion does not accept null.
    """
    head, arguments = parse(text)
    match head:
        case "DateTime" | "DateTime64":
            return _moment(_zone(arguments))
        case "Float32" | "Float64" | "BFloat16" | "Decimal" | "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256":
            return float
        case "Nullable" | "LowCardinality":
            return converter(arguments[0])
        case "SimpleAggregateFunction":
            return converter(arguments[1])
        case "Array":
            return _each(converter(arguments[0]))
        case "Tuple":
            return _fields([converter(_name_and_type(argument)[1]) for argument in arguments])
        case "Nested":
            return _each(_fields([converter(_name_and_type(argument)[1]) for argument in arguments]))
        case "Map":
            return _entries(converter(arguments[0]), converter(arguments[1]))
        case _:
            return None


def _split(text: str) -> tuple[str, ...]:
    """Split at commas outside parentheses and quotes."""
    parts: list[str] = []
    depth = 0
    start = 0
    quote = ""
    position = 0
    while position < len(text):
        letter = text[position]
        if quote:
            if letter == "\\":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter in "'`\"":
            quote = letter
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    last = text[start:].strip()
    return (*parts, last) if last else tuple(parts)


def _name_and_type(element: str) -> tuple[str, str]:
    """Split a tuple element such as `` `b c` String `` or `String` into its name with a space (or "") and its type."""
    if element.startswith("`"):
        end = element.index("`", 1)
        while element[end - 1] == "\\":
            end = element.index("`", end + 1)
        return element[: end + 2], element[end + 2 :]
    name, space, kind = element.partition(" ")
    return (name + space, kind) if kind and "(" not in name else ("", element)


def _zone(arguments: tuple[str, ...]) -> ZoneInfo | None:
    """Return the time zone of a date-time type; None for UTC and for zones unknown to this machine."""
    name = next((argument.strip("'") for argument in arguments if argument.startswith("'")), "UTC")
    if name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _moment(zone: ZoneInfo | None) -> Convert:
    def in_utc(value: str) -> str:
        whole, dot, fraction = value[:-1].partition(".")
        microseconds = f"{fraction}000000"[:6]
        return f"{whole}.{microseconds}Z" if dot and microseconds != "000000" else f"{whole}Z"

    def in_zone(value: str) -> str:
        local = datetime.fromisoformat(in_utc(value)).astimezone(zone).isoformat()
        return f"{local[:-6]}Z" if local.endswith("+00:00") else local

    return in_zone if zone else in_utc


def _through(inner: Convert, value: Any) -> Any:
    # ClickHouse prints NaN and infinity as null too, so null can occur in types that are not nullable.
    return None if value is None else inner(value)


def _each(inner: Convert | None) -> Convert | None:
    if inner is None:
        return None
    return lambda values: [_through(inner, value) for value in values]


def _fields(inners: list[Convert | None]) -> Convert | None:
    if not any(inners):
        return None
    return lambda values: [
        value if inner is None else _through(inner, value) for inner, value in zip(inners, values, strict=True)
    ]


def _entries(key: Convert | None, value: Convert | None) -> Convert | None:
    if key is None and value is None:
        return None

    def convert(entries: dict[str, Any]) -> dict[Any, Any]:
        return {
            (key(name) if key else name): (_through(value, item) if value else item) for name, item in entries.items()
        }

    return convert
