"""The date range of an insight and its intervals, in the project's time zone."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from ..hogql import escape
from ..queries.moments import parse_moment
from ..queries.project import Project
from ..values import Row, as_object
from .requests import malformed_query

type Interval = Literal["minute", "hour", "day", "week", "month"]
INTERVALS: tuple[Interval, ...] = get_args(Interval.__value__)
MOST_BUCKETS = 10_000
"""Maximum number of intervals in a range."""

_FIRST_YEAR, _LAST_YEAR = 1901, 2298
_UNPADDED = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)
_RELATIVE = re.compile(r"-?(?P<number>\d{1,4})?(?P<unit>[hdwmyqMsHDWYQ])(?:Start|End)?", re.ASCII)
_DASH = "\N{EN DASH}"
_STARTS = {
    "minute": "toStartOfMinute({})",
    "hour": "toStartOfHour({})",
    "day": "toStartOfDay({})",
    "week": "toStartOfWeek({})",
    "month": "toStartOfMonth({})",
}


@dataclass(frozen=True, slots=True)
class DateRange:
    """A range from `start` to `end`, both inclusive and in the project's time zone, divided into intervals.

    Events are counted from `start`, or from the start of its interval `widened_to`. With `aligned` a previous period
    begins one day later, so that weekdays match.
    """

    start: datetime
    end: datetime
    interval: Interval
    week_start: int = 0
    widened_to: Interval | None = None
    aligned: bool = False

    @property
    def from_moment(self) -> datetime:
        """The first moment whose events count."""
        return interval_start(self.start, self.widened_to, self.week_start) if self.widened_to else self.start

    def buckets(self) -> list[datetime]:
        """Return the start of every interval, from that of `start` to that of `end`."""
        first, last = (interval_start(moment, self.interval, self.week_start) for moment in (self.start, self.end))
        found: list[datetime] = []
        while first.astimezone(UTC) <= last.astimezone(UTC):  # Python compares times of one zone by wall clock
            found.append(first)
            first = next_interval(first, self.interval)
            if len(found) > MOST_BUCKETS:
                raise malformed_query("dateRange", f"The range has more than {MOST_BUCKETS:,} intervals.")
        return found

    def keys(self) -> list[str]:
        """Return `buckets` as `bucket_instant` does: the two hours with equal wall-clock time in autumn differ."""
        return [bucket_instant(bucket.isoformat(), self.interval) for bucket in self.buckets()]

    def days(self) -> list[str]:
        """Return PostHog's `days`: `2026-11-01`, or `2026-11-01 10:00:00` for hours and minutes."""
        return [day_text(bucket, self.interval) for bucket in self.buckets()]

    def labels(self) -> list[str]:
        """Return PostHog's `labels`."""
        return [self._label(bucket) for bucket in self.buckets()]

    def conditions(self, *, whole_seconds: bool = True) -> list[str]:
        """Return HogQL conditions on the `timestamp` of events.

        With `whole_seconds` the end is cut to a whole second, as in PostHog's trends, stickiness and paths.
        """
        end = self.end.replace(microsecond=0) if whole_seconds else self.end
        return [f"timestamp >= {moment_literal(self.from_moment)}", f"timestamp <= {moment_literal(end)}"]

    def previous(self, compare_to: str | None = None) -> "DateRange":
        """Return the range to compare with: both ends moved by `compare_to` (`-1w`), else the preceding period.

        By the minute it ends where this range starts; otherwise it starts at the same time of day.
        """
        if compare_to is not None:
            zone = str(self.start.tzinfo)
            start, end = (parse_moment(compare_to, moment, zone) for moment in (self.start, self.end))
            return replace(self, start=_storable(start), end=_storable(end))
        length = self.end - self.start
        earlier = self.start - length
        if self.interval == "minute":
            return replace(self, start=_storable(earlier), end=self.start)
        start = datetime.combine(earlier.date(), self.start.timetz())
        if self.aligned:
            start += timedelta(days=1)
        return replace(self, start=_storable(start), end=_storable(start + length))

    def resolved(self) -> Row:
        """Return PostHog's `resolved_date_range`."""
        return {"date_from": iso(self.start), "date_to": iso(self.end)}

    def _label(self, bucket: datetime) -> str:
        match self.interval:
            case "minute" | "hour":
                return f"{bucket.day}-{bucket:%b %H:%M}"
            case "month":
                return f"{bucket:%b %Y}"
            case "day":
                return _full(bucket.date())
            case "week":
                first = max(bucket.date(), self.start.date())
                return week_label(first, min(bucket.date() + timedelta(days=6), self.end.date()))


def week_label(first: date, last: date) -> str:
    """Format a week by its first and last day, without repeating equal parts of the dates."""
    if first == last:
        return _full(first)
    if first.year != last.year:
        return f"{_full(first)} {_DASH} {_full(last)}"
    if first.month != last.month:
        return f"{first.day}-{first:%b} {_DASH} {last.day}-{last:%b}"
    return f"{first.day}{_DASH}{last.day} {last:%b}"


def _full(day: date) -> str:
    return f"{day.day}-{day:%b-%Y}"


def interval_start(moment: datetime, interval: Interval, week_start: int) -> datetime:
    """Return the start of the interval that contains a moment. `week_start` is 0 for Sunday, 1 for Monday."""
    if interval == "minute":
        return later(moment, timedelta()).replace(second=0, microsecond=0)  # skips the gap of a clock change
    if interval == "hour":
        return later(moment, timedelta()).replace(minute=0, second=0, microsecond=0)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "week":
        return midnight - timedelta(days=midnight.weekday() if week_start == 1 else midnight.isoweekday() % 7)
    return midnight.replace(day=1) if interval == "month" else midnight


def next_interval(start: datetime, interval: Interval) -> datetime:
    """Return the start of the interval after the one that begins at `start`; days and longer in wall-clock time."""
    return _moved(start, interval, 1)


def previous_interval(start: datetime, interval: Interval) -> datetime:
    """Return the start of the interval before the one that begins at `start`."""
    return _moved(start, interval, -1)


def _moved(start: datetime, interval: Interval, number: int) -> datetime:
    match interval:
        case "month":
            year, month = divmod(start.year * 12 + start.month - 1 + number, 12)
            return start.replace(year=year, month=month + 1)
        case "week":
            return start + timedelta(weeks=number)
        case "day":
            return start + timedelta(days=number)
        case "hour":
            return later(start, timedelta(hours=number))
        case "minute":
            return later(start, timedelta(minutes=number))


def later(moment: datetime, span: timedelta) -> datetime:
    """Return the moment after an elapsed time, independent of clock changes."""
    return (moment.astimezone(UTC) + span).astimezone(moment.tzinfo)


def bucket_expression(interval: Interval, moment: str = "timestamp") -> str:
    """Return HogQL for the start of a time's interval, in the project's time zone."""
    return _STARTS[interval].format(moment)


def bucket_instant(value: object, interval: Interval) -> str:
    """Convert a result of `bucket_expression` to the format of `DateRange.keys`."""
    text = str(value)
    return (
        text[:10] if interval in ("day", "week", "month") else datetime.fromisoformat(text).astimezone(UTC).isoformat()
    )


def day_text(moment: datetime, interval: Interval) -> str:
    """Format the start of an interval as in PostHog's `days`."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if interval in ("hour", "minute") else f"{moment:%Y-%m-%d}"


def moment_literal(moment: datetime) -> str:
    """Return a moment as HogQL."""
    return f"toDateTime({escape.string(moment.astimezone(UTC).isoformat())})"


def iso(moment: datetime) -> str:
    """Format a moment as PostHog does: with its offset, `Z` for UTC."""
    return moment.isoformat().replace("+00:00", "Z")


def read_interval(query: Row) -> Interval:
    """Return the `interval` of a query. Raises ApiError 400 for an unknown one."""
    given = query.get("interval")
    for interval in INTERVALS:
        if given == interval:
            return interval
    if given is None:
        return "day"
    raise malformed_query("interval", "Input should be 'minute', 'hour', 'day', 'week' or 'month'")


def wants_all(query: Row) -> bool:
    """Return whether the range begins at the earliest event, which `read_date_range` then needs."""
    return (as_object(query.get("dateRange")) or {}).get("date_from") == "all"


def read_date_range(
    query: Row,
    project: Project,
    interval: Interval | None = None,
    *,
    exact: bool = False,
    explicit_start: bool = False,
    widen: bool = True,
    earliest: datetime | None = None,
) -> DateRange:
    """Return the `dateRange` of a query. Raises ApiError 400 for ends that are not strings.

    `exact` keeps the time of day of a relative start and of a missing end (for a single number). `explicit_start` keeps
    that of a relative start when the query has `explicitDate`. `widen` counts from the start of the interval where
    PostHog's trends and stickiness do. `earliest` is the earliest event, for `date_from` `all`.
    """
    interval = interval or read_interval(query)
    given = as_object(query.get("dateRange")) or {}
    explicit = given.get("explicitDate") is True
    since, until = _end(given, "date_from"), _end(given, "date_to")
    keep = exact or interval == "minute" or (explicit and explicit_start)
    start = _storable(_start(since, project, keep=keep, earliest=earliest))
    end = _storable(_finish(until, project, interval, explicit=explicit or (exact and until is None)))
    week_start = project.context.week_start
    widened = _widened_to(interval, since) if widen and not explicit and not exact else None
    return DateRange(start, end, interval, week_start, widened, _aligned(interval, since, until))


def relative_unit(text: str) -> str | None:
    """Return the unit letter of a relative date; None for an absolute date, including `all`."""
    if text == "all":
        return None
    stripped = text.strip()
    if _UNPADDED.fullmatch(stripped):
        return None
    try:
        datetime.fromisoformat(stripped)
    except ValueError:
        found = _RELATIVE.search(stripped)
        return found["unit"] if found else ""
    return None


def _end(given: Row, name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed_query(f"dateRange.{name}", "Input should be a valid string")
    return value or None


def _parsed(text: str, project: Project) -> datetime:
    try:
        return parse_moment(text, project.scope.now, project.context.timezone)
    except OverflowError:
        raise malformed_query("dateRange", f"{text[:60]} is not a valid date") from None


def _storable(moment: datetime) -> datetime:
    """Return the nearest moment that ClickHouse can store."""
    if moment.year < _FIRST_YEAR:
        return moment.replace(year=_FIRST_YEAR, month=1, day=1)
    return moment.replace(year=_LAST_YEAR, month=12, day=31) if moment.year > _LAST_YEAR else moment


def _start(since: str | None, project: Project, *, keep: bool, earliest: datetime | None) -> datetime:
    if since == "all":
        return (earliest or project.scope.now).astimezone(ZoneInfo(project.context.timezone))
    moment = _parsed(since or "-7d", project)
    unit = "d" if since is None else relative_unit(since)
    if unit is None or (keep and since is not None):
        return moment
    cut = moment.replace(minute=0, second=0, microsecond=0)
    return cut if unit == "h" else cut.replace(hour=0)


def _finish(until: str | None, project: Project, interval: Interval, *, explicit: bool) -> datetime:
    end = _parsed(until or "0d", project)
    if explicit:
        return end
    if interval in ("day", "week", "month"):
        return end.replace(hour=23, minute=59, second=59, microsecond=999_999)
    if until is not None and relative_unit(until) is None:
        return end
    return end.replace(minute=59 if interval == "hour" else end.minute, second=59, microsecond=999_999)


def _widened_to(interval: Interval, since: str | None) -> Interval | None:
    unit = "d" if since is None else relative_unit(since)
    match interval:
        case "week":
            return "day"
        case "day":
            return None if unit == "h" else "day"
        case "hour" | "minute":
            return interval if unit is None else None
        case "month":
            return "month"


def _aligned(interval: Interval, since: str | None, until: str | None) -> bool:
    if interval != "day" or (until is not None and relative_unit(until) is not None):
        return False
    found = _RELATIVE.fullmatch(since or "-7d")
    return (
        found is not None and found["unit"] == "d" and int(found["number"] or 0) > 0 and int(found["number"]) % 7 == 0
    )
