"""The response to a DatabaseSchemaQuery."""

from __future__ import annotations

import re
from typing import Any

from .. import escape
from ..values import Kind
from .catalog import SYSTEM_TABLES, TABLES
from .tables import Column, LazyJoin, Table, VirtualTable

_FIELD_TYPES: dict[Kind, str] = {
    "string": "string", "integer": "integer", "float": "float", "boolean": "boolean", "datetime": "datetime",
    "date": "date", "uuid": "string", "array": "array", "tuple": "unknown", "json": "json", "interval": "unknown",
    "unknown": "unknown",
}  # fmt: skip
_SHOWN_AS_JOINS = frozenset({"person"})
_LISTED = ("events", "groups", "persons", "sessions", "query_log")
_UNLISTED_COLUMNS = frozenset({"team_id"})
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def describe_schema(group_types: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return `{"tables": {name: {"id", "name", "type", "row_count", "fields": {...}}}, "joins": []}`.

    Like PostHog, it lists `events`, `groups`, `persons`, `sessions`, `query_log` and `system.*`. The other tables can
    be queried but are not listed. `group_types` appear as fields of `events` under their names.
    """
    listed = {name: _table(TABLES[name], group_types) for name in _LISTED}
    system = {name: {**_table(table, ()), "type": "system"} for name, table in SYSTEM_TABLES.items()}
    return {"tables": {**listed, **system}, "joins": []}


def _table(table: Table, group_types: tuple[str, ...]) -> dict[str, Any]:
    fields = {name: _column(column, table) for name, column in table.columns.items() if name not in _UNLISTED_COLUMNS}
    fields |= {name: _virtual(name, virtual, table) for name, virtual in table.virtual.items()}
    fields |= {name: _lazy(name, link) for name, link in table.joins.items()}
    for index, name in enumerate(group_types):
        link = table.joins.get(f"group_{index}")
        if link is not None:
            fields[name] = _lazy(name, link)
    return {"id": table.name, "name": table.name, "type": "posthog", "row_count": None, "fields": fields}


def _column(column: Column, table: Table) -> dict[str, Any]:
    is_expression = column.sql != "" or (table.name, column.name) == ("events", "person_id")
    return _field(column.name, "expression" if is_expression else _FIELD_TYPES[column.type.kind])


def _lazy(name: str, link: LazyJoin) -> dict[str, Any]:
    return _field(name, "lazy_table", table=link.table, fields=TABLES[link.table].names(), identity=name)


def _virtual(name: str, virtual: VirtualTable, owner: Table) -> dict[str, Any]:
    if virtual.otherwise is not None and name in _SHOWN_AS_JOINS:
        return _lazy(name, virtual.otherwise)
    return _field(name, "virtual_table", table=owner.name, fields=list(virtual.columns))


def _field(
    name: str, kind: str, *, table: str | None = None, fields: list[str] | None = None, identity: str | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "hogql_value": name if _BARE.fullmatch(name) else escape.identifier(name),
        "type": kind,
        "schema_valid": True,
        "table": table,
        "fields": fields,
        "chain": None,
        "id": identity,
    }
