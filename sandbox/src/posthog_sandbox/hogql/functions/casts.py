"""Compile casts to the types that a query can name."""

from __future__ import annotations

import re

from .. import escape
from ..context import Context
from ..errors import Span, query_error
from ..values import Fragment, Kind, Type

_SYNONYMS = {
    "int": "Int64", "integer": "Int64", "bigint": "Int64", "smallint": "Int64", "float": "Float64", "double": "Float64",
    "real": "Float64", "numeric": "Float64", "text": "String", "varchar": "String", "char": "String", "bool": "Bool",
    "boolean": "Bool", "timestamp": "DateTime", "decimal": "Decimal(18, 2)", "json": "String", "jsonb": "String",
}  # fmt: skip
_SCALARS = {
    name.lower(): name
    for name in (
        "Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128", "Float32",
        "Float64", "String", "Bool", "Date", "Date32", "DateTime", "DateTime64", "UUID",
    )
}  # fmt: skip
_DECIMAL = re.compile(r"decimal(?:32|64|128)?\s*\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)", re.IGNORECASE)
_WRAPPED = re.compile(r"(nullable|array)\s*\((.*)\)", re.IGNORECASE | re.DOTALL)


def cast_to(value: Fragment, type_name: str, safe: bool, context: Context, span: Span | None) -> Fragment:
    """Return the value as a type; with `safe`, or from text to a number, an invalid value gives null."""
    name = _canonical(type_name, span)
    kind = _kind(name)
    if name == "String":
        return Fragment(f"toString({value.sql})", Type("string", value.type.nullable))
    if name in ("DateTime", "DateTime64"):
        timezone = escape.string(context.timezone)
        if value.type.kind == "string":
            return Fragment(f"parseDateTime64BestEffortOrNull({value.sql}, 6, {timezone})", Type(kind, True))
        return Fragment(f"toDateTime({value.sql}, {timezone})", Type(kind, value.type.nullable))
    if name == "Date" and value.type.kind != "string":
        return Fragment(f"toDate({value.sql})", Type(kind, value.type.nullable))
    if name.startswith("Array") and not safe:
        return Fragment(f"CAST({value.sql}, {escape.string(name)})", Type(kind))
    target = escape.string(name.removeprefix("Nullable(").removesuffix(")") if name.startswith("Nullable(") else name)
    return Fragment(f"accurateCastOrNull({value.sql}, {target})", Type(kind, nullable=True))


def _canonical(type_name: str, span: Span | None) -> str:
    folded = type_name.strip().lower()
    name = _SCALARS.get(folded) or _SYNONYMS.get(folded)
    if name is not None:
        return name
    decimal = _DECIMAL.fullmatch(folded)
    if decimal is not None:
        precision, scale = (int(part or 0) for part in decimal.groups())
        return f"Decimal({precision}, {scale})"
    wrapped = _WRAPPED.fullmatch(folded)
    if wrapped is not None and len(folded) < 80:
        return f"{wrapped[1].capitalize()}({_canonical(wrapped[2], span)})"
    raise query_error(f"Unknown type `{type_name}`.", span)


def _kind(name: str) -> Kind:
    if name.startswith("Array"):
        return "array"
    if name.startswith(("Int", "UInt", "Nullable(Int", "Nullable(UInt")):
        return "integer"
    if name.startswith(("Float", "Decimal", "Nullable(Float")):
        return "float"
    kinds: dict[str, Kind] = {
        "String": "string", "Bool": "boolean", "Date": "date", "Date32": "date", "DateTime": "datetime",
        "DateTime64": "datetime", "UUID": "uuid",
    }  # fmt: skip
    return kinds.get(name.removeprefix("Nullable(").removesuffix(")"), "unknown")
