"""Filters that the reader of a number may not know of, and days that a clock change makes longer or shorter."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from ..table import Note, number
from .dates import Range
from .spec import Spec

_BY_TIME = ("trends", "lifecycle")
"""Kinds whose rows are intervals."""
_FEW_DAYS = 14
"""In longer ranges of days, an hour more or less in one of them matters only when that day is compared."""
_COMPARED = timedelta(days=3)
_MOST_DAYS = 800
_DAY = timedelta(days=1)


def filter_notes(spec: Spec[Any], *, has_test_accounts: bool | None = None) -> tuple[Note, ...]:
    """Return the notes on test accounts, which the project defines or not if that is known, and on sampling."""
    notes: list[Note] = []
    if spec.without_test_accounts:
        nothing = "The project defines no test accounts, so none are left out."
        notes.append(Note(nothing if has_test_accounts is False else "Test accounts are left out."))
    if spec.sampling is not None and spec.sampling < 1:
        notes.append(Note(f"Sampled: {number(100 * spec.sampling)} % of users, and counts are scaled up."))
    return tuple(notes)


def clock_changes(kind: str, spec: Spec[Any], span: Range) -> tuple[Note, ...]:
    """Return the note on days of 23 or 25 hours among hours or compared days."""
    if kind not in _BY_TIME or spec.interval not in ("hour", "day") or span.start is None:
        return ()
    start = span.previous_start or span.start
    if spec.interval == "day" and span.end - span.start > timedelta(days=_FEW_DAYS):
        start = min(span.end, span.now) - _COMPARED
    found = [f"{day:%Y-%m-%d} has {hours} hours" for day, hours in _odd_days(start, min(span.end, span.now))]
    return (Note(f"{'; '.join(found)} (clock change)."),) if found else ()


def clock(spec: Spec[Any], span: Range) -> dict[str, Any]:
    """Return `{"timezone"}` of hours."""
    zone: object = getattr(span.end.tzinfo, "key", None)
    return {"timezone": zone} if spec.interval in ("minute", "hour") and zone else {}


def _offset(moment: datetime) -> timedelta:
    return moment.utcoffset() or timedelta()


def _odd_days(first: datetime, last: datetime) -> Iterator[tuple[datetime, int]]:
    """Yield the days that do not have 24 hours."""
    day = datetime.combine(first.date(), time.min, first.tzinfo)
    for _ in range(_MOST_DAYS):
        if day > last:
            return
        following = datetime.combine(day.date() + _DAY, time.min, day.tzinfo)
        hours = 24 + round((_offset(day) - _offset(following)).total_seconds() / 3600)
        if hours != 24:
            yield day, hours
        day = following
