"""What a translation is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .values import PropertyType, Scope

type PropertyTypes = Mapping[tuple[Scope, str], PropertyType]
type Resolver = Callable[[int | str], str | None]
"""From an id or a name to HogQL text, or None when there is no such thing."""
type Relations = Callable[[str], str | None]
"""From a table that the database does not store to the SELECT, in ClickHouse SQL of our own, that gives its rows."""
type Filters = Callable[[str], str | None]
"""From a table to the HogQL condition for `{filters}`, or None when that table has none."""

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

    `timezone` is an IANA name; `property_types` the property definitions; `values` the placeholders (`{name}`),
    `variables` those written `{variables.name}`: JSON scalars and arrays, always compiled to constants. `filters` is
    the condition for `{filters}`, by the table that the query reads. `cohorts` gives a
    query of person ids, `actions` a condition on events, both as HogQL text; `relations` is behind `cohort_people` and
    `system.*`. `overlays` gives, by its stored name, the SELECT that stands for a table of which rows were changed.
    `group_types` names the group types by index. With `current_persons`,
    `person` on events is the person of today, not of the event. `week_start` is 0 for Sunday, 1 for Monday. `now` fixes
    the clock; without it ClickHouse's is used.
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
    """Something to tell about a query that is answered all the same, and the characters of the query it is about."""

    message: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Translated:
    """One SELECT for ClickHouse.

    `columns` are PostHog's names of the result columns; `hogql` is the query printed back. When
    `default_limit_applied`, the query had no LIMIT: `sql` fetches one row more than `limit`, so that the caller can
    tell whether there are more, and drops it. `tables` are the HogQL tables read; `warnings` tell what was cut down.
    """

    sql: str
    columns: tuple[str, ...]
    hogql: str
    default_limit_applied: bool
    limit: int | None
    offset: int | None
    tables: tuple[str, ...]
    warnings: tuple[Notice, ...] = ()
