"""RetentionQuery: returning actors by row and cell, in PostHog's format."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...oracle import SEEDS
from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Group, at, open_engine, results, run_query
from ..retentions import BOUGHT, EACH, PLAYED, added, counts, entity, price, retention, retention_events

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    groups = [Group("acme", at("2019-01-01T00:00:00"), {"size": "big"}), Group("beta", at("2019-01-01T00:00:00"))]
    with open_engine(tmp_path_factory.mktemp("retention") / "data", retention_events(), groups) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


async def test_weeks_match_posthogs_own_test(sandbox: Serving) -> None:
    expected = [[2, 2, 1, 2, 2, 0, 1], [2, 1, 2, 2, 0, 1], [1, 1, 1], [2, 2, 0, 1], [2, 0, 1], [], [1]]
    query = retention(entity("$pageview"), dates=(None, "2020-07-20"), period="Week", totalIntervals=7)
    for week_start, first in ((0, "2020-06-07"), (1, "2020-06-08")):
        await sandbox.patch("/posthog/api/projects/1/", {"week_start_day": week_start})
        rows = await results(sandbox, query)
        assert counts(rows) == expected
        assert rows[0]["date"] == f"{first}T00:00:00Z"


async def test_a_result_has_a_row_for_each_period_and_a_cell_for_each_later_one(sandbox: Serving) -> None:
    sent = await run_query(sandbox, retention(totalIntervals=3))

    assert [row["label"] for row in sent["results"]] == ["Day 0", "Day 1", "Day 2", "Day 3", "Day 4"]
    assert sent["results"][1] == {
        "values": [{"count": 2, "label": "Day 0"}, {"count": 1, "label": "Day 1"}, {"count": 1, "label": "Day 2"}],
        "label": "Day 1",
        "date": "2020-03-02T00:00:00Z",
        "breakdown_value": None,
    }
    assert sent["results"][4]["values"] == [{"count": 0.0, "label": f"Day {cell}"} for cell in range(3)]
    assert {"hogql", "timings", "modifiers", "is_cached", "timezone"} <= set(sent)


FIRST = [[1, 1, 0, 1], [1, 1], [1], [1], []]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, EACH),
        ({"retentionType": None, "period": None, "minimumOccurrences": None, "cumulative": None}, EACH),
        ({"returning": BOUGHT}, [[1, 0, 1], [2, 1], [2, 0, 1], [2], []]),
        ({"retentionType": "retention_first_time"}, FIRST),
        ({"retentionType": "retention_first_ever_occurrence"}, FIRST),
        ({"cumulative": True}, [[1, 1, 1, 1], [2, 2, 1], [2], [2], []]),
        ({"minimumOccurrences": 2}, [[1, 1], [2, 1], [2], [2], []]),
        ({"totalIntervals": 2}, [[1, 1], [2, 1], [2], [2], []]),
        ({"totalIntervals": 2, "cumulative": True}, [[1, 1], [2, 1], [2], [2], []]),
        ({"target": entity("played", properties=[price("gt", 100)])}, [[], [], [1], [1], []]),
        (
            {"target": entity("played", properties=[price("lt", 3)]), "returning": entity(None)},
            [[1, 1, 1, 1], [1, 1, 1], [], [], []],
        ),
        ({"query": {"properties": [price("lt", 20)]}}, [[1, 1, 0, 1], [2, 0, 1], [], [1], []]),
    ],
)
async def test_the_options_decide_who_counts_as_returning(
    sandbox: Serving, options: dict[str, Any], expected: list[list[int]]
) -> None:
    assert counts(await results(sandbox, retention(**options))) == expected


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("retention_first_time", [price("exact", 2)], [[1, 0, 1], [1], []]),
        ("retention_first_ever_occurrence", [price("exact", 2)], [[1, 0, 1], [], []]),
        ("retention_first_time", [], [[1, 0, 1], [], []]),
    ],
)
async def test_first_events_are_searched_before_the_range(
    sandbox: Serving, kind: str, properties: list[dict[str, Any]], expected: list[list[int]]
) -> None:
    target = entity("tried", properties=properties)

    query = retention(target, entity("tried"), ("2020-03-01", "2020-03-03"), retentionType=kind)
    assert counts(await results(sandbox, query)) == expected


async def test_windows_begin_at_the_first_event_and_count_clock_hours(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(timeWindowMode="24_hour_windows"))
    assert counts(rows) == [[1, 1, 1], [1, 1], [1], [1], []]

    weekly = retention(
        entity("$pageview"), dates=("2020-06-08", "2020-07-20"), period="Week", timeWindowMode="24_hour_windows"
    )
    assert counts(await results(sandbox, weekly))[0] == [2, 2, 1, 2, 2]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("retention_first_time", [[1, 1, 1], [1, 1], [1], [1], []]),
        ("retention_recurring", [[1, 1, 1], [2, 2, 1], [2, 1], [2, 1, 1], []]),
    ],
)
async def test_brackets_group_periods_counted_from_the_actors_first_one(
    sandbox: Serving, kind: str, expected: list[list[int]]
) -> None:
    rows = await results(sandbox, retention(retentionType=kind, retentionCustomBrackets=[1, 3]))

    assert counts(rows) == expected
    assert [cell["label"] for cell in rows[0]["values"]] == ["Day 0", "Day 1", "Day 2-4"]


ADDED: list[tuple[dict[str, Any], list[list[float]]]] = [
    ({"aggregationType": "sum"}, [[1, 6, 0, 8], [22, 96, 8], [224], [264], []]),
    ({"aggregationType": "avg"}, [[1, 6, 0, 8], [11, 96, 8], [112], [132], []]),
    ({"aggregationType": "sum", "returning": BOUGHT}, [[21, 0, 40], [102, 40], [224, 0, 160], [264], []]),
    (
        {"aggregationType": "avg", "aggregationProperty": "seats", "aggregationPropertyType": "person"},
        [[5, 10, 0, 5], [5, 0, 5], [], [2.5], []],
    ),
    ({"aggregationType": "sum", "aggregationProperty": "nothing"}, [[], [], [], [], []]),
]


@pytest.mark.parametrize(("options", "expected"), ADDED)
async def test_a_property_is_added_up_next_to_the_actors(
    sandbox: Serving, options: dict[str, Any], expected: list[list[float]]
) -> None:
    fields: dict[str, Any] = {"aggregationProperty": "price", **options}
    rows = await results(sandbox, retention(**fields))

    assert added(rows) == expected
    assert rows[1]["values"][0]["count"] == 2


async def test_without_a_property_nothing_is_added_up(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(aggregationType="sum"))
    assert set(rows[0]["values"][0]) == {"count", "label"}


async def test_an_action_can_be_start_or_return(sandbox: Serving) -> None:
    action = await sandbox.make("actions/", {"name": "Played", "steps": [{"event": "played"}]})
    shown = {"id": str(action["id"]), "type": "actions"}

    assert counts(await results(sandbox, retention(shown, PLAYED))) == EACH
    assert counts(await results(sandbox, retention(PLAYED, {**shown, "id": action["id"]}))) == EACH
    dear = {**shown, "properties": [price("gt", 100)]}
    assert counts(await results(sandbox, retention(dear))) == [[], [], [1], [1], []]


async def test_both_events_are_pageviews_by_default(sandbox: Serving) -> None:
    query = retention(dates=("2020-06-01", "2020-07-31"), period="Month")
    del query["retentionFilter"]["targetEntity"], query["retentionFilter"]["returningEntity"]

    rows = await results(sandbox, query)
    assert counts(rows) == [[2, 2], [2]]
    assert rows[1]["label"] == "Month 1"


async def test_hours_and_the_project_s_timezone_decide_the_periods(sandbox: Serving) -> None:
    hourly = retention(dates=("2020-03-02T10:20", "2020-03-02T12:40"), period="Hour", totalIntervals=3)
    rows = await results(sandbox, hourly)
    assert counts(rows) == [[1, 1], [1], [1]]
    assert [row["date"] for row in rows] == [f"2020-03-02T{hour}:00:00Z" for hour in (10, 11, 12)]

    await sandbox.patch("/posthog/api/projects/1/", {"timezone": "Asia/Tokyo"})
    rows = await results(sandbox, retention())
    assert counts(rows) == [[1, 1, 0, 1], [2, 1, 1], [2], [1], [1]]
    assert rows[4]["date"] == "2020-03-05T00:00:00+09:00"


async def test_the_periods_reach_from_that_of_the_start_to_that_of_the_end(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(dates=("2020-02-12", "2020-03-05"), period="Month"))
    assert [row["date"][:10] for row in rows] == ["2020-02-01", "2020-03-01"]

    rows = await results(sandbox, retention(dates=(None, "2020-03-05"), totalIntervals=3))
    assert [row["date"][:10] for row in rows] == ["2020-03-03", "2020-03-04", "2020-03-05"]
    assert counts(rows) == [[2], [2], []]

    rows = await results(sandbox, retention(dates=("all", "2020-01-31"), period="Month"))
    assert [row["date"][:10] for row in rows] == ["2019-12-01", "2020-01-01"]
    assert await results(sandbox, retention(dates=("2020-03-06", "2020-03-05"))) == []

    omitted, null = retention(dates=(None, "2020-03-05")), retention(dates=(None, "2020-03-05"), totalIntervals=None)
    del omitted["retentionFilter"]["totalIntervals"]
    assert [len(await results(sandbox, query)) for query in (omitted, null)] == [8, 7]


async def test_test_accounts_are_excluded_from_both_events(sandbox: Serving) -> None:
    internal = [{"type": "person", "key": "plan", "operator": "is_not", "value": "pro"}]
    await sandbox.patch("/posthog/api/projects/1/", {"test_account_filters": internal})

    assert counts(await results(sandbox, retention(query={"filterTestAccounts": True}))) == [[], [1, 1], [2], [1], []]


async def test_numbers_of_a_sample_are_scaled_up(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(query={"samplingFactor": 0.5}))

    found = [cell["count"] for row in rows for cell in row["values"]]
    assert all(count % 2 == 0 for count in found)
    assert await results(sandbox, retention(query={"samplingFactor": 1})) == await results(sandbox, retention())


@pytest.mark.parametrize("shown", ["simple", "weighted", "none"])
async def test_display_options_change_no_number(sandbox: Serving, shown: str) -> None:
    options: dict[str, Any] = {
        "meanRetentionCalculation": shown,
        "retentionReference": "previous",
        "display": "ActionsTable",
    }
    assert counts(await results(sandbox, retention(**options, dashboardDisplay="all", showTrendLines=True))) == EACH


async def test_an_actor_that_only_returns_starts_nowhere_in_any_range(sandbox: Serving) -> None:
    for kind in ("retention_first_time", "retention_first_ever_occurrence"):
        for dates in (("1970-01-01", "2020-03-05"), ("1900-01-01", "2020-03-05")):
            query = retention(entity("tried"), PLAYED, dates, period="Month", retentionType=kind)
            rows = await results(sandbox, query)
            assert [(row["date"][:7], row["values"][0]["count"]) for row in rows if row["values"][0]["count"]] == [
                ("2019-12", 1),
                ("2020-03", 1),
            ]
            assert [cell["count"] for cell in rows[-4]["values"]] == [1, 0, 0, 1, 0]


PERIODS = ("Hour", "Day", "Week", "Month")
ENDS = ((None, "9999-12-31"), (None, "0001-01-01"), ("9999-12-31", "9999-12-31"))


@pytest.mark.oracle
@pytest.mark.parametrize("period", PERIODS)
async def test_ranges_at_the_ends_of_the_calendar_are_empty(sandbox: Serving, period: str) -> None:
    for dates in ENDS if SEEDS else [ENDS[PERIODS.index(period) % len(ENDS)]]:
        rows = await results(sandbox, retention(dates=dates, period=period, totalIntervals=400))
        assert rows
        assert not any(cell["count"] for row in rows for cell in row["values"])
