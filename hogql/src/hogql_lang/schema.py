"""The tables and columns that HogQL can name in a project, as listed by PostHog's DatabaseSchemaQuery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast


class SchemaError(Exception):
    """The text is not the response to a DatabaseSchemaQuery."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` is PostHog's name (`string`, `datetime`, `json`, `lazy_table`, `virtual_table`, …)."""

    name: str
    type: str
    table: str | None = None
    """The table that a join (`lazy_table`) leads to."""
    fields: tuple[str, ...] = ()
    """The columns behind a join or a virtual table."""
    chain: tuple[str, ...] = ()
    """The path to the column behind a `field_traverser`."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables by name, each with its columns by name."""

    tables: Mapping[str, Mapping[str, Column]] = field(default_factory=dict[str, Mapping[str, Column]])
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    """The kind of each table: `posthog`, `system`, `data_warehouse`, `view`, …"""


def read_schema(response: object) -> Schema:
    """Return the schema in the response to a DatabaseSchemaQuery. Raises SchemaError for anything else."""
    tables = _mapping(_mapping(response, "the response").get("tables"), "tables")
    found: dict[str, Mapping[str, Column]] = {}
    kinds: dict[str, str] = {}
    for name, value in tables.items():
        table = _mapping(value, f"tables.{name}")
        fields = _mapping(table.get("fields"), f"tables.{name}.fields")
        found[name] = {key: _column(key, each, f"tables.{name}.fields.{key}") for key, each in fields.items()}
        kinds[name] = _text(table, "type", f"tables.{name}") or ""
    return Schema(found, kinds)


def _column(name: str, value: object, where: str) -> Column:
    column = _mapping(value, where)
    return Column(
        name,
        _text(column, "type", where) or "unknown",
        _text(column, "table", where),
        tuple(_texts(column, "fields", where)),
        tuple(map(str, _list(column, "chain", where))),
    )


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SchemaError(f"{where} is not an object")
    return cast("Mapping[str, Any]", value)


def _text(holder: Mapping[str, Any], key: str, where: str) -> str | None:
    value = holder.get(key)
    if value is not None and not isinstance(value, str):
        raise SchemaError(f"{where}.{key} is not a text")
    return value


def _list(holder: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = holder.get(key)
    if value is not None and not isinstance(value, list):
        raise SchemaError(f"{where}.{key} is not a list")
    return cast("list[Any]", value or [])


def _texts(holder: Mapping[str, Any], key: str, where: str) -> list[str]:
    found = _list(holder, key, where)
    if not all(isinstance(each, str) for each in found):
        raise SchemaError(f"{where}.{key} is not a list of texts")
    return found
