"""The parts of a Spec that all typed inputs share, and their range as it is sent.

Words become dates, and a time of day is explicit or rejected: PostHog counts whole days unless `explicitDate` is set,
and some kinds of analyses count whole intervals even then.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from ...gateway.errors import Refused
from ...schemas.analytics.events import Breakdown, EventChoice, PropertyFilter
from ...schemas.analytics.queries import Analysis
from ...schemas.base.dates import Bounded
from ...schemas.base.periods import Period, Unit, floor
from ..operation.dates import Calendar, in_plain, relative
from .dates import End, Rounding, resolve, unit_of
from .spec import Condition, Counted, Dates, Split

_SECOND = timedelta(seconds=1)
_LAST_SECOND = time(23, 59, 59)
_STORED: dict[tuple[Unit, int], tuple[str, str | None]] = {
    ("day", 0): ("dStart", None),
    ("day", 1): ("-1dStart", "-1dEnd"),
    ("month", 0): ("mStart", None),
    ("month", 1): ("-1mStart", "-1mEnd"),
    ("year", 0): ("yStart", None),
}
"""The single units, by how far they are back, that PostHog has relative dates for."""


def shared(args: Analysis, start: Bounded | None) -> dict[str, Any]:
    """Return the fields of a Spec for the range and the filters of the whole."""
    return {
        "dates": Dates(start, args.date_to),
        "conditions": conditions(args.filters or ()),
        "without_test_accounts": args.filter_test_accounts,
    }


def counted(event: EventChoice, **how: Any) -> Counted:
    """Return an event or action with its own conditions; `how` are further fields of Counted."""
    return Counted(
        event=event.event, action_id=event.action_id, name=event.name, conditions=conditions(event.where), **how
    )


def conditions(filters: Sequence[PropertyFilter]) -> tuple[Condition, ...]:
    """Return the conditions of typed filters."""
    return tuple(Condition.read(one.as_filter()) for one in filters)


def splits(breakdowns: Sequence[Breakdown] | None) -> tuple[Split, ...]:
    """Return what typed breakdowns split by."""
    return tuple(Split(one.property, one.type, one.group_type_index) for one in breakdowns or ())


_LAST_COMPLETE: dict[Unit, str] = {"hour": "-1h", "day": "-1d", "month": "-1mEnd"}
"""The ends of the last complete units as relative dates, which can also be stored."""


def settled(
    asked: Dates, calendar: Calendar, *, tool: str, interval: str, rounding: Rounding, leaves_out_open: bool = False
) -> Dates:
    """Return the range as dates, moments and relative dates. `leaves_out_open`: without an end, the interval that is
    not over is left out, if the range has another one.

    Raises Refused (`invalid_argument`) for a time of day that this kind of analysis would not count by.
    """
    start, end = in_plain(asked.start, asked.end, calendar)
    if leaves_out_open and asked.end is None and end is None and (last := _last_complete(start, calendar, interval)):
        asked, end = replace(asked, left_out=unit_of(interval)), last
    unit = unit_of(interval) if interval in ("minute", "hour") and rounding is not Rounding.DAYS else "day"
    if rounding in (Rounding.WHOLE, Rounding.DAYS):
        return replace(_whole(start, end, calendar, unit, tool), left_out=asked.left_out)
    clocked = _begins_inside(start, calendar, unit, interval) or _ends_inside(end, calendar, unit)
    first, last = _moments(start, end, calendar, interval) if clocked else (start, end)
    return replace(asked, start=first, end=last, explicit=clocked)


def storable(asked: Dates) -> Dates:
    """Return the range for an insight that is computed again later: words as PostHog's relative dates.

    Raises Refused (`invalid_argument`) for words that PostHog has none for.
    """
    first = _stored("date_from", asked.start)
    last = _stored("date_to", asked.end)
    start = first[0] if first else asked.start
    end = last[1] if last else first[1] if first and asked.end is None else asked.end
    return replace(asked, start=start, end=None if end == "now" else end)


def _stored(name: str, value: Bounded | None) -> tuple[str, str | None] | None:
    """Return both ends of a period that moves with the calendar; None for other values."""
    if not isinstance(value, Period) or value.first is not None:
        return None
    if value.unit == "day" and value.back == 1:
        return f"-{value.count}dStart", "-1dEnd"
    found = _STORED.get((value.unit, value.back)) if value.count == 1 else None
    if found is None:
        raise Refused(
            "invalid_argument",
            f"{name}: PostHog stores no relative range of whole {value.unit}s that moves on.",
            "Pass dates, which stay as they are, or a relative date such as -7d, -8w or last_30_days.",
        )
    return found


def _last_complete(start: End, calendar: Calendar, interval: str) -> End:
    """Return the end of the last interval that is over; None when the range has none."""
    unit = unit_of(interval)
    begin = floor(calendar.now, unit, calendar.week_start)
    first = (
        None
        if start in (None, "all")
        else resolve(start, None, now=calendar.now, zone=calendar.zone, interval="hour").start
    )
    if first is not None and first >= begin:
        return None
    return _LAST_COMPLETE.get(unit) or (begin - _SECOND if unit == "minute" else (begin - timedelta(days=1)).date())


def _begins_inside(start: End, calendar: Calendar, unit: Unit, interval: str) -> bool:
    """Return whether PostHog would begin to count before the start, unless it is explicit."""
    if isinstance(start, datetime):
        return not _is_edge(_local(start, calendar), unit, calendar)
    return isinstance(start, str) and "h" in start and interval in ("week", "month")


def _ends_inside(end: End, calendar: Calendar, unit: Unit) -> bool:
    """Return whether PostHog would count after the end, unless it is explicit."""
    if isinstance(end, datetime):
        return unit == "day" and _local(end, calendar).time() < _LAST_SECOND
    return isinstance(end, str) and "h" in end and unit == "day"


def _moments(start: End, end: End, calendar: Calendar, interval: str) -> tuple[End, End]:
    """Return both ends as moments, which `explicitDate` needs: it also keeps the time of day of relative dates."""
    at = "hour" if isinstance(end, str) and "h" in end else interval
    rough = resolve(start, end, now=calendar.now, zone=calendar.zone, interval=interval, rounding=Rounding.EXACT)
    until = resolve(None, end, now=calendar.now, zone=calendar.zone, interval=at).end
    first = rough.start if start not in (None, "all") else start
    last = end and (_local(end, calendar) if isinstance(end, datetime) else until.replace(microsecond=0))
    return first, last


def _whole(start: End, end: End, calendar: Calendar, unit: Unit, tool: str) -> Dates:
    """Return ends that are those of whole units. Raises Refused for others."""
    if isinstance(start, datetime):
        begin = _local(start, calendar)
        if not _is_edge(begin, unit, calendar):
            raise _inside("date_from", begin, unit, tool)
        start = begin.date() if unit == "day" else begin
    if isinstance(end, datetime):
        until = _local(end, calendar)
        until = until - _SECOND if _is_edge(until, unit, calendar) else until.replace(microsecond=0)
        if not _is_edge(until + _SECOND, unit, calendar):
            raise _inside("date_to", until, unit, tool)
        end = until.date() if unit == "day" else until
    for name, value in (("date_from", start), ("date_to", end)):
        if isinstance(value, str) and "h" in value and unit == "day":
            raise _inside(name, relative(value, calendar.now), unit, tool)
    return Dates(start, end)


def _inside(name: str, moment: datetime, unit: Unit, tool: str) -> Refused:
    accepted = f"Pass a date, such as {moment:%Y-%m-%d}, or -1d." if unit == "day" else f"Pass the edge of a {unit}."
    return Refused("invalid_argument", f"{name} is inside a {unit}, and {tool} counts whole {unit}s here.", accepted)


def _is_edge(moment: datetime, unit: Unit, calendar: Calendar) -> bool:
    return floor(moment, unit, calendar.week_start) == moment


def _local(value: datetime | date, calendar: Calendar) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    zone = calendar.now.tzinfo
    return value.astimezone(zone) if value.tzinfo else value.replace(tzinfo=zone)
