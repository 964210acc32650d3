"""The periods of a RetentionQuery: their starts, names, and the period of an event."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from ...queries.project import Project
from ...values import Row
from ..dates import Interval, interval_start, moment_literal, next_interval, previous_interval, read_date_range
from ..requests import options

PERIODS: Mapping[str, Interval] = {"Hour": "hour", "Day": "day", "Week": "week", "Month": "month"}
_TICKS: Mapping[str, int] = {"Hour": 1, "Day": 24, "Week": 7, "Month": 30}
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Periods:
    """The `starts` of the periods called `name`, ascending, none for an empty range, and the `end` of the last one."""

    name: str
    starts: tuple[datetime, ...]
    end: datetime

    @property
    def conditions(self) -> list[str]:
        """The HogQL conditions for a `timestamp` in the range."""
        return [f"timestamp >= {moment_literal(self.starts[0])}", self.until]

    @property
    def until(self) -> str:
        """The HogQL condition for a `timestamp` before the end."""
        return f"timestamp < {moment_literal(self.end)}"

    def holds(self, moment: str) -> str:
        """Return the HogQL condition for another moment in the range."""
        return f"{moment} >= {moment_literal(self.starts[0])} AND {moment} < {moment_literal(self.end)}"

    def place(self, moment: str = "timestamp") -> str:
        """Return HogQL for the index of the period that contains a moment."""
        first = self.starts[0]
        match self.name:
            case "Hour":
                return f"intDiv(toUnixTimestamp({moment}) - {int(first.timestamp())}, 3600)"
            case "Week":
                return f"intDiv({_passed('day', moment)} - {(first.date() - _EPOCH).days}, 7)"
            case "Month":
                return f"{_passed('month', moment)} - {(first.year - _EPOCH.year) * 12 + first.month - 1}"
            case _:
                return f"{_passed('day', moment)} - {(first.date() - _EPOCH).days}"

    @property
    def ticks(self) -> int:
        """The number of ticks in a window: 1 or 24 clock hours, 7 or 30 calendar days."""
        return _TICKS[self.name]

    @property
    def first_tick(self) -> int:
        """The tick that the range begins with."""
        first = self.starts[0]
        if self.name in ("Hour", "Day"):
            return int(first.timestamp()) // 3600
        return (first.date() - _EPOCH).days

    def tick(self, moment: str = "timestamp") -> str:
        """Return HogQL for the tick that contains a moment.

        PostHog measures a window in hours or midnights passed, not in elapsed time.
        """
        if self.name in ("Hour", "Day"):
            return f"intDiv(toUnixTimestamp(toStartOfHour({moment})), 3600)"
        return _passed("day", moment)


def _passed(unit: str, moment: str) -> str:
    """Return HogQL for the days or months from 1970, where ClickHouse's dates begin, to a moment."""
    return f"dateDiff('{unit}', toDate('{_EPOCH}'), toDate({moment}))"


def read_periods(query: Row, project: Project, name: str, total: int, earliest: datetime | None) -> Periods:
    """Return the whole periods of a `dateRange`, including the current one; `total` of them without `date_from`.

    `earliest` is the project's first event, for `date_from` `all`. Raises ApiError 400.
    """
    interval = PERIODS[name]
    week_start = project.context.week_start
    ends = read_date_range(query, project, interval, widen=False, earliest=earliest)
    last = interval_start(ends.end, interval, week_start)
    first = interval_start(ends.start, interval, week_start)
    if not options(query, "dateRange").get("date_from"):
        first = last
        for _ in range(total - 1):
            first = previous_interval(first, interval)
    starts = replace(ends, start=first, end=last).buckets()
    return Periods(name, tuple(starts), next_interval(last, interval))


def cell_labels(name: str, total: int, brackets: tuple[int, ...]) -> list[str]:
    """Return the names of the cells of a row: `Day 0`, `Day 1`; with brackets `Day 0`, `Day 1`, `Day 2-4`."""
    if not brackets:
        return [f"{name} {place}" for place in range(total)]
    found = [f"{name} 0"]
    first = 1
    for size in brackets:
        last = first + size - 1
        found.append(f"{name} {first}" if size == 1 else f"{name} {first}-{last}")
        first = last + 1
    return found
