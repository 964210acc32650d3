"""RetentionQuery by breakdown values and cohorts, by groups, and rejected queries."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Group, at, open_engine, results
from ..retentions import EACH, broken_down, by_value, counts, entity, retention, retention_events

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


CHROME, SAFARI = [[1, 1, 0, 1], [1, 0, 1], [], [1], []], [[], [2, 1], [1], [], []]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"query": broken_down("$browser")},
            {"Chrome": CHROME, "Safari": SAFARI, "": [[], [], [1], [], []], "Edge": [[], [], [], [1], []]},
        ),
        (
            {"query": {"breakdownFilter": {"breakdowns": [{"property": "$browser"}], "breakdown_limit": 2}}},
            {"Chrome": CHROME, "Safari": SAFARI, "$$_posthog_breakdown_other_$$": [[], [], [1], [1], []]},
        ),
        (
            {"query": broken_down("$browser"), "retentionType": "retention_first_time"},
            {
                "Safari": [[], [2, 1], [], [], []],
                "": [[], [], [1], [], []],
                "Chrome": [[1, 1, 0, 1], [], [], [], []],
                "Edge": [[], [], [], [1], []],
            },
        ),
        (
            {"query": broken_down("$browser"), "retentionType": "retention_first_ever_occurrence"},
            {
                "": [[], [], [1], [], []],
                "Chrome": [[1, 1, 0, 1], [], [], [], []],
                "Edge": [[], [], [], [1], []],
                "Safari": [[], [1, 1], [], [], []],
            },
        ),
        (
            {"query": broken_down("plan", "person")},
            {
                "": [[], [], [1], [1], []],
                "pro": [[1, 1, 0, 1], [1, 0, 1], [], [1], []],
                "free": [[], [1, 1], [1], [], []],
            },
        ),
        (
            {"query": broken_down("upper(properties.$browser)", "hogql", breakdown_limit=1)},
            {"CHROME": CHROME, "$$_posthog_breakdown_other_$$": [[], [2, 1], [2], [1], []]},
        ),
        (
            {"query": broken_down("$browser"), "timeWindowMode": "24_hour_windows"},
            {
                "Safari": [[1, 1], [1, 1], [], [], []],
                "": [[], [], [1], [], []],
                "Chrome": [[1, 1, 1], [], [], [], []],
                "Edge": [[], [], [], [1], []],
            },
        ),
    ],
)
async def test_rows_are_repeated_for_each_value_of_a_breakdown(
    sandbox: Serving, options: dict[str, Any], expected: dict[str, list[list[int]]]
) -> None:
    found = by_value(await results(sandbox, retention(**options)))

    assert found == expected
    assert sorted(found) == sorted(expected)


async def test_values_are_ordered_by_the_size_of_their_first_cells(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(query=broken_down("$browser")))

    assert list(by_value(rows)) == ["Chrome", "Safari", "", "Edge"]
    assert [row["label"] for row in rows[:6]] == ["Day 0", "Day 1", "Day 2", "Day 3", "Day 4", "Day 0"]
    assert isinstance(rows[2]["values"][0]["count"], int)


async def test_a_cohort_is_a_separate_retention(sandbox: Serving) -> None:
    filters = {"type": "AND", "values": [{"type": "person", "key": "plan", "operator": "exact", "value": "pro"}]}
    made = await sandbox.make("cohorts/", {"name": "Pro", "filters": {"properties": filters}})

    for query in (
        broken_down(["all", made["id"]], "cohort"),
        {"breakdownFilter": {"breakdowns": [{"type": "cohort", "property": key} for key in (0, made["id"])]}},
    ):
        found = by_value(await results(sandbox, retention(query=query)))
        assert found == {"0": EACH, str(made["id"]): [[1, 1, 0, 1], [1, 0, 1], [], [1], []]}
        assert list(found) == ["0", str(made["id"])]


async def test_groups_are_counted_where_an_event_has_one(sandbox: Serving) -> None:
    met = entity("met")
    grouped = {"aggregation_group_type_index": 0}
    assert counts(await results(sandbox, retention(met, query=grouped))) == [[1, 1], [2], [], [], []]

    by_size = broken_down("size", "group", breakdown_group_type_index=0)
    found = by_value(await results(sandbox, retention(met, query={**grouped, **by_size})))
    assert found == {"big": [[1, 1], [1], [], [], []], "": [[], [1], [], [], []]}


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        (
            {"timeWindowMode": "24_hour_windows", "cumulative": True},
            "Cumulative retention is not supported for 24 hour windows.",
        ),
        (
            {"timeWindowMode": "24_hour_windows", "aggregationType": "sum", "aggregationProperty": "price"},
            "Sum and average aggregation are not supported for 24 hour windows.",
        ),
        ({"cumulative": True, "aggregationType": "avg", "aggregationProperty": "price"}, "retention_value"),
        ({"target": {"id": 7, "type": "actions"}}, "Action ID 7 does not exist!"),
        ({"target": {"id": "x", "type": "actions"}}, "retentionFilter.targetEntity.id"),
        ({"returning": {"id": 7, "type": "events"}}, "retentionFilter.returningEntity.id"),
        ({"target": {"id": "x", "type": "data_warehouse"}}, "Input should be 'events', 'actions'"),
        ({"period": "Year"}, "Input should be 'Hour', 'Day', 'Week', 'Month'"),
        ({"retentionType": "first"}, "Input should be 'retention_recurring'"),
        ({"totalIntervals": "8"}, "retentionFilter.totalIntervals"),
        ({"totalIntervals": 100_000}, "less than or equal to 1000"),
        ({"minimumOccurrences": 1.5}, "retentionFilter.minimumOccurrences"),
        ({"cumulative": "yes"}, "Input should be a valid boolean"),
        ({"retentionCustomBrackets": [0]}, "retentionFilter.retentionCustomBrackets"),
        ({"retentionCustomBrackets": 3}, "retentionFilter.retentionCustomBrackets"),
        ({"aggregationType": "median"}, "Input should be 'count', 'sum', 'avg'"),
        ({"meanRetentionCalculation": "harmonic"}, "Input should be 'simple', 'weighted', 'none'"),
        ({"query": {"aggregation_group_type_index": 5}}, "aggregation_group_type_index"),
        ({"query": {"retentionFilter": None}}, "retentionFilter\n  Field required"),
        ({"query": broken_down(999, "cohort")}, "Cohort 999 does not exist."),
        ({"query": broken_down("x", "cohort")}, "Input should be the ids of cohorts"),
        ({"query": broken_down("1 +", "hogql")}, ""),
        ({"dates": ("2015-01-01", "2020-03-05"), "period": "Hour"}, "more than 10,000 intervals"),
        ({"dates": ("2015-01-01", "2020-03-05"), "totalIntervals": 999}, "more than 250,000 cells"),
    ],
)
async def test_an_invalid_retention_is_rejected_in_posthogs_words(
    sandbox: Serving, options: dict[str, Any], detail: str
) -> None:
    sent = await sandbox.send("POST", "query/", {"query": retention(**options)})

    assert sent.status_code == 400
    assert detail in sent.json()["detail"]
