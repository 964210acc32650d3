"""FunnelsQuery: comparison, steps of several events, runs of events, and rejected queries."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..funnel_queries import counts, funnel, funnel_events, results, step
from ..hand_made import open_engine

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("funnels") / "data", funnel_events()) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


COMPARED = {"compareFilter": {"compare": True, "compare_to": "-3d"}}
AFTERWARDS = {"date_from": "2020-01-11", "date_to": "2020-01-13"}
"""The day after the funnel's events and two more; the period before it has as many days."""


async def test_a_compared_funnel_has_the_steps_of_both_periods_with_zeros_for_the_empty_one(sandbox: Serving) -> None:
    rows = await results(sandbox, funnel("start", "finish", dateRange=AFTERWARDS) | COMPARED)

    assert [(row["compare_label"], row["count"]) for row in rows] == [
        ("current", 0),
        ("current", 0),
        ("previous", 4),
        ("previous", 3),
    ]
    assert rows[1]["average_conversion_time"] is None
    assert rows[3]["average_conversion_time"] == 6000.0


async def test_a_compared_breakdown_has_every_value_in_both_periods(sandbox: Serving) -> None:
    by_plan = {"breakdown": "plan", "breakdown_type": "event"}
    days = {"date_from": "2020-03-02", "date_to": "2020-03-03"}
    query = funnel("A", "B", dateRange=days, breakdownFilter=by_plan) | {"compareFilter": {"compare": True}}
    groups = await results(sandbox, query)
    values = [(rows[0]["compare_label"], rows[0]["breakdown_value"]) for rows in groups]
    half = len(values) // 2

    assert [label for label, _ in values] == ["current"] * half + ["previous"] * half
    assert [value for _, value in values[:half]] == [value for _, value in values[half:]]
    assert half >= 2


async def test_compared_times_to_convert_share_their_bins(sandbox: Serving) -> None:
    query = funnel("start", "finish", dateRange=AFTERWARDS, funnelVizType="time_to_convert") | COMPARED
    current, previous = await results(sandbox, query)

    assert current["compare_label"] == "current"
    assert [edge for edge, _ in current["bins"]] == [edge for edge, _ in previous["bins"]]
    assert [sum(count for _, count in period["bins"]) for period in (current, previous)] == [0, 3]
    assert current["average_conversion_time"] is None


async def test_times_to_convert_of_two_periods_without_conversions_have_no_bins(sandbox: Serving) -> None:
    query = funnel("finish", "start", funnelVizType="time_to_convert") | COMPARED
    found = await results(sandbox, query)

    assert [period["bins"] for period in found] == [[], []]


async def test_compared_conversion_over_time_has_the_days_of_each_period(sandbox: Serving) -> None:
    query = funnel("start", "finish", dateRange=AFTERWARDS, funnelVizType="trends") | COMPARED
    current, previous = await results(sandbox, query)

    assert current["days"] == ["2020-01-11", "2020-01-12", "2020-01-13"]
    assert previous["days"] == ["2020-01-08", "2020-01-09", "2020-01-10"]
    assert (sum(current["data"]), previous["data"][2]) == (0, 75.0)


async def test_a_flow_has_steps_and_is_never_compared(sandbox: Serving) -> None:
    steps = await results(sandbox, funnel("start", "finish"))

    assert await results(sandbox, funnel("start", "finish", funnelVizType="flow") | COMPARED) == steps


async def test_a_step_of_every_event_has_no_name(sandbox: Serving) -> None:
    rows = await results(sandbox, funnel(series=[step("start"), step(None)]))

    assert (rows[1]["action_id"], rows[1]["name"]) == (None, None)


async def test_a_step_of_several_events_is_named_after_them(sandbox: Serving) -> None:
    either = {"kind": "GroupNode", "operator": "OR", "nodes": [step("sign up"), step("start")]}
    rows = await results(sandbox, funnel(series=[either, step("finish")]))

    assert counts(rows) == [7, 4]
    assert rows[0]["name"] == "sign up, start"


async def test_breakdowns_other_than_properties_have_no_limit(sandbox: Serving) -> None:
    by_text = {"breakdown": ["properties.plan"], "breakdown_type": "hogql", "breakdown_limit": 2}
    found = await results(sandbox, funnel("start", "finish", breakdownFilter=by_text))

    assert [rows[0]["breakdown"] for rows in found] == [["excluded"], ["later"], ["slow"], ["soon"]]


async def test_the_last_event_of_a_run_counts_for_the_times_of_an_unordered_funnel(sandbox: Serving) -> None:
    rows = await results(sandbox, funnel("again", "done", funnelOrderType="unordered", funnelWindowInterval=1))

    assert (counts(rows), rows[1]["average_conversion_time"]) == ([1, 1], 3600.0)


@pytest.mark.parametrize(
    ("attribution", "expected"),
    [
        ("first_touch", {"b": 43_200.0}),
        ("all_events", {"b": None, "": 3600.0}),
        ("step", {"b": 43_200.0, "": 43_200.0}),
    ],
)
async def test_an_event_of_another_value_does_not_belong_to_a_run(
    sandbox: Serving, attribution: str, expected: dict[str, float | None]
) -> None:
    by_plan = {"breakdown": "plan", "breakdown_type": "event"}
    wanted = {"funnelOrderType": "unordered", "breakdownAttributionType": attribution, "breakdownAttributionValue": 0}
    query = funnel("again", "done", funnelWindowInterval=1, breakdownFilter=by_plan, **wanted)

    assert {rows[0]["breakdown"][0]: rows[1]["average_conversion_time"] for rows in await results(sandbox, query)} == (
        expected
    )


CANCEL = step("cancel")
PAID = {"type": "event", "key": "plan", "operator": "exact", "value": "paid"}


@pytest.mark.parametrize(
    ("wanted", "detail"),
    [
        ({"series": [step("start")]}, "Funnels require at least two steps."),
        ({"funnelFromStep": 1}, "funnelFromStep is out of bounds. It must be between 0 and 0."),
        ({"funnelToStep": 2}, "funnelToStep is out of bounds. It must be between 1 and 1."),
        (
            {"series": [step("a"), step("b"), step("c")], "funnelFromStep": 1, "funnelToStep": 1},
            "Funnel step range is invalid. funnelToStep should be greater than funnelFromStep.",
        ),
        (
            {"exclusions": [CANCEL | {"funnelFromStep": 1, "funnelToStep": 1}]},
            "Exclusion event range is invalid. End of range should be greater than start.",
        ),
        (
            {"exclusions": [step("start") | {"funnelFromStep": 0, "funnelToStep": 1}]},
            "Exclusion steps cannot contain an event that's part of funnel steps.",
        ),
        (
            {
                "series": [step("a"), step("b"), step("c")],
                "funnelOrderType": "unordered",
                "exclusions": [CANCEL | {"funnelFromStep": 0, "funnelToStep": 1}],
            },
            "Partial Exclusions not allowed in unordered funnels",
        ),
        (
            {"funnelOrderType": "unordered", "breakdownAttributionType": "step", "breakdownAttributionValue": 1},
            "Only the first step can be used for breakdown attribution in unordered funnels",
        ),
        (
            {"series": [step("start", optionalInFunnel=True), step("finish")]},
            "The first step of a funnel cannot be optional.",
        ),
        (
            {"series": [step("a"), step("b", optionalInFunnel=True), step("c")], "funnelVizType": "trends"},
            "Optional funnel steps are only supported in funnels with step order Sequential or Strict and the graph",
        ),
        (
            {"series": [step("a"), step("b", optionalInFunnel=True), step("b")]},
            "An optional step cannot be the same as the following required step.",
        ),
        (
            {"exclusions": [CANCEL | {"funnelFromStep": 2, "funnelToStep": 3}]},
            "Exclusion event range is invalid. Start of range is greater than number of steps.",
        ),
        (
            {"exclusions": [CANCEL | {"funnelFromStep": 0, "funnelToStep": 3}]},
            "Exclusion event range is invalid. End of range is greater than number of steps.",
        ),
        ({"exclusions": [CANCEL]}, "1 validation error for QueryRequest"),
        (
            {"exclusions": [step("start", properties=[PAID]) | {"funnelFromStep": 0, "funnelToStep": 1}]},
            "Exclusion steps cannot contain an event that's part of funnel steps.",
        ),
        ({"series": [step("start"), {"kind": "ActionsNode", "id": 999}]}, "Action ID 999 does not exist!"),
        ({"funnelWindowInterval": 0}, "1 validation error for QueryRequest"),
        ({"funnelVizType": "pie"}, "1 validation error for QueryRequest"),
        ({"funnelAggregateByHogQL": "1 +"}, ""),
        ({"breakdownFilter": {"breakdown": "$browser", "breakdown_type": "colour"}}, "1 validation error"),
        ({"breakdownFilter": {"breakdown": [999], "breakdown_type": "cohort"}}, "Cohort 999 does not exist."),
    ],
)
async def test_an_invalid_funnel_is_rejected(sandbox: Serving, wanted: dict[str, Any], detail: str) -> None:
    query = funnel("start", "finish", **wanted)
    status, _, message, _ = await sandbox.rejection("POST", "query/", {"query": query})

    assert status == 400
    assert message.startswith(detail)
