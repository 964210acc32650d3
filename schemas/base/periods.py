"""Periods of the calendar in words: `last_week`, `last_8_weeks`, `this_month`, `2026-11`, `2026-Q3`, `2025`.

A period is whole: it has the days, weeks or months of the project's calendar, without the current one unless it is
named.
"""

import re
from calendar import month_abbr, month_name
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args

type Unit = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

UNITS: tuple[Unit, ...] = get_args(Unit.__value__)
CLOCK_UNITS = ("minute", "hour")
_MOST = 9999
_MONTHS_OF: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_LETTERS: dict[str, Unit] = {"h": "hour", "d": "day", "w": "week", "m": "month", "q": "quarter", "y": "year"}
_SHORT: dict[str, Unit] = {"wtd": "week", "mtd": "month", "qtd": "quarter", "ytd": "year"}
_NAMES = {
    name.casefold(): number for names in (month_name, month_abbr) for number, name in enumerate(names) if name
} | {"sept": 9}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_UNIT = f"({'|'.join(UNITS)})"
_COUNT = f"([0-9]{{1,4}}|{'|'.join(_NUMBERS)})"
_MONTH = f"({'|'.join(sorted(_NAMES, key=len, reverse=True))})"
_CURRENT = re.compile(f"(?:this|current) {_UNIT}|{_UNIT} to date")
_BEFORE = re.compile(f"(?:last|previous|prior) {_UNIT}")
_SEVERAL = re.compile(f"(?:last|previous|prior|past) {_COUNT} ?(?:{_UNIT}s?|([hdwmqy]))")
_BEFORE_LAST = re.compile(f"{_UNIT} before last")
_PAST = re.compile(f"past {_UNIT}")
_AGO = re.compile(f"{_COUNT} {_UNIT}s? ago")
_QUARTER = re.compile("(?:([0-9]{4}) ?q([1-4])|q([1-4]) ?([0-9]{4}))")
_WEEK = re.compile("([0-9]{4}) ?w([0-9]{1,2})")
_YEAR_MONTH = re.compile("([0-9]{4})[ /]([0-9]{1,2})")
_NAMED_MONTH = re.compile(f"(?:{_MONTH} ([0-9]{{4}})|([0-9]{{4}}) {_MONTH})")
_NAMED_DAY = re.compile(f"(?:([0-9]{{1,2}}) {_MONTH}|{_MONTH} ([0-9]{{1,2}})),? ([0-9]{{4}})")
_YEAR = re.compile("[0-9]{4}")
_YEAR_FIRST = re.compile("([0-9]{4})[ /.]([0-9]{1,2})[ /.]([0-9]{1,2})")
_YEAR_LAST = re.compile("([0-9]{1,2})[ /.]([0-9]{1,2})[ /.]([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Period:
    """Some whole units of the calendar: the last `count` that ended before the current one, or from `first` on.

    `back` 0 is the current unit, which is not over.
    """

    unit: Unit
    back: int = 1
    count: int = 1
    first: date | None = None

    def ends(self, local: datetime, week_start: int) -> tuple[datetime, datetime]:
        """Return the first moment, and the first moment after. `local` is now in the project's timezone, `week_start` 0
        for Sunday, 1 for Monday. Raises ValueError for a time before the calendar.
        """
        if self.first is not None:
            begin = datetime.combine(self.first, datetime.min.time(), local.tzinfo)
            return begin, shifted(begin, self.unit, self.count)
        begin = shifted(floor(local, self.unit, week_start), self.unit, -(self.back + self.count - 1))
        return begin, shifted(begin, self.unit, self.count)


def floor(moment: datetime, unit: Unit, week_start: int) -> datetime:
    """Return the beginning of the unit that contains a moment."""
    if unit in CLOCK_UNITS:
        return moment.replace(minute=0 if unit == "hour" else moment.minute, second=0, microsecond=0)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match unit:
        case "week":
            return midnight - timedelta(days=midnight.weekday() if week_start == 1 else midnight.isoweekday() % 7)
        case "month" | "quarter" | "year":
            months = _MONTHS_OF[unit]
            return midnight.replace(day=1, month=(midnight.month - 1) // months * months + 1)
        case _:
            return midnight


def shifted(begin: datetime, unit: Unit, count: int) -> datetime:
    """Return the beginning of a unit some units later. Raises ValueError outside the calendar."""
    try:
        if unit in _MONTHS_OF:
            year, month = divmod(begin.year * 12 + begin.month - 1 + count * _MONTHS_OF[unit], 12)
            return begin.replace(year=year, month=month + 1)
        return begin + timedelta(**{f"{unit}s": count})
    except OverflowError:
        raise ValueError("outside the calendar") from None


def read_period(text: str) -> Period | date | str | None:
    """Return the period that a text names, a day, `now`, or a relative date (`-7d`) for `7 days ago`; None for other
    texts. Raises ValueError with the alternatives for words with two meanings.
    """
    words = re.sub(r"[\s_-]+", " ", text.casefold()).strip()
    if text.strip().startswith("-"):
        words += " ago"
    _reject_two_meanings(words)
    return _in_words(words) or _on_the_calendar(words)


def _in_words(words: str) -> Period | str | None:
    match words:
        case "now":
            return "now"
        case "today":
            return Period("day", 0)
        case "yesterday":
            return Period("day")
        case "day before yesterday" | "the day before yesterday":
            return Period("day", 2)
        case _:
            pass
    if words in _SHORT:
        return Period(_SHORT[words], 0)
    if found := _CURRENT.fullmatch(words):
        return Period(_unit(found[1] or found[2]), 0)
    if found := _BEFORE.fullmatch(words):
        return Period(_unit(found[1]))
    if found := _BEFORE_LAST.fullmatch(words):
        return Period(_unit(found[1]), 2)
    if found := _SEVERAL.fullmatch(words):
        count = _count(found[1])
        return Period(_unit(found[2]) if found[2] else _LETTERS[found[3]], 1, count) if count else None
    if (found := _AGO.fullmatch(words)) and found[2] != "minute":
        return f"-{_count(found[1])}{found[2][0]}"
    return None


def _on_the_calendar(words: str) -> Period | date | None:
    """Return a year, quarter, month, ISO week or day that is named by numbers."""
    if found := _QUARTER.fullmatch(words):
        year, quarter = int(found[1] or found[4]), int(found[2] or found[3])
        return _from(year, 3 * quarter - 2, "quarter")
    if found := _NAMED_MONTH.fullmatch(words):
        return _from(int(found[2] or found[3]), _NAMES[found[1] or found[4]], "month")
    if found := _YEAR_MONTH.fullmatch(words):
        return _from(int(found[1]), int(found[2]), "month")
    if found := _WEEK.fullmatch(words):
        try:
            return Period("week", first=date.fromisocalendar(int(found[1]), int(found[2]), 1))
        except ValueError:
            return None
    if found := _NAMED_DAY.fullmatch(words):
        return _day(int(found[5]), _NAMES[found[2] or found[3]], int(found[1] or found[4]))
    if found := _YEAR_FIRST.fullmatch(words):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := _YEAR_LAST.fullmatch(words):
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        return _day(year, second, first) or _day(year, first, second)
    return _from(int(words), 1, "year") if _YEAR.fullmatch(words) else None


def _reject_two_meanings(words: str) -> None:
    """Raise ValueError for words that could mean two periods, and for the future."""
    if words in UNITS:
        raise ValueError(f"{words} has two meanings: write this_{words} or last_{words}")
    if (found := _PAST.fullmatch(words)) and found[1] not in ("minute", "hour", "day"):
        days = {"week": 7, "month": 30, "quarter": 90, "year": 365}[found[1]]
        raise ValueError(
            f"past_{found[1]} has two meanings: write last_{found[1]} for the whole {found[1]}, or last_{days}_days"
        )
    if found := re.fullmatch(f"{_MONTH}|q([1-4])", words):
        what = f"{_NAMES[found[1]]:02}" if found[1] else f"Q{found[2]}"
        raise ValueError(f"{words} is in every year: write the year too, such as 2026-{what}")
    if (found := _YEAR_LAST.fullmatch(words)) and found[1] != found[2]:
        year, days = int(found[3]), (int(found[1]), int(found[2]))
        both = (_day(year, days[1], days[0]), _day(year, *days))
        if both[0] and both[1]:
            raise ValueError(f"{words} has two meanings: write {both[0]} or {both[1]}")
    if any(day in words.split() for day in _WEEKDAYS):
        raise ValueError("a weekday is in every week: write its date, such as 2026-02-23")
    if words == "tomorrow" or re.fullmatch(f"next (?:{_COUNT} )?{_UNIT}s?", words):
        raise ValueError("names the future, which has no data: the latest end is now")


def _unit(name: str) -> Unit:
    return next(unit for unit in UNITS if unit == name)


def _count(text: str) -> int:
    return _NUMBERS.index(text) + 1 if text in _NUMBERS else int(text)


def _from(year: int, month: int, unit: Unit) -> Period | None:
    first = _day(year, month, 1)
    return None if first is None else Period(unit, first=first)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
