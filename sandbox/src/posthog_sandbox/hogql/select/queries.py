"""Compile SELECT and set operations clause by clause, in the order in which names come into scope."""

from __future__ import annotations

from dataclasses import replace

from hogql_lang import tree

from .. import escape
from ..errors import query_error
from ..scope import MAX_DEPTH, Environment, OutColumn, Relation, SelectScope
from ..values import UNKNOWN, Fragment
from .ctes import bind_ctes, hoist_ctes
from .from_clause import compile_from, render_from
from .select_list import compile_select_list
from .windows import compile_order, compile_window

_SET_OPERATORS = frozenset({
    "UNION ALL", "UNION DISTINCT", "INTERSECT", "INTERSECT DISTINCT", "INTERSECT ALL", "EXCEPT", "EXCEPT DISTINCT",
    "EXCEPT ALL",
})  # fmt: skip
_ELEMENT = Fragment("", UNKNOWN)
_GROUP_MODES = {"rollup": "ROLLUP", "cube": "CUBE", "grouping_sets": "GROUPING SETS"}


def compile_query(query: tree.Query, environment: Environment) -> Relation:
    """Return ClickHouse SQL and columns of a query. It uses only the common table expressions of `environment`."""
    compilation = environment.compilation
    compilation.depth += 1
    if compilation.depth > MAX_DEPTH:
        raise query_error(f"The query is nested too deeply: more than {MAX_DEPTH} levels.", query.span)
    relation = _select(query, environment) if isinstance(query, tree.Select) else _set_query(query, environment)
    compilation.depth -= 1
    return relation


def _set_query(query: tree.SetQuery, environment: Environment) -> Relation:
    query = hoist_ctes(query)
    first = compile_query(query.first, environment)
    pieces = [f"({first.sql})"]
    columns = first.columns
    for operator, member in query.rest:
        if operator not in _SET_OPERATORS:
            raise query_error(f"{operator} is not supported here.", query.span)
        relation = compile_query(member, environment)
        if len(relation.columns) != len(columns):
            counts = f"{len(columns)} and {len(relation.columns)}"
            raise query_error(f"{operator} needs the same number of columns on both sides: {counts}.", member.span)
        pieces += [operator, f"({relation.sql})"]
        columns = tuple(_merged(left, right) for left, right in zip(columns, relation.columns, strict=True))
    sql = " ".join(pieces)
    limit = _limit(query.limit, query.offset, False, environment)
    return Relation(f"SELECT * FROM ({sql}) {limit}" if limit else sql, columns)


def _merged(left: OutColumn, right: OutColumn) -> OutColumn:
    if left.type == right.type:
        return left
    same = left.type.kind == right.type.kind
    nullable = left.type.nullable or right.type.nullable
    kind = left.type if same else UNKNOWN
    return replace(left, type=replace(kind, nullable=nullable or not same))


def _select(select: tree.Select, outer: Environment) -> Relation:
    scope = SelectScope(windows=frozenset(name for name, _ in select.windows))
    environment, with_clause = bind_ctes(select.ctes, replace(outer, scope=scope))
    parts = compile_from(select.source, environment)
    array_join = _array_join(select, environment)
    items, columns = compile_select_list(select, environment)
    tail = [
        _condition("WHERE", select.where, environment),
        _group_by(select, environment),
        _condition("HAVING", select.having, environment),
        _windows(select, environment),
        _condition("QUALIFY", select.qualify, environment),
        f"ORDER BY {compile_order(select.order_by, environment)}" if select.order_by else "",
        _limit_by(select.limit_by, environment),
        _limit(select.limit, select.offset, select.limit_with_ties, environment),
    ]
    head = f"SELECT {'DISTINCT ' if select.distinct else ''}{', '.join(items)}"
    pieces = [with_clause, head, render_from(parts), array_join, *tail]
    return Relation(" ".join(piece for piece in pieces if piece), columns)


def _array_join(select: tree.Select, environment: Environment) -> str:
    if not select.array_joins:
        return ""
    operator = select.array_join_operator
    if operator not in ("ARRAY JOIN", "INNER ARRAY JOIN", "LEFT ARRAY JOIN"):
        raise query_error(f"{operator} is not supported here.", select.span)
    compiled: list[tuple[str, str]] = []
    for item in select.array_joins:
        if not isinstance(item, tree.Alias):
            raise query_error("ARRAY JOIN arrays must have an alias", item.span)
        compiled.append((environment.compile(item.expr).sql, item.alias))
    for (_, alias), item in zip(compiled, select.array_joins, strict=True):
        environment.scope.declare(alias, _ELEMENT, item.span)
    joined = ", ".join(f"{sql} AS {escape.identifier(alias)}" for sql, alias in compiled)
    return f"{operator.removeprefix('INNER ')} {joined}"


def _condition(keyword: str, condition: tree.Expr | None, environment: Environment) -> str:
    return "" if condition is None else f"{keyword} {environment.compile(condition).sql}"


def _group_by(select: tree.Select, environment: Environment) -> str:
    if select.group_by_mode == "all":
        return "GROUP BY ALL"
    if not select.group_by:
        return ""
    if select.group_by_mode == "grouping_sets":
        sets = [item.exprs if isinstance(item, tree.Tuple) else (item,) for item in select.group_by]
        shown = ", ".join(f"({', '.join(environment.compile(expr).sql for expr in exprs)})" for exprs in sets)
    else:
        shown = ", ".join(environment.compile(expr).sql for expr in select.group_by)
    mode = _GROUP_MODES.get(select.group_by_mode or "")
    return f"GROUP BY {mode}({shown})" if mode else f"GROUP BY {shown}"


def _windows(select: tree.Select, environment: Environment) -> str:
    shown = [f"{escape.identifier(name)} AS ({compile_window(window, environment)})" for name, window in select.windows]
    return f"WINDOW {', '.join(shown)}" if shown else ""


def _limit_by(limit_by: tree.LimitBy | None, environment: Environment) -> str:
    if limit_by is None:
        return ""
    count = environment.compile(limit_by.count).sql
    offset = "" if limit_by.offset is None else f" OFFSET {environment.compile(limit_by.offset).sql}"
    keys = ", ".join(environment.compile(expr).sql for expr in limit_by.exprs)
    return f"LIMIT {count}{offset} BY {keys}"


def _limit(limit: tree.Expr | None, offset: tree.Expr | None, with_ties: bool, environment: Environment) -> str:
    pieces: list[str] = []
    if limit is not None:
        pieces.append(f"LIMIT {environment.compile(limit).sql}")
        if with_ties:
            pieces.append("WITH TIES")
    if offset is not None:
        position = 1 if with_ties and pieces else len(pieces)
        pieces.insert(position, f"OFFSET {environment.compile(offset).sql}")
    return " ".join(pieces)
