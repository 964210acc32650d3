"""How a statement is sent, so that a truncated result is noticed.

PostHog cuts a statement without LIMIT to 100 rows and reports that; it cuts a member of a UNION without a word. So a
LIMIT of one row more than requested is added where the statement has none: the rows that come back show whether there
are more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hogql_lang import Statement

from ...gateway.errors import Refused

MOST_ROWS = 50_000
"""PostHog returns at most this many rows for any LIMIT."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement as it is sent, and how to read its rows."""

    sql: str
    shown: int | None = None
    """Rows to show, when a LIMIT of one more was added."""
    own_limit: int | None = None
    """The caller's LIMIT, when it is a number."""
    ordered: bool = True
    names: tuple[str | None, ...] = ()
    """The names of columns whose expressions are sent in another form; None for the others."""


def plan(statement: Statement, limit: int, values: Mapping[str, Any]) -> Plan:
    """Return how to send this statement so that at most `limit` rows are shown and truncation is noticed.

    A LIMIT in the statement is kept. `values` are those of its placeholders. Raises Refused
    (`hogql_query_error`) for anything but SELECT.
    """
    limits = statement.limits
    if limits is None:
        raise Refused(
            "hogql_query_error",
            "query: only one SELECT (or WITH and SELECT) can run.",
            "Rewrite it as a SELECT; describe_data shows tables and columns.",
        )
    # Members of a plain UNION ALL need no more rows than are shown; others are compared, limited or shifted as a whole,
    # so all their rows are needed.
    is_plain = limits.operators <= {"UNION ALL"} and not limits.limited and not limits.shifted
    sql = _inserted(statement.sql, limits.open_ends, limit + 1 if is_plain else MOST_ROWS)
    if limits.limited or not limits.open_ends:
        return Plan(sql, own_limit=_number(limits.own, values))
    return Plan(sql, shown=limit, ordered=limits.ordered)


def _inserted(sql: str, places: tuple[int, ...], limit: int) -> str:
    for place in sorted(places, reverse=True):
        sql = f"{sql[:place]} LIMIT {limit}{sql[place:]}"
    return sql


def _number(own: int | str | None, values: Mapping[str, Any]) -> int | None:
    value: Any = values.get(own) if isinstance(own, str) else own
    return value if isinstance(value, int) and not isinstance(value, bool) else None
