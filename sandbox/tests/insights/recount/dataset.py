"""Events at the edges: midnights of three zones, clock changes, microseconds, and every kind of property value.

A world is a few hundred random events of a seed. They exist twice: as records here, and in an engine that `open_world`
creates.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from posthog_sandbox.storage.engine import Engine

from ..hand_made import Event, Group, Person, open_engine

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
"""The time zones with events around midnight."""
EVENT_NAMES = ("$pageview", "$pageleave", "buy", "sign up", 'O\'Brien "said"', "$screen")
TYPES: Mapping[tuple[str, str], str] = {
    ("event", "price"): "Numeric",
    ("event", "beta"): "Boolean",
    ("event", "when"): "DateTime",
    ("person", "age"): "Numeric",
}
"""Properties with a definition; all others are untyped."""
MISSING: Any = object()
"""A marker in `_VALUES` for a missing property."""

QUOTED = 'say "hi" \\ bye'
"""A text that JSON escapes."""

_NUMBERS = (1, 2, 2.5, 10, -4, 0, 0.1, "3", "x", "", "1e2", None, MISSING, True, [1], {"a": 1})
_VALUES: Mapping[str, tuple[Any, ...]] = {
    "plan": ("free", "pro", "Pro", "a::b", "%_", "it's 100% so", QUOTED, "", None, MISSING, "free"),
    "amount": _NUMBERS,
    "price": _NUMBERS,
    "beta": (True, False, None, MISSING, True),
    "when": ("2020-01-05T10:00:00Z", "2026-03-28T23:30:00Z", "2026-11-20 08:00:00", None, MISSING, "never"),
    "kind": (True, False, 7, 1.5, "7", [1, "a"], {"b": None}, "", None, MISSING, "ö"),
    "version": ("1.2.0", "1.10.0", "2.0.0", "1.2.10", MISSING),
    "$browser": ("Chrome", "Safari", "Firefox", "", None, MISSING, "Chrome", "Chrome"),
    "$os": ("Mac OS X", "Windows", MISSING),
    "$current_url": (
        "https://example.com/",
        "https://example.com/pricing",
        "https://example.com/pricing/",
        "https://example.com/a?b=1#c",
        "/",
        "",
        MISSING,
    ),
    "$screen_name": ("Home", "Settings", MISSING),
}
_PERSON_VALUES: Mapping[str, tuple[Any, ...]] = {
    "email": ("ann@example.com", "bob@EXAMPLE.com", "", None, MISSING),
    "age": (17, 30, 30.5, "44", "old", None, MISSING),
    "team": ("red", "blue", MISSING),
}
_TIERS = ("gold", "silver", "", None, MISSING)


@dataclass(frozen=True, slots=True)
class Setting:
    """The project settings that affect numbers. `now` is the sandbox's frozen clock."""

    zone: str
    week_start: int
    now: datetime

    @property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the project: any of its steps matches. `id` is its id in the sandbox."""

    id: int
    name: str
    steps: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Cohort:
    """A static cohort. `id` is its id in the sandbox."""

    id: int
    name: str
    persons: frozenset[str]


@dataclass(frozen=True, slots=True)
class World:
    """Events in time order with related objects. A world has actions and cohorts once it is served."""

    name: str
    now: datetime
    events: tuple[Event, ...]
    persons: tuple[Person, ...]
    groups: Mapping[str, Group]
    actions: tuple[Action, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    session_seconds: Mapping[str, int] = field(default_factory=dict[str, int])

    def settings(self) -> tuple[Setting, ...]:
        """Return every zone of interest with both starts of the week."""
        return tuple(Setting(zone, start, self.now) for zone in ZONES for start in (0, 1))

    def action(self, id: int) -> Action | None:
        return next((action for action in self.actions if action.id == id), None)

    def cohort(self, id: int) -> Cohort:
        return next(cohort for cohort in self.cohorts if cohort.id == id)


def worlds() -> tuple[World, ...]:
    """Return three event sets: around both autumn clock changes, the spring one, and the turn of a year."""
    return (
        _world("autumn", 11, datetime(2026, 11, 23, 13, 47, 12, tzinfo=UTC), (date(2026, 10, 25), date(2026, 11, 1))),
        _world("spring", 12, datetime(2026, 4, 2, 22, 30, 5, tzinfo=UTC), (date(2026, 3, 29), date(2026, 3, 8))),
        _world("new year", 13, datetime(2020, 1, 19, 4, 5, 59, tzinfo=UTC), (date(2019, 12, 31), date(2020, 1, 1))),
    )


def without_ties(world: World) -> World:
    """Return the world without the second of two simultaneous events of a person, whose order is undefined."""
    events = {(event.person.name, event.timestamp): event for event in reversed(world.events)}
    kept = tuple(sorted(events.values(), key=lambda event: event.timestamp))
    return replace(world, events=kept, session_seconds=_session_seconds(kept))


def open_world(world: World, directory: Path) -> Engine:
    """Return an engine with the events of a world. The caller closes it; a process can have one at a time."""
    return open_engine(directory, list(world.events), list(world.groups.values()), dict(TYPES))


def _world(name: str, seed: int, now: datetime, edges: tuple[date, ...], size: int = 260) -> World:
    chance = random.Random(seed)
    persons = tuple(_person(chance, number, now) for number in range(14))
    groups = {key: _group(chance, key, now) for key in ("acme", "globex", "o'neil")}
    times = [_moment(chance, now, edges) for _ in range(size)]
    times += times[:6]  # some events are simultaneous
    events = tuple(_event(chance, persons, groups, moment) for moment in sorted(times))
    return World(name, now, events, persons, groups, session_seconds=_session_seconds(events))


def _person(chance: random.Random, number: int, now: datetime) -> Person:
    created = now - timedelta(days=chance.choice((1, 3, 7, 20, 45, 400)), hours=chance.randrange(24))
    return Person(f"person {number}", created, _drawn(chance, _PERSON_VALUES))


def _group(chance: random.Random, key: str, now: datetime) -> Group:
    return Group(key, now - timedelta(days=chance.randrange(60)), _drawn(chance, {"tier": _TIERS}))


def _drawn(chance: random.Random, values: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    drawn = {name: chance.choice(choices) for name, choices in values.items()}
    return {name: value for name, value in drawn.items() if value is not MISSING}


def _moment(chance: random.Random, now: datetime, edges: tuple[date, ...]) -> datetime:
    """Return a time, mostly within the last weeks and often next to a midnight, an hour or a clock change."""
    days = chance.choice((chance.randrange(4), chance.randrange(10), chance.randrange(40), chance.randrange(75)))
    day = (now - timedelta(days=days)).date()
    match chance.randrange(6):
        case 0:
            midnight = datetime.combine(day, time(), ZoneInfo(chance.choice(ZONES))).astimezone(UTC)
            return midnight + timedelta(microseconds=chance.choice((-1_000_000, -500_000, -1, 0, 1, 3_599_000_000)))
        case 1:
            hour = datetime.combine(chance.choice(edges), time(), UTC) + timedelta(hours=chance.randrange(-6, 30))
            return hour + timedelta(minutes=chance.choice((0, 15, 59)), microseconds=chance.choice((-1, 0, 1)))
        case 2:
            return now - timedelta(minutes=chance.randrange(300), seconds=chance.randrange(60))
        case 3:
            month = day.replace(day=1)
            return datetime.combine(month, time(), ZoneInfo(chance.choice(ZONES))).astimezone(UTC)
        case _:
            return datetime.combine(day, time(), UTC) + timedelta(
                seconds=chance.randrange(86_400), microseconds=chance.choice((0, 0, 500_000, 999_999))
            )


def _event(chance: random.Random, persons: tuple[Person, ...], groups: Mapping[str, Group], moment: datetime) -> Event:
    # A few persons have most of the events, so that they return often.
    person = persons[min(chance.randrange(len(persons)), chance.randrange(len(persons)))]
    properties = _drawn(chance, _VALUES)
    if chance.random() < 0.5:
        properties["$many"] = f"v{min(chance.randrange(40), chance.randrange(40)):02}"
    return Event(
        person,
        chance.choice((*EVENT_NAMES, "$pageview", "$pageview", "buy")),
        moment,
        properties,
        group=chance.choice((*groups, "", "unknown")),
        session=chance.choice(("", f"s{chance.randrange(9)} {person.name}")),
        distinct_id=chance.choice(("", f"{person.name} on the phone")),
    )


def _session_seconds(events: tuple[Event, ...]) -> dict[str, int]:
    """Return the whole seconds between the first and last event of each session."""
    times: dict[str, list[datetime]] = {}
    for event in events:
        if event.session:
            times.setdefault(event.session, []).append(event.timestamp)
    return {session: int((max(moments) - min(moments)).total_seconds()) for session, moments in times.items()}
