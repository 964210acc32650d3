"""Inspect a query without running it: whether it reads events by time, and the types of its properties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from hogql_lang import tree
from hogql_lang.walk import walk

from .context import Context, Notice
from .syntax.parser import parse_query
from .values import Scope

type IndexUse = Literal["undecisive", "no", "partial", "yes"]

_SHOWN: dict[Scope, str] = {"event": "Event", "person": "Person", "group": "Group", "session": "Session"}
_OWNERS: dict[str, Scope] = {"person": "person", "poe": "person", "persons": "person", "session": "session"}


def index_use(text: str) -> IndexUse:
    """Return whether all, some or none of the SELECTs on `events` limit `timestamp`, by which events are sorted.

    The result is `undecisive` if none reads events. Raises `HogqlError` for text that does not parse.
    """
    limited = [_names(select.where, "timestamp") for select in _selects(parse_query(text)) if _reads_events(select)]
    if not limited:
        return "undecisive"
    return "yes" if all(limited) else "partial" if any(limited) else "no"


def property_notices(text: str, context: Context) -> tuple[Notice, ...]:
    """Return the type of each event and person property in the query, if the project defines one."""
    query = parse_query(text)
    owner: Scope = "person" if _reads(query, "persons") and not _reads(query, "events") else "event"
    found: dict[Notice, None] = {}
    for node in walk(query):
        if isinstance(node, tree.Field) and "properties" in node.chain[:-1]:
            found |= dict.fromkeys(_notices(node, owner, context))
    return tuple(found)


def _notices(node: tree.Field, owner: Scope, context: Context) -> Iterator[Notice]:
    position = node.chain.index("properties")
    before = node.chain[position - 1] if position else ""
    name = str(node.chain[position + 1])
    scope = _OWNERS.get(str(before), owner)
    kind = context.property_types.get((scope, name))
    if kind is not None:
        start, end = node.span or (None, None)
        yield Notice(f"{_SHOWN[scope]} property '{name}' is of type '{kind}'.", start, end)


def _reads(query: tree.Query, table: str) -> bool:
    return any(_from(select, table) for select in _selects(query))


def _reads_events(select: tree.Select) -> bool:
    return _from(select, "events")


def _from(select: tree.Select, table: str) -> bool:
    join = select.source
    while join is not None:
        if isinstance(join.table, tree.Field) and join.table.chain == (table,):
            return True
        join = join.next
    return False


def _selects(query: tree.Query) -> Iterator[tree.Select]:
    return (node for node in walk(query) if isinstance(node, tree.Select))


def _names(condition: tree.Expr | None, column: str) -> bool:
    return any(
        isinstance(node, tree.Field) and node.chain[-1] == column for node in (walk(condition) if condition else ())
    )
