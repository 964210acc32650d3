"""Walk syntax trees and find nodes in them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, cast

from . import tree

_KINDS = frozenset(kind for kind in vars(tree).values() if isinstance(kind, type) and kind.__module__ == tree.__name__)
_LEAVES = frozenset([tree.Constant, tree.Field])
_PLAIN = frozenset(["Span | None", "str", "str | None", "bool", "int", "tuple[str, ...]"])
"""The annotations of fields without nodes."""


@cache
def field_names(kind: type) -> tuple[str, ...]:
    """Return the names of a node's fields except its span."""
    return tuple([each.name for each in fields(kind) if each.name != "span"])


def children(node: tree.Node, names: tuple[str, ...] = ()) -> list[tree.Node]:
    """Return the nodes directly below a node, all of them or only those of the fields in `names`."""
    kind = type(node)
    if kind in _LEAVES:
        return []
    found: list[tree.Node] = []
    _collect(_values(kind, names)(node), found)
    return found


@cache
def _values(kind: type, names: tuple[str, ...]) -> Callable[[tree.Node], tuple[object, ...]]:
    """Return a function that reads those of these fields, by default of all, that can have nodes."""
    chosen = [each.name for each in fields(kind) if each.type not in _PLAIN and (not names or each.name in names)]
    if not chosen:
        return lambda _: ()
    read = attrgetter(*chosen)
    return read if len(chosen) > 1 else lambda node: (read(node),)


def _collect(values: tuple[object, ...], found: list[tree.Node]) -> None:
    for value in values:
        if type(value) in _KINDS:
            found.append(cast("tree.Node", value))
        elif value and isinstance(value, tuple):
            _collect(cast("tuple[object, ...]", value), found)


def walk(node: tree.Node) -> Iterator[tree.Node]:
    """Return a node and all nodes below it, in the order of the statement's clauses."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        yield item
        waiting += reversed(children(item))


def rebuilt[N](node: N, change: Callable[[Any], Any]) -> N:
    """Return a node with `change` applied to the nodes in its fields, member by member in tuples."""
    changed = {name: _each(getattr(node, name), change) for name in field_names(type(node))}
    return cast("N", replace(cast("Any", node), **changed))


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple):
        return tuple([_each(item, change) for item in cast("tuple[Any, ...]", value)])
    return change(value) if type(value) in _KINDS else value


def place(node: Any) -> int | None:
    """Return the offset of a node in characters."""
    span = getattr(node, "span", None)
    return span[0] if span else None


def sources(join: tree.Join | None) -> Iterator[tree.Join]:
    """Return the tables of a FROM in order, each with its join."""
    while join is not None:
        yield join
        join = join.next


def aliases(select: tree.Select) -> frozenset[str]:
    """Return the aliases in a SELECT except in its subqueries; HogQL allows each to be used anywhere in the SELECT."""
    found: set[str] = set()
    waiting = children(select, clauses())
    while waiting:
        item = waiting.pop()
        if isinstance(item, tree.Select | tree.SetQuery):
            continue
        if isinstance(item, tree.Alias):
            found.add(item.alias)
        waiting += children(item)
    return frozenset(found)


@cache
def clauses() -> tuple[str, ...]:
    """Return the fields of a SELECT that contain its expressions: all except WITH and FROM."""
    return tuple([name for name in field_names(tree.Select) if name not in ("ctes", "source")])


def shared_columns(joins: list[tree.Join]) -> set[str]:
    """Return the columns that both sides of a JOIN … USING share."""
    by_name = [join.constraint.expr for join in joins if join.constraint is not None and join.constraint.using]
    found = [field for each in by_name for field in (each, *children(each)) if isinstance(field, tree.Field)]
    return {last_name(each) for each in found}


def last_name(node: tree.Expr) -> str:
    """Return the default name of an array without an alias."""
    return str(node.chain[-1]) if isinstance(node, tree.Field) else ""


def texts(node: tree.Expr) -> Iterator[tuple[str, int | None]]:
    """Return a string, or each string of a list, with its place."""
    if isinstance(node, tree.Constant) and isinstance(node.value, str):
        yield node.value, place(node)
    elif isinstance(node, tree.Tuple | tree.Array):
        for item in node.exprs:
            yield from texts(item)


def bounds_time(condition: tree.Node, times: Container[object]) -> bool:
    """Return whether one of these columns, or a placeholder, is part of a condition."""
    return any(
        isinstance(node, tree.Placeholder) or (isinstance(node, tree.Field) and node.chain[-1] in times)
        for node in walk(condition)
    )


def time_names(select: tree.Select) -> set[str]:
    """Return `timestamp` and the aliases of a SELECT for expressions that use it."""
    times = {"timestamp"}
    for item in select.columns:
        if isinstance(item, tree.Alias) and bounds_time(item, times):
            times.add(item.alias)
    return times
