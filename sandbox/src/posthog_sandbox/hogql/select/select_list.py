"""Compile the SELECT list: expand `*`, declare aliases, and name the columns of the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hogql_lang import tree

from .. import escape
from ..errors import query_error
from ..name_supply import NameSupply
from ..scope import Environment, FromSource, OutColumn, QuerySource
from ..syntax.printer import print_expression, property_chain
from ..values import Fragment


@dataclass(frozen=True, slots=True)
class _Item:
    """A column; `label` is its name in a response, `reference` its name in an outer query."""

    label: str
    reference: str
    value: Fragment
    is_alias: bool


def compile_select_list(select: tree.Select, environment: Environment) -> tuple[list[str], tuple[OutColumn, ...]]:
    """Return the SQL of each column, all with names, and the columns as an outer query sees them."""
    items: list[_Item] = []
    for node in select.columns:
        items += _expand(node, environment)
    names = NameSupply(environment.scope.aliases)
    shown: list[str] = []
    columns: list[OutColumn] = []
    for item in items:
        sql_name = item.reference if item.is_alias else names.take(item.reference or "column")
        shown.append(f"{item.value.sql} AS {escape.identifier(sql_name)}")
        columns.append(OutColumn(item.reference, sql_name, item.value.type, item.label))
    return shown, tuple(columns)


def _expand(node: tree.Expr, environment: Environment) -> list[_Item]:
    match node:
        case tree.Columns():
            return _chosen(node, environment)
        case tree.Field(chain) if chain[-1] == "*":
            return [item for source in _star_sources(node, environment) for item in _star(source)]
        case tree.Alias(alias, expr):
            value = environment.compile(expr)
            environment.scope.declare(alias, value, node.span)
            return [_Item(alias, alias, value, is_alias=True)]
        case tree.Lambda():
            raise query_error("A lambda is only allowed in the arguments of a function.", node.span)
        case _:
            value = environment.compile(node)
            return [_Item(_label(node, value, environment), _reference(node), value, is_alias=False)]


def _label(node: tree.Expr, value: Fragment, environment: Environment) -> str:
    """Return the name of the column, or the expression printed back."""
    if not isinstance(node, tree.Field):
        return print_expression(node)
    head = environment.scope.source(str(node.chain[0])) if len(node.chain) == 2 else None
    inside_json = value.type.holds_json and value.type.kind != "json"
    is_column = "properties" not in node.chain[:-1] and not inside_json
    return _reference(node) if is_column or isinstance(head, QuerySource) else print_expression(node)


def _reference(node: tree.Expr) -> str:
    chain = property_chain(node)
    return str(chain[-1]) if chain else print_expression(node)


def _star_sources(node: tree.Field, environment: Environment) -> list[FromSource]:
    sources = environment.scope.sources
    if len(node.chain) == 1:
        if not sources:
            raise query_error("Cannot use '*' when there are no tables in the query", node.span)
        if len(sources) > 1:
            message = "Cannot use '*' without table name when there are multiple tables in the query"
            raise query_error(message, node.span)
        return sources
    name = ".".join(str(part) for part in node.chain[:-1])
    source = environment.scope.source(name)
    if source is None:
        raise query_error(f"Unknown table `{name}`.", node.span)
    return [source]


def _star(source: FromSource) -> list[_Item]:
    items: list[_Item] = []
    for column in source.star():
        value = source.column(column.name)
        if value is not None:
            items.append(_Item(column.name, column.name, value, is_alias=False))
    return items


def _chosen(node: tree.Columns, environment: Environment) -> list[_Item]:
    """Return the columns of `* exclude (...)`, `(* replace (...))` or `columns(a, b)`."""
    if node.regex is not None:
        raise query_error("COLUMNS with a regular expression is not supported here; name the columns.", node.span)
    if node.columns:
        return [item for column in node.columns for item in _expand(column, environment)]
    items = [item for source in environment.scope.sources for item in _star(source)]
    known = {item.reference for item in items}
    replaced = dict(node.replace)
    for name in (*node.exclude, *replaced):
        if name not in known:
            raise query_error(f"Unable to resolve field: {name}", node.span)
    kept = [item for item in items if item.reference not in node.exclude]
    return [
        replace(item, value=environment.compile(replaced[item.reference])) if item.reference in replaced else item
        for item in kept
    ]
