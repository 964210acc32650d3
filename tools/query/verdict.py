"""Findings about a HogQL statement as errors and results of a call."""

from collections.abc import Mapping, Sequence
from typing import Any

from hogql_lang import Problem, Statement, TooDeep, read
from hogql_lang.findings import Kind, caret, position

from ...gateway.errors import Refused
from ...schemas.text import code, excerpt

_FIX_LENGTH = 120
_MESSAGE_LENGTH = 400


def statement_of(sql: str) -> Statement:
    """Return the statement of a call. Raises Refused (`hogql_syntax_error`) for brackets nested too deeply."""
    try:
        return read(sql)
    except TooDeep as error:
        raise Refused("hogql_syntax_error", f"query: {error}.", "Simplify it.") from error


_HINTS: Mapping[Kind, str] = {
    "syntax": "Send one SELECT in HogQL, with strings in single quotes.",
    "unsupported": "Write that part in another way; HogQL follows ClickHouse.",
    "table": "describe_data lists the tables.",
    "column": "describe_data lists columns and properties; a property is read as properties.name.",
    "ambiguous": "Write the name of the table before the column.",
    "outer": "Join the tables, or compare with IN (SELECT …).",
    "type": "Convert one side, for example with toFloat(…), toString(…) or toDateTime(…).",
    "aggregate": "Aggregate in a subquery, filter aggregates with HAVING, and group by all other columns.",
    "placeholder": "Pass its value in `values`.",
    "other": "Change it as the message says.",
}
"""What to do about each kind of problem when there is no fix."""
_TO_USE = frozenset(["outer", "type", "aggregate", "unsupported"])
"""The kinds of problems whose fixes say what to write, not what was meant."""


def refusal(problem: Problem, sql: str) -> Refused:
    """Return a problem as the error of a call."""
    message = excerpt(problem.message, _MESSAGE_LENGTH)
    if problem.place is None:
        where = f"query: {message}."
    else:
        line, column = position(sql, problem.place)
        where = f"query, line {line}, column {column}: {message}.\n{caret(sql, problem.place)}"
    hint = _HINTS[problem.kind]
    if problem.fixes:
        fixes = " or ".join(code(fix, _FIX_LENGTH) for fix in problem.fixes)
        hint = f"Use {fixes}." if problem.kind in _TO_USE else f"Did you mean {fixes}?"
    return Refused(problem.code, where, f'{hint} check: "off" sends it anyway.')


def as_json(problem: Problem, sql: str) -> dict[str, Any]:
    """Return `{"message", "line", "column", "at", "fix"}`; `at` is the line with a caret below the place."""
    shown: dict[str, Any] = {"message": excerpt(problem.message, _MESSAGE_LENGTH)}
    if problem.place is not None:
        line, column = position(sql, problem.place)
        shown |= {"line": line, "column": column, "at": caret(sql, problem.place)}
    return shown | ({"fix": _shown(problem.fixes)} if problem.fixes else {})


def in_one_line(problem: Problem, sql: str) -> str:
    """Return a problem as a warning."""
    where = ""
    if problem.place is not None:
        line, column = position(sql, problem.place)
        where = f"line {line}, column {column}: "
    meant = f"; did you mean {' or '.join(code(fix, _FIX_LENGTH) for fix in problem.fixes)}?" if problem.fixes else ""
    return f"{where}{excerpt(problem.message, _MESSAGE_LENGTH)}{meant}"


def _shown(fixes: Sequence[str]) -> list[str]:
    """Return the names, each short and on one line, because names of events can be arbitrary text."""
    return [excerpt(fix, _FIX_LENGTH) for fix in fixes]
