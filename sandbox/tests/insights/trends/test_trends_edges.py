"""TrendsQuery at its edges: clock changes, the ends of the calendar, histograms, cleaned paths, rare displays."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Event, at, open_engine, results, run_query
from ..vectors import P1, P2, insight, node, vector_events

pytestmark = pytest.mark.anyio

PROJECT = "/posthog/api/projects/1/"
AUTUMN = [
    Event(person, "$screen", at(moment), {"$current_url": url})
    for person, moment, url in (
        (P1, "2026-10-25T00:30:00", "/users/1/"),
        (P2, "2026-10-25T01:10:00", "/users/2?tab=a"),
        (P2, "2026-10-25T01:20:00", "/about"),
    )
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("trends") / "data", [*vector_events(), *AUTUMN]) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def trends(*series: dict[str, Any], **more: Any) -> dict[str, Any]:
    return insight("TrendsQuery", *series, **more)


def autumn(**more: Any) -> dict[str, Any]:
    return trends(node("$screen"), since="2026-10-25", until="2026-10-25T04:00:00", **more)


async def test_the_repeated_hour_in_autumn_is_two_intervals(sandbox: Serving) -> None:
    await sandbox.patch(PROJECT, {"timezone": "Europe/Berlin"})
    (result,) = await results(sandbox, autumn(interval="hour"))

    hours = ["00:00:00", "01:00:00", "02:00:00", "02:00:00", "03:00:00", "04:00:00"]
    assert result["days"] == [f"2026-10-25 {hour}" for hour in hours]
    assert result["data"] == [0, 0, 1, 2, 0, 0]
    assert result["action"]["days"][2:4] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        ("9999-12-31", "9999-12-31", ["2298-12-31"]),
        ("0001-01-01", "0001-01-01", ["1901-01-01"]),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
async def test_a_range_beyond_the_storable_years_is_moved_to_the_last_one(
    sandbox: Serving, since: str, until: str, days: list[str], zone: str
) -> None:
    await sandbox.patch(PROJECT, {"timezone": zone})
    (result,) = await results(sandbox, trends(since=since, until=until))

    assert (result["days"], result["data"]) == (days, [0])


async def test_a_histogram_has_bins_of_equal_width_and_the_last_includes_the_maximum(sandbox: Serving) -> None:
    found = await results(
        sandbox,
        trends(breakdownFilter={"breakdown": "price", "breakdown_type": "event", "breakdown_histogram_bin_count": 2}),
    )

    assert [(row["breakdown_value"], row["count"]) for row in found] == [("[9,14]", 6), ("[14,19.01]", 4)]


async def test_a_histogram_without_numbers_is_one_null_bin(sandbox: Serving) -> None:
    breakdown = {"breakdowns": [{"property": "$browser", "histogram_bin_count": 3}]}
    (row,) = await results(sandbox, trends(breakdownFilter=breakdown))

    assert (row["breakdown_value"], row["count"]) == (["$$_posthog_breakdown_null_$$"], 10)


async def test_a_breakdown_can_clean_paths_by_the_rules_of_the_project(sandbox: Serving) -> None:
    await sandbox.patch(PROJECT, {"path_cleaning_filters": [{"regex": "/users/[0-9]+.*", "alias": "/users/<id>"}]})
    found = await results(
        sandbox, autumn(breakdownFilter={"breakdown": "$current_url", "breakdown_path_cleaning": True})
    )

    assert [(row["breakdown_value"], row["count"]) for row in found] == [("/users/<id>", 2), ("/about", 1)]


async def test_events_of_a_group_node_can_be_required_to_match_all_of_its_nodes(sandbox: Serving) -> None:
    dear = {"type": "event", "key": "price", "operator": "gt", "value": 12}
    both = {"kind": "GroupNode", "operator": "AND", "nodes": [node(), node(None, properties=[dear])]}
    (result,) = await results(sandbox, trends(both))

    assert result["count"] == 5


async def test_a_calendar_heatmap_is_one_number(sandbox: Serving) -> None:
    (result,) = await results(sandbox, trends(trendsFilter={"display": "CalendarHeatmap"}))

    assert (result["aggregated_value"], result["data"]) == (10, [])


@pytest.mark.parametrize("display", ["Metric", "BoxPlot", "SlopeGraph", "TwoDimensionalHeatmap"])
async def test_an_unsupported_display_is_rejected(sandbox: Serving, display: str) -> None:
    query = trends(trendsFilter={"display": display})
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": query})

    assert (status, detail) == (400, f"The sandbox does not support the display {display}.")


async def test_the_first_invalid_series_is_reported(sandbox: Serving) -> None:
    wrong = [node(math="hogql", math_hogql=f"sum(nothing{number})") for number in range(4)]
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": trends(node(), *wrong)})

    assert status == 400
    assert "nothing0" in detail


async def test_the_hogql_of_a_response_is_that_of_the_first_series(sandbox: Serving) -> None:
    sent = await run_query(sandbox, trends(node("$pageleave"), node("$pageview"), node("$screen")))

    assert "$pageleave" in sent["hogql"]
    assert len(sent["timings"]) == 6
