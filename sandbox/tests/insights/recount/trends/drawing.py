"""Random trend queries."""

import random
from collections.abc import Sequence
from typing import Any

from ..counting import part
from ..dataset import Setting, World
from ..dates import INTERVALS
from ..drawing import drawn_common, drawn_compare, drawn_node, names_edge
from ..maths import ACTOR_MATHS, HOGQL, PROPERTY_MATHS
from .results import AGGREGATE, CUMULATIVE

_HAS_SESSION: dict[str, Any] = {"type": "event", "key": "$session_id", "operator": "is_set", "value": None}
_FORMULAS = ("A+2*B", "A-B", "A/B", "(A+B)/2", "-A", "A%B", "A**2", "a*1.5 + b", "A / (B - B)", "100*A/(A+B)", "3")
_LINES = ("ActionsLineGraph", "ActionsBar", "ActionsAreaGraph", "ActionsUnstackedBar", "ActionsStackedBar")
_PROPERTIES: Sequence[tuple[str, str]] = (
    ("plan", "event"),
    ("$browser", "event"),
    ("$many", "event"),
    ("price", "event"),
    ("beta", "event"),
    ("kind", "event"),
    ("amount", "event"),
    ("never", "event"),
    ("team", "person"),
    ("age", "person"),
    ("event", "event_metadata"),
    ("properties.plan", "hogql"),
    ("upper(event)", "hogql"),
)


def drawn_trends(chance: random.Random, world: World, setting: Setting) -> dict[str, Any]:
    """Return a random TrendsQuery."""
    interval = chance.choice((*INTERVALS, "day", "day", "day", "week"))
    display = chance.choice((None, None, None, *_LINES, CUMULATIVE, CUMULATIVE, *AGGREGATE_NAMES))
    aggregate = display in AGGREGATE
    number = chance.choice((1, 1, 1, 1, 2, 2, 3))
    series = [_drawn_node(chance, world, "day" if aggregate else interval, display) for _ in range(number)]
    common = drawn_common(chance, world, setting, "day" if aggregate else interval)
    while display == "BoldNumber" and names_edge(common.get("dateRange")):
        common = drawn_common(chance, world, setting, "day")
    if part(common, "dateRange").get("date_from") == "all":
        # The start of all time is not defined for groups of events and for queries without events.
        bought = {"kind": "EventsNode", "event": "buy"}
        series = [bought, *(bought if node["kind"] == "GroupNode" else node for node in series[1:])]
    query: dict[str, Any] = {"kind": "TrendsQuery", "series": series, **common}
    if interval != "day" or chance.random() < 0.5:
        query["interval"] = interval
    trends_filter = _drawn_filter(chance, display, number)
    if trends_filter or chance.random() < 0.2:
        query["trendsFilter"] = trends_filter
    if chance.random() < 0.45:
        breakdown = _drawn_breakdown(chance, world, trends_filter)
        if not any("active" in node.get("math", "") or "first" in node.get("math", "") for node in series):
            breakdown = _with_bins(chance, breakdown)
        if breakdown:
            query["breakdownFilter"] = breakdown
    compare = drawn_compare(chance)
    if compare is not None and part(query, "dateRange").get("date_from") != "all":
        query["compareFilter"] = compare
    if chance.random() < 0.1:
        query["samplingFactor"] = 1
    if chance.random() < 0.1:
        query["aggregation_group_type_index"] = chance.choice((0, None))  # has no effect on events
    return query


AGGREGATE_NAMES = tuple(sorted(AGGREGATE))


def _drawn_filter(chance: random.Random, display: str | None, number: int) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if display is not None:
        drawn["display"] = display
    usable = [formula for formula in _FORMULAS if number > 1 or "B" not in formula.upper()]
    if chance.random() < 0.25:
        match chance.randrange(3):
            case 0:
                drawn["formula"] = chance.choice(usable)
            case 1:
                drawn["formulas"] = chance.sample(usable, 2)
            case _:
                drawn["formulaNodes"] = [
                    {"formula": chance.choice(usable), "custom_name": chance.choice((None, "Own"))}
                ]
    elif display not in AGGREGATE and display != CUMULATIVE and chance.random() < 0.1:
        drawn["smoothingIntervals"] = chance.randrange(1, 5)
    return drawn


def _drawn_breakdown(chance: random.Random, world: World, trends_filter: dict[str, Any]) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    match chance.randrange(8):
        case 0:
            if any(name.startswith("formula") for name in trends_filter):
                return {}
            cohorts = chance.sample([world.cohorts[0].id, world.cohorts[2].id], chance.randrange(1, 3))
            drawn = {"breakdown_type": "cohort", "breakdown": [*cohorts, *chance.choice(((), ("all",)))]}
        case 1 | 2:
            names = chance.sample(_PROPERTIES, chance.randrange(1, 4))
            drawn["breakdowns"] = [{"property": name, "type": kind} for name, kind in names]
        case 3:
            drawn = {"breakdown": "$current_url", "breakdown_type": "event"}
            drawn[chance.choice(("breakdown_normalize_url", "breakdown_path_cleaning"))] = True
        case 4:
            drawn = {"breakdown": "tier", "breakdown_type": "group", "breakdown_group_type_index": 0}
        case _:
            name, kind = chance.choice(_PROPERTIES)
            drawn = {"breakdown": name, "breakdown_type": kind}
            if kind == "event" and chance.random() < 0.3:
                del drawn["breakdown_type"]
    if drawn.get("breakdown_type") != "cohort":
        if chance.random() < 0.4:
            drawn["breakdown_limit"] = chance.choice((1, 2, 3, 10))
        if chance.random() < 0.2:
            drawn["breakdown_hide_other_aggregation"] = True
    return drawn


def _with_bins(chance: random.Random, breakdown: dict[str, Any]) -> dict[str, Any]:
    """Make breakdowns of numeric properties histograms."""
    drawn = dict(breakdown)
    if drawn.get("breakdown") in ("price", "amount", "age") and chance.random() < 0.5:
        drawn["breakdown_histogram_bin_count"] = chance.randrange(1, 6)
    if "breakdowns" in drawn and chance.random() < 0.4:
        numeric = ("price", "amount", "age")
        drawn["breakdowns"] = [
            {**item, "histogram_bin_count": 3} if item["property"] in numeric else item for item in drawn["breakdowns"]
        ]
    return drawn


def _drawn_node(chance: random.Random, world: World, interval: str, display: str | None) -> dict[str, Any]:
    node = drawn_node(chance, world)
    if chance.random() < 0.07:
        node = {
            "kind": "GroupNode",
            "operator": chance.choice(("OR", "OR", "AND")),
            "nodes": [node, drawn_node(chance, world)],
        }
    cumulative = display == CUMULATIVE
    match chance.randrange(14):
        case 0 | 1:
            return {**node, "math": "dau"}
        case 2:
            if interval == "minute" or cumulative:
                return {**node, "math": "total"}
            return {**node, "math": chance.choice(("weekly_active", "monthly_active"))}
        case 3:
            return {**_in_sessions(node), "math": "unique_session"}
        case 4:
            return {**node, "math": "unique_group", "math_group_type_index": chance.choice((0, 0, 0, 1))}
        case 5:
            if node["kind"] == "GroupNode":
                return node
            return {**node, "math": chance.choice(("first_time_for_user", "first_matching_event_for_user"))}
        case 6 | 7:
            return _with_property(chance, node, chance.choice(PROPERTY_MATHS))
        case 8:
            return {**node, "math": chance.choice(ACTOR_MATHS)}
        case 9:
            return {**node, "math": "hogql", "math_hogql": chance.choice(sorted(HOGQL))}
        case 10:
            return {**node, "math": chance.choice(PROPERTY_MATHS)}
        case _:
            return node


def _in_sessions(node: dict[str, Any]) -> dict[str, Any]:
    properties: list[Any] = node.get("properties") or []
    return {**node, "properties": [*properties, _HAS_SESSION]}


def _with_property(chance: random.Random, node: dict[str, Any], math: str) -> dict[str, Any]:
    more: dict[str, Any] = {"math": math}
    match chance.randrange(6):
        case 0:
            more |= {"math_property": "age", "math_property_type": "person_properties"}
        case 1:
            return {**_in_sessions(node), **more, "math_property": "$session_duration"}
        case 2:
            more |= {"math_property": "$many"}
        case _:
            more |= {"math_property": chance.choice(("price", "amount"))}
    if chance.random() < 0.15 and more["math_property"] in ("price", "amount"):
        more["math_multiplier"] = chance.choice((2, 0.5, 100))
    return {**node, **more}
