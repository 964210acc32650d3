"""What a recount works with: the generated rows as plain Python values, and how PostHog shows a value in JSON.

Nothing here knows ClickHouse or the translator: a recount is a second opinion only as long as it shares neither.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast

from posthog_sandbox.dataset import Parameters, raw_rows

from ..sandbox_client import TODAY

EVENTS = 5_000
SEED = 42
type Row = dict[str, Any]
type Answer = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Every row of the dataset, by table."""

    events: list[Row]
    persons: list[Row]
    sessions: list[Row]
    groups: list[Row]
    distinct_ids: list[Row]
    replays: list[Row]

    def named(self, *names: str) -> list[Row]:
        """The events of these names."""
        return [event for event in self.events if event["event"] in names]

    def sessions_by_id(self) -> dict[str, Row]:
        return {session["session_id"]: session for session in self.sessions}

    def persons_by_id(self) -> dict[str, Row]:
        return {person["id"]: person for person in self.persons}

    def groups_by_key(self) -> dict[str, Row]:
        return {group["key"]: group for group in self.groups}


@dataclass(frozen=True, slots=True)
class Case:
    """A query, the same count in Python, and the settings of the project that the query depends on."""

    name: str
    query: str
    recount: Callable[[Rows], Answer]
    project: Mapping[str, Any] = field(default_factory=dict[str, Any])


def generated() -> Rows:
    """The rows of the dataset that the tests of this directory ask."""
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
    """A property without a defined type: null, text as it is, anything else as its JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def of(row: Row, name: str) -> Any:
    """A property of an event as Python has it; None when it is missing."""
    return row["properties"].get(name)


def moment(value: datetime, zone: tzinfo = UTC) -> str:
    """A date-time as the API shows it: `Z` for UTC, no fraction on whole seconds, six digits otherwise."""
    return value.astimezone(zone).isoformat().replace("+00:00", "Z")


def counts(values: Iterable[Any]) -> Answer:
    """`[value, count]` in order of the values, null last, as `order by` a column puts it."""
    found: dict[Any, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return sorted_rows([[value, number] for value, number in found.items()])


def groups(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """The values of each key, in the order in which they came."""
    found: dict[Any, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def sorted_rows(rows: Answer) -> Answer:
    """In ascending order of the columns, nulls last."""
    return sorted(rows, key=lambda row: [(value is None, "" if value is None else value) for value in row])


def quantile(values: Iterable[float], level: float) -> float:
    """The interpolated quantile: the value at `level` of the way from the least to the greatest."""
    ordered = sorted(values)
    place = level * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def day(value: datetime, zone: tzinfo = UTC) -> str:
    return value.astimezone(zone).date().isoformat()


def of_day(row: Row, first: date, last: date) -> bool:
    """Whether a row's timestamp lies within these days of UTC."""
    return first <= row["timestamp"].date() <= last


def agree(answered: Any, recounted: Any) -> bool:
    """Whether both are equal, floats within rounding."""
    if isinstance(answered, list) and isinstance(recounted, list):
        one, other = cast("list[Any]", answered), cast("list[Any]", recounted)
        return len(one) == len(other) and all(agree(left, right) for left, right in zip(one, other, strict=True))
    if isinstance(answered, float) or isinstance(recounted, float):
        if not isinstance(answered, int | float) or not isinstance(recounted, int | float):
            return False
        return math.isclose(answered, recounted, rel_tol=1e-9, abs_tol=1e-9)
    return answered == recounted
