"""Ends of date ranges, sent with time and offset: a bare date means different things in different PostHog versions."""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import Refused
from ...schemas.base.dates import Bounded
from ...schemas.base.periods import CLOCK_UNITS, Period, Unit, floor, shifted

EARLIEST_YEAR = 1980
"""PostHog ignores earlier events."""
_RELATIVE = re.compile(r"-?(?P<number>[0-9]+)?(?P<unit>[hdwmqy])(?P<edge>Start|End)?")
_MICROSECOND = timedelta(microseconds=1)
_SKEW = timedelta(minutes=2)
"""How far the clocks of this machine and of PostHog can differ."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Now in the project's timezone, and the first day of its weeks: 0 for Sunday, 1 for Monday."""

    now: datetime
    week_start: int = 0

    @property
    def zone(self) -> tzinfo:
        """The project's timezone."""
        return self.now.tzinfo or UTC


def calendar_of(api: Call) -> Calendar:
    """Return the calendar of the project of a call."""
    return Calendar(api.now().astimezone(api.timezone), api.project.week_start if api.project else 0)


def in_plain(
    start: Bounded | None, end: Bounded | None, calendar: Calendar
) -> tuple[datetime | date | str | None, datetime | date | str | None]:
    """Return the ends of a range without words: a period begins at its first day, and ends at its last one or now.

    A period as the start alone is the whole range. None is now for an end. Raises Refused (`invalid_argument`).
    """
    if start == "now":
        raise Refused("invalid_argument", "date_from: now leaves nothing to count.", "Pass an earlier date_from.")
    begin, until = start, None if end == "now" else end
    if isinstance(begin, Period):
        begin, after = _ends("date_from", begin, calendar)
        until = after if end is None else until
    if isinstance(until, Period):
        until = _ends("date_to", until, calendar)[1]
    return begin, until


def _ends(name: str, value: Period, calendar: Calendar) -> tuple[datetime | date, datetime | date | None]:
    """Return the first and last day of a period, or moments for hours; None for its end when it is not over."""
    try:
        begin, after = value.ends(calendar.now, calendar.week_start)
    except ValueError:
        raise Refused("invalid_argument", f"{name}: must not be before 1980.", "Choose a later period.") from None
    is_current = begin <= calendar.now < after
    if value.unit in CLOCK_UNITS:
        return begin, None if is_current else after - timedelta(seconds=1)
    return begin.date(), None if is_current else (after - timedelta(days=1)).date()


def sent_range(api: Call, start: Bounded | None, end: Bounded | None) -> tuple[str | None, str | None]:
    """Return the ends of a range as ISO 8601, in the project's timezone: a date alone begins at its midnight and ends
    with its last microsecond. Relative dates are returned as is.
    """
    begin, until = in_plain(start, end, calendar_of(api))
    if isinstance(until, date) and not isinstance(until, datetime):
        until = datetime.combine(until, time.max)
    return _sent(api, begin), _sent(api, until)


def _sent(api: Call, value: datetime | date | str | None) -> str | None:
    return value if value is None or isinstance(value, str) else api.moment(value)


def moments(api: Call, start: Bounded | None, end: Bounded | None) -> tuple[datetime | None, datetime | None]:
    """Return the ends of a range as moments, for endpoints without relative dates. Raises Refused."""
    calendar = calendar_of(api)
    begin, until = in_plain(start, end, calendar)
    if isinstance(begin, str):
        begin = floor(relative(begin, calendar.now), _rounded_to(begin), 0)
    if isinstance(until, str):
        unit = _rounded_to(until)
        until = shifted(floor(relative(until, calendar.now), unit, 0), unit, 1) - _MICROSECOND
    elif isinstance(until, date) and not isinstance(until, datetime):
        until = datetime.combine(until, time.max)
    return _moment(api, begin), _moment(api, until)


def _rounded_to(text: str) -> Unit:
    return "hour" if "h" in text else "day"


def _moment(api: Call, value: datetime | date | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(api.moment(value))


def relative(text: str, local: datetime) -> datetime:
    """Return the moment of a relative date: always before now, whatever its sign. Raises ValueError for other text."""
    found = _RELATIVE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is not a relative date")
    number, unit = int(found["number"] or 0), found["unit"]
    moment = _back(local, number, unit)
    edge = found["edge"]
    length: Unit = "hour" if unit == "h" else "day"
    if edge and unit in "my":  # PostHog sets the day and keeps the time
        last = monthrange(moment.year, moment.month)[1]
        return (
            moment.replace(day=last)
            if edge == "End"
            else moment.replace(day=1, month=1 if unit == "y" else moment.month)
        )
    match edge:
        case "Start":
            return floor(moment, length, 0)
        case "End":
            return shifted(floor(moment, length, 0), length, 1) - _MICROSECOND
        case _:
            return moment


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
        raise too_old() from None


def too_old() -> Refused:
    """Return the error for a start before PostHog's first events."""
    return Refused(
        "invalid_argument",
        f"date_from: must not be before {EARLIEST_YEAR}.",
        'Use "all" to count from the first event.',
    )


def instant(api: Call, name: str, value: datetime | date | str | None) -> str | None:
    """Return the moment of something that happens at once, as ISO 8601; `now` is now and `none` is None.

    Raises Refused for a moment in the future: PostHog would store it and start or stop the object at once.
    """
    if value is None or value == "none":
        return None
    if isinstance(value, str):
        return api.now().replace(microsecond=0).isoformat()
    text = api.moment(value)
    if datetime.fromisoformat(text) > api.now() + _SKEW:
        raise Refused(
            "invalid_argument",
            f"`{name}`: {text} is in the future. PostHog does not wait for it: the change would take effect at once.",
            f"Pass now when it is time; it is {api.now().astimezone(api.timezone).isoformat(timespec='minutes')} now.",
        )
    return text


def instants(api: Call, args: Any, *names: str) -> dict[str, str | None]:
    """Return the given moments by name; see `instant`."""
    return {name: instant(api, name, value) for name in names if (value := getattr(args, name)) is not None}


def midnights(args: Any, stored: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return notes on dates without a time, which mean midnight."""
    return tuple(
        f"{name} is a date without a time: midnight in the project's timezone, {stored.get(name)}."
        for name in names
        if isinstance(value := getattr(args, name), date) and not isinstance(value, datetime)
    )
