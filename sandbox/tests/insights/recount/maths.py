"""The aggregation of a series in plain Python: one number for some events."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC

from ..hand_made import Event
from .counting import Node
from .dataset import World
from .filters import number

PROPERTY_MATHS = ("avg", "sum", "min", "max", "median", "p75", "p90", "p95", "p99")
ACTOR_MATHS = tuple(f"{name}_count_per_actor" for name in ("avg", "min", "max", "median", "p75", "p90", "p95", "p99"))
UNIQUE = {"dau", "weekly_active", "monthly_active", "first_time_for_user", "first_matching_event_for_user"}


def _amounts(events: Sequence[Event], name: str) -> list[float]:
    return [value for event in events if (value := number(event.properties.get(name))) is not None]


def _sum_of_amounts(events: Sequence[Event]) -> float:
    return sum(_amounts(events, "amount"))


def _events(events: Sequence[Event]) -> float:
    return len(events)


def _names(events: Sequence[Event]) -> float:
    return len({event.event for event in events})


def _purchases(events: Sequence[Event]) -> float:
    return sum(event.event == "buy" for event in events)


HOGQL: Mapping[str, Callable[[Sequence[Event]], float]] = {
    "sum(toFloat(properties.amount))": _sum_of_amounts,
    "count()": _events,
    "count(distinct event)": _names,
    "countIf(event = 'buy') * 2": lambda events: 2 * _purchases(events),
}
"""The expressions in random series."""


def is_property_math(node: Node) -> bool:
    """Return whether a series aggregates a property; without one such a math is a plain count."""
    return node.get("math") in PROPERTY_MATHS and node.get("math_property") is not None


def number_of(events: Sequence[Event], node: Node, world: World) -> float:
    """Return the number of a series for some events: those of an interval, the whole range, or one value."""
    name = node.get("math") or "total"
    if name in UNIQUE:
        return len({event.person.id for event in events})
    if name == "unique_session":
        return len({event.session for event in events if event.session})
    if name == "unique_group":
        return len({event.group for event in events if event.group}) if node["math_group_type_index"] == 0 else 0
    if name == "hogql":
        return HOGQL[node["math_hogql"]](events)
    if name in ACTOR_MATHS:
        counts: dict[str, int] = {}
        for event in events:
            counts[event.person.id] = counts.get(event.person.id, 0) + 1
        return aggregated(list(counts.values()), name.removesuffix("_count_per_actor"))
    if is_property_math(node):
        multiplier = node.get("math_multiplier") or 1
        return aggregated([value * multiplier for value in _values(events, node, world)], name)
    return len(events)


def _values(events: Sequence[Event], node: Node, world: World) -> list[float]:
    """Return the numbers of a property; each session counts once."""
    name = node["math_property"]
    if name == "$session_duration":
        return [float(world.session_seconds[session]) for session in {event.session for event in events} if session]
    if name == "$time":
        return [event.timestamp.astimezone(UTC).timestamp() for event in events]
    if node.get("math_property_type") == "person_properties":
        read = [number(event.person.properties.get(name)) for event in events]
    else:
        read = [number(event.properties.get(name)) for event in events]
    return [value for value in read if value is not None]


def aggregated(values: Sequence[float], name: str) -> float:
    """Aggregate numbers; 0 if there are none."""
    if not values:
        return 0
    match name:
        case "avg":
            return sum(values) / len(values)
        case "sum":
            return sum(values)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "median":
            return quantile(values, 0.5)
        case _:
            return quantile(values, int(name.removeprefix("p")) / 100)


def quantile(values: Sequence[float], level: float) -> float:
    """Return the interpolated quantile."""
    ordered = sorted(values)
    place = level * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
