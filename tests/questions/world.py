"""The events of the sandbox as plain rows, and the counting that many true answers share. No engine, no tools."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import Any

from posthog_sandbox.dataset import Parameters, raw_rows

type Row = dict[str, Any]

EVENTS = 20_000
SEED = 42
TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that the generator made. Events are in order of time."""

    events: list[Row]
    persons: list[Row]
    sessions: list[Row]
    groups: list[Row]
    distinct_ids: list[Row]
    replays: list[Row]

    def of(self, *names: str, first: date = date.min, last: date = date.max, zone: tzinfo = UTC) -> list[Row]:
        """Events of these names (all without any) whose day lies between these, both included."""
        return [
            event
            for event in self.events
            if (not names or event["event"] in names) and first <= day(event, zone) <= last
        ]


@cache
def world() -> World:
    """The rows of the dataset that the questions are asked about."""
    tables: dict[str, list[Row]] = defaultdict(list)
    for table, row in raw_rows(Parameters(events=EVENTS, seed=SEED, today=TODAY, hostile=True)):
        tables[table].append(row)
    return World(
        sorted(tables["events"], key=lambda event: event["timestamp"]),
        tables["persons"],
        tables["sessions"],
        tables["groups"],
        tables["person_distinct_ids"],
        tables["session_replays"],
    )


def ago(days: int) -> date:
    """The day so many days before the last one."""
    return TODAY - timedelta(days=days)


def days(first: date, last: date) -> list[date]:
    """Every day from the first to the last."""
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]


def day(event: Row, zone: tzinfo = UTC) -> date:
    """The day of an event by the clock of a zone."""
    return event["timestamp"].astimezone(zone).date()


def has(event: Row, name: str) -> Any:
    """A property of the event; None when it has none."""
    return event["properties"].get(name)


def person_has(event: Row, name: str) -> Any:
    """A property of the person as it was when the event came."""
    return event["person_properties"].get(name)


def persons(events: Iterable[Row]) -> set[str]:
    """Who sent them."""
    return {event["person_id"] for event in events}


def by[K: Hashable](events: Iterable[Row], key: Callable[[Row], K]) -> dict[K, list[Row]]:
    """Events grouped."""
    found: dict[K, list[Row]] = defaultdict(list)
    for event in events:
        found[key(event)].append(event)
    return dict(found)


def percent(part: float, whole: float) -> float:
    """One decimal, as one would say it."""
    return round(100 * part / whole, 1)


def revenue(events: Iterable[Row]) -> float:
    """Their sum of the property revenue."""
    return sum(event["properties"].get("revenue") or 0.0 for event in events)


def top(counted: dict[str, int], most: int) -> list[list[Any]]:
    """The largest, `[name, count]`; equal ones by name."""
    return [[name, count] for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]]
