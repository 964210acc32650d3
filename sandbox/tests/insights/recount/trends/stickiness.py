"""Stickiness in plain Python: the number of actors active in each exact number of intervals."""

import random
from collections.abc import Mapping
from typing import Any

from ...hand_made import Event
from ..counting import Node, Query, counted, earliest_event, is_known, part, series_label
from ..dataset import Setting, World
from ..dates import INTERVALS, Range, buckets, compared, floored, range_of
from ..drawing import drawn_common, drawn_compare, drawn_node


def stickiness(query: Query, world: World, setting: Setting) -> list[dict[str, Any]]:
    """Return the results of a StickinessQuery."""
    interval = query.get("interval") or "day"
    dates = part(query, "dateRange")
    exact = bool(dates.get("explicitDate"))
    earliest = earliest_event(world)
    spans = {"current": range_of(dates, interval, setting, exact_from=exact, earliest=earliest)}
    compare = part(query, "compareFilter")
    if compare.get("compare"):
        to = compare.get("compare_to")
        spans["previous"] = compared(dates, interval, setting, to, exact_from=exact, earliest=earliest)
    found: list[dict[str, Any]] = []
    for order, node in enumerate(query["series"]):
        if not is_known(node, world):
            continue
        for half, span in spans.items():
            result = _result(query, node, span, interval, world, setting)
            result["action"]["order"] = order
            found.append({**result, **({"compare": True, "compare_label": half} if compare.get("compare") else {})})
    return found


def _result(query: Query, node: Node, span: Range, interval: str, world: World, setting: Setting) -> dict[str, Any]:
    given = part(query, "stickinessFilter")
    criteria = part(given, "stickinessCriteria")
    cumulative = given.get("computedAs") == "cumulative"
    intervals: dict[str, dict[Any, int]] = {}
    for event in counted(query, node, span, world, setting):
        actor = _actor(event, node)
        if actor:
            counts = intervals.setdefault(actor, {})
            start = floored(event.timestamp, interval, setting)
            counts[start] = counts.get(start, 0) + 1
    active = [
        number
        for counts in intervals.values()
        if (number := sum(_fulfils(count, criteria) for count in counts.values()))
    ]
    places = range(1, len(buckets(span, interval, setting)) + 1)
    suffix = " or more" if cumulative else ""
    return {
        "count": len(active),
        "data": [sum(number >= place if cumulative else number == place for number in active) for place in places],
        "days": list(places),
        "label": series_label(node, world),
        "labels": [f"{place} {interval}{'' if place == 1 else 's'}{suffix}" for place in places],
        "action": {"name": series_label(node, world), "custom_name": node.get("custom_name")},
    }


def _actor(event: Event, node: Node) -> str:
    match node.get("math"):
        case "unique_group":
            return event.group if node["math_group_type_index"] == 0 else ""
        case "hogql":
            return event.sent_as
        case _:
            return event.person.id


def _fulfils(count: int, criteria: Mapping[str, Any]) -> bool:
    match criteria.get("operator"):
        case "gte":
            return count >= criteria["value"]
        case "lte":
            return count <= criteria["value"]
        case "exact":
            return count == criteria["value"]
        case _:
            return count > 0


def drawn_stickiness(chance: random.Random, world: World, setting: Setting) -> dict[str, Any]:
    """Return a random StickinessQuery."""
    interval = chance.choice((*INTERVALS, "day", "day", "week"))
    series = [_drawn_node(chance, world) for _ in range(chance.choice((1, 1, 1, 1, 2)))]
    query: dict[str, Any] = {
        "kind": "StickinessQuery",
        "series": series,
        **drawn_common(chance, world, setting, interval),
    }
    if interval != "day" or chance.random() < 0.5:
        query["interval"] = interval
    compare = drawn_compare(chance)
    if compare is not None and part(query, "dateRange").get("date_from") != "all":
        query["compareFilter"] = compare
    stickiness_filter: dict[str, Any] = {}
    if chance.random() < 0.3:
        stickiness_filter["computedAs"] = chance.choice(("cumulative", "non_cumulative"))
    if chance.random() < 0.3:
        operator = chance.choice(("gte", "lte", "exact"))
        stickiness_filter["stickinessCriteria"] = {"operator": operator, "value": chance.randrange(1, 4)}
    if stickiness_filter:
        query["stickinessFilter"] = stickiness_filter
    return query


def _drawn_node(chance: random.Random, world: World) -> dict[str, Any]:
    node = drawn_node(chance, world)
    match chance.randrange(8):
        case 0:
            return {**node, "math": "unique_group", "math_group_type_index": chance.choice((0, 0, 1))}
        case 1:
            return {**node, "math": "hogql", "math_hogql": "distinct_id"}
        case 2:
            return {**node, "math": chance.choice(("total", "dau", "weekly_active"))}
        case _:
            return node
