"""Translate HogQL to ClickHouse SQL: parse, bind placeholders, apply the limits, compile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hogql_lang import tree

from .context import Context, Notice, Translated
from .errors import query_error
from .expressions import compile_expression
from .placeholders import bind_placeholders
from .scope import Compilation, Environment, SelectScope
from .select.queries import compile_query
from .syntax.parser import parse_query
from .syntax.printer import print_query


def translate(query: str, context: Context) -> Translated:
    """Return ClickHouse SQL for a HogQL query, as PostHog's query endpoint would run it.

    A SELECT without LIMIT gets 100 rows and one more; in a UNION, each SELECT without LIMIT gets 100. A LIMIT is at
    most 50,000. Only translated syntax trees are printed: tables come from the schema, functions from the allow-list,
    texts and names through `escape`. Raises `HogqlError` for a query that cannot run.
    """
    try:
        return _translate(query, context)
    except RecursionError:
        raise query_error("The query is nested too deeply.") from None


def _translate(text: str, context: Context) -> Translated:
    query = parse_query(text)
    if "{" in text:
        query = bind_placeholders(query, context)
    warnings = tuple(_clamped_limits(query, context))
    defaulted = isinstance(query, tree.Select) and query.limit is None
    query = _limited(query, context, extra_row=1)
    compilation = Compilation(context, compile_expression, compile_query)
    relation = compile_query(query, Environment(compilation, SelectScope(), {}))
    return Translated(
        sql=relation.sql,
        columns=tuple(column.label for column in relation.columns),
        hogql=print_query(query),
        default_limit_applied=defaulted,
        limit=context.default_limit if defaulted else None,
        offset=_offset(query) if defaulted else None,
        tables=tuple(compilation.tables),
        warnings=warnings,
    )


def _limited(query: tree.Query, context: Context, extra_row: int) -> tree.Query:
    """Return the query with the default and the maximum limit applied to its outermost SELECTs."""
    if isinstance(query, tree.SetQuery):
        return replace(
            query,
            first=_limited(query.first, context, 0),
            rest=tuple((operator, _limited(member, context, 0)) for operator, member in query.rest),
            limit=None if query.limit is None else _clamped(query.limit, context),
        )
    if query.limit is not None:
        return replace(query, limit=_clamped(query.limit, context))
    limit = tree.Constant(context.default_limit + extra_row)
    return replace(query, limit=limit, offset=query.offset or (tree.Constant(0) if extra_row else None))


def _clamped_limits(query: tree.Query, context: Context) -> Iterator[Notice]:
    """Return a warning for each LIMIT of the outermost SELECTs that is above the maximum."""
    limit = query.limit
    if isinstance(limit, tree.Constant) and isinstance(limit.value, int) and limit.value > context.max_limit:
        start, end = limit.span or (None, None)
        yield Notice(f"LIMIT {limit.value} is above the maximum: {context.max_limit} rows are returned.", start, end)
    if isinstance(query, tree.SetQuery):
        for member in (query.first, *(member for _, member in query.rest)):
            yield from _clamped_limits(member, context)


def _clamped(limit: tree.Expr, context: Context) -> tree.Expr:
    if isinstance(limit, tree.Constant) and isinstance(limit.value, int):
        return tree.Constant(min(limit.value, context.max_limit), limit.span)
    return tree.Call("least", (tree.Constant(context.max_limit), limit))


def _offset(query: tree.Query) -> int:
    offset = query.offset
    return offset.value if isinstance(offset, tree.Constant) and isinstance(offset.value, int) else 0
