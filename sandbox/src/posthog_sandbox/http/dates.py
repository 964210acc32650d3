"""Dates in PostHog's parameters: ISO 8601 or relative to now (`-7d`, `-1mStart`, `dStart`, `all`)."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

from ..errors import invalid

_RELATIVE = re.compile(r"-?(?P<number>\d{1,4})?(?P<unit>[hdwmqyMs])(?P<position>Start|End)?", re.ASCII)
_SPANS = {"s": timedelta(seconds=1), "M": timedelta(minutes=1), "h": timedelta(hours=1), "w": timedelta(weeks=1)}
_MONTHS = {"m": 1, "q": 3, "y": 12}
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def parse_date(value: str, now: datetime, name: str) -> datetime:
    """Parse a date parameter into UTC; text without an offset is UTC. Raises ApiError 400 that names the parameter.

    Relative days, weeks, months, quarters and years begin at midnight.
    """
    if value == "all":
        return _EARLIEST
    relative = _RELATIVE.fullmatch(value)
    try:
        if relative:
            return _relative(relative, now)
        parsed = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise invalid(f"Invalid date: {value}", attr=name) from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _relative(found: re.Match[str], now: datetime) -> datetime:
    number, unit = int(found["number"] or 0), found["unit"]
    if unit in {"s", "M", "h"}:
        return now - number * _SPANS[unit]
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit in _MONTHS:
        midnight = _months_back(midnight, number * _MONTHS[unit])
        if found["position"] == "Start":
            midnight = midnight.replace(day=1, month=1 if unit == "y" else midnight.month)
    else:
        midnight -= number * (_SPANS["w"] if unit == "w" else timedelta(days=1))
    return midnight + timedelta(days=1, microseconds=-1) if found["position"] == "End" else midnight


def _months_back(moment: datetime, months: int) -> datetime:
    total = moment.year * 12 + moment.month - 1 - months
    year, month = divmod(total, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
