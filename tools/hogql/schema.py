"""What a project's HogQL can name: tables and columns from PostHog's DatabaseSchemaQuery, events and properties from
its definitions. All of it is remembered for some minutes and none of it is a HogQL query.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.kept import Aged
from ...schemas.base import View
from ..operation import unexpected_shape

SCHEMA_AGE_S = 600.0
"""Tables change rarely; a new column is known ten minutes later."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `type` in PostHog's words (`string`, `datetime`, `json`, `lazy_table`, `virtual_table`, …)."""

    name: str
    type: str
    table: str | None = None
    """Of a join (`lazy_table`): the table that it leads to."""
    fields: tuple[str, ...] = ()
    """Of a join or a virtual table: the columns behind it."""
    chain: tuple[str, ...] = ()
    """Of a `field_traverser`: where it leads."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables by name, each with its columns by name."""

    tables: Mapping[str, Mapping[str, Column]] = field(default_factory=dict[str, Mapping[str, Column]])
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    """What each table is: `posthog`, `system`, `data_warehouse`, `view`, …"""


async def schema_of(api: Call) -> Aged[Schema]:
    """The schema of the call's project, at most ten minutes old. Raises GatewayError."""

    async def ask() -> Schema:
        return read_schema(await api.counted_as(Budget.CRUD).query({"query": {"kind": "DatabaseSchemaQuery"}}))

    return await api.remembered("schema", SCHEMA_AGE_S, ask)


def read_schema(answer: object) -> Schema:
    """Raises Failed (`bad_upstream_response`) for what is no answer to a DatabaseSchemaQuery."""
    try:
        found = _SchemaAnswer.model_validate(answer)
    except ValidationError as error:
        raise unexpected_shape(_SchemaAnswer, error) from error
    return Schema(
        {
            name: {key: _column(key, value) for key, value in table.fields.items()}
            for name, table in found.tables.items()
        },
        {name: table.type or "" for name, table in found.tables.items()},
    )


class _Field(View):
    type: str | None = None
    table: str | None = None
    fields: list[str] | None = None
    chain: list[Any] | None = None


class _Table(View):
    type: str | None = None
    fields: dict[str, _Field]


class _SchemaAnswer(View):
    tables: dict[str, _Table]


def _column(name: str, value: _Field) -> Column:
    return Column(
        name, value.type or "unknown", value.table, tuple(value.fields or ()), tuple(map(str, value.chain or ()))
    )
