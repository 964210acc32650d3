"""Hand-written and random events for funnels, and queries about them."""

import random
from datetime import timedelta
from typing import Any

from ..sandbox_client import Serving
from .hand_made import Event, Person, at, run_query

CHROME, SAFARI, LATE_SAFARI = Person("chrome"), Person("safari"), Person("late safari")
SOON, LATER, SLOW, EXCLUDED = Person("soon"), Person("later"), Person("slow"), Person("excluded")
DATES = {"date_from": "2020-01-01", "date_to": "2020-01-31"}
LETTERS = "ABC"
RANDOM = random.Random(7)
PEOPLE = tuple(Person(f"random {number}") for number in range(40))
SIGNED_UP = ("sign up", "play movie", "buy")


def _browsing(person: Person, browser: str, *hours: int) -> list[Event]:
    """Return the steps of the funnel by `$browser`, one at each hour."""
    return [
        Event(person, name, at(f"2020-01-01T{hour:02}:00:00"), {"$browser": browser})
        for name, hour in zip(SIGNED_UP, hours, strict=False)
    ]


def _converting(person: Person, seconds: int) -> list[Event]:
    start = at("2020-01-10T00:00:00")
    return [
        Event(person, "start", start, {"plan": person.name}),
        Event(person, "finish", start + timedelta(seconds=seconds), group="acme"),
    ]


def _random_events() -> list[Event]:
    start = at("2020-03-01T00:00:00")
    found: list[Event] = []
    for person in PEOPLE:
        for minute in RANDOM.sample(range(6 * 24 * 60), RANDOM.randint(0, 14)):
            properties: dict[str, Any] = {"plan": plan} if (plan := RANDOM.choice(["free", "paid", None])) else {}
            found.append(Event(person, RANDOM.choice(LETTERS), start + timedelta(minutes=minute), properties))
    return found


RANDOM_EVENTS = _random_events()


def funnel_events() -> list[Event]:
    return [
        *_browsing(CHROME, "Chrome", 12, 13, 15),
        *_browsing(SAFARI, "Safari", 14, 16),
        *_browsing(LATE_SAFARI, "Safari", 14),
        *_converting(SOON, 3600),
        *_converting(LATER, 7200),
        *_converting(SLOW, 7200),
        *_converting(EXCLUDED, 100_000),
        Event(EXCLUDED, "cancel", at("2020-01-10T01:00:00")),
        Event(SLOW, "again", at("2020-01-20T12:00:00")),
        Event(SLOW, "again", at("2020-01-21T12:00:00"), {"plan": "b"}),
        Event(SLOW, "again", at("2020-01-21T23:00:00")),
        Event(SLOW, "done", at("2020-01-22T00:00:00")),
        *RANDOM_EVENTS,
    ]


async def results(sandbox: Serving, query: dict[str, Any]) -> Any:
    return (await run_query(sandbox, query))["results"]


def step(event: str | None, **more: Any) -> dict[str, Any]:
    return {"kind": "EventsNode", "event": event, **more}


def funnel(*events: str, **wanted: Any) -> dict[str, Any]:
    more = {name: wanted.pop(name) for name in ("breakdownFilter", "dateRange", "properties") if name in wanted}
    series = wanted.pop("series", [step(event) for event in events])
    return {"kind": "FunnelsQuery", "series": series, "dateRange": DATES, "funnelsFilter": wanted, **more}


def counts(rows: list[dict[str, Any]]) -> list[int]:
    return [row["count"] for row in rows]
