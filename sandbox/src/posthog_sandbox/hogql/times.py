"""Compile times in the project's timezone: literals compared with datetime columns, and the clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from hogql_lang import tree

from . import escape
from .context import Context
from .values import DATE, DATETIME, Fragment, Type

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FIRST_YEAR = 1970
"""The first year of ClickHouse's `Date`."""


def now(context: Context) -> Fragment:
    """Return `now()` in the project's timezone, from ClickHouse's clock or the fixed one."""
    if context.now is None:
        return Fragment(f"now64(6, {escape.string(context.timezone)})", DATETIME)
    fixed = _utc(context.now)
    return Fragment(f"toTimeZone({fixed}, {escape.string(context.timezone)})", DATETIME)


def literal(node: tree.Expr, beside: Type, context: Context) -> Fragment | None:
    """Return a text such as '2026-11-01' or '2026-11-01T10:00:00Z' as a date or time, as the compared type needs."""
    if (
        beside.kind not in ("datetime", "date")
        or not isinstance(node, tree.Constant)
        or not isinstance(node.value, str)
    ):
        return None
    text = node.value.strip()
    if beside.kind == "date" and _DATE.fullmatch(text):
        return Fragment(f"toDate({escape.string(text)})", DATE)
    return time_literal(text, context.timezone)


def is_date(text: str) -> bool:
    """Return whether a text is a calendar day in the form `YYYY-MM-DD`."""
    try:
        return _DATE.fullmatch(text) is not None and date.fromisoformat(text).year >= _FIRST_YEAR
    except ValueError:
        return False


def time_literal(text: str, timezone: str) -> Fragment | None:
    """Return an ISO 8601 date or time, read in `timezone` unless it has an offset; None for other text."""
    if not _DATE.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        return Fragment(_utc(moment), DATETIME)
    shown = escape.string(moment.isoformat(" ", "microseconds"))
    return Fragment(f"toDateTime64({shown}, 6, {escape.string(timezone)})", DATETIME)


def _utc(moment: datetime) -> str:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    shown = aware.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return f"toDateTime64({escape.string(shown)}, 6, 'UTC')"
