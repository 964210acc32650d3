"""What can be told of a query without running it: whether it reads events by time, and the types of its properties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Literal, cast

from . import ast
from .context import Context, Notice
from .parser import parse_query
from .values import Scope

type IndexUse = Literal["undecisive", "no", "partial", "yes"]

_SHOWN: dict[Scope, str] = {"event": "Event", "person": "Person", "group": "Group", "session": "Session"}
_OWNERS: dict[str, Scope] = {"person": "person", "poe": "person", "persons": "person", "session": "session"}


def index_use(text: str) -> IndexUse:
    """Whether the SELECTs that read `events` limit `timestamp`, by which events are sorted: all, some or none of them.

    `undecisive` when none reads events. Raises `HogqlError` for a text that does not parse.
    """
    limited = [_names(select.where, "timestamp") for select in _selects(parse_query(text)) if _reads_events(select)]
    if not limited:
        return "undecisive"
    return "yes" if all(limited) else "partial" if any(limited) else "no"


def property_notices(text: str, context: Context) -> tuple[Notice, ...]:
    """The type of each property of events and persons that is named, where the project defines one."""
    query = parse_query(text)
    owner: Scope = "person" if _reads(query, "persons") and not _reads(query, "events") else "event"
    found: dict[Notice, None] = {}
    for node in _walk(query):
        if isinstance(node, ast.Field) and "properties" in node.chain[:-1]:
            found |= dict.fromkeys(_notices(node, owner, context))
    return tuple(found)


def _notices(node: ast.Field, owner: Scope, context: Context) -> Iterator[Notice]:
    position = node.chain.index("properties")
    before, name = node.chain[position - 1] if position else "", str(node.chain[position + 1])
    scope = _OWNERS.get(str(before), owner)
    kind = context.property_types.get((scope, name))
    if kind is not None:
        start, end = node.span or (None, None)
        yield Notice(f"{_SHOWN[scope]} property '{name}' is of type '{kind}'.", start, end)


def _reads(query: ast.Query, table: str) -> bool:
    return any(_from(select, table) for select in _selects(query))


def _reads_events(select: ast.Select) -> bool:
    return _from(select, "events")


def _from(select: ast.Select, table: str) -> bool:
    join = select.source
    while join is not None:
        if isinstance(join.table, ast.Field) and join.table.chain == (table,):
            return True
        join = join.next
    return False


def _selects(query: ast.Query) -> Iterator[ast.Select]:
    return (node for node in _walk(query) if isinstance(node, ast.Select))


def _names(condition: ast.Expr | None, column: str) -> bool:
    return any(isinstance(node, ast.Field) and node.chain[-1] == column for node in _walk(condition))


def _walk(item: Any) -> Iterator[Any]:
    if isinstance(item, tuple):
        for member in cast(tuple[Any, ...], item):
            yield from _walk(member)
    elif is_dataclass(item):
        yield item
        for each in fields(item):
            yield from _walk(getattr(item, each.name))
