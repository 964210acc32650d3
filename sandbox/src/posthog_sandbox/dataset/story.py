"""The calendar of the data: 90 days that end on a chosen day, with a slow week and a faulty release."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

DAYS = 90
"""Length of the data in days, including the partial last day."""

LAST_DAY_HOURS = 6
"""The last day has events only from 00:00 to 06:00 UTC, like a day that has just begun."""

BROKEN_BROWSER = "Safari"
"""The browser whose checkout fails in the faulty release."""

BROKEN_VERSION = "3.8.0"
FIXED_VERSION = "3.8.1"

SECOND = 1_000_000
"""One second in microseconds, the unit of all moments here."""
DAY = 86_400 * SECOND

_WEEKDAY_ACTIVITY = (0.96, 1.0, 1.0, 0.97, 0.85, 0.36, 0.30)
_SLOW_WEEK_ACTIVITY = 0.5
_GROWTH = 0.35


@dataclass(frozen=True, slots=True)
class Story:
    """The calendar of a dataset. Moments are microseconds since 1970, UTC.

    * `start`/`end`: bounds of all events; `end` is 06:00 UTC of the last day.
    * `slow_week`: the first day, a Monday unless shifted, of the week with half of the usual traffic.
    * `broken_from`/`broken_until`: period of release 3.8.0, whose checkout always fails on Safari.
    * `experiment_from`: start of the experiment `new-checkout`.
    * `survey_from`: first display of the survey.
    * `releases`: (moment, version) in time order.
    """

    today: date
    start: int
    end: int
    slow_week: date
    broken_from: int
    broken_until: int
    experiment_from: int
    survey_from: int
    releases: tuple[tuple[int, str], ...]
    day_activity: tuple[float, ...]
    """Relative traffic of each day, about 0.15 to 1."""

    def version_at(self, moment: int) -> str:
        """Return the web application's release at `moment`."""
        return self.releases[max(0, bisect_right(self.releases, (moment, "~")) - 1)][1]

    def shifted(self, days: int) -> "Story":
        """Return this calendar with everything in it moved by a number of days; its weekdays move along."""
        moved, distance = timedelta(days=days), days * DAY
        return replace(
            self,
            today=self.today + moved,
            start=self.start + distance,
            end=self.end + distance,
            slow_week=self.slow_week + moved,
            broken_from=self.broken_from + distance,
            broken_until=self.broken_until + distance,
            experiment_from=self.experiment_from + distance,
            survey_from=self.survey_from + distance,
            releases=tuple((moment + distance, version) for moment, version in self.releases),
        )


def newest_today(now: datetime) -> date:
    """Return the latest last day whose events are all in the past at `now` (an aware datetime)."""
    return (now.astimezone(UTC) - timedelta(hours=LAST_DAY_HOURS)).date()


def moment(day: date, hour: int = 0) -> int:
    """Return `hour`:00 UTC on `day`, in microseconds since 1970."""
    return (day - date(1970, 1, 1)).days * DAY + hour * 3600 * SECOND


def tell(today: date, weekday: int | None = None) -> Story:
    """Return the calendar of the dataset whose last day is `today`.

    With `weekday` (0 is Monday) it is the calendar of such a day, moved to `today`: weekends, the slow week and the
    faulty release are then on other weekdays than usual, and all distances are those of the original.
    """
    if weekday is not None and weekday != today.weekday():
        days = (weekday - today.weekday()) % 7
        return tell(today + timedelta(days=days)).shifted(-days)
    first = today - timedelta(days=DAYS - 1)
    slow_week = _last_weekday(today - timedelta(days=40), 0)
    broken_day = _last_weekday(today - timedelta(days=13), 1)
    broken_from, broken_until = moment(broken_day, 8), moment(broken_day + timedelta(days=3), 10)
    releases = (
        (moment(first - timedelta(days=9), 9), "3.4.2"),
        (moment(first + timedelta(days=12), 9), "3.5.0"),
        (moment(first + timedelta(days=27), 13), "3.6.0"),
        (moment(first + timedelta(days=33), 10), "3.6.1"),
        (moment(first + timedelta(days=54), 9), "3.7.0"),
        (broken_from, BROKEN_VERSION),
        (broken_until, FIXED_VERSION),
        (moment(today - timedelta(days=5), 9), "3.9.0"),
    )
    return Story(
        today=today,
        start=moment(first),
        end=moment(today, LAST_DAY_HOURS),
        slow_week=slow_week,
        broken_from=broken_from,
        broken_until=broken_until,
        experiment_from=moment(today - timedelta(days=34), 9),
        survey_from=moment(today - timedelta(days=60), 9),
        releases=releases,
        day_activity=tuple(_activity(first + timedelta(days=day), day, slow_week) for day in range(DAYS)),
    )


def _last_weekday(day: date, weekday: int) -> date:
    return day - timedelta(days=(day.weekday() - weekday) % 7)


def _activity(day: date, index: int, slow_week: date) -> float:
    growth = 1 - _GROWTH * (1 - index / DAYS)
    slow = _SLOW_WEEK_ACTIVITY if 0 <= (day - slow_week).days < 7 else 1.0
    return _WEEKDAY_ACTIVITY[day.weekday()] * growth * slow
