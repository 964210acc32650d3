"""The rows of `system.information_schema.*`, which list the catalog."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ..values import Kind
from .catalog import TABLES
from .stored import INFORMATION_SCHEMA, SYSTEM_TABLES
from .tables import Table

type CatalogRow = Mapping[str, str | int | bool | None]

_TYPES: Mapping[Kind, tuple[str, str]] = {
    "string": ("String", "Text."),
    "integer": ("Integer", "A whole number."),
    "float": ("Float", "A floating point number."),
    "boolean": ("Boolean", "True or false."),
    "date": ("Date", "A calendar day."),
    "datetime": ("DateTime", "A moment, shown in the project's timezone."),
    "uuid": ("UUID", "A universally unique identifier."),
    "json": ("JSON", "A JSON document; properties are read with a dot or in brackets."),
    "array": ("Array", "A list of values."),
    "unknown": ("Unknown", "A value of any type."),
}
_ABOUT: Mapping[str, str] = {
    "events": "Everything that was captured; one row per event.",
    "persons": "The people behind the events; one row per person.",
    "groups": "Groups of people, such as organizations; one row per group.",
    "sessions": "Visits: consecutive events of one person; one row per session.",
    "query_log": "The HogQL queries that ran.",
}
_PARENT, _CHILD = re.compile(r"\{parent\}\.`([^`]+)`"), re.compile(r"\{child\}\.`([^`]+)`")


def information_schema_rows(table: str) -> list[CatalogRow]:
    """Return the rows of `system.information_schema.tables`, `.columns`, `.relationships` or `.data_types`."""
    rows = _ROWS.get(table.rpartition(".")[2])
    return [] if rows is None else list(rows())


def _tables() -> Iterator[tuple[Table, str, str]]:
    """Return all tables with type and schema."""
    for tables, kind, schema in (
        (TABLES, "posthog", "public"),
        (SYSTEM_TABLES, "system", "system"),
        (INFORMATION_SCHEMA, "information_schema", "information_schema"),
    ):
        for table in tables.values():
            yield table, kind, schema


def _table_rows() -> Iterator[CatalogRow]:
    for table, kind, schema in _tables():
        yield {
            "table_catalog": "posthog",
            "table_schema": schema,
            "table_name": table.name,
            "table_type": kind,
            "description": _ABOUT.get(table.name),
            "row_count": None,
            "certification": None,
        }


def _column_rows() -> Iterator[CatalogRow]:
    for table, _, schema in _tables():
        shown = [column for column in table.columns.values() if column.name != "team_id"]
        for position, column in enumerate(shown, 1):
            yield {
                "table_schema": schema,
                "table_name": table.name,
                "column_name": column.name,
                "ordinal_position": position,
                "data_type": _TYPES.get(column.type.kind, _TYPES["unknown"])[0],
                "is_nullable": column.type.nullable,
                "is_array": column.type.kind == "array",
                "field_kind": "column",
                "description": None,
                "null_fraction": None,
                "min_value": None,
                "max_value": None,
            }


def _relationship_rows() -> Iterator[CatalogRow]:
    for table, _, _ in _tables():
        virtual = {name: table.virtual[name].otherwise for name in table.virtual}
        for name, link in {**virtual, **table.joins}.items():
            if link is None:
                continue
            parent, child = _PARENT.search(link.on), _CHILD.search(link.on)
            yield {
                "source_table": table.name,
                "source_column": None if parent is None else parent[1],
                "target_table": link.table,
                "target_column": None if child is None else child[1],
                "relationship_kind": "lazy_join",
                "via": name,
                "confidence": None,
                "reasoning": None,
            }


def _type_rows() -> Iterator[CatalogRow]:
    for name, description in _TYPES.values():
        yield {"type_name": name, "description": description}


_ROWS: Mapping[str, Callable[[], Iterator[CatalogRow]]] = {
    "tables": _table_rows,
    "columns": _column_rows,
    "relationships": _relationship_rows,
    "data_types": _type_rows,
}
