"""The range of an analytics query as PostHog reads it, and which of its intervals are incomplete.

PostHog accepts any date and fills future intervals with zeros; the last interval of a range that ends now is still
growing. Both look like a drop.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from ...gateway.errors import Refused

type End = datetime | date | str | None

MOST_INTERVALS = 1500
"""The most rows of a trend; more do not fit into a result."""
_EARLIEST_YEAR = 1980
"""PostHog ignores earlier events."""
_RELATIVE = re.compile(r"-?(?P<number>[0-9]+)?(?P<unit>[hdwmqy])(?P<edge>Start|End)?")
_LENGTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_WEEK = timedelta(weeks=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` (None: the first event) to `end`, both included, in the project's timezone.

    `now` is when the numbers are, or were, computed.
    """

    start: datetime | None
    end: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of a result, by their first moments, and which of them are complete."""

    days: tuple[str, ...]
    over: int = 0
    """The number of complete intervals; the next one is incomplete, and others are in the future."""
    incomplete_first: bool = False

    @property
    def incomplete_last(self) -> str | None:
        """The current interval."""
        return self.days[self.over] if self.over < len(self.days) else None

    def complete(self) -> range:
        """Return the positions of the complete intervals."""
        return range(int(self.incomplete_first), self.over)

    def begun(self) -> range:
        """Return the positions of the intervals that are not in the future."""
        return range(min(self.over + 1, len(self.days)))


def resolve(start: End, end: End, *, now: datetime, zone: tzinfo, interval: str) -> Range:
    """Return the range that PostHog will count (query semantics of its `dateRange`): a relative start is rounded down
    to its day or hour, and an end is the end of its interval.

    Raises Refused (`invalid_argument`) for a start before the calendar.
    """
    local = now.astimezone(zone)
    first = None if start is None or start == "all" else _start(start, local, interval)
    return Range(first, _end(end, local, interval), local)


def check(start: End, end: End, span: Range, *, interval: str) -> None:
    """Reject a range that is empty, in the future, older than PostHog, or longer than 1500 intervals. Raises Refused
    (`invalid_argument`).
    """
    first = span.start
    if first is not None and first > span.now:
        raise Refused(
            "invalid_argument",
            f"date_from: {_written(start)} is in the future.",
            f"Now is {span.now:%Y-%m-%d %H:%M} in the project.",
        )
    if end is not None and span.end.date() > span.now.date():
        raise Refused(
            "invalid_argument",
            f"date_to: {_written(end)} is in the future; future days would count as zeros.",
            f"Omit date_to to count up to now: it is {span.now:%Y-%m-%d %H:%M} in the project's timezone.",
        )
    if first is not None and first.year < _EARLIEST_YEAR:
        raise _too_old()
    if first is not None and first > span.end:
        raise Refused(
            "invalid_argument",
            f"date_from: {_written(start)} is after date_to, {_written(end)}.",
            "Give a date_from before date_to; relative dates count back from now: date_from -14d, date_to -7d.",
        )
    if first is not None and interval in _LENGTHS and (span.end - first) / _LENGTHS[interval] > MOST_INTERVALS:
        raise Refused(
            "invalid_argument",
            f"interval: by {interval} this range has more than {MOST_INTERVALS} rows.",
            "Choose a longer interval or a shorter range.",
        )


def as_sent(value: End, *, interval: str = "day", end: bool = False) -> str | None:
    """Return a date for PostHog's `dateRange`, which reads dates without an offset in the project's timezone.

    By hour and minute PostHog would end a date alone at its midnight; it is sent with the last second of the day.
    """
    if value is None or isinstance(value, str):
        return value
    if end and not isinstance(value, datetime) and interval in ("minute", "hour"):
        return datetime.combine(value, time(23, 59, 59)).isoformat()
    return value.isoformat()


def intervals(days: Sequence[str], span: Range, interval: str, *, widened: bool = False) -> Intervals:
    """Return which intervals are incomplete; `days` are those of PostHog's results. `widened`: PostHog reads whole
    intervals at both ends of the range.
    """
    if not days:
        return Intervals(())
    zone = span.now.tzinfo
    first = datetime.fromisoformat(days[0]).replace(tzinfo=zone)
    counted_to = span.now if widened else min(span.now, span.end + timedelta(seconds=1))
    over = len(days)
    while over and interval_end(datetime.fromisoformat(days[over - 1]).replace(tzinfo=zone), interval) > counted_to:
        over -= 1
    begins_late = not widened and interval != "month" and span.start is not None and span.start > first
    return Intervals(tuple(days), over, begins_late)


def interval_end(start: datetime, interval: str) -> datetime:
    """Return the first moment after an interval, in wall-clock time."""
    if interval == "month":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start + (_WEEK if interval == "week" else _LENGTHS[interval])


def relative(text: str, local: datetime) -> datetime:
    """Return the moment of a relative date: always before now, whatever its sign. Raises ValueError for other text."""
    found = _RELATIVE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is not a relative date")
    number, unit = int(found["number"] or 0), found["unit"]
    moment = _back(local, number, unit)
    edge, length = found["edge"], "hour" if unit == "h" else "day"
    if edge and unit in "my":  # PostHog sets the day and keeps the time
        last = monthrange(moment.year, moment.month)[1]
        return (
            moment.replace(day=last)
            if edge == "End"
            else moment.replace(day=1, month=1 if unit == "y" else moment.month)
        )
    match edge:
        case "Start":
            return _floor(moment, length)
        case "End":
            return interval_end(_floor(moment, length), length) - _MICROSECOND
        case _:
            return moment


def _start(value: datetime | date | str, local: datetime, interval: str) -> datetime:
    moment = _moment(value, local, time.min)
    if isinstance(value, str) and interval != "minute":
        return _floor(moment, "hour" if "h" in value else "day")
    return moment if interval in ("minute", "hour") else _floor(moment, "day")


def _end(value: End, local: datetime, interval: str) -> datetime:
    moment = _moment(value, local, time.max)
    if interval in _LENGTHS and interval != "day":
        relative_end = value is None or isinstance(value, str)
        return interval_end(_floor(moment, interval), interval) - _MICROSECOND if relative_end else moment
    return interval_end(_floor(moment, "day"), "day") - _MICROSECOND


def _moment(value: End, local: datetime, of_day: time) -> datetime:
    if isinstance(value, str):
        return relative(value, local)
    if isinstance(value, datetime):
        return value.astimezone(local.tzinfo) if value.tzinfo else value.replace(tzinfo=local.tzinfo)
    if value is None:
        return local
    return datetime.combine(value, of_day, local.tzinfo)


def _back(local: datetime, number: int, unit: str) -> datetime:
    """Return the moment that many units before. Raises Refused when that is before the calendar begins."""
    try:
        match unit:
            case "h":
                return local - timedelta(hours=number)
            case "d" | "w" | "q":
                return local - timedelta(days=number * {"d": 1, "w": 7, "q": 91}[unit])
            case _:
                total = local.year * 12 + local.month - 1 - number * (12 if unit == "y" else 1)
                year, month = divmod(total, 12)
                return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        raise _too_old() from None


def _floor(moment: datetime, unit: str) -> datetime:
    match unit:
        case "minute":
            return moment.replace(second=0, microsecond=0)
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        case _:
            return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _too_old() -> Refused:
    return Refused(
        "invalid_argument",
        f"date_from: must not be before {_EARLIEST_YEAR}.",
        'Use "all" to count from the first event.',
    )


def _written(value: End) -> str:
    return value if isinstance(value, str) else value.isoformat() if value else "now"
