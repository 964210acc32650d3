"""The number in an insight is the number of actors behind it: random insights of each kind, over three worlds."""

import random
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...oracle import EVERY_SEED, Effort
from ..agreement import RANGES, Cell, Cells, Draw, disagreements, drawn_filters
from ..recount.dataset import EVENT_NAMES, World, open_world, worlds
from ..recount.running import open_runner, opened

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

CASES = 150
"""Drawn in a whole run for each world and kind."""
WORLDS = {world.name: world for world in worlds()}
UNIQUE = ("dau", "weekly_active", "monthly_active", "first_time_for_user", "first_matching_event_for_user")
OTHER = "$$_posthog_breakdown_other_$$"


@pytest.fixture(scope="module", params=list(WORLDS))
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param]


@pytest.fixture(scope="module")
def engine(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_world(world, tmp_path_factory.mktemp("world") / "data") as made:
        yield made


async def agree(world: World, engine: Engine, effort: Effort, draw: Draw, cells: Cells) -> None:
    cases = effort.cases(CASES)
    with open_runner(world, engine) as runner:
        found, looked_at = await disagreements(
            await opened(runner), draw, cells, chance=effort.chance(world.name), cases=cases
        )
    assert not found, "".join(found)
    assert looked_at >= cases


def node(chance: random.Random, world: World, **more: Any) -> dict[str, Any]:
    """Return a series of an event, any event, or an action."""
    if chance.random() < 0.2:
        return {"kind": "ActionsNode", "id": chance.choice(world.actions).id, **more}
    return {"kind": "EventsNode", "event": chance.choice((*EVENT_NAMES[:3], None)), **more}


def drawn_trend(chance: random.Random, world: World) -> Mapping[str, Any]:
    maths: list[dict[str, Any]] = [{"math": math} for math in (*UNIQUE, "total", "total")]
    maths.append({"math": "unique_group", "math_group_type_index": 0})
    breakdowns: list[dict[str, Any]] = [
        {"breakdown": "$browser"},
        {"breakdowns": [{"property": "$browser"}, {"property": "team", "type": "person"}], "breakdown_limit": 4},
        {"breakdown_type": "cohort", "breakdown": [world.cohorts[0].id, world.cohorts[2].id, "all"]},
    ]
    query: dict[str, Any] = {
        "kind": "TrendsQuery",
        "series": [node(chance, world, **chance.choice(maths)) for _ in range(chance.choice((1, 2)))],
        "interval": chance.choice(("day", "day", "week", "month", "hour")),
        "dateRange": chance.choice(RANGES),
        **drawn_filters(chance, world),
    }
    if chance.random() < 0.3:
        query["breakdownFilter"] = chance.choice(breakdowns)
    if chance.random() < 0.3 and query["dateRange"].get("date_from") != "all":
        query["compareFilter"] = {"compare": True, **chance.choice(({}, {"compare_to": "-1w"}))}
    if chance.random() < 0.2:
        query["trendsFilter"] = {"display": chance.choice(("BoldNumber", "ActionsPie", "ActionsTable"))}
    return query


def cells_of_trend(chance: random.Random, query: Mapping[str, Any], results: Any) -> list[Cell]:
    found: list[Cell] = []
    current: Mapping[int, Any] = {result["order"]: result for result in reversed(results)}
    shown = [result for result in results if OTHER not in str(result.get("breakdown_value"))]
    for result in chance.sample(shown, min(1, len(shown))):
        named: dict[str, Any] = {"kind": "InsightActorsQuery", "source": query, "series": result["order"]}
        if "breakdown_value" in result:
            named["breakdown"] = result["breakdown_value"]
        if "compare_label" in result:
            named["compare"] = result["compare_label"]
        column = "event_count" if result["action"]["math"] == "total" else None
        if not result["days"]:
            found.append(Cell(result["aggregated_value"], named, column))
            continue
        days = current[result["order"]]["days"]
        places = [place for place in range(min(len(days), len(result["days"]))) if days.count(days[place]) == 1]
        busy = [place for place in places if result["data"][place]]
        wanted = {chance.choice(busy or places), chance.choice(places)}
        found += [Cell(result["data"][place], {**named, "day": days[place]}, column) for place in wanted]
    return found


@EVERY_SEED
async def test_the_numbers_of_trends_are_those_of_their_actors(world: World, engine: Engine, effort: Effort) -> None:
    await agree(world, engine, effort, drawn_trend, cells_of_trend)


def drawn_lifecycle(chance: random.Random, world: World) -> Mapping[str, Any]:
    group = {"aggregation_group_type_index": 0} if chance.random() < 0.25 else {}
    return {
        "kind": "LifecycleQuery",
        "series": [node(chance, world)],
        "interval": chance.choice(("day", "day", "week", "month", "hour")),
        "dateRange": chance.choice(RANGES),
        **group,
        **drawn_filters(chance, world),
    }


def cells_of_lifecycle(chance: random.Random, query: Mapping[str, Any], results: Any) -> list[Cell]:
    found: list[Cell] = []
    for result in chance.sample(results, min(2, len(results))):
        places = [place for place, day in enumerate(result["days"]) if result["days"].count(day) == 1]
        place = chance.choice([place for place in places if result["data"][place]] or places)
        named = {
            "kind": "InsightActorsQuery",
            "source": query,
            "status": result["status"],
            "day": result["days"][place],
        }
        found.append(Cell(abs(result["data"][place]), named))
    return found


@EVERY_SEED
async def test_the_statuses_of_a_lifecycle_are_those_of_its_actors(
    world: World, engine: Engine, effort: Effort
) -> None:
    await agree(world, engine, effort, drawn_lifecycle, cells_of_lifecycle)


def drawn_stickiness(chance: random.Random, world: World) -> Mapping[str, Any]:
    maths: tuple[dict[str, Any], ...] = ({}, {"math": "unique_group", "math_group_type_index": 0})
    query: dict[str, Any] = {
        "kind": "StickinessQuery",
        "series": [node(chance, world, **chance.choice(maths)) for _ in range(chance.choice((1, 2)))],
        "interval": chance.choice(("day", "day", "week", "month", "hour")),
        "dateRange": chance.choice(RANGES),
        "stickinessFilter": chance.choice(
            ({}, {"computedAs": "cumulative"}, {"stickinessCriteria": {"operator": "gte", "value": 2}})
        ),
        **drawn_filters(chance, world),
    }
    if chance.random() < 0.3 and query["dateRange"].get("date_from") != "all":
        query["compareFilter"] = {"compare": True}
    return query


def cells_of_stickiness(chance: random.Random, query: Mapping[str, Any], results: Any) -> list[Cell]:
    found: list[Cell] = []
    for result in chance.sample(results, 1):
        named: dict[str, Any] = {"source": query, "series": result["action"]["order"]}
        if "compare_label" in result:
            named["compare"] = result["compare_label"]
        busy = [place for place, number in enumerate(result["data"]) if number]
        place = chance.choice(busy or range(len(result["data"])))
        found.append(Cell(result["data"][place], {"kind": "InsightActorsQuery", **named, "day": place + 1}))
        most = {"kind": "StickinessActorsQuery", **named, "day": str(place + 1), "operator": "lte"}
        if "computedAs" not in query["stickinessFilter"]:
            found.append(Cell(sum(result["data"][: place + 1]), most))
        found.append(Cell(result["count"], {"kind": "StickinessActorsQuery", **named}))
    return found


@EVERY_SEED
async def test_the_intervals_of_stickiness_are_those_of_its_actors(
    world: World, engine: Engine, effort: Effort
) -> None:
    await agree(world, engine, effort, drawn_stickiness, cells_of_stickiness)


def drawn_paths(chance: random.Random, world: World) -> Mapping[str, Any]:
    wanted: dict[str, Any] = chance.choice(
        (
            {},
            {"includeEventTypes": ["$pageview"], "stepLimit": 4},
            {"includeEventTypes": ["$pageview", "custom_event"], "edgeLimit": 8},
            {"startPoint": "buy"},
            {"endPoint": "sign up"},
            {"pathGroupings": ["https://example.com/*"]},
        )
    )
    return {
        "kind": "PathsQuery",
        "pathsFilter": wanted,
        "dateRange": chance.choice(RANGES),
        **drawn_filters(chance, world),
    }


def cells_of_paths(chance: random.Random, query: Mapping[str, Any], results: Any) -> list[Cell]:
    found: list[Cell] = []
    for edge in chance.sample(results, min(2, len(results))):
        keys = {"pathStartKey": edge["source"], "pathEndKey": edge["target"]}
        source = {**query, "pathsFilter": {**query["pathsFilter"], **keys}}
        found.append(Cell(edge["value"], {"kind": "InsightActorsQuery", "source": source}, "event_count"))
    return found


@EVERY_SEED
async def test_the_edges_of_paths_are_those_of_their_persons(world: World, engine: Engine, effort: Effort) -> None:
    await agree(world, engine, effort, drawn_paths, cells_of_paths)


def drawn_funnel(chance: random.Random, world: World) -> Mapping[str, Any]:
    events = chance.sample(("$pageview", "buy", "$pageleave", "sign up", None), chance.choice((2, 3)))
    series: list[dict[str, Any]] = [{"kind": "EventsNode", "event": event} for event in events]
    order = chance.choice(("ordered", "ordered", "strict", "unordered"))
    wanted: dict[str, Any] = {
        "funnelVizType": chance.choice(("steps", "steps", "trends")),
        "funnelOrderType": order,
        "funnelWindowInterval": chance.choice((1, 14)),
    }
    if len(series) == 3 and order != "unordered" and wanted["funnelVizType"] == "steps" and chance.random() < 0.4:
        series[1]["optionalInFunnel"] = True
    query: dict[str, Any] = {
        "kind": "FunnelsQuery",
        "series": series,
        "funnelsFilter": wanted,
        "interval": chance.choice(("day", "week")),
        "dateRange": chance.choice(RANGES),
        **drawn_filters(chance, world),
    }
    if chance.random() < 0.3:
        query["breakdownFilter"] = {"breakdown": "$browser", "breakdown_type": "event", "breakdown_limit": 2}
    if chance.random() < 0.2:
        query["aggregation_group_type_index"] = 0
    if chance.random() < 0.2 and query["dateRange"].get("date_from") != "all":
        query["compareFilter"] = {"compare": True}
    return query


def cells_of_funnel(chance: random.Random, query: Mapping[str, Any], results: Any) -> list[Cell]:
    if query["funnelsFilter"]["funnelVizType"] == "trends":
        return [point(query, row, chance) for row in chance.sample(results, min(1, len(results)))]
    groups: list[list[Mapping[str, Any]]] = results
    if results and not isinstance(results[0], list):
        labels = dict.fromkeys(step.get("compare_label") for step in results)
        groups = [[step for step in results if step.get("compare_label") == label] for label in labels]
    found: list[Cell] = []
    for steps in chance.sample(groups, min(1, len(groups))):
        named = named_funnel(query, steps[0])
        found += [Cell(step["count"], {**named, "funnelStep": step["order"] + 1}) for step in steps]
        if not any(node.get("optionalInFunnel") for node in query["series"]):
            found += [
                Cell(before["count"] - step["count"], {**named, "funnelStep": -(step["order"] + 1)})
                for before, step in pairwise(steps)
            ]
    return found


def named_funnel(query: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query of the actors behind a row, without the selection of a number."""
    named: dict[str, Any] = {"kind": "FunnelsActorsQuery", "source": query}
    if "breakdown_value" in row:
        named["funnelStepBreakdown"] = row["breakdown_value"]
    return {**named, "compare": row["compare_label"]} if "compare_label" in row else named


def point(query: Mapping[str, Any], row: Mapping[str, Any], chance: random.Random) -> Cell:
    """Return a conversion rate: actors who converted among all who entered on a day."""
    busy = [place for place, rate in enumerate(row["data"]) if rate]
    place = chance.choice(busy or range(len(row["data"])))
    named = {**named_funnel(query, row), "funnelTrendsEntrancePeriodStart": row["days"][place]}
    converted, dropped = ({**named, "funnelTrendsDropOff": dropped} for dropped in (False, True))
    return Cell(row["data"][place], converted, others=dropped)


@EVERY_SEED
async def test_the_steps_of_funnels_are_those_of_their_actors(world: World, engine: Engine, effort: Effort) -> None:
    await agree(world, engine, effort, drawn_funnel, cells_of_funnel)


def drawn_retention(chance: random.Random, world: World) -> Mapping[str, Any]:
    entities: tuple[dict[str, Any], ...] = (
        {"id": "$pageview", "type": "events"},
        {"id": "buy", "type": "events"},
        {"id": None, "type": "events"},
        {"id": world.actions[0].id, "type": "actions"},
    )
    kinds = ("retention_recurring", "retention_first_time", "retention_first_ever_occurrence")
    wanted: dict[str, Any] = {
        "period": chance.choice(("Day", "Day", "Week", "Month")),
        "retentionType": chance.choice(kinds),
        "targetEntity": chance.choice(entities),
        "returningEntity": chance.choice(entities),
        "totalIntervals": chance.choice((5, 8)),
        **chance.choice(({}, {}, {"minimumOccurrences": 2}, {"timeWindowMode": "24_hour_windows"})),
    }
    query: dict[str, Any] = {"kind": "RetentionQuery", "retentionFilter": wanted, **drawn_filters(chance, world)}
    if chance.random() < 0.4:
        query["dateRange"] = chance.choice(({"date_from": "-10d"}, {"date_from": "-30d", "date_to": "-5d"}))
    if chance.random() < 0.25:
        query["breakdownFilter"] = {"breakdowns": [{"property": "$browser", "type": "event"}]}
    if chance.random() < 0.2:
        query["aggregation_group_type_index"] = 0
    return query


def cells_of_retention(chance: random.Random, query: Mapping[str, Any], results: Any) -> list[Cell]:
    found: list[Cell] = []
    busy = [row for row in results if row["values"][0]["count"]] or results
    for row in chance.sample(busy, min(2, len(busy))):
        period, number = row["label"].split()
        named: dict[str, Any] = {"kind": "InsightActorsQuery", "source": query, "interval": int(number)}
        if row["breakdown_value"] is not None:
            named["breakdown"] = [row["breakdown_value"]]
        places = range(len(row["values"]))
        place = chance.choice([place for place in places if row["values"][place]["count"]] or places)
        found.append(Cell(row["values"][place]["count"], named, f"{period.lower()}_{place}"))
        found.append(Cell(row["values"][0]["count"], named))
    return found


@EVERY_SEED
async def test_the_cells_of_retention_are_those_of_their_actors(world: World, engine: Engine, effort: Effort) -> None:
    await agree(world, engine, effort, drawn_retention, cells_of_retention)
