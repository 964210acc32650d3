"""Compile WITH: queries become ClickHouse common table expressions with unique names; expressions are compiled again
at each use."""

from __future__ import annotations

from dataclasses import replace

from hogql_lang import tree

from .. import escape
from ..errors import query_error
from ..scope import CompiledCte, CteBinding, Environment, OutColumn


def bind_ctes(ctes: tuple[tree.Cte, ...], environment: Environment) -> tuple[Environment, str]:
    """Return the environment with the expressions in scope, and the WITH clause."""
    bound: dict[str, CteBinding] = dict(environment.ctes)
    environment = replace(environment, ctes=bound)
    clauses: list[str] = []
    for cte in ctes:
        if cte.is_column or not isinstance(cte.expr, tree.Select | tree.SetQuery):
            bound[cte.name] = cte.expr
            continue
        sql_name = environment.compilation.names.take(cte.name)
        if cte.recursive:
            bound[cte.name] = CompiledCte(sql_name, _columns_of_first(cte, cte.expr, environment))
        relation = environment.query(cte.expr)
        bound[cte.name] = CompiledCte(sql_name, _named(cte, relation.columns))
        clauses.append(f"{escape.identifier(sql_name)} AS ({relation.sql})")
    keyword = "WITH RECURSIVE" if any(cte.recursive for cte in ctes) else "WITH"
    return environment, f"{keyword} {', '.join(clauses)}" if clauses else ""


def hoist_ctes(query: tree.SetQuery) -> tree.SetQuery:
    """Copy the WITH of the first SELECT of a UNION to the other members, because it applies to all of them."""
    first: tree.Query = query
    while isinstance(first, tree.SetQuery):
        first = first.first
    if not first.ctes:
        return query
    rest = tuple((operator, _with(first.ctes, member)) for operator, member in query.rest)
    return replace(query, rest=rest)


def _with(ctes: tuple[tree.Cte, ...], query: tree.Query) -> tree.Query:
    if isinstance(query, tree.Select):
        own = {cte.name for cte in query.ctes}
        return replace(query, ctes=(*(cte for cte in ctes if cte.name not in own), *query.ctes))
    return replace(query, first=_with(ctes, query.first))


def _columns_of_first(cte: tree.Cte, query: tree.Query, environment: Environment) -> tuple[OutColumn, ...]:
    """Return the columns of the first member of a recursive query, which does not refer to the query itself."""
    start = query.first if isinstance(query, tree.SetQuery) else query
    return _named(cte, environment.query(start).columns)


def _named(cte: tree.Cte, columns: tuple[OutColumn, ...]) -> tuple[OutColumn, ...]:
    if not cte.columns:
        return columns
    if len(cte.columns) != len(columns):
        raise query_error(f"{len(cte.columns)} names for the {len(columns)} columns of `{cte.name}`.", cte.span)
    return tuple(replace(column, name=name) for name, column in zip(cte.columns, columns, strict=True))
