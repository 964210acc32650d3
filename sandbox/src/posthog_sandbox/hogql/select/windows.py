"""Compile windows (OVER (...), OVER name, WINDOW name AS (...)) and ORDER BY, which queries have too."""

from __future__ import annotations

from hogql_lang import tree

from .. import escape
from ..errors import query_error
from ..scope import Environment

_METHODS = frozenset({"ROWS", "RANGE", "GROUPS"})


def compile_over(node: tree.WindowCall, environment: Environment) -> str:
    """Return the part after OVER."""
    if isinstance(node.over, tree.Window):
        return f"({compile_window(node.over, environment)})"
    if node.over not in environment.scope.windows:
        raise query_error(f"Unknown window `{node.over}`.", node.span)
    return escape.identifier(node.over)


def compile_window(window: tree.Window, environment: Environment) -> str:
    """Return the part inside a window's parentheses."""
    parts: list[str] = []
    if window.partition_by:
        keys = ", ".join(environment.compile(expr).sql for expr in window.partition_by)
        parts.append(f"PARTITION BY {keys}")
    if window.order_by:
        parts.append(f"ORDER BY {compile_order(window.order_by, environment)}")
    if window.frame_method is not None and window.frame_start is not None:
        if window.frame_method not in _METHODS:
            raise query_error(f"The frame {window.frame_method} is not supported here.")
        start = _bound(window.frame_start, environment)
        end = None if window.frame_end is None else _bound(window.frame_end, environment)
        parts.append(f"{window.frame_method} {start if end is None else f'BETWEEN {start} AND {end}'}")
    return " ".join(parts)


def compile_order(order_by: tuple[tree.Order, ...], environment: Environment) -> str:
    """Return the expressions of ORDER BY with their directions."""
    return ", ".join(_order(order, environment) for order in order_by)


def _order(order: tree.Order, environment: Environment) -> str:
    sql = f"{environment.compile(order.expr).sql} {'DESC' if order.descending else 'ASC'}"
    if order.fill is None:
        return sql
    parts = [sql, "WITH FILL"]
    for keyword, value in (("FROM", order.fill.first), ("TO", order.fill.last), ("STEP", order.fill.step)):
        if value is not None:
            parts.append(f"{keyword} {environment.compile(value).sql}")
    return " ".join(parts)


def _bound(bound: tree.FrameBound, environment: Environment) -> str:
    if bound.kind == "CURRENT ROW":
        return "CURRENT ROW"
    direction = "PRECEDING" if bound.kind == "PRECEDING" else "FOLLOWING"
    value = "UNBOUNDED" if bound.value is None else environment.compile(bound.value).sql
    return f"{value} {direction}"
