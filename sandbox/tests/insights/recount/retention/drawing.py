"""Random retention queries."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ..counting import part
from ..dataset import EVENT_NAMES, Setting, World
from ..drawing import drawn_common, names_edge
from ..filters import drawn_properties
from .histories import FIRSTS

_BREAKDOWNS: Sequence[Mapping[str, Any]] = (
    {"property": "$browser", "type": "event"},
    {"property": "$many", "type": "event"},
    {"property": "plan", "type": "event"},
    {"property": "kind", "type": "event"},
    {"property": "upper(event)", "type": "hogql"},
    {"property": "team", "type": "person"},
    {"property": "email", "type": "person"},
    {"property": "tier", "type": "group", "group_type_index": 0},
)


def drawn_retention(chance: random.Random, world: World, setting: Setting) -> dict[str, Any]:
    """Return a random RetentionQuery."""
    period = chance.choice(("Hour", "Day", "Day", "Day", "Week", "Week", "Month"))
    common = drawn_common(chance, world, setting, period.lower())
    while "explicitDate" in part(common, "dateRange") or names_edge(common.get("dateRange")):
        common = drawn_common(chance, world, setting, period.lower())
    dates = part(common, "dateRange")
    if dates and chance.random() < 0.5:
        common["dateRange"] = {name: value for name, value in dates.items() if name != "date_from"}
    drawn: dict[str, Any] = {"totalIntervals": chance.choice((1, 2, 3, 5, 8, 11))}
    if period != "Day" or chance.random() < 0.5:
        drawn["period"] = period
    for name in ("targetEntity", "returningEntity"):
        if chance.random() < 0.8:
            drawn[name] = _drawn_entity(chance, world)
    kind = chance.choice((None, "retention_recurring", *FIRSTS))
    if kind:
        drawn["retentionType"] = kind
    drawn |= _drawn_options(chance)
    query = {"kind": "RetentionQuery", "retentionFilter": drawn, **common}
    if chance.random() < 0.15:
        query["aggregation_group_type_index"] = chance.choice((0, 0, 0, 1))
    if chance.random() < 0.25:
        query["breakdownFilter"] = _drawn_breakdown(chance, world)
    return query


def _drawn_options(chance: random.Random) -> dict[str, Any]:
    """Return the options that affect cells, in every allowed combination."""
    drawn: dict[str, Any] = {}
    if chance.random() < 0.2:
        drawn["minimumOccurrences"] = chance.choice((1, 2, 3))
    match chance.randrange(10):
        case 0:
            drawn["cumulative"] = True
        case 1 | 2:
            drawn["retentionCustomBrackets"] = chance.choice(([1, 3], [1, 3, 7], [2], [1, 1, 1]))
        case 3 | 4:
            drawn["timeWindowMode"] = "24_hour_windows"
            if chance.random() < 0.1:
                drawn["retentionCustomBrackets"] = [1, 2]
        case 5 | 6:
            drawn |= _drawn_sum(chance)
        case 7:
            drawn["timeWindowMode"] = "strict_calendar_dates"
        case _:
            pass
    return drawn


def _drawn_sum(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.1:
        return {"aggregationType": chance.choice(("count", "sum"))}
    drawn: dict[str, Any] = {"aggregationType": chance.choice(("sum", "avg"))}
    drawn["aggregationProperty"] = chance.choice(("price", "amount"))
    match chance.randrange(4):
        case 0:
            return {**drawn, "aggregationProperty": "age", "aggregationPropertyType": "person"}
        case 1:
            return {**drawn, "aggregationPropertyType": "event"}
        case 2:
            return {**drawn, "retentionCustomBrackets": [1, 2]}
        case _:
            return drawn


def _drawn_breakdown(chance: random.Random, world: World) -> dict[str, Any]:
    if chance.random() < 0.15:
        cohorts: list[int | str] = [world.cohorts[0].id, world.cohorts[2].id]
        if chance.random() < 0.5:
            return {"breakdown_type": "cohort", "breakdown": [*cohorts, "all"]}
        return {"breakdowns": [{"type": "cohort", "property": cohort} for cohort in (*cohorts, 0)]}
    item = dict(chance.choice(_BREAKDOWNS))
    drawn: dict[str, Any] = {"breakdowns": [item]}
    if "group_type_index" not in item and chance.random() < 0.4:
        drawn = {"breakdown": item["property"], "breakdown_type": item["type"]}
    if chance.random() < 0.4:
        drawn["breakdown_limit"] = chance.choice((1, 2, 5))
    return drawn


def _drawn_entity(chance: random.Random, world: World) -> dict[str, Any]:
    entity: dict[str, Any] = {"id": chance.choice((*EVENT_NAMES, "$pageview", "buy", None)), "type": "events"}
    if chance.random() < 0.2:
        action = chance.choice(world.actions)
        entity = {"id": action.id, "type": "actions", "name": action.name}
    properties = drawn_properties(chance, world) if chance.random() < 0.3 else None
    if isinstance(properties, list):
        entity["properties"] = properties
    return entity
