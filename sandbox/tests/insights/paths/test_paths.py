"""PathsQuery over hand-written events: PostHog's own example, and its rules one by one."""

from collections.abc import AsyncGenerator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Event, Person, at, open_engine, run_query

pytestmark = pytest.mark.anyio

A, B, C, D = (Person(name) for name in "abcd")
WALKER, SHOPPER, SCREENER = Person("walker"), Person("shopper"), Person("screener")


def view(person: Person, time: datetime, url: str) -> Event:
    return Event(person, "$pageview", time, {"$current_url": url})


def _views(person: Person, day: str, *visits: tuple[str, str]) -> list[Event]:
    return [view(person, at(f"{day}T{time}:00"), url) for url, time in visits]


def _events() -> list[Event]:
    noon = at("2012-02-01T12:00:00")
    return [
        *_views(A, "2012-01-14", ("/", "03:21"), ("/about", "03:28")),
        *_views(B, "2012-01-14", ("/", "03:21"), ("/pricing", "03:28"), ("/about", "03:29")),
        *_views(C, "2012-01-14", ("/pricing", "03:21"), ("/", "03:28")),
        *_views(D, "2012-01-14", ("/", "03:21"), ("/pricing", "03:28")),
        *_views(WALKER, "2012-02-01", ("/a/", "12:00"), ("/a", "12:10"), ("/b", "12:20"), ("/c", "12:50")),
        *_views(WALKER, "2012-02-01", ("/d", "13:00")),
        *[view(SHOPPER, noon + timedelta(days=1, minutes=n), f"/{n}") for n in range(8)],
        Event(SCREENER, "$screen", noon + timedelta(days=2), {"$screen_name": "Home"}),
        Event(SCREENER, "tapped", noon + timedelta(days=2, minutes=1)),
        Event(SCREENER, "$autocapture", noon + timedelta(days=2, minutes=2)),
        view(SCREENER, noon + timedelta(days=2, minutes=3), "/user/7"),
    ]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("paths") / "data", _events()) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def paths(day: str, **wanted: Any) -> dict[str, Any]:
    return {"kind": "PathsQuery", "pathsFilter": wanted, "dateRange": {"date_from": day, "date_to": day}}


async def edges(sandbox: Serving, day: str, **wanted: Any) -> list[tuple[str, str, int]]:
    sent = await run_query(sandbox, paths(day, **wanted))
    return [(edge["source"], edge["target"], edge["value"]) for edge in sent["results"]]


async def test_posthogs_example_has_its_pages(sandbox: Serving) -> None:
    sent = await run_query(sandbox, paths("2012-01-14"))

    assert sent["results"] == [
        {"source": "1_/", "target": "2_/pricing", "value": 2, "average_conversion_time": 420000.0},
        {"source": "1_/", "target": "2_/about", "value": 1, "average_conversion_time": 420000.0},
        {"source": "1_/pricing", "target": "2_/", "value": 1, "average_conversion_time": 420000.0},
        {"source": "2_/pricing", "target": "3_/about", "value": 1, "average_conversion_time": 60000.0},
    ]


async def test_equal_neighbors_are_merged_and_half_an_hour_without_events_begins_a_new_path(sandbox: Serving) -> None:
    sent = await run_query(sandbox, paths("2012-02-01"))

    assert [tuple(edge.values()) for edge in sent["results"]] == [
        ("1_/a", "2_/b", 1, 600000.0),
        ("1_/c", "2_/d", 1, 600000.0),
    ]


async def test_a_path_is_cut_after_five_items_by_default(sandbox: Serving) -> None:
    assert len(await edges(sandbox, "2012-02-02")) == 4
    assert len(await edges(sandbox, "2012-02-02", stepLimit=3)) == 2


async def test_a_start_point_drops_earlier_items_and_paths_without_it(sandbox: Serving) -> None:
    assert await edges(sandbox, "2012-02-02", startPoint="/6/") == [("1_/6", "2_/7", 1)]
    assert await edges(sandbox, "2012-02-02", startPoint="/nowhere") == []


async def test_an_end_point_keeps_the_last_items_and_renumbers_them(sandbox: Serving) -> None:
    assert await edges(sandbox, "2012-02-02", endPoint="/6", stepLimit=2) == [("1_/5", "2_/6", 1)]


async def test_a_long_path_between_two_points_has_an_ellipsis_in_the_middle(sandbox: Serving) -> None:
    assert await edges(sandbox, "2012-02-02", startPoint="/1", endPoint="/7", stepLimit=4) == [
        ("1_/1", "2_/2", 1),
        ("2_/2", "3_...", 1),
        ("3_...", "4_/6", 1),
        ("4_/6", "5_/7", 1),
    ]


async def test_every_kind_of_event_has_its_item(sandbox: Serving) -> None:
    assert await edges(sandbox, "2012-02-03") == [
        ("1_Home", "2_tapped", 1),
        ("2_tapped", "3_$autocapture", 1),
        ("3_$autocapture", "4_/user/7", 1),
    ]


async def test_only_the_included_kinds_count(sandbox: Serving) -> None:
    assert await edges(sandbox, "2012-02-03", includeEventTypes=["$screen", "custom_event"]) == [
        ("1_Home", "2_tapped", 1)
    ]


async def test_items_are_excluded_only_together_with_kinds(sandbox: Serving) -> None:
    everything = ["$pageview", "$screen", "custom_event"]

    assert await edges(sandbox, "2012-02-03", includeEventTypes=everything, excludeEvents=["tapped"]) == [
        ("1_Home", "2_/user/7", 1)
    ]
    assert len(await edges(sandbox, "2012-02-03", excludeEvents=["tapped"])) == 3


async def test_items_are_replaced_by_patterns(sandbox: Serving) -> None:
    grouped = await edges(sandbox, "2012-02-03", pathGroupings=["/user/*"])
    replaced = await edges(
        sandbox, "2012-02-03", localPathCleaningFilters=[{"alias": "/user/id", "regex": r"/user/\d+"}]
    )

    assert (grouped[-1][1], replaced[-1][1]) == ("4_/user/*", "4_/user/id")


async def test_an_expression_defines_the_items(sandbox: Serving) -> None:
    found = await edges(
        sandbox, "2012-02-03", includeEventTypes=["hogql"], pathsHogQLExpression="upper(event)", stepLimit=2
    )

    assert found == [("1_$SCREEN", "2_TAPPED", 1)]


async def test_edges_can_be_limited_by_number_and_weight(sandbox: Serving) -> None:
    assert len(await edges(sandbox, "2012-01-14", edgeLimit=1)) == 1
    assert await edges(sandbox, "2012-01-14", minEdgeWeight=2) == [("1_/", "2_/pricing", 2)]


async def test_edges_unreachable_from_a_first_item_are_removed(sandbox: Serving) -> None:
    assert await edges(sandbox, "2012-01-14", maxEdgeWeight=1) == [("1_/", "2_/about", 1), ("1_/pricing", "2_/", 1)]


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "PathsQuery"},
        {"kind": "PathsQuery", "pathsFilter": {"includeEventTypes": ["clicks"]}},
        {"kind": "PathsQuery", "pathsFilter": {"stepLimit": "5"}},
        {"kind": "PathsQuery", "pathsFilter": {"includeEventTypes": ["hogql"], "pathsHogQLExpression": "1 +"}},
        {"kind": "PathsQuery", "pathsFilter": {}, "funnelPathsFilter": {}},
    ],
)
async def test_invalid_paths_are_rejected(sandbox: Serving, query: dict[str, Any]) -> None:
    status, _, _, _ = await sandbox.rejection("POST", "query/", {"query": query})

    assert status == 400
