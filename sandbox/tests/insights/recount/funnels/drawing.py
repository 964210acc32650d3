"""Random funnels, and worlds with simultaneous events of a person."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from ...hand_made import Event
from ..changing import with_events
from ..counting import part
from ..dataset import EVENT_NAMES, Setting, World
from ..drawing import drawn_common, drawn_compare, drawn_node

_BREAKDOWNS: tuple[Mapping[str, Any], ...] = (
    {"breakdown": "plan"},
    {"breakdown": "plan", "breakdown_type": "event"},
    {"breakdown": "$browser", "breakdown_type": "event"},
    {"breakdown": ["plan", "$browser"], "breakdown_type": "event"},
    {"breakdown": "$many", "breakdown_type": "event"},
    {"breakdown": "team", "breakdown_type": "person"},
    {"breakdown": "email", "breakdown_type": "person"},
    {"breakdown": "tier", "breakdown_type": "group", "breakdown_group_type_index": 0},
    {"breakdown": "upper(event)", "breakdown_type": "hogql"},
    {"breakdown": "event", "breakdown_type": "event_metadata"},
)


def happening(world: World, *, twins: bool) -> World:
    """Return a world without simultaneous events, or with `twins` only pairs of equal properties."""
    chance = random.Random(f"twins of {world.name}")
    alone: dict[datetime, Event] = {event.timestamp: event for event in world.events}
    events = list(alone.values())
    if twins:
        events += [replace(event, event=chance.choice(EVENT_NAMES)) for event in events if chance.random() < 0.06]
    return with_events(world, events)


def drawn_funnel(chance: random.Random, world: World, setting: Setting, *, twins: bool) -> dict[str, Any]:
    """Return a random FunnelsQuery.

    For a world with `twins` its result does not depend on the order of simultaneous events: no conversion over time, no
    unordered steps.
    """
    kind = chance.choice(("steps", "steps", "steps", "time_to_convert", "steps" if twins else "trends"))
    interval = chance.choice(("day", "week", "month", "hour")) if kind == "trends" else "day"
    order = chance.choice(("ordered", "ordered", "strict", "strict" if twins or kind == "trends" else "unordered"))
    series = [_drawn_step(chance, world) for _ in range(chance.choice((2, 2, 3, 4)))]
    if kind == "steps" and order != "unordered":
        series[1:] = [_maybe_optional(chance, node) for node in series[1:]]
        for node, after in pairwise(series):
            if node.get("optionalInFunnel") and _same(node, after):
                node.pop("optionalInFunnel")
    common = drawn_common(chance, world, setting, interval)
    if any("math" in node for node in series):
        common.pop("properties", None)
        common.pop("filterTestAccounts", None)
    wanted = {**_drawn_window(chance), **_drawn_actor(chance), **_drawn_exclusions(chance, series, kind, order)}
    if kind != "steps" or chance.random() < 0.3:
        wanted["funnelVizType"] = kind
    if order != "ordered" or chance.random() < 0.3:
        wanted["funnelOrderType"] = order
    query: dict[str, Any] = {"kind": "FunnelsQuery", "series": series, **common}
    if kind == "trends":
        query["interval"] = interval
    if kind != "steps":
        wanted |= _drawn_ends(chance, len(series), kind)
    if kind != "time_to_convert" and chance.random() < 0.4:
        query["breakdownFilter"] = (
            _drawn_breakdown(chance, world) if kind == "steps" else dict(chance.choice(_BREAKDOWNS[:3]))
        )
        wanted |= _drawn_attribution(chance, len(series), order)
    compare = drawn_compare(chance) if kind != "time_to_convert" and "breakdownFilter" not in query else None
    if compare is not None and part(common, "dateRange").get("date_from") != "all":
        query["compareFilter"] = compare
    if chance.random() < 0.15:
        query["aggregation_group_type_index"] = chance.choice((0, 0, 0, 1, None))
    if wanted or chance.random() < 0.5:
        query["funnelsFilter"] = wanted
    return query


def _drawn_breakdown(chance: random.Random, world: World) -> dict[str, Any]:
    if chance.random() < 0.15:
        cohorts: list[int | str] = [world.cohorts[0].id, world.cohorts[2].id, "all"]
        return {"breakdown_type": "cohort", "breakdown": chance.sample(cohorts, chance.randrange(1, 4))}
    drawn = dict(chance.choice(_BREAKDOWNS))
    if chance.random() < 0.4:
        drawn["breakdown_limit"] = chance.choice((1, 2, 3, 4))
    return drawn


def _drawn_step(chance: random.Random, world: World) -> dict[str, Any]:
    node = drawn_node(chance, world)
    if node["kind"] == "EventsNode" and node["event"] == "never" and chance.random() < 0.8:
        node["event"] = "$pageview"
    if chance.random() < 0.08:
        return {"kind": "GroupNode", "operator": "OR", "nodes": [_drawn_event(chance, world) for _ in range(2)]}
    if node.get("event") is not None and chance.random() < 0.08:
        node["math"] = chance.choice(("first_time_for_user", "first_time_for_user_with_filters", "total"))
    return node


def _drawn_event(chance: random.Random, world: World) -> dict[str, Any]:
    """Return one of the events of a step of several."""
    node = drawn_node(chance, world)
    node.pop("custom_name", None)
    if node["kind"] == "EventsNode" and node["event"] is None:
        node["event"] = "buy"
    return node


def _maybe_optional(chance: random.Random, node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "optionalInFunnel": True} if chance.random() < 0.12 else node


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (one["kind"], one.get("event"), one.get("id")) == (other["kind"], other.get("event"), other.get("id"))


def _drawn_window(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.4:
        return {}
    unit, sizes = chance.choice(
        (
            ("second", (1, 3600, 86_400)),
            ("minute", (1, 60, 1440)),
            ("hour", (1, 5, 48)),
            ("day", (1, 3, 14, 30)),
            ("week", (1, 2)),
            ("month", (1,)),
            (None, (1, 7)),
        )
    )
    return {"funnelWindowInterval": chance.choice(sizes), **({"funnelWindowIntervalUnit": unit} if unit else {})}


def _drawn_actor(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.85:
        return {}
    return {"funnelAggregateByHogQL": chance.choice(("properties.$session_id", "distinct_id", "person_id", None))}


def _drawn_exclusions(chance: random.Random, series: list[dict[str, Any]], kind: str, order: str) -> dict[str, Any]:
    """Return random exclusions of events that belong to no step."""
    named = {node.get("event") for node in series}
    free = [name for name in EVENT_NAMES if name not in named]
    if kind == "trends" or chance.random() < 0.75 or any(node.get("event") is None for node in series) or not free:
        return {}
    exclusions: list[dict[str, Any]] = []
    for _ in range(chance.choice((1, 1, 2))):
        since = 0 if order == "unordered" else chance.randrange(len(series) - 1)
        to = len(series) - 1 if order == "unordered" else chance.randrange(since + 1, len(series))
        found: dict[str, Any] = {
            "kind": "EventsNode",
            "event": chance.choice(free),
            "funnelFromStep": since,
            "funnelToStep": to,
        }
        if chance.random() < 0.3:
            found["properties"] = [{"type": "event", "key": "plan", "operator": "is_set", "value": None}]
        exclusions.append(found)
    return {"exclusions": exclusions}


def _drawn_ends(chance: random.Random, steps: int, kind: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if chance.random() < 0.3:
        wanted["funnelFromStep"] = chance.randrange(steps - 1)
    if chance.random() < 0.3:
        wanted["funnelToStep"] = chance.randrange(wanted.get("funnelFromStep", 0) + 1, steps)
    if kind == "time_to_convert" and chance.random() < 0.4:
        wanted["binCount"] = chance.choice((1, 2, 5, 90))
    return wanted


def _drawn_attribution(chance: random.Random, steps: int, order: str) -> dict[str, Any]:
    kind = chance.choice((None, "first_touch", "last_touch", "all_events", "step"))
    if kind is None:
        return {}
    place = {"breakdownAttributionValue": 0 if order == "unordered" else chance.randrange(steps)}
    return {"breakdownAttributionType": kind, **(place if kind == "step" else {})}
