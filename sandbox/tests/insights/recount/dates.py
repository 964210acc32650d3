"""The range of a query and its intervals by PostHog's definitions, in plain Python.

All moments are UTC, whatever the project's zone: Python compares two times of one zone by wall clock.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .dataset import Setting

_DASH = "\N{EN DASH}"
INTERVALS = ("minute", "hour", "day", "week", "month")
_RELATIVE = re.compile(r"-?(?P<number>\d+)?(?P<letter>[hdwmMqysHDWQY])(?P<end>Start|End)?")
_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")


@dataclass(frozen=True, slots=True)
class Shift:
    """A relative date: its number of units, the unit (a letter), and whether it has a number at all."""

    letter: str
    number: int | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Range:
    """A range from `since` to `until`, both inclusive, in UTC.

    Events begin at `since`, intervals at `first`.
    """

    since: datetime
    until: datetime
    first: datetime

    def has(self, moment: datetime) -> bool:
        """Return whether a moment is in the range, whose ends are whole seconds."""
        return self.since <= moment <= self.until.replace(microsecond=0)


def parsed(text: str, setting: Setting) -> tuple[datetime, Shift | None]:
    """Return a date of a query in the project's zone, and the shift of a relative date."""
    if _ISO.match(text):
        day, _, rest = text.partition("T")
        padded = "-".join(part.zfill(2) for part in day.split("-"))
        moment = datetime.fromisoformat(padded + (f"T{rest}" if rest else ""))
        if moment.tzinfo is None:
            return moment.replace(tzinfo=setting.timezone), None
        return moment.astimezone(setting.timezone), None
    now = setting.now.astimezone(setting.timezone)
    found = _RELATIVE.search(text)
    if found is None:
        return now, Shift("", None, None)
    number = None if found["number"] is None else int(found["number"])
    shift = Shift(found["letter"], number, found["end"])
    return _shifted(now, shift), shift


def _shifted(now: datetime, shift: Shift) -> datetime:
    number = shift.number or 0
    moment = now
    match shift.letter:
        case "h":
            moment = now - timedelta(hours=number)
        case "d":
            moment = now - timedelta(days=number)
        case "w":
            moment = now - timedelta(weeks=number)
        case "q":
            moment = now - timedelta(weeks=13 * number)
        case "m":
            moment = months_later(now, -number)
        case "y":
            moment = months_later(now, -12 * number)
        case "M":
            moment = now - timedelta(minutes=number)
        case "s":
            moment = now - timedelta(seconds=number)
        case _:
            pass
    return _positioned(moment, shift)


def _positioned(moment: datetime, shift: Shift) -> datetime:
    match shift.letter, shift.end:
        case "h", "Start":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "h", "End":
            return moment.replace(minute=59, second=59, microsecond=999_999)
        case "d", "Start":
            return midnight(moment)
        case "d", "End":
            return day_end(moment)
        case "m", "Start":
            return moment.replace(day=1)
        case (("m" | "y"), "End"):
            return months_later(moment.replace(day=1), 1).replace(day=1) - timedelta(days=1)
        case "y", "Start":
            return moment.replace(month=1, day=1)
        case _:
            return moment


def months_later(moment: datetime, months: int) -> datetime:
    """Return that day of another month, or the month's last day."""
    month = moment.year * 12 + moment.month - 1 + months
    year, number = month // 12, month % 12 + 1
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=year, month=number, day=day)
        except ValueError:
            continue
    return moment.replace(year=year, month=number)


def midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def day_end(moment: datetime) -> datetime:
    return moment.replace(hour=23, minute=59, second=59, microsecond=999_999)


def floored(moment: datetime, interval: str, setting: Setting) -> datetime:
    """Return the start, in UTC, of the interval that contains a moment."""
    local = moment.astimezone(setting.timezone)
    if interval == "minute":
        return local.replace(second=0, microsecond=0).astimezone(UTC)
    if interval == "hour":
        return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    start = midnight(local).replace(fold=0)
    if interval == "week":
        start -= timedelta(days=start.weekday() if setting.week_start else start.isoweekday() % 7)
    if interval == "month":
        start = start.replace(day=1)
    return start.astimezone(UTC)


def following(start: datetime, interval: str, setting: Setting, number: int = 1) -> datetime:
    """Return the start, in UTC, of the interval `number` later."""
    if interval == "minute":
        return start + timedelta(minutes=number)
    if interval == "hour":
        return start + timedelta(hours=number)
    local = start.astimezone(setting.timezone)
    if interval == "month":
        return months_later(local, number).replace(fold=0).astimezone(UTC)
    days = number * (7 if interval == "week" else 1)
    return (local.replace(fold=0) + timedelta(days=days)).astimezone(UTC)


def buckets(span: Range, interval: str, setting: Setting) -> list[datetime]:
    """Return the starts of all intervals of a range, in UTC."""
    found: list[datetime] = []
    start, last = floored(span.first, interval, setting), floored(span.until, interval, setting)
    while start <= last:
        found.append(start)
        start = following(start, interval, setting)
    return found


def lowest(
    dates: Mapping[str, Any], setting: Setting, interval: str, *, exact: bool, earliest: datetime | None
) -> datetime:
    """Return `date_from` in the project's zone. `exact` keeps a relative one unchanged; `earliest` is that of `all`."""
    text = dates.get("date_from")
    if text == "all" and earliest is not None:
        return earliest.astimezone(setting.timezone)
    if text is None or text == "all":
        return midnight(setting.now.astimezone(setting.timezone)) - timedelta(days=7)
    moment, shift = parsed(str(text), setting)
    if shift is None or exact or interval == "minute":
        return moment
    if shift.letter == "h" and shift.number is not None:
        return moment.replace(minute=0, second=0, microsecond=0)
    return midnight(moment)


def highest(dates: Mapping[str, Any], setting: Setting, interval: str, *, exact: bool = False) -> datetime:
    """Return `date_to` in the project's zone. With `exact` a missing one is now."""
    text = dates.get("date_to")
    moment, shift = (
        parsed(str(text), setting) if text else (setting.now.astimezone(setting.timezone), Shift("", None, None))
    )
    if dates.get("explicitDate") or (exact and not text):
        return moment
    if interval not in ("hour", "minute"):
        return day_end(moment)
    if shift is None:
        return moment
    minute = 59 if interval == "hour" else moment.minute
    return moment.replace(minute=minute, second=59, microsecond=999_999)


def range_of(
    dates: Mapping[str, Any] | None,
    interval: str,
    setting: Setting,
    *,
    exact_from: bool = False,
    exact_to: bool = False,
    earliest: datetime | None = None,
) -> Range:
    """Return the range of trends and stickiness. `exact_from` and `exact_to` are for a bold number."""
    given = dates or {}
    since = lowest(given, setting, interval, exact=exact_from, earliest=earliest)
    until = highest(given, setting, interval, exact=exact_to)
    widen = not given.get("explicitDate") and not exact_from
    return _range(since, until, interval, setting, shift=_shift(given, "date_from", setting), widen=widen)


def _shift(dates: Mapping[str, Any], name: str, setting: Setting) -> Shift | None:
    text = dates.get(name)
    if text is None:
        return Shift("d", 7, None) if name == "date_from" else None
    return None if text == "all" else parsed(str(text), setting)[1]


def _range(
    since: datetime, until: datetime, interval: str, setting: Setting, *, shift: Shift | None, widen: bool
) -> Range:
    lower = since.astimezone(UTC).replace(microsecond=0)
    if widen:
        in_hours = shift is not None and shift.letter == "h" and shift.number is not None
        if interval == "month":
            lower = floored(lower, "month", setting)
        elif interval == "week" or (interval == "day" and not in_hours):
            lower = floored(lower, "day", setting)
        elif interval in ("hour", "minute") and shift is None:
            lower = floored(lower, "hour" if interval == "hour" else "minute", setting)
    return Range(lower, until.astimezone(UTC), since.astimezone(UTC))


def compared(
    dates: Mapping[str, Any] | None,
    interval: str,
    setting: Setting,
    compare_to: str | None,
    *,
    exact_from: bool = False,
    exact_to: bool = False,
    earliest: datetime | None = None,
) -> Range:
    """Return the range that a query compares with."""
    given = dates or {}
    since = lowest(given, setting, interval, exact=exact_from, earliest=earliest)
    until = highest(given, setting, interval, exact=exact_to)
    shift, upper_shift = _shift(given, "date_from", setting), _shift(given, "date_to", setting)
    widen = not given.get("explicitDate") and not exact_from
    if compare_to:
        moved_since, moved_until = _moved(since, compare_to), _moved(until, compare_to)
        return _range(moved_since, moved_until, interval, setting, shift=shift, widen=widen)
    length = until - since
    start = since - length
    if interval == "minute":
        return _range(start, since, interval, setting, shift=shift, widen=widen)
    start = start.replace(hour=since.hour, minute=since.minute, second=since.second, microsecond=since.microsecond)
    in_weeks = shift is not None and shift.letter == "d" and bool(shift.number) and (shift.number or 0) % 7 == 0
    if interval == "day" and in_weeks and upper_shift is None:
        start += timedelta(days=1)
    return _range(start, start + length, interval, setting, shift=shift, widen=widen)


def _moved(moment: datetime, compare_to: str) -> datetime:
    found = _RELATIVE.search(compare_to)
    assert found is not None
    number = None if found["number"] is None else int(found["number"])
    return _shifted(moment, Shift(found["letter"], number, found["end"]))


def day_text(start: datetime, interval: str, setting: Setting) -> str:
    """Format an interval as in `days`."""
    local = start.astimezone(setting.timezone)
    return local.strftime("%Y-%m-%d %H:%M:%S" if interval in ("hour", "minute") else "%Y-%m-%d")


def label(start: datetime, interval: str, span: Range, setting: Setting) -> str:
    """Format an interval as in `labels`."""
    local = start.astimezone(setting.timezone)
    if interval in ("hour", "minute"):
        return f"{local.day}-{local:%b %H:%M}"
    if interval == "month":
        return f"{local:%b %Y}"
    if interval == "day":
        return _day(local)
    first = max(local, midnight(span.first.astimezone(setting.timezone)))
    last = min(local + timedelta(days=6), midnight(span.until.astimezone(setting.timezone)))
    if first.date() == last.date():
        return _day(first)
    if first.year != last.year:
        return f"{_day(first)} {_DASH} {_day(last)}"
    if first.month != last.month:
        return f"{first.day}-{first:%b} {_DASH} {last.day}-{last:%b}"
    return f"{first.day}{_DASH}{last.day} {last:%b}"


def _day(local: datetime) -> str:
    return f"{local.day}-{local:%b-%Y}"
