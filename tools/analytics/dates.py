"""The range of an analytics query as PostHog reads it, and which of its intervals are incomplete.

PostHog accepts any date and fills future intervals with zeros; the last interval of a range that ends now is still
growing. Both look like a drop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from ...gateway.errors import Refused
from ...schemas.base.dates import Bounded
from ...schemas.base.periods import UNITS, Period, Unit, floor
from ..operation.dates import EARLIEST_YEAR, relative, too_old

type End = datetime | date | str | None

MOST_INTERVALS = 1500
"""The most rows of a trend; more do not fit into a result."""
_UNITS: dict[str, Unit] = {unit: unit for unit in UNITS}
_LENGTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_WEEK = timedelta(weeks=1)
_MICROSECOND = timedelta(microseconds=1)


def _precedes(start: datetime | None, began: datetime | None) -> bool:
    return start is not None and began is not None and start.date() < began.date()


class Rounding(StrEnum):
    """What a kind of analysis counts of the interval in which its range begins or ends."""

    EXACT = "exact"
    """From the moment that was given."""
    SERIES = "series"
    """From the beginning of the day, hour or month, unless the moments are explicit."""
    WHOLE = "whole"
    """Whole intervals at both ends."""
    DAYS = "days"
    """Whole days at both ends."""


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` (None: the first event) to `end`, both included, in the project's timezone.

    `now` is when the numbers are, or were, computed.
    """

    start: datetime | None
    end: datetime
    now: datetime
    began: datetime | None = None
    """The first event of the project, if known."""
    previous_start: datetime | None = None
    """The start of the range that it is compared with."""

    @property
    def is_before_data(self) -> bool:
        """True if the range begins before there were data."""
        return _precedes(self.start, self.began)

    @property
    def compares_before_data(self) -> bool:
        """True if the range that it is compared with begins before there were data."""
        return _precedes(self.previous_start, self.began)


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of a result, by their first moments, and which of them are complete."""

    days: tuple[str, ...]
    over: int = 0
    """The number of intervals that are over; the next one is incomplete, and others are in the future."""
    since: int = 0
    """The first complete interval; the one before is incomplete, and earlier ones are older than the data."""
    incomplete_first: str | None = None
    """The interval in which the range or the data begin."""

    @property
    def incomplete_last(self) -> str | None:
        """The current interval."""
        return self.days[self.over] if self.over < len(self.days) else None

    def complete(self) -> range:
        """Return the positions of the complete intervals."""
        return range(min(self.since, self.over), self.over)

    def begun(self) -> range:
        """Return the positions of the intervals that are not in the future."""
        return range(min(self.over + 1, len(self.days)))


def resolve(
    start: End,
    end: End,
    *,
    now: datetime,
    zone: tzinfo,
    interval: str,
    week_start: int = 0,
    rounding: Rounding = Rounding.SERIES,
    explicit: bool = False,
    exact: bool = False,
) -> Range:
    """Return the range that PostHog will count (query semantics of its `dateRange`): a relative start is rounded down
    to its day or hour, and an end is the end of its interval. `explicit` is its `explicitDate`, which rounds nothing;
    `exact` is a single number, which rounds no relative start.

    Raises Refused (`invalid_argument`) for a start before the calendar.
    """
    local = now.astimezone(zone)
    first = None if start is None or start == "all" else _start(start, local, interval, as_given=explicit or exact)
    last = _end(end, local, interval, explicit=explicit or (exact and end is None))
    if first is not None and not explicit and not exact:
        first = _widened(first, interval, rounding, week_start, is_relative=isinstance(start, str))
    return Range(first, last, local)


def _widened(start: datetime, interval: str, rounding: Rounding, week_start: int, *, is_relative: bool) -> datetime:
    """Return where a kind of analysis begins to count for a range that begins at a moment."""
    unit = unit_of(interval)
    match rounding:
        case Rounding.EXACT:
            return start
        case Rounding.SERIES:
            kept = is_relative and unit in ("minute", "hour", "day")
            return start if kept else floor(start, "day" if unit == "week" else unit, week_start)
        case Rounding.WHOLE:
            return floor(start, unit, week_start)
        case Rounding.DAYS:
            return floor(start, "day", week_start)


def unit_of(interval: str) -> Unit:
    """Return the unit of the calendar that an interval is; days for `total`."""
    return _UNITS.get(interval, "day")


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
    if first is not None and first.year < EARLIEST_YEAR:
        raise too_old()
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


def as_sent(value: Bounded | None, *, interval: str = "day", end: bool = False, explicit: bool = False) -> str | None:
    """Return a date for PostHog's `dateRange`, which reads dates without an offset in the project's timezone.

    By hour and minute PostHog would end a date alone at its midnight; it is sent with the last second of the day.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Period):
        raise TypeError("words are settled before a query is compiled")
    if end and not isinstance(value, datetime) and (explicit or interval in ("minute", "hour")):
        return datetime.combine(value, time(23, 59, 59)).isoformat()
    return value.isoformat()


def intervals(days: Sequence[str], span: Range, interval: str, *, whole: bool = False) -> Intervals:
    """Return which intervals are incomplete; `days` are those of PostHog's results. `whole`: PostHog reads whole
    intervals at both ends of the range.
    """
    if not days:
        return Intervals(())
    zone = span.now.tzinfo
    begins = [datetime.fromisoformat(day).replace(tzinfo=zone) for day in days]
    counted_to = span.now if whole else min(span.now, span.end + timedelta(seconds=1))
    over = len(days)
    while over and interval_end(begins[over - 1], interval) > counted_to:
        over -= 1
    known = [moment for moment in (span.began, None if whole else span.start) if moment is not None]
    since, is_cut = first_complete(begins, max(known, default=begins[0]), interval)
    return Intervals(tuple(days), over, since, days[since - 1] if is_cut else None)


def first_complete(begins: Sequence[datetime], first: datetime, interval: str) -> tuple[int, bool]:
    """Return the position of the first interval that begins no earlier than `first`, and whether that moment is inside
    the interval before.
    """
    since = next((at for at, begin in enumerate(begins) if begin >= first), len(begins))
    return since, since > 0 and interval_end(begins[since - 1], interval) > first


def interval_end(start: datetime, interval: str) -> datetime:
    """Return the first moment after an interval, in wall-clock time."""
    if interval == "month":
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start + (_WEEK if interval == "week" else _LENGTHS[interval])


def _start(value: datetime | date | str, local: datetime, interval: str, *, as_given: bool) -> datetime:
    moment = _moment(value, local, time.min)
    if as_given:
        return moment
    if isinstance(value, str) and interval != "minute":
        return floor(moment, "hour" if "h" in value else "day", 0)
    return moment


def _end(value: End, local: datetime, interval: str, *, explicit: bool) -> datetime:
    moment = _moment(value, local, time.max)
    if explicit:
        return moment
    if interval in _LENGTHS and interval != "day":
        relative_end = value is None or isinstance(value, str)
        return interval_end(floor(moment, unit_of(interval), 0), interval) - _MICROSECOND if relative_end else moment
    return interval_end(floor(moment, "day", 0), "day") - _MICROSECOND


def _moment(value: End, local: datetime, of_day: time) -> datetime:
    if isinstance(value, str):
        return relative(value, local)
    if isinstance(value, datetime):
        return value.astimezone(local.tzinfo) if value.tzinfo else value.replace(tzinfo=local.tzinfo)
    if value is None:
        return local
    return datetime.combine(value, of_day, local.tzinfo)


def _written(value: End) -> str:
    return value if isinstance(value, str) else value.isoformat() if value else "now"
