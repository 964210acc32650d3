"""StickinessQuery over the events of PostHog's tests."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Event, at, open_engine, results, run_query
from ..vectors import P1, P4, insight, node, vector_events

pytestmark = pytest.mark.anyio

AGAIN = [
    Event(P4, "$pageview", at("2020-01-15T13:00:00"), {}, group="acme"),
    Event(P1, "opened", at("2020-01-15T13:00:00"), {}, group="acme"),
    Event(P4, "opened", at("2020-01-16T13:00:00"), {}, group="acme"),
    Event(P4, "opened", at("2020-01-16T14:00:00"), {}),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("stickiness") / "data", [*vector_events(), *AGAIN]) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def stickiness(*series: dict[str, Any], **more: Any) -> dict[str, Any]:
    return insight("StickinessQuery", *series, **more)


async def test_persons_are_counted_by_their_number_of_active_days(sandbox: Serving) -> None:
    sent = await run_query(sandbox, stickiness())

    (result,) = sent["results"]
    assert result == {
        "count": 4,
        "data": [2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        "days": list(range(1, 12)),
        "label": "$pageview",
        "labels": ["1 day", *(f"{day} days" for day in range(2, 12))],
        "action": {"order": 0, "type": "events", "name": "$pageview", "id": "$pageview", "custom_name": None},
    }
    assert "resolved_date_range" not in sent


async def test_cumulative_counts_persons_active_on_at_least_that_many_days(sandbox: Serving) -> None:
    (result,) = await results(sandbox, stickiness(stickinessFilter={"computedAs": "cumulative"}))

    assert result["data"] == [4, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert result["labels"][:2] == ["1 day or more", "2 days or more"]
    assert result["count"] == 4


@pytest.mark.parametrize(
    ("operator", "value", "data"),
    [("gte", 2, [1]), ("lte", 1, [1, 1, 0, 0, 0, 1]), ("exact", 2, [1])],
)
async def test_a_criterion_decides_when_a_day_is_active(
    sandbox: Serving, operator: str, value: int, data: list[int]
) -> None:
    criteria = {"stickinessCriteria": {"operator": operator, "value": value}}
    (result,) = await results(sandbox, stickiness(stickinessFilter=criteria))

    assert result["data"] == data + [0] * (11 - len(data))


async def test_weeks_are_the_intervals_of_a_weekly_query(sandbox: Serving) -> None:
    await sandbox.patch("/posthog/api/projects/1/", {"week_start_day": 0})
    (result,) = await results(sandbox, stickiness(interval="week"))

    assert result["data"] == [2, 1, 1]
    assert result["labels"] == ["1 week", "2 weeks", "3 weeks"]


async def test_groups_and_expressions_can_be_counted_instead_of_persons(sandbox: Serving) -> None:
    groups = node("opened", math="unique_group", math_group_type_index=0)
    hours = node("opened", math="hogql", math_hogql="toHour(timestamp)")
    by_group, by_hour = await results(sandbox, stickiness(groups, hours))

    assert by_group["data"][:2] == [0, 1]
    assert by_hour["data"][:2] == [1, 1]


async def test_current_and_previous_alternate_per_series(sandbox: Serving) -> None:
    query = stickiness(node(), node("$pageleave"), since="2020-01-15", compareFilter={"compare": True})
    found = await results(sandbox, query)

    assert [(row["label"], row["compare_label"], row["data"]) for row in found] == [
        ("$pageview", "current", [1, 0, 1, 0, 0]),
        ("$pageview", "previous", [2, 0, 1, 0, 0]),
        ("$pageleave", "current", [1, 0, 0, 0, 0]),
        ("$pageleave", "previous", [2, 0, 1, 0, 0]),
    ]


async def test_all_time_begins_with_the_first_event_of_the_project(sandbox: Serving) -> None:
    (result,) = await results(sandbox, stickiness(node("$pageleave"), since="all"))

    assert (len(result["days"]), result["count"]) == (11, 4)


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "StickinessQuery"},
        stickiness(stickinessFilter={"computedAs": "sometimes"}),
        stickiness(stickinessFilter={"stickinessCriteria": {"operator": "gte", "value": 0}}),
        stickiness(stickinessFilter={"stickinessCriteria": {"operator": "gte"}}),
        stickiness(node(math="hogql", math_hogql="count()")),
    ],
)
async def test_an_invalid_query_is_rejected(sandbox: Serving, query: dict[str, Any]) -> None:
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": query})

    assert status == 400, detail
