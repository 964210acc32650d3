"""Compile dotted names."""

from __future__ import annotations

from dataclasses import replace

from hogql_lang import tree

from . import escape
from .errors import Span, query_error
from .properties import read_property
from .scope import CompiledCte, Environment, FromSource, TableSource, VirtualSource, source_of, unresolved
from .values import UNKNOWN, Fragment

type AccessKey = str | int


def compile_field(node: tree.Field, environment: Environment) -> Fragment:
    """Return the argument, alias, column or property with a name. Raises "Unable to resolve field: ..."."""
    head, *rest = node.chain
    name = str(head)
    if name == "*":
        raise query_error("`*` is only allowed in a SELECT list and in count(*).", node.span)
    if name in environment.arguments:
        return access(environment.arguments[name], rest, environment, node.span)
    source = environment.scope.source(name) if rest else None
    if source is not None:
        return _from_source(source, rest, environment, node.span)
    if name in environment.scope.aliases:
        return access(environment.scope.aliases[name], rest, environment, node.span)
    source = source_of(name, environment, node.span)
    if source is not None:
        return _from_source(source, [name, *rest], environment, node.span)
    binding = environment.ctes.get(name)
    if binding is None or isinstance(binding, CompiledCte):
        raise unresolved(name, environment.names(), node.span)
    remaining = {key: value for key, value in environment.ctes.items() if key != name}
    return access(replace(environment, ctes=remaining).compile(binding), rest, environment, node.span)


def _from_source(
    source: FromSource | VirtualSource, path: list[AccessKey], environment: Environment, span: Span | None
) -> Fragment:
    """Return the column that a path leads to, through lazy joins."""
    current: FromSource | VirtualSource = source
    for position, key in enumerate(path):
        column = current.column(str(key))
        if column is not None:
            return access(column, path[position + 1 :], environment, span)
        following: TableSource | VirtualSource | None = current.descend(str(key))
        if following is None:
            raise unresolved(key, current.names(), span)
        current = following
    example = f"{path[-1]}.{current.names()[0]}"
    message = f"Unable to resolve field: {path[-1]}. It is a table: name a column of it, like `{example}`."
    raise query_error(message, span)


def access(base: Fragment, path: list[AccessKey], environment: Environment, span: Span | None) -> Fragment:
    """Return the value at a path: a property of JSON or an element of a tuple."""
    if not path:
        return base
    if base.type.properties_of is not None or base.type.holds_json:
        return read_property(base, tuple(path), environment.context)
    if base.type.kind not in ("unknown", "tuple", "array"):
        raise query_error(f"Cannot read `{path[0]}` of a value of type {base.type.kind}.", span)
    function = "arrayElement" if base.type.kind == "array" else "tupleElement"
    element = Fragment(f"{function}({base.sql}, {escape.constant(path[0])})", UNKNOWN)
    return access(element, path[1:], environment, span)


def compile_array_access(node: tree.ArrayAccess, environment: Environment) -> Fragment:
    """Return `a[1]`, `m['key']`, or a property in brackets."""
    base, keys = _unwound(node)
    if isinstance(base, tree.Field) and keys:
        value = environment.compile(base)
        if value.type.properties_of is not None or value.type.holds_json:
            return environment.compile(tree.Field((*base.chain, *keys), node.span))
    array, key = environment.compile(node.array), environment.compile(node.key)
    if (array.type.properties_of or array.type.holds_json) and isinstance(node.key, tree.Constant):
        return access(array, [_key(node.key)], environment, node.span)
    if array.type.kind == "tuple" and isinstance(node.key, tree.Constant):
        return Fragment(f"tupleElement({array.sql}, {key.sql})", UNKNOWN)
    return Fragment(f"arrayElement({array.sql}, {key.sql})", UNKNOWN)


def compile_tuple_access(node: tree.TupleAccess, environment: Environment) -> Fragment:
    """Return `t.1` or `properties.list.1`."""
    if isinstance(node.tuple, tree.Field):
        return environment.compile(tree.Field((*node.tuple.chain, node.index), node.span))
    value = environment.compile(node.tuple)
    return access(value, [node.index], environment, node.span)


def _unwound(node: tree.ArrayAccess) -> tuple[tree.Expr, list[AccessKey]]:
    """Return the expression before the brackets and their constant keys; no keys if one is computed."""
    keys: list[AccessKey] = []
    base: tree.Expr = node
    while isinstance(base, tree.ArrayAccess):
        if not isinstance(base.key, tree.Constant) or not isinstance(base.key.value, str | int):
            return base, []
        keys.append(_key(base.key))
        base = base.array
    return base, keys[::-1]


def _key(node: tree.Constant) -> AccessKey:
    return node.value if isinstance(node.value, int) else str(node.value)
