"""The input and output of a translation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .values import PropertyType, Scope

type PropertyTypes = Mapping[tuple[Scope, str], PropertyType]
type Resolver = Callable[[int | str], str | None]
"""A look-up of HogQL text by id or name; None if it does not exist."""
type Relations = Callable[[str], str | None]
"""A look-up of the SELECT, in trusted ClickHouse SQL, for a table that the database does not store."""
type Filters = Callable[[str], str | None]
"""A look-up of the HogQL condition for `{filters}` by table; None if that table has none."""

DEFAULT_LIMIT = 100
MAX_LIMIT = 50_000


def _no_texts() -> Mapping[str, str]:
    return {}


def _no_types() -> PropertyTypes:
    return {}


def _no_values() -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The project, and the values a query refers to.

    `timezone` is an IANA name. `property_types` are the property definitions. `values` are for placeholders (`{name}`)
    and `variables` for `{variables.name}`: JSON scalars and arrays, always compiled to constants. `filters` returns the
    condition for `{filters}` on the table that the query reads. `cohorts` returns a query of person ids and `actions` a
    condition on events, both as HogQL text. `relations` returns the rows of `cohort_people` and `system.*`. `overlays`
    maps the stored name of a table with changed rows to the SELECT that replaces it. `group_types` are the names of the
    group types by index. With `current_persons`, `person` on events is the current person, not the person at the time
    of the event. `week_start` is 0 for Sunday, 1 for Monday. `now` fixes the clock; without it ClickHouse's is used.
    """

    timezone: str = "UTC"
    property_types: PropertyTypes = field(default_factory=_no_types)
    values: Mapping[str, object] = field(default_factory=_no_values)
    variables: Mapping[str, object] = field(default_factory=_no_values)
    filters: Filters | None = None
    cohorts: Resolver | None = None
    actions: Resolver | None = None
    relations: Relations | None = None
    overlays: Mapping[str, str] = field(default_factory=_no_texts)
    group_types: tuple[str, ...] = ()
    current_persons: bool = False
    week_start: int = 0
    now: datetime | None = None
    default_limit: int = DEFAULT_LIMIT
    max_limit: int = MAX_LIMIT


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about a query that still runs, and the characters of the query it is about."""

    message: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Translated:
    """One SELECT for ClickHouse.

    `columns` are PostHog's names of the result columns; `hogql` is the query printed back. With
    `default_limit_applied`, the query had no LIMIT: `sql` fetches one row more than `limit`, so the caller can detect
    further rows and then drops it. `tables` are the HogQL tables read; `warnings` describe reduced limits.
    """

    sql: str
    columns: tuple[str, ...]
    hogql: str
    default_limit_applied: bool
    limit: int | None
    offset: int | None
    tables: tuple[str, ...]
    warnings: tuple[Notice, ...] = ()
