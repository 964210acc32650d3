"""Find misplaced aggregates and columns that are missing in GROUP BY."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Protocol

from .. import tree
from ..findings import Mistake, Problem
from ..functions import COMBINATORS, is_known
from ..walk import children, clauses, place, sources
from .mismatches import shown

_QUERIES = (tree.Select, tree.SetQuery)


@cache
def _aggregates() -> frozenset[str]:
    return frozenset(resources.files(__package__ or "").joinpath("aggregates.txt").read_text("utf-8").split())


@lru_cache(maxsize=1024)
def is_aggregate(name: str) -> bool:
    """Return whether a function aggregates, alone or with combinators."""
    if name in _aggregates() or name.lower() in _aggregates():
        return True
    endings = (ending for ending in COMBINATORS if name.endswith(ending) and name != ending)
    return any(is_aggregate(name.removesuffix(ending)) for ending in endings)


class Names(Protocol):
    """How a SELECT reads its fields."""

    def is_column(self, field: tree.Field) -> bool:
        """Return whether a field is a column of a table in FROM, not an alias."""
        ...

    def has_column(self, name: str) -> bool:
        """Return whether a table in FROM has this column, even if an alias hides it."""
        ...

    def chain(self, field: tree.Field) -> tuple[object, ...]:
        """Return the same for all ways to write a column: `event`, `e.event`, `events.event`."""
        ...


def aggregation(select: tree.Select, names: Names) -> Iterator[Mistake]:
    """Return the mistakes of one SELECT."""
    aliased = {each.alias: each.expr for each in select.columns if isinstance(each, tree.Alias)}
    nodes = list(_below(children(select, clauses())))
    yield from _hidden(nodes, aliased, names)
    has_joins = select.source is not None and select.source.next is not None
    quantified = {id(call): mistake for call, mistake in _quantified(nodes)}
    yield from quantified.values()
    if not (select.group_by or has_joins or any(_calls(node) is not None for node in nodes)):
        return
    yield from _misplaced(select, aliased, names, quantified.keys())
    yield from _nested(nodes)
    yield from _ungrouped(select, aliased, names)


def _quantified(nodes: Sequence[tree.Node]) -> Iterator[tuple[tree.Call, Mistake]]:
    """Find `= ANY (…)` and `ILIKE ANY (…)`, which call the aggregate `any` here."""
    for node in nodes:
        if not isinstance(node, tree.Comparison) or not isinstance(node.right, tree.Call):
            continue
        call, left = node.right, shown(node.left) or "…"
        if call.name.lower() not in ("any", "all", "some") or not call.args or isinstance(call.args[0], tree.Field):
            continue
        first = call.args[0]
        items = first.exprs if isinstance(first, tree.Array | tree.Tuple) else call.args
        listed = "SELECT …" if isinstance(first, _QUERIES) else ", ".join(shown(item) or "…" for item in items[:5])
        sign = node.operator.upper().replace("==", "=")
        is_any = call.name.lower() != "all"
        operator = {("==", True): "IN", ("!=", False): "NOT IN"}.get((node.operator, is_any))
        wanted = "arrayExists" if is_any else "arrayAll"
        fix = f"{left} {operator} ({listed})" if operator else f"{wanted}(x -> {left} {sign} x, [{listed}])"
        message = f"HogQL has no {sign} {call.name.upper()} (…)"
        yield call, Mistake(Problem("hogql_query_error", message, place(call), (fix,), "unsupported"))


def _misplaced(
    select: tree.Select, aliased: Mapping[str, tree.Expr], names: Names, known: Container[int]
) -> Iterator[Mistake]:
    """Find aggregates and window functions where rows are filtered or grouped, directly or by an alias."""
    having = [] if select.having is None else [select.having]
    found_in: list[tuple[str, Sequence[tree.Node]]] = [
        ("WHERE", [each for each in (select.where, select.prewhere) if each is not None]),
        ("GROUP BY", select.group_by),
        ("HAVING", having),
    ]
    found_in += [("ON", [join.constraint]) for join in sources(select.source) if join.constraint is not None]
    for clause, nodes in found_in:
        for node in _below(nodes):
            name = str(node.chain[0]) if isinstance(node, tree.Field) and len(node.chain) == 1 else ""
            found = _first(aliased[name]) if name in aliased else _calls(node)
            if found is None or id(found) in known or (clause == "HAVING" and isinstance(found, tree.Call)):
                continue
            is_shadowing = bool(name) and isinstance(found, tree.Call) and names.has_column(name)
            yield _shadowed(name, clause, node) if is_shadowing else _misplaced_in(clause, found, name, node)
            break


def _misplaced_in(clause: str, call: tree.Call | tree.WindowCall, name: str, node: tree.Node) -> Mistake:
    what = f"`{name}`, the result of {call.name}(…)," if name else f"{call.name}(…)"
    if isinstance(call, tree.WindowCall):
        message = f"{what} cannot be in {clause}, because window functions are computed later"
        fixes = (f"QUALIFY instead of {clause}",) if clause in ("WHERE", "HAVING") else ("a subquery",)
    elif clause == "WHERE":
        message = f"{what} cannot be in WHERE, which filters rows before they are aggregated"
        fixes = ("HAVING after GROUP BY",)
    elif clause == "GROUP BY":
        message = f"{what} cannot be in GROUP BY"
        fixes = (f"GROUP BY without {name or f'{call.name}(…)'}",)
    else:
        message, fixes = f"{what} cannot be in the condition of a JOIN", ("a subquery",)
    return Mistake(Problem("hogql_query_error", message, place(node), fixes, "aggregate"))


def _shadowed(name: str, clause: str, node: tree.Node) -> Mistake:
    """Return the warning about an alias of an aggregate with the name of a column, such as `timestamp`."""
    message = f"`{name}` in {clause} is the alias of an aggregate, not the column"
    return Mistake(Problem("hogql_query_error", message, place(node), ("another alias",), "aggregate"), warning=True)


def _hidden(nodes: Sequence[tree.Node], aliased: Mapping[str, tree.Expr], names: Names) -> Iterator[Mistake]:
    """Find a column that is read through an alias that hides it: `argMin(properties, …) AS properties`."""
    hiding = {name for name, expr in aliased.items() if not isinstance(expr, tree.Field) and names.has_column(name)}
    for node in nodes if hiding else ():
        if isinstance(node, tree.Field) and len(node.chain) > 1 and node.chain[0] in hiding:
            message = f"`{node.chain[0]}` is an alias here, which hides the column"
            yield Mistake(Problem("hogql_query_error", message, place(node), ("another alias",), "column"))
            return


def _nested(nodes: Sequence[tree.Node]) -> Iterator[Mistake]:
    for node in nodes:
        if not isinstance(node, tree.Call) or not is_aggregate(node.name):
            continue
        for arg in node.args:
            inner = _first(arg)
            if isinstance(inner, tree.Call):
                message = f"{inner.name}(…) cannot be an argument of the aggregate {node.name}"
                text = shown(inner)
                fixes = (f"{node.name}({text or '…'}) OVER ()", "a subquery")
                yield Mistake(Problem("hogql_query_error", message, place(inner), fixes, "aggregate"))
                return


@dataclass(frozen=True, slots=True)
class _Keys:
    """What a SELECT groups by."""

    plain: Container[object]
    """The keys without their places."""
    aliases: Container[str]
    """The aliases of keys."""
    names: Names

    def uncovered(self, node: tree.Node, hidden: frozenset[str] = frozenset()) -> Iterator[tree.Field]:
        """Return the columns in an expression that are neither aggregated nor a key."""
        if isinstance(node, _QUERIES) or _plain(node, self.names) in self.plain:
            return
        match node:
            case tree.Call() if is_aggregate(node.name) or not is_known(node.name) or node.name == "grouping":
                return
            case tree.Alias() if node.alias in self.aliases:
                return
            case tree.Field():
                if str(node.chain[0]) not in hidden and self._is_missing(node):
                    yield node
                return
            case tree.Lambda():
                hidden |= frozenset(node.args)
            case _:
                pass
        for child in children(node):
            yield from self.uncovered(child, hidden)

    def _is_missing(self, node: tree.Field) -> bool:
        if node.chain[-1] == "*":
            return True
        if not self.names.is_column(node):
            return False
        shorter = (tree.Field(node.chain[:length]) for length in range(1, len(node.chain)))
        return not any(_plain(each, self.names) in self.plain for each in shorter)


def _ungrouped(select: tree.Select, aliased: Mapping[str, tree.Expr], names: Names) -> Iterator[Mistake]:
    """Find the first column of a SELECT with aggregates that is not grouped by."""
    having = [] if select.having is None else [select.having]
    parts: list[tree.Node] = [*select.columns, *select.order_by, *having]
    is_aggregated = bool(select.group_by) or any(isinstance(_first(each), tree.Call) for each in parts)
    if not is_aggregated or select.group_by_mode:
        return
    keys = list(_keys(select))
    key_names = {str(each.chain[0]) for each in keys if isinstance(each, tree.Field) and len(each.chain) == 1}
    keys += [aliased[name] for name in key_names & aliased.keys()]
    plain = {_plain(each, names) for each in keys}
    covered = _Keys(plain, key_names & aliased.keys(), names)
    found = [field for each in parts for field in covered.uncovered(each)]
    if not found:
        return
    missing = list(dict.fromkeys(shown(field) for field in found))[:5]
    if "*" in missing[0]:
        message = "`*` cannot be selected next to an aggregate"
        yield Mistake(Problem("hogql_query_error", message, place(found[0]), ("the names of columns",), "aggregate"))
        return
    present = [shown(each) or "…" for each in select.group_by]
    for key in select.group_by:
        if isinstance(key, tree.Constant) and key.value in aliased:
            message = f"{shown(key)} in GROUP BY is a string, not the alias"
            yield Mistake(Problem("hogql_query_error", message, place(key), (f"`{key.value}`",), "aggregate"))
            return
    fixes = [f"GROUP BY {', '.join([*present, *missing])}"] + ([f"any({missing[0]})"] if present else [])
    message = f"`{missing[0]}` is neither in GROUP BY nor in an aggregate"
    yield Mistake(Problem("hogql_query_error", message, place(found[0]), tuple(fixes), "aggregate"))


def _keys(select: tree.Select) -> Iterator[tree.Expr]:
    """Return the expressions that are grouped by; a number is the place of a column."""
    waiting = list(select.group_by)
    while waiting:
        key = waiting.pop(0)
        match key:
            case tree.Constant(int() as number) if not isinstance(number, bool) and 0 < number <= len(select.columns):
                column = select.columns[number - 1]
                waiting += [tree.Field((column.alias,)), column.expr] if isinstance(column, tree.Alias) else [column]
            case tree.Tuple() | tree.GroupingSet():
                waiting += key.exprs
            case tree.Call() if key.name.lower() in ("tuple", "rollup", "cube"):
                waiting += key.args
            case tree.Alias():
                waiting += [tree.Field((key.alias,)), key.expr]
            case _:
                yield key


def _plain(node: tree.Node, names: Names) -> object:
    """Return a node without places, names of tables and the letter case of functions, to compare it with others."""
    match node:
        case tree.Field():
            return names.chain(node)
        case tree.ArrayAccess(tree.Field() as holder, tree.Constant(str() as key)):
            return (*names.chain(holder), key)
        case tree.Alias():
            return _plain(node.expr, names)
        case tree.Call():
            below = tuple([_plain(each, names) for each in children(node)])
            return ("call", node.name.lower(), len(node.args), node.distinct, below)
        case tree.Select() | tree.SetQuery():
            return node
        case _:
            below = tuple([_plain(each, names) for each in children(node)])
            return (type(node).__name__, below, *_own_values(node))


def _own_values(node: tree.Node) -> tuple[object, ...]:
    match node:
        case tree.Constant():
            return (type(node.value).__name__, node.value)
        case tree.Arithmetic() | tree.Comparison() | tree.Logical():
            return (node.operator,)
        case tree.Cast():
            return (node.type_name.lower(),)
        case tree.TupleAccess():
            return (node.index,)
        case tree.Between() | tree.IsDistinctFrom():
            return (node.negated,)
        case tree.WindowCall():
            return (node.name.lower(), node.span)
        case _:
            return ()


def _calls(node: tree.Node) -> tree.Call | tree.WindowCall | None:
    """Return the node if it is an aggregate or a window function."""
    is_one = isinstance(node, tree.WindowCall) or (isinstance(node, tree.Call) and is_aggregate(node.name))
    return node if is_one and isinstance(node, tree.Call | tree.WindowCall) else None


def _first(node: tree.Node) -> tree.Call | tree.WindowCall | None:
    """Return the first aggregate in an expression, else its first window function; subqueries do not count."""
    found = [call for each in _below([node]) if (call := _calls(each)) is not None]
    return next((each for each in found if isinstance(each, tree.Call)), next(iter(found), None))


def _below(nodes: Sequence[tree.Node]) -> Iterator[tree.Node]:
    """Return these nodes and all below them except subqueries."""
    waiting = list(reversed(nodes))
    while waiting:
        node = waiting.pop()
        if isinstance(node, _QUERIES):
            continue
        yield node
        waiting += reversed(children(node))


def widths(first: tree.Query, operator: str, other: tree.Query) -> Iterator[Mistake]:
    """Return the mistake of two queries with different numbers of columns in one UNION."""
    one, two = _width(first), _width(other)
    if one and two and one != two:
        message = f"{operator} needs as many columns in each SELECT: {one} and {two}"
        at = other.columns[0] if isinstance(other, tree.Select) else other
        yield Mistake(Problem("hogql_query_error", message, place(at), (f"{one} columns",), "other"))


def _width(query: tree.Query) -> int | None:
    while isinstance(query, tree.SetQuery):
        query = query.first
    is_starred = any(isinstance(each, tree.Columns) or _is_star(each) for each in query.columns)
    return None if is_starred else len(query.columns)


def _is_star(node: tree.Expr) -> bool:
    return isinstance(node, tree.Placeholder) or (isinstance(node, tree.Field) and node.chain[-1] == "*")
