"""RetentionQuery: who comes back, in which rows and cells, in PostHog's shape."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from maton_posthog.sandbox.engine import Engine

from ..sandbox_client import Serving, Shared, serving
from .hand_made import Event, Group, Person, answer, at, open_engine, results

pytestmark = pytest.mark.anyio

A, B, C, D = (
    Person("a", properties={"plan": "pro", "seats": 5}),
    Person("b", properties={"plan": "free"}),
    Person("c"),
    Person("d"),
)
_WEEKLY = {
    A: ("06-10", "06-11", "06-17", "06-24", "07-04", "07-11"),
    B: ("06-10", "06-11", "06-17", "07-04", "07-11", "07-25"),
}
_PLAYED = (
    (A, "01T10:59", "Chrome", 1.0),
    (A, "02T10:01", "Chrome", 2.0),
    (A, "02T11:30", "Safari", 4.0),
    (A, "04T09:00", "Chrome", 8.0),
    (B, "02T12:00", "Safari", 16.0),
    (B, "03T12:00", "Safari", 32.0),
    (B, "03T13:00", "Safari", 64.0),
    (C, "03T12:00", "", 128.0),
    (D, "04T23:30", "Edge", 256.0),
)
_BOUGHT = (
    (A, "01T09:00", 10.0),
    (A, "01T12:00", 20.0),
    (A, "03T12:00", 40.0),
    (B, "02T13:00", 80.0),
    (C, "05T12:00", 160.0),
)


SAFARI_OF_B = [[], [1, 1], [1], [], []]
PLAYED, BOUGHT = {"id": "played", "type": "events"}, {"id": "bought", "type": "events"}


def _events() -> list[Event]:
    weekly = [Event(who, "$pageview", at(f"2020-{day}T12:00:00")) for who, days in _WEEKLY.items() for day in days]
    played = [
        Event(
            who,
            "played",
            at(f"2020-03-{moment}:00"),
            {"$browser": browser, "price": price} if browser else {"price": price},
        )
        for who, moment, browser, price in _PLAYED
    ]
    bought = [Event(who, "bought", at(f"2020-03-{moment}:00"), {"price": price}) for who, moment, price in _BOUGHT]
    groups = [
        Event(who, "met", at(f"2020-03-{day}T12:00:00"), group=group)
        for who, day, group in (
            (A, "01", "acme"),
            (B, "01", "acme"),
            (C, "01", ""),
            (A, "02", "acme"),
            (D, "02", "beta"),
        )
    ]
    old = [
        Event(D, "tried", at("2019-12-01T12:00:00"), {"price": 1}),
        Event(C, "tried", at("2020-03-01T12:00:00"), {"price": 2}),
    ]
    again = [Event(D, "tried", at("2020-03-02T12:00:00"), {"price": 2}), Event(C, "tried", at("2020-03-03T12:00:00"))]
    return [*weekly, *played, *bought, *groups, *old, *again]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    groups = [Group("acme", at("2019-01-01T00:00:00"), {"size": "big"}), Group("beta", at("2019-01-01T00:00:00"))]
    with open_engine(tmp_path_factory.mktemp("retention") / "data", _events(), groups) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def entity(name: str | None, **fields: Any) -> dict[str, Any]:
    """What retention calls an event."""
    return {"id": name, "type": "events", **fields}


def price(operator: str, value: float) -> dict[str, Any]:
    """A filter on the price of an event."""
    return {"type": "event", "key": "price", "operator": operator, "value": value}


def retention(
    target: dict[str, Any] = PLAYED,
    returning: dict[str, Any] | None = None,
    dates: tuple[str | None, str] = ("2020-03-01", "2020-03-05"),
    query: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """A RetentionQuery; `options` are of its filter, `query` has fields of its own."""
    since, until = dates
    shown = {"targetEntity": target, "returningEntity": returning or target, "totalIntervals": 5, **options}
    within = {"date_to": until, **({"date_from": since} if since else {})}
    return {"kind": "RetentionQuery", "dateRange": within, "retentionFilter": shown, **(query or {})}


def broken_down(by: Any, kind: str = "event", **fields: Any) -> dict[str, Any]:
    """A breakdown as fields of the query."""
    return {"breakdownFilter": {"breakdown": by, "breakdown_type": kind, **fields}}


def counts(rows: list[dict[str, Any]]) -> list[list[int]]:
    """The cells of every row, without the zeros at its end."""
    found = [[int(cell["count"]) for cell in row["values"]] for row in rows]
    for row in found:
        while row and row[-1] == 0:
            row.pop()
    return found


def added(rows: list[dict[str, Any]]) -> list[list[float]]:
    """What is added up in the cells of every row, without the zeros at its end."""
    found = [[cell["aggregation_value"] for cell in row["values"]] for row in rows]
    for row in found:
        while row and row[-1] == 0:
            row.pop()
    return found


def by_value(rows: list[dict[str, Any]]) -> dict[str, list[list[int]]]:
    """The cells of every row of each breakdown value, in the order of the answer."""
    values = list(dict.fromkeys(row["breakdown_value"] for row in rows))
    return {value: counts([row for row in rows if row["breakdown_value"] == value]) for value in values}


async def test_weeks_count_as_in_the_tests_of_posthog(sandbox: Serving) -> None:
    expected = [[2, 2, 1, 2, 2, 0, 1], [2, 1, 2, 2, 0, 1], [1, 1, 1], [2, 2, 0, 1], [2, 0, 1], [], [1]]
    query = retention(entity("$pageview"), dates=(None, "2020-07-20"), period="Week", totalIntervals=7)
    for week_start, first in ((0, "2020-06-07"), (1, "2020-06-08")):
        await sandbox.patch("/posthog/api/projects/1/", {"week_start_day": week_start})
        rows = await results(sandbox, query)
        assert counts(rows) == expected
        assert rows[0]["date"] == f"{first}T00:00:00Z"


async def test_an_answer_has_a_row_for_each_period_and_a_cell_for_each_one_after(sandbox: Serving) -> None:
    sent = await answer(sandbox, retention(totalIntervals=3))

    assert [row["label"] for row in sent["results"]] == ["Day 0", "Day 1", "Day 2", "Day 3", "Day 4"]
    assert sent["results"][1] == {
        "values": [{"count": 2, "label": "Day 0"}, {"count": 1, "label": "Day 1"}, {"count": 1, "label": "Day 2"}],
        "label": "Day 1",
        "date": "2020-03-02T00:00:00Z",
        "breakdown_value": None,
    }
    assert sent["results"][4]["values"] == [{"count": 0.0, "label": f"Day {cell}"} for cell in range(3)]
    assert {"hogql", "timings", "modifiers", "is_cached", "timezone"} <= set(sent)


EACH = [[1, 1, 0, 1], [2, 1, 1], [2], [2], []]
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
async def test_who_comes_back_is_counted_by_the_options(
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
async def test_first_events_are_looked_for_before_the_range(
    sandbox: Serving, kind: str, properties: list[dict[str, Any]], expected: list[list[int]]
) -> None:
    target = entity("tried", properties=properties)

    query = retention(target, entity("tried"), ("2020-03-01", "2020-03-03"), retentionType=kind)
    assert counts(await results(sandbox, query)) == expected


async def test_windows_begin_at_the_first_event_and_count_the_hours_of_the_clock(sandbox: Serving) -> None:
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
async def test_brackets_gather_periods_counted_from_the_first_one_of_the_actor(
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
async def test_a_property_is_added_up_beside_the_actors(
    sandbox: Serving, options: dict[str, Any], expected: list[list[float]]
) -> None:
    asked: dict[str, Any] = {"aggregationProperty": "price", **options}
    rows = await results(sandbox, retention(**asked))

    assert added(rows) == expected
    assert rows[1]["values"][0]["count"] == 2


async def test_without_a_property_nothing_is_added_up(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(aggregationType="sum"))
    assert set(rows[0]["values"][0]) == {"count", "label"}


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
            {"": [[], [], [1], [1], []], "pro": [[1, 1, 0, 1], [1, 0, 1], [], [1], []], "free": SAFARI_OF_B},
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


async def test_values_come_by_the_size_of_their_first_cells(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(query=broken_down("$browser")))

    assert list(by_value(rows)) == ["Chrome", "Safari", "", "Edge"]
    assert [row["label"] for row in rows[:6]] == ["Day 0", "Day 1", "Day 2", "Day 3", "Day 4", "Day 0"]
    assert isinstance(rows[2]["values"][0]["count"], int)


async def test_a_cohort_is_a_retention_of_its_own(sandbox: Serving) -> None:
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
    met, grouped = entity("met"), {"aggregation_group_type_index": 0}
    assert counts(await results(sandbox, retention(met, query=grouped))) == [[1, 1], [2], [], [], []]

    by_size = broken_down("size", "group", breakdown_group_type_index=0)
    found = by_value(await results(sandbox, retention(met, query={**grouped, **by_size})))
    assert found == {"big": [[1, 1], [1], [], [], []], "": [[], [1], [], [], []]}


async def test_an_action_begins_or_returns_too(sandbox: Serving) -> None:
    action = await sandbox.make("actions/", {"name": "Played", "steps": [{"event": "played"}]})
    shown = {"id": str(action["id"]), "type": "actions"}

    assert counts(await results(sandbox, retention(shown, PLAYED))) == EACH
    assert counts(await results(sandbox, retention(PLAYED, {**shown, "id": action["id"]}))) == EACH
    dear = {**shown, "properties": [price("gt", 100)]}
    assert counts(await results(sandbox, retention(dear))) == [[], [], [1], [1], []]


async def test_both_events_are_pageviews_unless_named(sandbox: Serving) -> None:
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


async def test_the_periods_reach_from_the_start_s_to_the_end_s(sandbox: Serving) -> None:
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


async def test_test_accounts_are_left_out_of_both_events(sandbox: Serving) -> None:
    internal = [{"type": "person", "key": "plan", "operator": "is_not", "value": "pro"}]
    await sandbox.patch("/posthog/api/projects/1/", {"test_account_filters": internal})

    assert counts(await results(sandbox, retention(query={"filterTestAccounts": True}))) == [[], [1, 1], [2], [1], []]


async def test_numbers_of_a_sample_are_scaled_up(sandbox: Serving) -> None:
    rows = await results(sandbox, retention(query={"samplingFactor": 0.5}))

    found = [cell["count"] for row in rows for cell in row["values"]]
    assert all(count % 2 == 0 for count in found)
    assert await results(sandbox, retention(query={"samplingFactor": 1})) == await results(sandbox, retention())


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
        ({"dates": ("2015-01-01", "2020-03-05"), "period": "Hour", "totalIntervals": 999}, "dateRange"),
    ],
)
async def test_what_posthog_does_not_accept_is_told(sandbox: Serving, options: dict[str, Any], detail: str) -> None:
    sent = await sandbox.send("POST", "query/", {"query": retention(**options)})

    assert sent.status_code == 400
    assert detail in sent.json()["detail"]


@pytest.mark.parametrize("shown", ["simple", "weighted", "none"])
async def test_what_only_changes_the_picture_changes_no_number(sandbox: Serving, shown: str) -> None:
    options: dict[str, Any] = {
        "meanRetentionCalculation": shown,
        "retentionReference": "previous",
        "display": "ActionsTable",
    }
    assert counts(await results(sandbox, retention(**options, dashboardDisplay="all", showTrendLines=True))) == EACH
