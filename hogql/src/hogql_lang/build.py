"""Convert the JSON of PostHog's HogQL parser to syntax trees."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from . import tree

type Json = dict[str, Any]


def expression(node: Json) -> tree.Expr:
    """Return the tree of a parsed query or expression. The caller bounds its depth first."""
    build = _EXPRESSIONS.get(str(node.get("node")))
    return build(node) if build is not None else _opaque(node)


def offset(position: object) -> int | None:
    """Return the offset of `start` or `end`."""
    found = cast("Json", position).get("offset") if isinstance(position, dict) else None
    return found if isinstance(found, int) else None


def _span(node: Json) -> tree.Span | None:
    start, end = node.get("start"), node.get("end")
    if not isinstance(start, dict) or not isinstance(end, dict):
        return None
    first, last = cast("Json", start).get("offset"), cast("Json", end).get("offset")
    return (first, last) if isinstance(first, int) and isinstance(last, int) else None


def _optional(node: Json | None) -> tree.Expr | None:
    return None if node is None else expression(node)


def _items(node: Json | None) -> list[tuple[str, Json]]:
    return [] if node is None else list(node.items())


def _exprs(nodes: list[Json] | None) -> tuple[tree.Expr, ...]:
    return tuple([expression(node) for node in nodes]) if nodes else ()


def _opaque(node: Json) -> tree.Opaque:
    """Return a node for an unknown construct, with the nodes directly below it."""
    parts: list[tree.Node] = []
    waiting: list[Any] = list(reversed(node.values()))
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(cast("list[Any]", item))
        elif isinstance(item, dict):
            found = cast("Json", item)
            if "node" in found:
                parts.append(expression(found))
            else:
                waiting += reversed(found.values())
    return tree.Opaque(str(node.get("node")), tuple(parts), _span(node))


def _constant(node: Json) -> tree.Constant:
    if node.get("value_type") == "number":
        digits = str(node["value"])
        number = int(digits) if re.fullmatch(r"-?[0-9]{1,80}", digits) else float(digits)
        return tree.Constant(number, _span(node))
    return tree.Constant(node.get("value"), _span(node))


def _call(node: Json) -> tree.Call:
    params = node.get("params")
    return tree.Call(
        name=node["name"],
        args=_exprs(node["args"]),
        params=None if params is None else _exprs(params),
        distinct=bool(node.get("distinct")),
        filter=_optional(node.get("filter_expr")),
        order_by=_orders(node.get("order_by")),
        within_group=_orders(node.get("within_group")),
        span=_span(node),
    )


def _called_expression(node: Json) -> tree.Expr:
    """Return a call of an expression, or a cast for `x::decimal(10, 2)`, which is parsed as a call of a cast."""
    target, args = expression(node["expr"]), _exprs(node["args"])
    if isinstance(target, tree.Cast):
        return tree.Cast(target.expr, target.type_name, args, target.safe, _span(node))
    return tree.CalledExpression(target, args, _span(node))


def _window_call(node: Json) -> tree.WindowCall:
    args, exprs = _exprs(node.get("args")), _exprs(node.get("exprs"))
    over = node.get("over_expr")
    return tree.WindowCall(
        name=node["name"],
        args=args or exprs,
        params=exprs if args and exprs else None,
        over=_window(over) if over is not None else str(node["over_identifier"]),
        span=_span(node),
    )


def _columns(node: Json) -> tree.Columns:
    return tree.Columns(
        every=bool(node.get("all_columns")),
        exclude=tuple(node.get("exclude") or ()),
        replace=tuple([(name, expression(value)) for name, value in _items(node.get("replace"))]),
        regex=node.get("regex"),
        columns=_exprs(node.get("columns")),
        span=_span(node),
    )


def _array_slice(node: Json) -> tree.ArraySlice:
    first, last = _optional(node.get("start_expr")), _optional(node.get("end_expr"))
    return tree.ArraySlice(expression(node["array"]), first, last, _span(node))


def _dict(node: Json) -> tree.Dict:
    return tree.Dict(tuple([(expression(key), expression(value)) for key, value in node["items"]]), _span(node))


def _tag(node: Json) -> tree.Tag:
    attributes = [(str(each["name"]), _attribute(each["value"])) for each in node["attributes"]]
    return tree.Tag(str(node["kind"]), tuple(attributes), _span(node))


def _attribute(value: Json | list[Json]) -> tree.Expr | tuple[tree.Expr, ...]:
    return _exprs(value) if isinstance(value, list) else expression(value)


def _window(node: Json) -> tree.Window:
    return tree.Window(
        partition_by=_exprs(node.get("partition_by")),
        order_by=_orders(node.get("order_by")),
        frame_method=node.get("frame_method"),
        frame_start=_frame_bound(node.get("frame_start")),
        frame_end=_frame_bound(node.get("frame_end")),
    )


def _frame_bound(node: Json | None) -> tree.FrameBound | None:
    if node is None:
        return None
    value = node.get("frame_value")
    return tree.FrameBound(node["frame_type"], tree.Constant(value) if isinstance(value, int) else _optional(value))


def _orders(nodes: list[Json] | None) -> tuple[tree.Order, ...]:
    return tuple([_order(node) for node in nodes]) if nodes else ()


def _order(node: Json) -> tree.Order:
    fill = node.get("with_fill")
    return tree.Order(
        expr=expression(node["expr"]),
        descending=node.get("order") == "DESC",
        fill=None
        if fill is None
        else tree.WithFill(
            _optional(fill.get("from_value")), _optional(fill.get("to_value")), _optional(fill.get("step_value"))
        ),
    )


def _join(node: Json) -> tree.Join:
    constraint, following, arguments = node.get("constraint"), node.get("next_join"), node.get("table_args")
    return tree.Join(
        table=expression(node["table"]),
        table_args=None if arguments is None else _exprs(arguments),
        alias=node.get("alias"),
        column_aliases=tuple(node.get("column_aliases") or ()),
        join_type=node.get("join_type"),
        constraint=None
        if constraint is None
        else tree.JoinConstraint(constraint["constraint_type"] == "USING", expression(constraint["expr"])),
        sample=_sample(node.get("sample")),
        next=None if following is None else _join(following),
        final=bool(node.get("table_final")),
        span=_span(node),
    )


def _sample(node: Json | None) -> tree.Sample | None:
    if node is None:
        return None
    shift = node.get("offset_value")
    return tree.Sample(_ratio(node["sample_value"]), None if shift is None else _ratio(shift))


def _ratio(node: Json) -> tree.Ratio | tree.Expr:
    if node.get("node") != "RatioExpr":
        return expression(node)
    return tree.Ratio(expression(node["left"]), _optional(node.get("right")))


def _cte(node: Json) -> tree.Cte:
    return tree.Cte(
        name=node["name"],
        expr=expression(node["expr"]),
        is_column=node["cte_type"] == "column",
        recursive=bool(node.get("recursive")),
        columns=tuple(node.get("columns") or ()),
        span=_span(node),
    )


def _select(node: Json) -> tree.Select:
    source, limit_by = node.get("select_from"), node.get("limit_by")
    return tree.Select(
        columns=_exprs(node["select"]),
        ctes=tuple([_cte(cte) for cte in node.get("ctes") or ()]),
        distinct=bool(node.get("distinct")),
        source=None if source is None else _join(source),
        array_join_operator=node.get("array_join_op"),
        array_joins=_exprs(node.get("array_join_list")),
        prewhere=_optional(node.get("prewhere")),
        where=_optional(node.get("where")),
        group_by=_exprs(node.get("group_by")),
        group_by_mode=node.get("group_by_mode"),
        having=_optional(node.get("having")),
        qualify=_optional(node.get("qualify")),
        windows=tuple([(name, _window(window)) for name, window in _items(node.get("window_exprs"))]),
        order_by=_orders(node.get("order_by")),
        limit_by=None
        if limit_by is None
        else tree.LimitBy(
            expression(limit_by["n"]), _optional(limit_by.get("offset_value")), _exprs(limit_by["exprs"])
        ),
        interpolate=tuple([_opaque(item) for item in node.get("interpolate") or ()]),
        limit=_optional(node.get("limit")),
        limit_with_ties=bool(node.get("limit_with_ties")),
        limit_percent=bool(node.get("limit_percent")),
        offset=_optional(node.get("offset")),
        span=_span(node),
    )


def _set_query(node: Json) -> tree.Expr:
    following: list[Json] = node["subsequent_select_queries"]
    first = expression(node["initial_select_query"])
    rest = [(str(item["set_operator"]), expression(item["select_query"])) for item in following]
    queries = [(operator, member) for operator, member in rest if isinstance(member, tree.Select | tree.SetQuery)]
    if not isinstance(first, tree.Select | tree.SetQuery) or len(queries) < len(rest):
        return tree.Opaque("SelectSetQuery", (first, *(member for _, member in rest)), _span(node))
    return tree.SetQuery(
        first=first,
        rest=tuple(queries),
        limit=_optional(node.get("limit")),
        offset=_optional(node.get("offset")),
        span=_span(node),
    )


_EXPRESSIONS: dict[str, Callable[[Json], tree.Expr]] = {
    "Constant": _constant,
    "Field": lambda node: tree.Field(tuple(node["chain"]), _span(node)),
    "Call": _call,
    "ExprCall": _called_expression,
    "WindowFunction": _window_call,
    "ArithmeticOperation": lambda node: tree.Arithmetic(
        node["op"], expression(node["left"]), expression(node["right"]), _span(node)
    ),
    "CompareOperation": lambda node: tree.Comparison(
        node["op"], expression(node["left"]), expression(node["right"]), _span(node)
    ),
    "And": lambda node: tree.Logical("and", _exprs(node["exprs"]), _span(node)),
    "Or": lambda node: tree.Logical("or", _exprs(node["exprs"]), _span(node)),
    "Not": lambda node: tree.Not(expression(node["expr"]), _span(node)),
    "BetweenExpr": lambda node: tree.Between(
        expression(node["expr"]),
        expression(node["low"]),
        expression(node["high"]),
        bool(node.get("negated")),
        _span(node),
    ),
    "IsDistinctFrom": lambda node: tree.IsDistinctFrom(
        expression(node["left"]), expression(node["right"]), bool(node.get("negated")), _span(node)
    ),
    "Alias": lambda node: tree.Alias(node["alias"], expression(node["expr"]), _span(node)),
    "Lambda": lambda node: tree.Lambda(tuple(node["args"]), expression(node["expr"]), _span(node)),
    "Array": lambda node: tree.Array(_exprs(node["exprs"]), _span(node)),
    "Tuple": lambda node: tree.Tuple(_exprs(node["exprs"]), _span(node)),
    "GroupingSet": lambda node: tree.GroupingSet(_exprs(node["exprs"]), _span(node)),
    "Dict": _dict,
    "HogQLXTag": _tag,
    "ArrayAccess": lambda node: tree.ArrayAccess(expression(node["array"]), expression(node["property"]), _span(node)),
    "ArraySlice": _array_slice,
    "TupleAccess": lambda node: tree.TupleAccess(expression(node["tuple"]), int(node["index"]), _span(node)),
    "TypeCast": lambda node: tree.Cast(expression(node["expr"]), node["type_name"], span=_span(node)),
    "TryCast": lambda node: tree.Cast(expression(node["expr"]), node["type_name"], safe=True, span=_span(node)),
    "Placeholder": lambda node: tree.Placeholder(expression(node["expr"]), _span(node)),
    "ColumnsExpr": _columns,
    "ValuesQuery": lambda node: tree.Values(tuple([_exprs(row) for row in node["rows"]]), _span(node)),
    "SelectQuery": _select,
    "SelectSetQuery": _set_query,
}
