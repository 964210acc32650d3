"""Random events and experiments: flags are seen late, early, never and in several variants."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ...hand_made import Event, Person

FLAG = "checkout flow"
VARIANTS = ("control", "test", "other")
INTERNAL = [{"key": "email", "value": "@internal.test", "operator": "not_icontains", "type": "person"}]
"""The project's filters for test accounts."""
ON_PRO = {"key": "plan", "value": ["pro"], "operator": "exact", "type": "event"}
FIRST = datetime(2026, 3, 20, tzinfo=UTC)
NOW = datetime(2026, 4, 15, 9, 30, 15, 250_000, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
_HOURS = 30 * 24
_PRICES: tuple[Any, ...] = (10, 2.5, -4, 0, "3", "x", None, 7, 20)
_PLAIN = ("viewed", "paid", "left")
UNITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}

HOGQL = (
    "sum(toFloat(properties.price)) + 1",
    "count(distinct properties.plan)",
    "toFloat(properties.price) * 2",
)
"""Expressions of a metric; the recount has a function for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An experiment and one of its metrics. Without a `start` it is a draft."""

    zone: str
    start: datetime | None
    end: datetime | None
    by_group: bool
    criteria: Mapping[str, Any] | None
    metric: Mapping[str, Any] = field(default_factory=dict[str, Any])


def drawn_events(seed: int, persons: int = 60) -> list[Event]:
    """Return random events of `persons` persons: flag calls, events with the flag, plain ones."""
    draw = random.Random(seed)
    found: list[Event] = []
    for number in range(persons):
        domain = "internal.test" if draw.random() < 0.15 else "example.com"
        person = Person(f"p{seed}-{number}", properties={"email": f"p{number}@{domain}"})
        usual = draw.choice(VARIANTS)
        for _ in range(draw.randint(0, 14)):
            found.append(_event(draw, person, usual, len(found)))
    return found


def _event(draw: random.Random, person: Person, usual: str, number: int) -> Event:
    at = FIRST + timedelta(hours=draw.randrange(_HOURS), seconds=draw.choice((0, 0, 0, 1, 59)))
    name = draw.choice(("$feature_flag_called", "$feature_flag_called", "bought", *_PLAIN, *_PLAIN))
    seen = usual if draw.random() < 0.85 else draw.choice(VARIANTS)
    properties: dict[str, Any] = {"plan": draw.choice(("free", "pro")), "price": draw.choice(_PRICES)}
    if properties["price"] is None:
        del properties["price"]
    if name == "$feature_flag_called":
        flag = draw.choice((FLAG, FLAG, FLAG, "another flag"))
        properties |= {"$feature_flag": flag, "$feature_flag_response": draw.choice((seen, seen, seen, "true"))}
    if name in ("$feature_flag_called", "bought"):
        properties[f"$feature/{FLAG}"] = seen
        at += timedelta(microseconds=number + 1)  # exposures at one instant would have no order
    group = draw.choice(("acme", "umbrella", "initech", ""))
    session = draw.choice(("s1", "s2", "s3", ""))
    return Event(person, name, at, properties, group, f"{person.name}-{session}" if session else "")


def drawn_case(draw: random.Random, events: Sequence[Event], metric: Callable[[random.Random], dict[str, Any]]) -> Case:
    """Return a random experiment that starts and ends at or around the times of events."""
    moments = sorted(
        draw.choice(events).timestamp + timedelta(milliseconds=draw.choice((0, 0, -400, 700))) for _ in "ab"
    )
    start = None if draw.random() < 0.05 else moments[0] if draw.random() < 0.5 else FIRST
    end = moments[1] if draw.random() < 0.5 and moments[1] > (start or NOW) else None
    return Case(
        zone=draw.choice(ZONES),
        start=start,
        end=end,
        by_group=draw.random() < 0.2,
        criteria=_criteria(draw),
        metric=metric(draw),
    )


def _criteria(draw: random.Random) -> dict[str, Any] | None:
    if draw.random() < 0.15:
        return None
    found: dict[str, Any] = {}
    if draw.random() < 0.6:
        found["filterTestAccounts"] = draw.random() < 0.5
    if draw.random() < 0.6:
        found["multiple_variant_handling"] = draw.choice(("exclude", "first_seen"))
    if draw.random() < 0.5:
        event = draw.choice(("bought", "bought", "$feature_flag_called"))
        properties = [ON_PRO] if draw.random() < 0.4 else []
        found["exposure_config"] = {"kind": "ExperimentEventExposureConfig", "event": event, "properties": properties}
    return found


def drawn_mean(draw: random.Random) -> dict[str, Any]:
    """Return a random mean metric, sometimes with a window, a threshold or outlier bounds."""
    found: dict[str, Any] = {"metric_type": "mean", "source": _source(draw), **_window(draw)}
    if draw.random() < 0.3:
        found |= _bounds(draw)
    if draw.random() < 0.15:
        found["threshold"] = draw.choice((1, 2, 5.5))
    return {"kind": "ExperimentMetric", **found}


def drawn_session(draw: random.Random) -> dict[str, Any]:
    """Return a random mean metric over the durations of sessions."""
    source = {**_source(draw), "math": draw.choice(("sum", "avg", "min", "max")), "math_property": "$session_duration"}
    return {"kind": "ExperimentMetric", "metric_type": "mean", "source": source, **_window(draw)}


def drawn_ratio(draw: random.Random) -> dict[str, Any]:
    """Return a random ratio metric."""
    found: dict[str, Any] = {"metric_type": "ratio", "numerator": _source(draw), "denominator": _source(draw)}
    for name in ("numerator", "denominator"):
        if draw.random() < 0.25:
            found[f"{name}_outlier_handling"] = _bounds(draw)
    return {"kind": "ExperimentMetric", **found, **_window(draw)}


def drawn_funnel(draw: random.Random) -> dict[str, Any]:
    """Return a random funnel of one to three different events."""
    names = draw.sample(_PLAIN, draw.randint(1, 3))
    series = [{"kind": "EventsNode", "event": name, "properties": _maybe_pro(draw)} for name in names]
    found: dict[str, Any] = {"metric_type": "funnel", "series": series, **_window(draw)}
    if draw.random() < 0.4:
        found["funnel_order_type"] = draw.choice(("ordered", "unordered"))
    return {"kind": "ExperimentMetric", **found}


def drawn_retention(draw: random.Random) -> dict[str, Any]:
    """Return a random retention metric; it returns to its own event only if no two are simultaneous."""
    names = draw.choice((("viewed", "paid"), ("paid", "left"), ("bought", "bought")))
    start, completion = ({"kind": "EventsNode", "event": name, "properties": _maybe_pro(draw)} for name in names)
    unit = draw.choice(("day", "day", "hour", "week", "minute"))
    earliest = draw.choice((0, 0, 1, 2))
    longer = {"hour": 24, "minute": 1440}.get(unit, 1)
    found: dict[str, Any] = {
        "retention_window_start": earliest,
        "retention_window_end": earliest + longer * draw.choice((0, 1, 5, 14)),
        "retention_window_unit": unit,
        "start_handling": draw.choice(("first_seen", "last_seen")),
    }
    events = {"start_event": start, "completion_event": completion}
    return {"kind": "ExperimentMetric", "metric_type": "retention", **events, **found, **_window(draw)}


def _maybe_pro(draw: random.Random) -> list[dict[str, Any]]:
    return [ON_PRO] if draw.random() < 0.3 else []


def _source(draw: random.Random) -> dict[str, Any]:
    node: dict[str, Any] = {"kind": "EventsNode", "event": draw.choice(("paid", "bought", "viewed", None))}
    if draw.random() < 0.3:
        node["properties"] = [ON_PRO]
    math = draw.choice((None, "total", "sum", "sum", "min", "max", "avg", "unique_session", "dau", "hogql"))
    if math is not None:
        node["math"] = math
    if math in ("sum", "min", "max", "avg") and draw.random() < 0.9:
        node["math_property"] = "price"
    if math == "hogql":
        node["math_hogql"] = draw.choice(HOGQL)
    return node


def _window(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {}
    return {"conversion_window": draw.choice((1, 2, 5, 36)), "conversion_window_unit": draw.choice(tuple(UNITS))}


def _bounds(draw: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if draw.random() < 0.6:
        found["lower_bound_percentile"] = draw.choice((0, 0.05, 0.25))
    if draw.random() < 0.8:
        found["upper_bound_percentile"] = draw.choice((0.5, 0.9, 0.99, 1))
        found["ignore_zeros"] = draw.random() < 0.3
    return found
