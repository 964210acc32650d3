"""HogQL text to syntax trees, through PostHog's own parser (`hogql_parser_rs`).

The parser answers JSON; this module bounds its depth, turns every construct it knows into a node of `ast`, and
refuses the others by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

from . import ast, hogqlx
from .errors import HogqlError, Span, query_error
from .guard import check_text

MAX_DEPTH = 100
"""Levels of nesting of one query; far above what people write, far below Python's recursion limit."""

type _Json = dict[str, Any]


class _RustParser(Protocol):
    """The part of `hogql_parser_rs` used here; it ships no types."""

    def parse_select_json(self, text: str, /) -> str: ...
    def parse_expr_json(self, text: str, /) -> str: ...


_rust = cast(_RustParser, import_module("hogql_parser_rs"))


def parse_query(text: str) -> ast.Query:
    """The tree of one SELECT (or UNION of selects). Raises `HogqlError` with the place of a syntax error."""
    return _query(_read(_rust.parse_select_json, text))


def parse_expression(text: str) -> ast.Expr:
    """The tree of one expression, such as `event = 'purchase' and properties.amount > 10`."""
    return _expr(_read(_rust.parse_expr_json, text))


def _read(parse: Callable[[str], str], text: str) -> _Json:
    check_text(text)
    try:
        tree = cast(_Json, json.loads(parse(text)))
    except UnicodeEncodeError as error:
        message = "The query is not valid Unicode (it holds half of a surrogate pair)."
        raise HogqlError("hogql_syntax_error", message, error.start, error.end) from None
    except RecursionError:
        raise _too_deep() from None
    if tree.get("error"):
        start, end = _error_place(text, _offset(tree.get("start")), _offset(tree.get("end")))
        raise HogqlError("hogql_syntax_error", str(tree["message"]) + _hint(text, start), start, end)
    _bound_depth(tree)
    return tree


def _offset(position: object) -> int | None:
    return cast(_Json, position).get("offset") if isinstance(position, dict) else None


def _error_place(text: str, start: int | None, end: int | None) -> tuple[int | None, int | None]:
    """Errors count bytes of UTF-8, nodes count characters."""
    if start is None or end is None or text.isascii():
        return start, end
    encoded = text.encode()
    first = len(encoded[:start].decode(errors="ignore"))
    last = len(encoded[:end].decode(errors="ignore"))
    return first, max(last, first + 1) if end > start else last


_MISSPELT = {"bye": "by", "form": "from", "wehre": "where", "gruop": "group", "slect": "select", "oder": "order"}


def _hint(text: str, start: int | None) -> str:
    """What a reader would suspect near the place of a syntax error."""
    if ";" in text.rstrip().rstrip(";"):
        return " Send one statement at a time."
    nearby = text[max(0, (start or 0) - 12) : (start or 0) + 24].lower()
    for wrong, right in _MISSPELT.items():
        if re.search(rf"\b{wrong}\b", nearby):
            return f" Did you mean `{right}` instead of `{wrong}`?"
    return ""


def _too_deep() -> HogqlError:
    return HogqlError("hogql_syntax_error", f"The query is nested too deeply: more than {MAX_DEPTH} levels.")


def _bound_depth(tree: _Json) -> None:
    level: list[Any] = [tree]
    for _ in range(2 * MAX_DEPTH):  # a level of the tree is one or two of JSON
        deeper: list[Any] = []
        for item in level:
            children = cast(_Json, item).values() if isinstance(item, dict) else cast(list[Any], item)
            deeper += [child for child in children if isinstance(child, dict | list)]
        if not deeper:
            return
        level = deeper
    raise _too_deep()


def _span(node: _Json) -> Span | None:
    start, end = _offset(node.get("start")), _offset(node.get("end"))
    return None if start is None or end is None else (start, end)


def _unsupported(what: str, node: _Json) -> HogqlError:
    return query_error(f"{what} is not supported here.", _span(node))


def _expr(node: _Json) -> ast.Expr:
    kind = str(node["node"])
    build = _EXPRESSIONS.get(kind)
    if build is None:
        raise _unsupported(_NAMES.get(kind, kind), node)
    return build(node)


def _optional(node: _Json | None) -> ast.Expr | None:
    return None if node is None else _expr(node)


def _items(node: _Json | None) -> list[tuple[str, _Json]]:
    return [] if node is None else list(node.items())


def _exprs(nodes: list[_Json] | None) -> tuple[ast.Expr, ...]:
    return tuple(_expr(node) for node in nodes or ())


def _constant(node: _Json) -> ast.Constant:
    if node.get("value_type") == "number":
        digits = str(node["value"])
        number = int(digits) if re.fullmatch(r"-?[0-9]{1,80}", digits) else float(digits)
        return ast.Constant(number, _span(node))
    return ast.Constant(node.get("value"), _span(node))


def _field(node: _Json) -> ast.Field:
    return ast.Field(tuple(node["chain"]), _span(node))


def _call(node: _Json) -> ast.Call:
    params = node.get("params")
    return ast.Call(
        name=node["name"],
        args=_exprs(node["args"]),
        params=None if params is None else _exprs(params),
        distinct=bool(node.get("distinct")),
        filter=_optional(node.get("filter_expr")),
        span=_span(node),
    )


def _called_expression(node: _Json) -> ast.Expr:
    """`x::decimal(10, 2)` reads as a call of a cast; any other called expression has no meaning in SQL."""
    target = _expr(node["expr"])
    if isinstance(target, ast.Cast):
        return ast.Cast(target.expr, target.type_name, _exprs(node["args"]), target.safe, _span(node))
    raise _unsupported("Calling an expression", node)


def _window_call(node: _Json) -> ast.WindowCall:
    args, exprs = _exprs(node.get("args")), _exprs(node.get("exprs"))
    over = node.get("over_expr")
    return ast.WindowCall(
        name=node["name"],
        args=args or exprs,
        params=exprs if args and exprs else None,
        over=_window(over) if over is not None else str(node["over_identifier"]),
        span=_span(node),
    )


def _columns(node: _Json) -> ast.Columns:
    return ast.Columns(
        every=bool(node.get("all_columns")),
        exclude=tuple(node.get("exclude") or ()),
        replace=tuple((name, _expr(value)) for name, value in _items(node.get("replace"))),
        regex=node.get("regex"),
        columns=_exprs(node.get("columns")),
        span=_span(node),
    )


def _array_access(node: _Json) -> ast.ArrayAccess:
    return ast.ArrayAccess(_expr(node["array"]), _expr(node["property"]), _span(node))


def _array_slice(node: _Json) -> ast.ArraySlice:
    first, last = _optional(node.get("start_expr")), _optional(node.get("end_expr"))
    return ast.ArraySlice(_expr(node["array"]), first, last, _span(node))


def _dict(node: _Json) -> ast.Dict:
    return ast.Dict(tuple((_expr(key), _expr(value)) for key, value in node["items"]), _span(node))


def _tag(node: _Json) -> ast.Expr:
    attributes = tuple((str(each["name"]), _attribute(each["value"])) for each in node["attributes"])
    return hogqlx.tag(str(node["kind"]), attributes, _span(node))


def _attribute(value: _Json | list[_Json]) -> hogqlx.Value:
    return _exprs(value) if isinstance(value, list) else _expr(value)


def _window(node: _Json) -> ast.Window:
    return ast.Window(
        partition_by=_exprs(node.get("partition_by")),
        order_by=tuple(_order(order) for order in node.get("order_by") or ()),
        frame_method=node.get("frame_method"),
        frame_start=_frame_bound(node.get("frame_start")),
        frame_end=_frame_bound(node.get("frame_end")),
    )


def _frame_bound(node: _Json | None) -> ast.FrameBound | None:
    if node is None:
        return None
    value = node.get("frame_value")
    return ast.FrameBound(node["frame_type"], ast.Constant(value) if isinstance(value, int) else _optional(value))


def _order(node: _Json) -> ast.Order:
    fill = node.get("with_fill")
    return ast.Order(
        expr=_expr(node["expr"]),
        descending=node.get("order") == "DESC",
        fill=None
        if fill is None
        else ast.WithFill(
            _optional(fill.get("from_value")), _optional(fill.get("to_value")), _optional(fill.get("step_value"))
        ),
    )


def _join(node: _Json) -> ast.Join:
    constraint, following, arguments = node.get("constraint"), node.get("next_join"), node.get("table_args")
    return ast.Join(
        table=_expr(node["table"]),
        table_args=None if arguments is None else _exprs(arguments),
        alias=node.get("alias"),
        column_aliases=tuple(node.get("column_aliases") or ()),
        join_type=node.get("join_type"),
        constraint=None
        if constraint is None
        else ast.JoinConstraint(constraint["constraint_type"] == "USING", _expr(constraint["expr"])),
        sample=_sample(node.get("sample")),
        next=None if following is None else _join(following),
        span=_span(node),
    )


def _sample(node: _Json | None) -> ast.Ratio | None:
    if node is None:
        return None
    ratio = node["sample_value"]
    left, right = _optional(ratio["left"]), _optional(ratio.get("right"))
    if node.get("offset_value") or not isinstance(left, ast.Constant) or not isinstance(right, ast.Constant | None):
        raise _unsupported("SAMPLE with an OFFSET or an expression", node)
    return ast.Ratio(left, right)


def _cte(node: _Json) -> ast.Cte:
    return ast.Cte(
        name=node["name"],
        expr=_expr(node["expr"]),
        is_column=node["cte_type"] == "column",
        recursive=bool(node.get("recursive")),
        columns=tuple(node.get("columns") or ()),
        span=_span(node),
    )


def _select(node: _Json) -> ast.Select:
    for key, what in (("interpolate", "INTERPOLATE"), ("limit_percent", "LIMIT with a percentage")):
        if node.get(key):
            raise _unsupported(what, node)
    source, limit_by = node.get("select_from"), node.get("limit_by")
    conditions = [_expr(node[key]) for key in ("prewhere", "where") if node.get(key) is not None]
    return ast.Select(
        columns=_exprs(node["select"]),
        ctes=tuple(_cte(cte) for cte in node.get("ctes") or ()),
        distinct=bool(node.get("distinct")),
        source=None if source is None else _join(source),
        array_join_operator=node.get("array_join_op"),
        array_joins=_exprs(node.get("array_join_list")),
        where=ast.Logical("and", tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None),
        group_by=_exprs(node.get("group_by")),
        group_by_mode=node.get("group_by_mode"),
        having=_optional(node.get("having")),
        qualify=_optional(node.get("qualify")),
        windows=tuple((name, _window(window)) for name, window in _items(node.get("window_exprs"))),
        order_by=tuple(_order(order) for order in node.get("order_by") or ()),
        limit_by=None
        if limit_by is None
        else ast.LimitBy(_expr(limit_by["n"]), _optional(limit_by.get("offset_value")), _exprs(limit_by["exprs"])),
        limit=_optional(node.get("limit")),
        limit_with_ties=bool(node.get("limit_with_ties")),
        offset=_optional(node.get("offset")),
        span=_span(node),
    )


def _set_query(node: _Json) -> ast.SetQuery:
    return ast.SetQuery(
        first=_query(node["initial_select_query"]),
        rest=tuple((item["set_operator"], _query(item["select_query"])) for item in node["subsequent_select_queries"]),
        limit=_optional(node.get("limit")),
        offset=_optional(node.get("offset")),
        span=_span(node),
    )


def _query(node: _Json) -> ast.Query:
    tree = _expr(node)
    if not isinstance(tree, ast.Select | ast.SetQuery):
        raise _unsupported("This in the place of a SELECT", node)
    return tree


_NAMES = {"ValuesQuery": "VALUES", "Program": "A Hog program"}

_EXPRESSIONS: dict[str, Callable[[_Json], ast.Expr]] = {
    "Constant": _constant,
    "Field": _field,
    "Call": _call,
    "ExprCall": _called_expression,
    "WindowFunction": _window_call,
    "ArithmeticOperation": lambda node: ast.Arithmetic(
        node["op"], _expr(node["left"]), _expr(node["right"]), _span(node)
    ),
    "CompareOperation": lambda node: ast.Comparison(node["op"], _expr(node["left"]), _expr(node["right"]), _span(node)),
    "And": lambda node: ast.Logical("and", _exprs(node["exprs"]), _span(node)),
    "Or": lambda node: ast.Logical("or", _exprs(node["exprs"]), _span(node)),
    "Not": lambda node: ast.Not(_expr(node["expr"]), _span(node)),
    "BetweenExpr": lambda node: ast.Between(
        _expr(node["expr"]), _expr(node["low"]), _expr(node["high"]), bool(node.get("negated")), _span(node)
    ),
    "IsDistinctFrom": lambda node: ast.IsDistinctFrom(
        _expr(node["left"]), _expr(node["right"]), bool(node.get("negated")), _span(node)
    ),
    "Alias": lambda node: ast.Alias(node["alias"], _expr(node["expr"]), _span(node)),
    "Lambda": lambda node: ast.Lambda(tuple(node["args"]), _expr(node["expr"]), _span(node)),
    "Array": lambda node: ast.Array(_exprs(node["exprs"]), _span(node)),
    "Tuple": lambda node: ast.Tuple(_exprs(node["exprs"]), _span(node)),
    "GroupingSet": lambda node: ast.Tuple(_exprs(node["exprs"]), _span(node)),
    "Dict": _dict,
    "HogQLXTag": _tag,
    "ArrayAccess": _array_access,
    "ArraySlice": _array_slice,
    "TupleAccess": lambda node: ast.TupleAccess(_expr(node["tuple"]), int(node["index"]), _span(node)),
    "TypeCast": lambda node: ast.Cast(_expr(node["expr"]), node["type_name"], span=_span(node)),
    "TryCast": lambda node: ast.Cast(_expr(node["expr"]), node["type_name"], safe=True, span=_span(node)),
    "Placeholder": lambda node: ast.Placeholder(_expr(node["expr"]), _span(node)),
    "ColumnsExpr": _columns,
    "SelectQuery": _select,
    "SelectSetQuery": _set_query,
}
