"""Formulas over the series of a trend: `A`, `B`, ... with `+ - * / % **`, a minus sign, parentheses and numbers."""

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from ...errors import invalid

type _Binary = Callable[[float, float], float | complex]
MOST_CHARACTERS = 2_000
_CHARACTERS = re.compile(r"[A-Za-z0-9.+\-*/%() ]+", re.ASCII)


class Formula:
    """A validated formula over the first `series` letters. Raises ApiError 400."""

    def __init__(self, text: str, series: int) -> None:
        self.text = text
        self._tree = _parsed(text)
        _check(self._tree, {chr(ord("a") + index) for index in range(min(series, 26))})

    def value(self, values: Sequence[float]) -> float:
        """Evaluate the formula for one value per series. Division by zero and results that are not finite are 0."""
        result = _value(self._tree, {chr(ord("a") + index): value for index, value in enumerate(values)})
        return result if math.isfinite(result) else 0.0


def _parsed(text: str) -> ast.expr:
    if len(text) <= MOST_CHARACTERS and _CHARACTERS.fullmatch(text):
        try:
            return ast.parse(text.strip().lower(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    raise invalid(f"The formula {text[:60]!r} cannot be read: use A, B, ... with + - * / % ** and parentheses.")


def _check(tree: ast.expr, letters: set[str]) -> None:
    """Validate without recursion, so that any nesting can be handled. Raises ApiError 400."""
    open_nodes = [(tree, 0)]
    while open_nodes:
        node, depth = open_nodes.pop()
        if depth > 200:
            raise invalid("The formula is nested too deeply.")
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                open_nodes += [(left, depth + 1), (right, depth + 1)]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                open_nodes.append((operand, depth + 1))
            case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
                _float(value)
            case ast.Name(id=name) if name in letters:
                pass
            case ast.Name(id=name):
                raise invalid(f"The formula names the series {name.upper()[:20]}, which does not exist.")
            case _:
                raise invalid("A formula has series letters, numbers, + - * / % ** and parentheses only.")


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _value(node: ast.expr, letters: Mapping[str, float]) -> float:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return _applied(_BINARY[type(op)], _value(left, letters), _value(right, letters))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, letters)
        case ast.Name(id=name):
            return letters[name]
        case _:
            return _float(cast("float", cast("ast.Constant", node).value))


def _applied(operator: _Binary, left: float, right: float) -> float:
    try:
        result = operator(left, right)
    except (ZeroDivisionError, OverflowError):
        return 0.0
    return 0.0 if isinstance(result, complex) else result


_BINARY: Mapping[type[ast.operator], _Binary] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.Mod: lambda left, right: left % right,
    ast.Pow: pow,  # a root of a negative number is complex
}
