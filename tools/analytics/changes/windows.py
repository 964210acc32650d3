"""The period of a change and the windows before it: of the same length and on the same weekdays."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from ....gateway.errors import Refused
from ..dates import End, check, resolve

_WEEK = timedelta(days=7)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_LONGEST_DAYS = 31
_HOURLY = timedelta(hours=48)
"""Shorter periods have a course by the hour."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` to before `end`, in the project's wall-clock time."""

    start: datetime
    end: datetime

    @property
    def shown(self) -> list[str]:
        """The first and the last day, or minute if the stretch does not consist of whole days."""
        if self.start.time() == self.end.time() == time.min:
            return [f"{self.start:%Y-%m-%d}", f"{self.end - _DAY:%Y-%m-%d}"]
        return [f"{moment:%Y-%m-%d %H:%M}" for moment in (self.start, self.end - _MINUTE)]


@dataclass(frozen=True, slots=True)
class Windows:
    """The period, and the windows before it, the newest first."""

    period: Stretch
    before: tuple[Stretch, ...]
    cut: bool = False
    """True if the interval that is still running was left out."""

    @property
    def step(self) -> timedelta:
        """The length of an interval of the course."""
        return _HOUR if self.period.end - self.period.start <= _HOURLY else _DAY

    @property
    def name_of_step(self) -> str:
        """The interval in HogQL's words."""
        return "Hour" if self.step == _HOUR else "Day"

    @property
    def all(self) -> tuple[Stretch, ...]:
        """The period and the windows before it."""
        return (self.period, *self.before)

    @property
    def start(self) -> datetime:
        """The first moment that is read."""
        return self.before[-1].start

    def steps(self, start: datetime, end: datetime) -> list[datetime]:
        """Return the intervals of the course in a range."""
        found: list[datetime] = []
        while start < end:
            found.append(start)
            start += self.step
        return found


def windows_of(start: End, end: End, *, now: datetime, zone: tzinfo) -> Windows:
    """Return the windows of a period; by default of the seven whole days before today.

    Raises Refused (`invalid_argument`) for a period that is empty, or longer than a month.
    """
    local = now.astimezone(zone)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if start is None and end is None:
        return _windows(today - _WEEK, today)
    by_hour = any(isinstance(one, datetime) or (isinstance(one, str) and "h" in one) for one in (start, end))
    interval = "hour" if by_hour else "day"
    begin: End = "-7d" if start is None else start
    span = resolve(begin, end, now=now, zone=zone, interval=interval)
    check(begin, end, span, interval=interval)
    if span.start is None:
        raise Refused("invalid_argument", 'date_from: "all" has nothing before it to compare with.', "Give a period.")
    first, last = span.start, (span.end + timedelta(seconds=1)).replace(second=0, microsecond=0)
    whole = last
    if last > local:
        whole = today if today > first else local.replace(minute=0, second=0, microsecond=0)
    if whole <= first:
        raise Refused(
            "invalid_argument",
            "date_from: the period has no whole hour yet.",
            "Choose an earlier date_from, or wait until the hour is over.",
        )
    if whole - first > timedelta(days=_LONGEST_DAYS):
        raise Refused(
            "invalid_argument",
            f"date_from: the period has more than {_LONGEST_DAYS} days.",
            "Choose the days of the change; the eight weeks before them are read for comparison.",
        )
    return _windows(first, whole, cut=whole != last)


def _windows(start: datetime, end: datetime, *, cut: bool = False) -> Windows:
    weeks = -(-(end - start) // _WEEK)
    many = 8 if weeks == 1 else 4
    before = tuple(
        Stretch(start - weeks * number * _WEEK, end - weeks * number * _WEEK) for number in range(1, many + 1)
    )
    return Windows(Stretch(start, end), before, cut)


def literal(moment: datetime) -> str:
    """Return a moment for HogQL, which reads it in the project's timezone."""
    return f"toDateTime('{moment:%Y-%m-%d %H:%M:%S}')"
