"""Replace `{name}`, `{variables.name}` and `{filters}` in the tree, before anything is compiled.

A value always becomes a constant or an array of constants, so it can never become syntax.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from hogql_lang import tree
from hogql_lang.walk import rebuilt

from .context import Context
from .errors import Span, query_error, relocated
from .schema.catalog import find_table
from .syntax.parser import parse_expression


def bind_placeholders(query: tree.Query, context: Context) -> tree.Query:
    """Return the query with all placeholders replaced. Raises `HogqlError` for one without a value."""
    return cast(tree.Query, _bound(query, context, None))


def _bound(item: Any, context: Context, source: tree.Join | None) -> Any:
    """Return the item with placeholders replaced. `source` is the FROM of the innermost SELECT around it."""
    if isinstance(item, tree.Placeholder):
        return _value_of(item, context, source)
    if isinstance(item, tree.Constant | tree.Field):
        return item
    inner = item.source if isinstance(item, tree.Select) else source
    return rebuilt(item, lambda member: _bound(member, context, inner))


def _value_of(node: tree.Placeholder, context: Context, source: tree.Join | None) -> tree.Expr:
    if not isinstance(node.expr, tree.Field):
        raise query_error("A placeholder must be a name in braces, such as {start}.", node.span)
    match tuple(str(part) for part in node.expr.chain):
        case ("filters",) if "filters" not in context.values:
            return _filters(node, context, source)
        case ("variables", name):
            if name not in context.variables:
                raise query_error(f"Variable {name} is missing from query", node.span)
            return constant(context.variables[name], node.span)
        case (name,) if name in context.values:
            return constant(context.values[name], node.span)
        case path:
            shown = "{" + ".".join(path) + "}"
            raise query_error(f"Unresolved placeholder: {shown}. Give it a value in `values`.", node.span)


def _filters(node: tree.Placeholder, context: Context, source: tree.Join | None) -> tree.Expr:
    """Return the condition for the first table of the SELECT that has one."""
    if context.filters is None:
        return tree.Constant(True)
    has_joins = source is not None and source.next is not None
    while source is not None:
        table = ".".join(str(part) for part in source.table.chain) if isinstance(source.table, tree.Field) else ""
        with relocated("the filters", node.span):
            condition = context.filters(table)
            if condition is not None:
                parsed = parse_expression(condition)
                return _of_table(parsed, source.alias or table, table) if has_joins else parsed
        source = source.next
    message = "Cannot use the 'filters' placeholder in a SELECT that does not read events or sessions."
    raise query_error(message, node.span)


def _of_table(item: Any, alias: str, table: str) -> Any:
    """Return the condition with its columns qualified by the table's alias, so that joined tables do not matter.

    Subqueries are left as they are, because they have their own tables.
    """
    if isinstance(item, tree.Field):
        found = find_table(table)
        own = found is not None and str(item.chain[0]) in found.names()
        return replace(item, chain=(alias, *item.chain)) if own else item
    if isinstance(item, tree.Constant | tree.Select | tree.SetQuery):
        return item
    return rebuilt(item, lambda member: _of_table(member, alias, table))


def constant(value: object, span: Span | None) -> tree.Expr:
    """Return a JSON value as a constant: a scalar, or an array of values."""
    if value is None or isinstance(value, str | int | float | bool):
        return tree.Constant(value, span)
    if isinstance(value, list | tuple):
        members = cast(list[object], value)
        return tree.Array(tuple([constant(member, span) for member in members]), span)
    raise query_error("A placeholder's value must be a string, a number, a boolean, null, or an array of these.", span)
