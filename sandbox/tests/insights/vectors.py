"""The events of PostHog's own tests: four persons in January 2020, all at noon."""

from typing import Any

from .hand_made import Event, Person, at

P1, P2, P3, P4 = (Person(f"p{number}") for number in range(1, 5))
BROWSERS = {P1: "Chrome", P2: "Firefox", P3: "", P4: "Edge"}
_VIEWS = {P1: (11, 12, 13, 15, 17, 19), P2: (9, 12), P3: (12,), P4: (15,)}
_LEAVES = {P1: (11, 12, 13), P2: (13,), P3: (13,), P4: (16,)}


def vector_events() -> list[Event]:
    """Return `$pageview` and `$pageleave` events with a browser, and the day of the month as their price."""
    return [
        Event(person, name, at(f"2020-01-{day:02}T12:00:00"), {"$browser": BROWSERS[person], "price": day})
        for name, days_of in (("$pageview", _VIEWS), ("$pageleave", _LEAVES))
        for person, days in days_of.items()
        for day in days
    ]


def node(event: str | None = "$pageview", **more: Any) -> dict[str, Any]:
    """Return a series of events with this name."""
    return {"kind": "EventsNode", "event": event, **more}


def insight(
    kind: str, *series: dict[str, Any], since: str = "2020-01-09", until: str = "2020-01-19", **more: Any
) -> dict[str, Any]:
    """Return a query over these series, by default over `$pageview`."""
    dates = {"date_from": since, "date_to": until}
    return {"kind": kind, "series": list(series) or [node()], "dateRange": dates, **more}
