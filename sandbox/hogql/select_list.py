"""The SELECT list: `*` expanded, aliases declared, and the names of the result's columns."""

from __future__ import annotations

from dataclasses import dataclass

from . import ast, escape
from .errors import query_error
from .hogql_printer import print_expression, property_chain
from .name_supply import NameSupply
from .scope import Environment, OutColumn, Source
from .values import Fragment


@dataclass(frozen=True, slots=True)
class _Item:
    """A column: `name` in HogQL's text; `reference` is the name by which an outer query reads it."""

    name: str
    reference: str
    value: Fragment
    is_alias: bool


def compile_select_list(select: ast.Select, environment: Environment) -> tuple[list[str], tuple[OutColumn, ...]]:
    """The SQL of each column, all named, and the columns as an outer query sees them."""
    items: list[_Item] = []
    for node in select.columns:
        items += _expand(node, environment)
    names = NameSupply(environment.scope.aliases)
    shown: list[str] = []
    columns: list[OutColumn] = []
    for item in items:
        sql_name = item.reference if item.is_alias else names.take(item.reference or "column")
        shown.append(f"{item.value.sql} AS {escape.identifier(sql_name)}")
        columns.append(OutColumn(item.reference, sql_name, item.value.type))
    return shown, tuple(columns)


def column_names(select: ast.Select, columns: tuple[OutColumn, ...]) -> tuple[str, ...]:
    """What PostHog calls the result columns: the alias, the column, or the expression printed back."""
    names: list[str] = []
    plain = [node for node in select.columns if not _is_star(node)]
    if len(plain) == len(select.columns) == len(columns):
        for node, column in zip(select.columns, columns, strict=True):
            names.append(_shown_name(node, column))
        return tuple(names)
    return tuple(column.name for column in columns)


def _shown_name(node: ast.Expr, column: OutColumn) -> str:
    inside_json = column.type.holds_json and column.type.kind != "json"
    is_column = isinstance(node, ast.Field) and "properties" not in node.chain[:-1] and not inside_json
    return column.name if is_column or isinstance(node, ast.Alias) else print_expression(node)


def _is_star(node: ast.Expr) -> bool:
    return isinstance(node, ast.Columns) or (isinstance(node, ast.Field) and node.chain[-1] == "*")


def _expand(node: ast.Expr, environment: Environment) -> list[_Item]:
    match node:
        case ast.Columns():
            return _chosen(node, environment)
        case ast.Field(chain) if chain[-1] == "*":
            return [item for source in _star_sources(node, environment) for item in _star(source)]
        case ast.Alias(alias, expr):
            value = environment.compile(expr)
            environment.scope.declare(alias, value, node.span)
            return [_Item(alias, alias, value, is_alias=True)]
        case ast.Lambda():
            raise query_error("A lambda can only stand in the arguments of a function.", node.span)
        case _:
            return [_Item("", _reference(node), environment.compile(node), is_alias=False)]


def _reference(node: ast.Expr) -> str:
    chain = property_chain(node)
    return str(chain[-1]) if chain else print_expression(node)


def _star_sources(node: ast.Field, environment: Environment) -> list[Source]:
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


def _star(source: Source) -> list[_Item]:
    items: list[_Item] = []
    for column in source.star():
        value = source.column(column.name)
        if value is not None:
            items.append(_Item(column.name, column.name, value, is_alias=False))
    return items


def _chosen(node: ast.Columns, environment: Environment) -> list[_Item]:
    """`* exclude (...)`, `(* replace (...))`, `columns(a, b)`."""
    if node.regex is not None:
        raise query_error("COLUMNS with a regular expression is not supported here: name the columns.", node.span)
    if node.columns:
        return [item for column in node.columns for item in _expand(column, environment)]
    items = [item for source in environment.scope.sources for item in _star(source)]
    known = {item.name for item in items}
    replaced = dict(node.replace)
    for name in (*node.exclude, *replaced):
        if name not in known:
            raise query_error(f"Unable to resolve field: {name}", node.span)
    return [
        _Item(item.name, item.name, environment.compile(replaced[item.name]), False) if item.name in replaced else item
        for item in items
        if item.name not in node.exclude
    ]
