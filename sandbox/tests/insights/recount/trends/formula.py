"""Formulas over series in plain Python."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any


def formulas_of(query: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return the formulas of a query with their names: nodes take precedence over a list, a list over a single one."""
    given: Mapping[str, Any] = query.get("trendsFilter") or {}
    if given.get("formulaNodes"):
        return [(node["formula"], node.get("custom_name")) for node in given["formulaNodes"]]
    if given.get("formulas"):
        return [(formula, None) for formula in given["formulas"]]
    return [(given["formula"], None)] if given.get("formula") else []


def value_of(formula: str, operands: Sequence[float]) -> float:
    """Evaluate a formula for the numbers of series `A`, `B` and so on; division by zero is 0."""
    return _value(ast.parse(formula.strip().upper(), mode="eval").body, operands)


def _value(node: ast.expr, operands: Sequence[float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            return operands[ord(name) - ord("A")]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, operands)
        case ast.BinOp(left=left, op=operator, right=right):
            return _binary(_value(left, operands), operator, _value(right, operands))
        case _:
            raise AssertionError(ast.dump(node))


def _binary(left: float, operator: ast.operator, right: float) -> float:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right if right else 0
        case ast.Mod():
            return left % right if right else 0
        case ast.Pow():
            return left**right
        case _:
            raise AssertionError(operator)
