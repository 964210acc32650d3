"""The types of expressions, as far as they are certain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .. import tree
from ..schema import Column


@dataclass(frozen=True, slots=True)
class Type:
    """A type; `kind` is `unknown` unless PostHog and ClickHouse leave no other possibility."""

    kind: str = "unknown"
    """`string`, `number`, `boolean`, `date`, `datetime`, `interval`, `array`, `json`, `null`, `property`, `unknown`."""
    nullable: bool = False
    """The type is certainly Nullable."""
    item: Type | None = None
    """The type of an array's items."""
    property: tuple[str, str] | None = None
    """Whose property it is (`event`, `person`, `group`) and its name; the project defines its type."""


UNKNOWN = Type()
STRING = Type("string")
NUMBER = Type("number")
BOOLEAN = Type("boolean")
DATE = Type("date")
DATETIME = Type("datetime")
_STRINGS = Type("array", item=STRING)
_COLUMNS = {
    "string": STRING, "integer": NUMBER, "float": NUMBER, "number": NUMBER, "decimal": NUMBER, "boolean": BOOLEAN,
    "date": DATE, "datetime": DATETIME, "array": Type("array"), "json": Type("json"),
}  # fmt: skip
_RESULTS = {
    **dict.fromkeys(["toFloat", "toInt"], Type("number", nullable=True)),
    **dict.fromkeys(["toString", "lower", "upper", "trim", "substring", "replaceAll", "replaceOne", "replaceRegexpAll",
                     "replaceRegexpOne", "JSONExtractString", "JSONExtractRaw", "formatDateTime"], STRING),
    **dict.fromkeys(["length", "dateDiff", "toHour", "toMinute", "toSecond", "toYear", "toQuarter", "toMonth",
                     "toDayOfMonth", "toDayOfWeek", "toDayOfYear", "toYYYYMM", "toYYYYMMDD", "toUnixTimestamp",
                     "JSONExtractInt", "JSONExtractFloat", "JSONExtractUInt", "count", "countIf", "uniq", "uniqIf",
                     "uniqExact", "toFloatOrZero", "toIntOrZero"], NUMBER),
    **dict.fromkeys(["toDate", "today", "yesterday", "toStartOfWeek", "toStartOfMonth", "toStartOfQuarter",
                     "toStartOfYear", "toMonday"], DATE),
    **dict.fromkeys(["now", "toDateTime", "toStartOfDay", "toStartOfHour", "toStartOfMinute"], DATETIME),
    **dict.fromkeys(["JSONExtractArrayRaw", "JSONExtractKeys", "splitByChar", "splitByString", "extractAll"], _STRINGS),
    **dict.fromkeys(["match", "startsWith", "endsWith", "has", "hasAny", "hasAll", "isNull", "isNotNull", "empty",
                     "notEmpty", "arrayExists", "arrayAll"], BOOLEAN),
}  # fmt: skip
_SAME = frozenset(
    ["min", "max", "any", "anyLast", "argMin", "argMax", "minIf", "maxIf", "anyIf", "arraySort", "arrayDistinct",
     "arrayReverse"]
)  # fmt: skip
"""Functions that return what they are given."""
_INTERVAL = re.compile(r"toInterval[A-Z]\w+$")


def of_column(column: Column) -> Type:
    """Return the type of a column."""
    if column.type == "property":
        return Type("property", nullable=True, property=(column.table or "", column.name))
    return _COLUMNS.get(column.type, UNKNOWN)


def of_constant(constant: tree.Constant) -> Type:
    """Return the type of a literal."""
    match constant.value:
        case bool():
            return BOOLEAN
        case str():
            return STRING
        case None:
            return Type("null", nullable=True)
        case _:
            return NUMBER


def result_of(node: tree.Node, types: Sequence[Type]) -> Type:
    """Return the type of an expression, given those of the nodes below it."""
    match node:
        case tree.Constant():
            return of_constant(node)
        case tree.Alias() | tree.Lambda() | tree.Order():
            return types[0]
        case tree.Comparison() | tree.Logical() | tree.Not() | tree.Between() | tree.IsDistinctFrom():
            return BOOLEAN
        case tree.Array():
            return Type("array", item=_of_items(types))
        case tree.Call():
            return _of_call(node, types[: len(node.args)])
        case tree.Arithmetic():
            return Type("number") if {each.kind for each in types} == {"number"} else UNKNOWN
        case _:
            return UNKNOWN


def _of_call(node: tree.Call, types: Sequence[Type]) -> Type:
    name = node.name
    if known := (_RESULTS.get(name) or _RESULTS.get(name.lower())):
        return known
    if _INTERVAL.match(name):
        return Type("interval")
    if not types:
        return UNKNOWN
    if name in _SAME:
        return types[0]
    if name in ("groupArray", "groupUniqArray"):
        return Type("array", item=replace(types[0], nullable=False))
    if name == "arrayMap":
        return Type("array", item=types[0])
    if name == "arrayFilter" and len(types) > 1:
        return types[1]
    if name == "assumeNotNull" or (name in ("ifNull", "coalesce") and _are_alike(types)):
        return replace(types[0], nullable=types[-1].nullable and name != "assumeNotNull")
    return UNKNOWN


def _are_alike(types: Sequence[Type]) -> bool:
    """Return whether all have one type, or are properties and strings, which most properties are."""
    kinds = {each.kind for each in types}
    return len(kinds) == 1 or kinds == {"property", "string"}


def _of_items(types: Sequence[Type]) -> Type | None:
    kinds = {each.kind for each in types} - {"null"}
    if len(kinds) != 1:
        return None
    first = next(each for each in types if each.kind != "null")
    return replace(first, nullable=any(each.nullable for each in types))
