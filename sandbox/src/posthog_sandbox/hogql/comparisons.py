"""Comparisons with HogQL's two-valued logic.

If x is null, `x = 'a'` is false and `x != 'a'` is true, `not in` and negated patterns are true, and ordering is
false. `= null` tests for null. Inside JOIN ... ON, null stays null.
"""

from __future__ import annotations

from hogql_lang import tree

from . import escape
from .errors import query_error, relocated
from .scope import CompiledCte, Environment
from .syntax.parser import parse_query
from .times import literal
from .values import BOOLEAN, Fragment

_ORDERING = {"<": "less", ">": "greater", "<=": "lessOrEquals", ">=": "greaterOrEquals"}
_PATTERNS = {
    "like": ("like", False), "ilike": ("ilike", False), "not like": ("notLike", True), "not ilike": ("notILike", True),
    "=~": ("match", False), "!~": ("match", True), "=~*": ("match", False), "!~*": ("match", True),
}  # fmt: skip
_MEMBERSHIP = {"in": False, "global in": False, "not in": True, "global not in": True}


def compile_comparison(node: tree.Comparison, environment: Environment) -> Fragment:
    """Return a comparison of two expressions as a condition that is never null (outside JOIN ... ON)."""
    operator = node.operator
    if operator in ("in cohort", "not in cohort"):
        return _in_cohort(node, environment)
    if operator in _MEMBERSHIP:
        return _membership(node, environment)
    null_test = _null_test(node, environment)
    if null_test is not None:
        return null_test
    left, right = _sides(node.left, node.right, environment)
    return compare(operator, left, right, environment)


def compare(operator: str, left: Fragment, right: Fragment, environment: Environment) -> Fragment:
    """Return the comparison of two compiled values."""
    if operator in _ORDERING:
        return _settled(f"{_ORDERING[operator]}({left.sql}, {right.sql})", (left, right), False, environment)
    if operator in _PATTERNS:
        return _pattern(operator, left, right, environment)
    if operator == "==":
        return _equality("equals", left, right, environment)
    if operator == "!=":
        return _equality("notEquals", left, right, environment)
    raise query_error(f"The operator {operator} is not supported here.")


def compile_between(node: tree.Between, environment: Environment) -> Fragment:
    """Return `x between low and high`, which is false for null, as is its negation."""
    value, low = _sides(node.expr, node.low, environment)
    high = literal(node.high, value.type, environment.context) or environment.compile(node.high)
    inside = f"and(greaterOrEquals({value.sql}, {low.sql}), lessOrEquals({value.sql}, {high.sql}))"
    return _settled(f"not({inside})" if node.negated else inside, (value, low, high), False, environment)


def compile_distinct(node: tree.IsDistinctFrom, environment: Environment) -> Fragment:
    """Return `a is distinct from b`, a comparison in which null equals null."""
    left, right = _sides(node.left, node.right, environment)
    same = f"ifNull(equals({left.sql}, {right.sql}), and(isNull({left.sql}), isNull({right.sql})))"
    return Fragment(same if node.negated else f"not({same})", BOOLEAN)


def _sides(left: tree.Expr, right: tree.Expr, environment: Environment) -> tuple[Fragment, Fragment]:
    """Return both sides compiled; a text compared with a time is read as a time."""
    first, second = environment.compile(left), environment.compile(right)
    context = environment.context
    return literal(left, second.type, context) or first, literal(right, first.type, context) or second


def _null_test(node: tree.Comparison, environment: Environment) -> Fragment | None:
    test = {"==": "isNull", "!=": "isNotNull"}.get(node.operator)
    if test is None:
        return None
    for value, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(other, tree.Constant) and other.value is None:
            return Fragment(f"{test}({environment.compile(value).sql})", BOOLEAN)
    return None


def _equality(function: str, left: Fragment, right: Fragment, environment: Environment) -> Fragment:
    sql = f"{function}({left.sql}, {right.sql})"
    negated = function == "notEquals"
    if environment.plain_nulls or not (left.type.nullable and right.type.nullable):
        return _settled(sql, (left, right), negated, environment)
    test, joint = ("isNotNull", "or") if negated else ("isNull", "and")
    return Fragment(f"ifNull({sql}, {joint}({test}({left.sql}), {test}({right.sql})))", BOOLEAN)


def _pattern(operator: str, left: Fragment, right: Fragment, environment: Environment) -> Fragment:
    function, negated = _PATTERNS[operator]
    pattern = f"concat('(?i)', {right.sql})" if operator.endswith("*") else right.sql
    sql = f"{function}({left.sql}, {pattern})"
    if negated and function == "match":
        sql = f"not({sql})"
    return _settled(sql, (left, right), negated, environment)


def _settled(sql: str, operands: tuple[Fragment, ...], when_null: bool, environment: Environment) -> Fragment:
    """Return the condition with `when_null` instead of null, if null is possible."""
    if not any(operand.type.nullable for operand in operands):
        return Fragment(sql, BOOLEAN)
    if environment.plain_nulls:
        return Fragment(sql, BOOLEAN.or_null())
    return Fragment(f"ifNull({sql}, {int(when_null)})", BOOLEAN)


def _membership(node: tree.Comparison, environment: Environment) -> Fragment:
    left = environment.compile(node.left)
    return _contained(node.operator, left, _members(node.right, left, environment))


def _contained(operator: str, left: Fragment, members: str) -> Fragment:
    sql = f"in({left.sql}, {members})"
    settled = f"ifNull({sql}, 0)" if left.type.nullable else sql
    return Fragment(f"not({settled})" if _MEMBERSHIP[operator] else settled, BOOLEAN)


def _members(node: tree.Expr, left: Fragment, environment: Environment) -> str:
    match node:
        case tree.Select() | tree.SetQuery():
            return f"({environment.query(node).sql})"
        case tree.Tuple(exprs) | tree.Array(exprs):
            return f"tuple({', '.join(_member(item, left, environment) for item in exprs)})"
        case tree.Constant():
            return f"tuple({_member(node, left, environment)})"
        case tree.Field((str(name),)) if isinstance(cte := environment.ctes.get(name), CompiledCte):
            return f"(SELECT * FROM {escape.identifier(cte.sql_name)})"
        case _:
            return environment.compile(node).sql


def _member(node: tree.Expr, left: Fragment, environment: Environment) -> str:
    return (literal(node, left.type, environment.context) or environment.compile(node)).sql


def _in_cohort(node: tree.Comparison, environment: Environment) -> Fragment:
    if not isinstance(node.right, tree.Constant) or not isinstance(node.right.value, int | str):
        raise query_error("IN COHORT must name a cohort by id or name.", node.span)
    cohort = node.right.value
    resolve = environment.context.cohorts
    text = None if resolve is None else resolve(cohort)
    if text is None:
        shown = f"id {cohort}" if isinstance(cohort, int) else f"name {cohort!r}"
        reason = "Cohorts are not available here" if resolve is None else f"Could not find a cohort with {shown}"
        raise query_error(f"{reason}.", node.right.span)
    operator = "not in" if node.operator.startswith("not") else "in"
    left = environment.compile(node.left)
    with relocated(f"cohort {cohort}", node.right.span):
        people = environment.query(parse_query(text)).sql
    return _contained(operator, left, f"({people})")
