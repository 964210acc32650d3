"""Dates in queries: ISO 8601 in the project's time zone, or relative to now."""

import re
from calendar import monthrange
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_RELATIVE = re.compile(r"-?(?P<number>\d{1,4})?(?P<unit>[hdwmyqMsHDWYQ])(?P<position>Start|End)?", re.ASCII)
_UNPADDED = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_SPANS = {
    "s": timedelta(seconds=1),
    "M": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "q": timedelta(weeks=13),
}


def parse_moment(text: str, now: datetime, timezone: str) -> datetime:
    """Parse a date of a query into the project's time zone. Never fails.

    Tries ISO 8601 first (project time without an offset), then PostHog's relative syntax anywhere in the text; any
    other text means now.
    """
    zone = ZoneInfo(timezone)
    absolute = _absolute(text.strip())
    if absolute is not None:
        return absolute.replace(tzinfo=zone) if absolute.tzinfo is None else absolute.astimezone(zone)
    found = _RELATIVE.search(text)
    local = now.astimezone(zone)
    return local if found is None else _placed(_shifted(local, found), found)


def _absolute(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    unpadded = _UNPADDED.fullmatch(text)
    try:
        return datetime(int(unpadded[1]), int(unpadded[2]), int(unpadded[3])) if unpadded else None
    except ValueError:
        return None


def _shifted(moment: datetime, found: re.Match[str]) -> datetime:
    number, unit = int(found["number"] or 0), found["unit"]
    try:
        if unit in _SPANS:
            return moment - number * _SPANS[unit]
        return _months_back(moment, number * {"m": 1, "y": 12}.get(unit, 0))
    except (OverflowError, ValueError):
        return moment.replace(year=1, month=1, day=2)


def _placed(moment: datetime, found: re.Match[str]) -> datetime:
    """Apply `Start` or `End` of the unit.

    As in PostHog, months and years keep the time of day, and the end of a year is the last day of the current month.
    """
    unit, position = found["unit"], found["position"]
    if position is None or unit not in "hdmy":
        return moment
    if unit in "my":
        if position == "End":
            return moment.replace(day=monthrange(moment.year, moment.month)[1])
        return moment.replace(day=1, month=1 if unit == "y" else moment.month)
    if position == "Start":
        start = moment.replace(minute=0, second=0, microsecond=0)
        return start if unit == "h" else start.replace(hour=0)
    end = moment.replace(minute=59, second=59, microsecond=999_999)
    return end if unit == "h" else end.replace(hour=23)


def _months_back(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
