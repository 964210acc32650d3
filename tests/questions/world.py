"""The events of the sandbox as plain rows, and counting functions for true answers, without the engine or tools."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any

from posthog_sandbox.dataset import Parameters
from posthog_sandbox.dataset.export import raw_rows

type Row = dict[str, Any]

EVENTS = 20_000
SEED = 42
TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """All generated rows. Events are sorted by time."""

    events: list[Row]
    persons: list[Row]
    sessions: list[Row]
    groups: list[Row]
    distinct_ids: list[Row]
    replays: list[Row]

    def of(self, *names: str, first: date = date.min, last: date = date.max, zone: tzinfo = UTC) -> list[Row]:
        """Return events with these names (all if none are given) from the first to the last day, inclusive."""
        begin, end = _midnight(first, zone), _midnight(last, zone, after=1)
        places = _places(self)
        named = [self.events[at] for at in sorted(at for name in set(names) for at in places.get(name, ()))]
        return [event for event in (named if names else self.events) if begin <= event["timestamp"] < end]


@cache
def _places(world: World) -> dict[str, list[int]]:
    """Return where the events of each name are."""
    found: dict[str, list[int]] = defaultdict(list)
    for at, event in enumerate(world.events):
        found[event["event"]].append(at)
    return found


def _midnight(one: date, zone: tzinfo, *, after: int = 0) -> datetime:
    """Return the beginning of a day, or of one after it, in UTC: times of one timezone are compared much faster."""
    within = min(max(one, TODAY - timedelta(days=1000)), TODAY + timedelta(days=1000))
    return datetime.combine(within + timedelta(days=after), time(), zone).astimezone(UTC)


@cache
def world() -> World:
    """Return the rows of the dataset that the questions are about."""
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
    """Return the day this many days before the last one."""
    return TODAY - timedelta(days=days)


def days(first: date, last: date) -> list[date]:
    """Return every day from the first to the last."""
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]


def day(event: Row, zone: tzinfo = UTC) -> date:
    """Return the day of an event in a timezone."""
    return event["timestamp"].astimezone(zone).date()


def has(event: Row, name: str) -> Any:
    """Return a property of the event, or None."""
    return event["properties"].get(name)


def person_has(event: Row, name: str) -> Any:
    """Return a property of the person at the time of the event."""
    return event["person_properties"].get(name)


def persons(events: Iterable[Row]) -> set[str]:
    """Return the persons who sent the events."""
    return {event["person_id"] for event in events}


def by[K: Hashable](events: Iterable[Row], key: Callable[[Row], K]) -> dict[K, list[Row]]:
    """Group the events by a key."""
    found: dict[K, list[Row]] = defaultdict(list)
    for event in events:
        found[key(event)].append(event)
    return dict(found)


def own_events(world: World, steps: Iterable[str], first: date, last: date = TODAY) -> dict[str, list[Row]]:
    """Return the events with these names, by person."""
    return by(world.of(*steps, first=first, last=last), lambda event: event["person_id"])


def reached(own: list[Row], steps: Sequence[str], window: timedelta) -> int:
    """Return the steps that a person completed in order within the window, trying every first step."""
    best = 0
    for at, start in enumerate(own):
        if start["event"] != steps[0]:
            continue
        step = 1
        for event in own[at + 1 :]:
            in_time = event["timestamp"] - start["timestamp"] <= window
            if step < len(steps) and event["event"] == steps[step] and in_time:
                step += 1
        best = max(best, step)
    return best


def funnel(world: World, steps: Sequence[str], first: date, last: date, window: timedelta) -> list[int]:
    """Return the persons who reached each step."""
    found = [reached(own, steps, window) for own in own_events(world, steps, first, last).values()]
    return [sum(1 for one in found if one > step) for step in range(len(steps))]


def percent(part: float, whole: float) -> float:
    """Return the percentage with one decimal."""
    return round(100 * part / whole, 1)


def revenue(events: Iterable[Row]) -> float:
    """Return the sum of the property revenue."""
    return sum(event["properties"].get("revenue") or 0.0 for event in events)


def top(counted: dict[str, int], most: int) -> list[list[Any]]:
    """Return the largest as `[name, count]`; ties are sorted by name."""
    return [[name, count] for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]]
