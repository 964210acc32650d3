"""Compile expressions with one function per kind of node, and bound their number and depth."""

from __future__ import annotations

from hogql_lang import tree

from . import escape
from .comparisons import compile_between, compile_comparison, compile_distinct
from .errors import query_error
from .functions.calls import call, compile_call, compile_window_call
from .functions.casts import cast_to
from .functions.registry import find_function
from .names import compile_array_access, compile_field, compile_tuple_access
from .scope import MAX_DEPTH, MAX_EXPRESSIONS, MAX_SQL, MAX_WORK, Environment
from .select.windows import compile_over
from .syntax.hogqlx import value_of
from .values import ARRAY, BOOLEAN, FLOAT, INTEGER, STRING, TUPLE, UNKNOWN, Fragment, Type

_ARITHMETIC = {"+": "plus", "-": "minus", "*": "multiply", "/": "divide", "%": "modulo"}


def compile_expression(node: tree.Expr, environment: Environment) -> Fragment:
    """Return ClickHouse SQL for an expression. Raises `HogqlError` if it has no meaning here or grows too large."""
    compilation = environment.compilation
    compilation.expressions += 1
    compilation.depth += 1
    if compilation.depth > MAX_DEPTH:
        raise query_error(f"The query is nested too deeply: more than {MAX_DEPTH} levels.", node.span)
    if compilation.expressions > MAX_EXPRESSIONS:
        raise query_error(f"The query is too large: more than {MAX_EXPRESSIONS:,} expressions.", node.span)
    fragment = _compile(node, environment)
    compilation.depth -= 1
    compilation.characters += len(fragment.sql)
    if len(fragment.sql) > MAX_SQL or compilation.characters > MAX_WORK:
        raise query_error(f"The query is too large: more than {MAX_SQL:,} characters of SQL.", node.span)
    return fragment


def _compile(node: tree.Expr, environment: Environment) -> Fragment:
    match node:
        case tree.Field():
            return compile_field(node, environment)
        case tree.Constant():
            return _constant(node)
        case tree.Call():
            return compile_call(node, environment)
        case tree.Comparison():
            return compile_comparison(node, environment)
        case tree.Logical():
            return _logical(node, environment)
        case tree.Arithmetic():
            return _arithmetic(node, environment)
        case tree.Not():
            value = environment.compile(node.expr)
            return Fragment(f"not({value.sql})", Type("boolean", value.type.nullable))
        case tree.Between():
            return compile_between(node, environment)
        case tree.IsDistinctFrom():
            return compile_distinct(node, environment)
        case tree.Alias():
            return _alias(node, environment)
        case tree.Cast():
            return _cast(node, environment)
        case tree.ArrayAccess():
            return compile_array_access(node, environment)
        case tree.TupleAccess():
            return compile_tuple_access(node, environment)
        case tree.WindowCall():
            return compile_window_call(node, compile_over(node, environment), environment)
        case tree.Select() | tree.SetQuery():
            return _scalar_subquery(node, environment)
        case _:
            return _compile_composite(node, environment)


def _compile_composite(node: tree.Expr, environment: Environment) -> Fragment:
    match node:
        case tree.Array():
            return Fragment(f"[{_list(node.exprs, environment)}]", ARRAY)
        case tree.Tuple():
            return Fragment(f"tuple({_list(node.exprs, environment)})", TUPLE)
        case tree.Dict():
            return environment.compile(value_of(node))
        case tree.ArraySlice():
            return _slice(node, environment)
        case tree.Lambda():
            return _lambda(node, environment)
        case tree.Placeholder():
            raise query_error("A placeholder is not allowed here.", node.span)
        case tree.Columns():
            raise query_error("COLUMNS is only allowed in a SELECT list.", node.span)
        case _:
            raise query_error(f"{type(node).__name__} is not supported here.", node.span)


def _list(nodes: tuple[tree.Expr, ...] | list[tree.Expr], environment: Environment) -> str:
    return ", ".join([environment.compile(node).sql for node in nodes])


def _constant(node: tree.Constant) -> Fragment:
    sql = escape.constant(node.value)
    match node.value:
        case None:
            return Fragment(sql, UNKNOWN)
        case bool():
            return Fragment(sql, BOOLEAN)
        case int():
            return Fragment(sql, INTEGER)
        case float():
            return Fragment(sql, FLOAT)
        case str():
            return Fragment(sql, STRING)


def _logical(node: tree.Logical, environment: Environment) -> Fragment:
    parts = [environment.compile(expr) for expr in node.exprs]
    nullable = any(part.type.nullable for part in parts)
    return Fragment(f"{node.operator}({', '.join([part.sql for part in parts])})", Type("boolean", nullable))


def _arithmetic(node: tree.Arithmetic, environment: Environment) -> Fragment:
    name = _ARITHMETIC.get(node.operator)
    function = None if name is None else find_function(name)
    if function is None:
        raise query_error(f"The operator {node.operator} is not supported here.", node.span)
    args = (environment.compile(node.left), environment.compile(node.right))
    return call(function, function.name, args, tree.Call(function.name, (node.left, node.right), span=node.span))


def _alias(node: tree.Alias, environment: Environment) -> Fragment:
    value = environment.compile(node.expr)
    name = environment.scope.declare(node.alias, value, node.span)
    return Fragment(f"({value.sql} AS {name})", value.type)


def _cast(node: tree.Cast, environment: Environment) -> Fragment:
    name = node.type_name
    if node.type_args:
        parts = [str(arg.value if isinstance(arg, tree.Constant) else _type_name(arg)) for arg in node.type_args]
        name = f"{name}({', '.join(parts)})"
    return cast_to(environment.compile(node.expr), name, node.safe, environment.context, node.span)


def _type_name(node: tree.Expr) -> str:
    if isinstance(node, tree.Field) and len(node.chain) == 1:
        return str(node.chain[0])
    raise query_error("The arguments of a type must be names or numbers.", node.span)


def _slice(node: tree.ArraySlice, environment: Environment) -> Fragment:
    array = environment.compile(node.array).sql
    first = "1" if node.first is None else environment.compile(node.first).sql
    if node.last is None:
        return Fragment(f"arraySlice({array}, {first})", ARRAY)
    last = environment.compile(node.last).sql
    return Fragment(f"arraySlice({array}, {first}, plus(minus({last}, {first}), 1))", ARRAY)


def _lambda(node: tree.Lambda, environment: Environment) -> Fragment:
    names = ", ".join(escape.identifier(name) for name in node.args)
    body = environment.with_arguments(node.args).compile(node.expr)
    return Fragment(f"(({names}) -> {body.sql})", UNKNOWN)


def _scalar_subquery(node: tree.Query, environment: Environment) -> Fragment:
    relation = environment.query(node)
    kind = relation.columns[0].type.or_null() if len(relation.columns) == 1 else TUPLE.or_null()
    return Fragment(f"({relation.sql})", kind)
