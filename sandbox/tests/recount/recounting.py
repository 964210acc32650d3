"""The basis of recounts: the generated rows as plain Python values, and PostHog's JSON formats.

Nothing here uses ClickHouse or the translator, because a recount is only a check if it shares neither.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast

from posthog_sandbox.dataset import Parameters
from posthog_sandbox.dataset.export import raw_rows

from ..sandbox_client import TODAY

EVENTS = 5_000
SEED = 42
type Row = dict[str, Any]
type Result = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of the dataset, by table."""

    events: list[Row]
    persons: list[Row]
    sessions: list[Row]
    groups: list[Row]
    distinct_ids: list[Row]
    replays: list[Row]

    def named(self, *names: str) -> list[Row]:
        """Return the events with these names."""
        return [event for event in self.events if event["event"] in names]

    def sessions_by_id(self) -> dict[str, Row]:
        return {session["session_id"]: session for session in self.sessions}

    def persons_by_id(self) -> dict[str, Row]:
        return {person["id"]: person for person in self.persons}

    def groups_by_key(self) -> dict[str, Row]:
        return {group["key"]: group for group in self.groups}


@dataclass(frozen=True, slots=True)
class Case:
    """A query, its recount in Python, and the project settings that the query depends on."""

    name: str
    query: str
    recount: Callable[[Rows], Result]
    project: Mapping[str, Any] = field(default_factory=dict[str, Any])


def generated() -> Rows:
    """Return the rows of the dataset that this directory's tests query."""
    tables: dict[str, list[Row]] = {}
    for table, row in raw_rows(Parameters(events=EVENTS, seed=SEED, today=TODAY, hostile=True)):
        tables.setdefault(table, []).append(row)
    return Rows(
        tables["events"],
        tables["persons"],
        tables["sessions"],
        tables["groups"],
        tables["person_distinct_ids"],
        tables["session_replays"],
    )


def text(value: Any) -> str | None:
    """Return a property without a defined type: null, text unchanged, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def of(row: Row, name: str) -> Any:
    """Return a property of an event as a Python value; None when missing."""
    return row["properties"].get(name)


def moment(value: datetime, zone: tzinfo = UTC) -> str:
    """Format a date-time as the API does: `Z` for UTC, no fraction on whole seconds, six digits otherwise."""
    return value.astimezone(zone).isoformat().replace("+00:00", "Z")


def counts(values: Iterable[Any]) -> Result:
    """Return `[value, count]` ordered by value, null last, as `order by` on a column does."""
    found: dict[Any, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return sorted_rows([[value, number] for value, number in found.items()])


def groups(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Return the values of each key in their order."""
    found: dict[Any, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def sorted_rows(rows: Result) -> Result:
    """Sort rows by their columns, nulls last."""
    return sorted(rows, key=lambda row: [(value is None, "" if value is None else value) for value in row])


def quantile(values: Iterable[float], level: float) -> float:
    """Return the interpolated quantile: the value at `level` of the way from the minimum to the maximum."""
    ordered = sorted(values)
    place = level * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def day(value: datetime, zone: tzinfo = UTC) -> str:
    return value.astimezone(zone).date().isoformat()


def of_day(row: Row, first: date, last: date) -> bool:
    """Return whether a row's timestamp is within these days in UTC."""
    return first <= row["timestamp"].date() <= last


def agree(returned: Any, recounted: Any) -> bool:
    """Return whether both are equal up to rounding."""
    if isinstance(returned, list) and isinstance(recounted, list):
        one, other = cast("list[Any]", returned), cast("list[Any]", recounted)
        return len(one) == len(other) and all(agree(left, right) for left, right in zip(one, other, strict=True))
    if isinstance(returned, float) or isinstance(recounted, float):
        if not isinstance(returned, int | float) or not isinstance(recounted, int | float):
            return False
        return math.isclose(returned, recounted, rel_tol=1e-9, abs_tol=1e-9)
    return returned == recounted
