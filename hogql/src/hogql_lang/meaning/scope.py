"""The tables, aliases and columns that a SELECT can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..schema import Column

UNLISTED_COLUMNS = frozenset({"team_id", "_timestamp", "inserted_at", "_offset"})
"""Columns that exist and that DatabaseSchemaQuery does not list."""
OTHER = Column("", "unknown")

type TableColumns = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Source:
    """A table or subquery in FROM. `columns` is None if they are unknown."""

    names: frozenset[str]
    columns: TableColumns | None
    table: str = ""
    place: int | None = None


UNKNOWN_SOURCE = Source(frozenset(), None)
"""A source for the names that an unknown construct may define."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that a statement, or an expression in it, can use."""

    tables: Mapping[str, TableColumns | None]
    """The subqueries of WITH."""
    sources: tuple[Source, ...] = ()
    names: frozenset[str] = frozenset()
    """Aliases, arguments of lambdas and expressions of WITH, whose columns are unknown."""
    outer: Scope | None = None

    def within(self, names: frozenset[str]) -> Scope:
        return Scope(self.tables, self.sources, self.names | names, self.outer)


@dataclass(frozen=True, slots=True)
class Found:
    """The column or property that a chain of names leads to."""

    column: Column = OTHER
    missing: tuple[str, tuple[str, ...], str] | None = None
    """A name that does not exist, the names that do, and the table."""
    property: tuple[str, str] | None = None
    """The name of a property and its type."""
    outer: bool = False
    """The column belongs to the outer query."""


def holders(chain: list[str], scope: Scope) -> list[str]:
    """Return the names of the sources that share the first column of a chain; nothing unless it is ambiguous."""
    if len(scope.sources) < 2:
        return []
    holders = [min(source.names, default="") for source in scope.sources if chain[0] in (source.columns or ())]
    named = chain[0] in scope.names or any(after(chain, source) for source in scope.sources)
    return [] if named or len(holders) < 2 else [name for name in holders if name]


def of_others(chain: list[str], scope: Scope) -> tuple[str, ...]:
    """Return the columns with this name in sources with another alias, or in tables joined to events."""
    if len(chain) == 1:
        return ()
    having = [source for source in scope.sources if chain[1] in (source.columns or ()) and source.names]
    columns = [".".join((min(source.names), *chain[1:])) for source in having]
    if any(source.table == "events" for source in scope.sources) and chain[0].lower() in _JOINED:
        rest = chain[1:] if chain[1] == "properties" else ["properties", *chain[1:]]
        columns.append(".".join((_JOINED[chain[0].lower()], *rest)))
    return tuple(columns)


_JOINED = {"user": "person", "users": "person", "persons": "person", "people": "person", "groups": "group_0"}
"""Other names for the tables that events lead to."""


def after(chain: list[str], source: Source) -> list[str]:
    """Return the rest of a chain after the name of a source; nothing if the chain does not begin with it."""
    for length in range(1, len(chain)):
        if ".".join(chain[:length]) in source.names:
            return chain[length:]
    return []


def property_type(owner: str) -> str:
    """Return whose properties a table, or a virtual table of events, has."""
    if owner in ("persons", "raw_persons", "person", "poe"):
        return "person"
    return "group" if owner.startswith(("group", "goe", "raw_groups")) else "event"
