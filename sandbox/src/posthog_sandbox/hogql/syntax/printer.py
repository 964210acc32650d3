"""Print syntax trees as HogQL in PostHog's form: on one line, operators as functions, keywords in uppercase."""

from __future__ import annotations

from collections.abc import Iterable

from hogql_lang import tree

from .. import escape
from ..errors import query_error

_ARITHMETIC = {"+": "plus", "-": "minus", "*": "multiply", "/": "divide", "%": "modulo"}
_COMPARISONS = {
    "==": "equals", "!=": "notEquals", "<": "less", ">": "greater", "<=": "lessOrEquals", ">=": "greaterOrEquals",
    "like": "like", "ilike": "ilike", "not like": "notLike", "not ilike": "notILike", "in": "in", "not in": "notIn",
    "global in": "globalIn", "global not in": "globalNotIn", "=~": "match",
}  # fmt: skip


def print_query(query: tree.Query) -> str:
    """Return the whole query as HogQL."""
    if isinstance(query, tree.Select):
        return _select(query)
    pieces = [_member(query.first)]
    for operator, member in query.rest:
        pieces += [operator, _member(member)]
    return " ".join([*pieces, *_limits(query.limit, query.offset)])


def property_chain(node: tree.Expr) -> tuple[str | int, ...] | None:
    """Return the names of a dotted expression; a constant in brackets after `properties` counts as a name."""
    if isinstance(node, tree.Field):
        return node.chain
    if isinstance(node, tree.ArrayAccess) and isinstance(node.key, tree.Constant):
        chain, key = property_chain(node.array), node.key.value
        if chain is not None and "properties" in chain and isinstance(key, str | int):
            return (*chain, key)
    if isinstance(node, tree.TupleAccess):
        chain = property_chain(node.tuple)
        return None if chain is None else (*chain, node.index)
    return None


def print_expression(node: tree.Expr) -> str:
    """Return one expression as HogQL."""
    match node:
        case tree.Constant(value):
            return escape.constant(value)
        case tree.Field(chain):
            return _chain(chain)
        case tree.Call():
            return _call(node)
        case tree.WindowCall():
            return _window_call(node)
        case tree.Alias(alias, expr):
            return f"{print_expression(expr)} AS {escape.hogql_identifier(alias)}"
        case tree.Select() | tree.SetQuery():
            return f"({print_query(node)})"
        case tree.Arithmetic(operator, left, right):
            return f"{_ARITHMETIC.get(operator, operator)}({_list((left, right))})"
        case tree.Logical(operator, exprs):
            return f"{operator}({_list(exprs)})"
        case tree.Not(expr):
            return f"not({print_expression(expr)})"
        case tree.Comparison():
            return _comparison(node)
        case _:
            return _composite(node)


def _composite(node: tree.Expr) -> str:
    match node:
        case tree.Array(exprs):
            return f"[{_list(exprs)}]"
        case tree.Tuple(exprs):
            return f"tuple({_list(exprs)})"
        case tree.Lambda(args, expr):
            names = ", ".join(escape.hogql_identifier(name) for name in args)
            return f"{names if len(args) == 1 else f'({names})'} -> {print_expression(expr)}"
        case tree.Between(expr, low, high, negated):
            keyword = "NOT BETWEEN" if negated else "BETWEEN"
            return f"{_operand(expr)} {keyword} {_operand(low)} AND {_operand(high)}"
        case tree.IsDistinctFrom(left, right, negated):
            return f"{_operand(left)} IS {'NOT ' if negated else ''}DISTINCT FROM {_operand(right)}"
        case tree.ArrayAccess(array, key):
            chain = property_chain(node)
            return _chain(chain) if chain is not None else f"{print_expression(array)}[{print_expression(key)}]"
        case tree.ArraySlice(array, first, last):
            bounds = ":".join("" if bound is None else print_expression(bound) for bound in (first, last))
            return f"{print_expression(array)}[{bounds}]"
        case tree.TupleAccess(value, index):
            return f"{print_expression(value)}.{index}"
        case tree.Cast(expr, type_name, type_args, safe):
            arguments = f"({_list(type_args)})" if type_args else ""
            return f"{'TRY_CAST' if safe else 'CAST'}({print_expression(expr)} AS {type_name}{arguments})"
        case tree.Dict(items):
            return "{" + ", ".join(f"{print_expression(key)}: {print_expression(value)}" for key, value in items) + "}"
        case tree.Placeholder(expr):
            return "{" + print_expression(expr) + "}"
        case tree.Columns():
            return _columns(node)
        case _:
            raise query_error(f"{type(node).__name__} is not supported here.", node.span)


def _operand(node: tree.Expr) -> str:
    shown = print_expression(node)
    return f"({shown})" if isinstance(node, tree.Between | tree.IsDistinctFrom | tree.Lambda) else shown


def _chain(chain: tuple[str | int, ...]) -> str:
    is_star = chain[-1] == "*" and "properties" not in chain
    names = [_name(part) for part in (chain[:-1] if is_star else chain)]
    return ".".join([*names, "*"] if is_star else names)


def _name(part: str | int) -> str:
    return str(part) if isinstance(part, int) else escape.hogql_identifier(part)


def _list(nodes: Iterable[tree.Expr]) -> str:
    return ", ".join([print_expression(node) for node in nodes])


def _call(node: tree.Call) -> str:
    params = "" if node.params is None else f"({_list(node.params)})"
    shown = f"{node.name}{params}({'DISTINCT ' if node.distinct else ''}{_list(node.args)})"
    return shown if node.filter is None else f"{shown} FILTER (WHERE {print_expression(node.filter)})"


def _comparison(node: tree.Comparison) -> str:
    left, right = print_expression(node.left), print_expression(node.right)
    if node.operator in _COMPARISONS:
        return f"{_COMPARISONS[node.operator]}({left}, {right})"
    if node.operator == "!~":
        return f"not(match({left}, {right}))"
    return f"{left} {node.operator.upper()} {right}"


def _columns(node: tree.Columns) -> str:
    if node.regex is not None:
        return f"COLUMNS({escape.string(node.regex)})"
    if not node.every:
        return f"COLUMNS({_list(node.columns)})"
    pieces = ["*"]
    if node.exclude:
        pieces.append(f"EXCLUDE ({', '.join(escape.hogql_identifier(name) for name in node.exclude)})")
    if node.replace:
        shown = (f"{print_expression(value)} AS {escape.hogql_identifier(name)}" for name, value in node.replace)
        return f"({pieces[0]} REPLACE ({', '.join(shown)}))"
    return " ".join(pieces)


def _window_call(node: tree.WindowCall) -> str:
    params = "" if node.params is None else f"({_list(node.params)})"
    over = escape.hogql_identifier(node.over) if isinstance(node.over, str) else f"({_window(node.over)})"
    return f"{node.name}{params}({_list(node.args)}) OVER {over}"


def _window(window: tree.Window) -> str:
    pieces: list[str] = []
    if window.partition_by:
        pieces.append(f"PARTITION BY {_list(window.partition_by)}")
    if window.order_by:
        pieces.append(f"ORDER BY {_order_by(window.order_by)}")
    if window.frame_method and window.frame_start:
        start = _bound(window.frame_start)
        frame = start if window.frame_end is None else f"BETWEEN {start} AND {_bound(window.frame_end)}"
        pieces.append(f"{window.frame_method} {frame}")
    return " ".join(pieces)


def _bound(bound: tree.FrameBound) -> str:
    if bound.kind == "CURRENT ROW":
        return bound.kind
    return f"{'UNBOUNDED' if bound.value is None else print_expression(bound.value)} {bound.kind}"


def _order_by(order_by: Iterable[tree.Order]) -> str:
    return ", ".join(_order(order) for order in order_by)


def _order(order: tree.Order) -> str:
    pieces = [print_expression(order.expr), "DESC" if order.descending else "ASC"]
    if order.fill is not None:
        pieces.append("WITH FILL")
        for keyword, value in (("FROM", order.fill.first), ("TO", order.fill.last), ("STEP", order.fill.step)):
            if value is not None:
                pieces.append(f"{keyword} {print_expression(value)}")
    return " ".join(pieces)


def _member(query: tree.Query) -> str:
    return print_query(query) if isinstance(query, tree.Select) else f"({print_query(query)})"


def _limits(limit: tree.Expr | None, offset: tree.Expr | None, with_ties: bool = False) -> list[str]:
    pieces: list[str] = []
    if limit is not None:
        pieces.append(f"LIMIT {print_expression(limit)}{' WITH TIES' if with_ties else ''}")
    if offset is not None:
        pieces.append(f"OFFSET {print_expression(offset)}")
    return pieces


def _join(join: tree.Join) -> list[str]:
    pieces = [join.join_type] if join.join_type else []
    table = print_expression(join.table)
    pieces.append(table if join.table_args is None else f"{table}({_list(join.table_args)})")
    if join.alias is not None:
        renamed = f"({', '.join(map(escape.hogql_identifier, join.column_aliases))})" if join.column_aliases else ""
        pieces.append(f"AS {escape.hogql_identifier(join.alias)}{renamed}")
    if join.sample is not None and isinstance(ratio := join.sample.value, tree.Ratio):
        right = "" if ratio.right is None else f"/{print_expression(ratio.right)}"
        pieces.append(f"SAMPLE {print_expression(ratio.left)}{right}")
    if join.constraint is not None:
        condition = join.constraint.expr
        using = f"USING ({_list(condition.exprs if isinstance(condition, tree.Tuple) else (condition,))})"
        pieces.append(using if join.constraint.using else f"ON {print_expression(condition)}")
    return [*pieces, *(_join(join.next) if join.next is not None else ())]


def _cte(cte: tree.Cte) -> str:
    name = escape.hogql_identifier(cte.name)
    if cte.is_column:
        return f"{print_expression(cte.expr)} AS {name}"
    columns = f"({', '.join(map(escape.hogql_identifier, cte.columns))})" if cte.columns else ""
    return f"{name}{columns} AS {print_expression(cte.expr)}"


def _select(select: tree.Select) -> str:
    pieces: list[str] = []
    if select.ctes:
        keyword = "WITH RECURSIVE" if any(cte.recursive for cte in select.ctes) else "WITH"
        pieces.append(f"{keyword} {', '.join(_cte(cte) for cte in select.ctes)}")
    pieces.append(f"SELECT {'DISTINCT ' if select.distinct else ''}{_list(select.columns)}")
    if select.source is not None:
        pieces += ["FROM", *_join(select.source)]
    if select.array_joins:
        pieces.append(f"{select.array_join_operator} {_list(select.array_joins)}")
    if select.where is not None:
        pieces.append(f"WHERE {print_expression(select.where)}")
    pieces += _grouping(select)
    if select.having is not None:
        pieces.append(f"HAVING {print_expression(select.having)}")
    if select.windows:
        shown = (f"{escape.hogql_identifier(name)} AS ({_window(window)})" for name, window in select.windows)
        pieces.append(f"WINDOW {', '.join(shown)}")
    if select.qualify is not None:
        pieces.append(f"QUALIFY {print_expression(select.qualify)}")
    if select.order_by:
        pieces.append(f"ORDER BY {_order_by(select.order_by)}")
    if select.limit_by is not None:
        offset = "" if select.limit_by.offset is None else f" OFFSET {print_expression(select.limit_by.offset)}"
        count = print_expression(select.limit_by.count)
        pieces.append(f"LIMIT {count}{offset} BY {_list(select.limit_by.exprs)}")
    return " ".join([*pieces, *_limits(select.limit, select.offset, select.limit_with_ties)])


def _grouping(select: tree.Select) -> list[str]:
    if select.group_by_mode == "all":
        return ["GROUP BY ALL"]
    if not select.group_by:
        return []
    if select.group_by_mode == "grouping_sets":
        sets = (f"({_list(item.exprs if isinstance(item, tree.Tuple) else (item,))})" for item in select.group_by)
        return [f"GROUP BY GROUPING SETS ({', '.join(sets)})"]
    shown = _list(select.group_by)
    return [f"GROUP BY {select.group_by_mode.upper()}({shown})" if select.group_by_mode else f"GROUP BY {shown}"]
