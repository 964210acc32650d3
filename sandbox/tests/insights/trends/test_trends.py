"""TrendsQuery over the events of PostHog's own tests, and a few more."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import open_engine, results, run_query
from ..vectors import insight, node, vector_events

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("trends") / "data", vector_events()) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def trends(*series: dict[str, Any], **more: Any) -> dict[str, Any]:
    return insight("TrendsQuery", *series, **more)


BOTH = (node(), node("$pageleave"))


async def test_pageviews_by_day_are_counted(sandbox: Serving) -> None:
    sent = await run_query(sandbox, trends())

    (result,) = sent["results"]
    assert result["data"] == [1, 0, 1, 3, 1, 0, 2, 0, 1, 0, 1]
    assert result["count"] == 10
    assert result["labels"][0] == "9-Jan-2020"
    assert result["days"][:2] == ["2020-01-09", "2020-01-10"]
    assert result["label"] == "$pageview"
    assert (sent["hasMore"], sent["error"]) == (False, "")
    assert sent["resolved_date_range"] == {
        "date_from": "2020-01-09T00:00:00Z",
        "date_to": "2020-01-19T23:59:59.999999Z",
    }


async def test_pageleaves_by_day_are_counted(sandbox: Serving) -> None:
    (result,) = await results(sandbox, trends(node("$pageleave")))

    assert result["data"] == [0, 0, 1, 1, 3, 0, 0, 1, 0, 0, 0]
    assert result["count"] == 6


@pytest.mark.parametrize(
    ("formula", "data", "count"),
    [
        ("A+2*B", [1, 0, 3, 5, 7, 0, 2, 2, 1, 0, 1], 22),
        ("a-b", [1, 0, 0, 2, -2, 0, 2, -1, 1, 0, 1], 4),
        ("A/B", [0, 0, 1, 3, 1 / 3, 0, 0, 0, 0, 0, 0], 4 + 1 / 3),
    ],
)
async def test_a_formula_is_a_separate_result(sandbox: Serving, formula: str, data: list[float], count: float) -> None:
    (result,) = await results(sandbox, trends(*BOTH, trendsFilter={"formula": formula}))

    assert result["data"] == pytest.approx(data)
    assert result["count"] == pytest.approx(count)
    assert result["label"] == f"Formula ({formula})"
    assert result["action"] is None


@pytest.mark.parametrize(
    ("compare", "previous", "count"),
    [({"compare": True}, [0, 3, 5, 7, 0], 15), ({"compare": True, "compare_to": "-2d"}, [7, 0, 2, 2, 1], 12)],
)
async def test_a_formula_is_compared_with_another_period(
    sandbox: Serving, compare: dict[str, Any], previous: list[int], count: int
) -> None:
    query = trends(*BOTH, since="2020-01-15", compareFilter=compare, trendsFilter={"formula": "A+2*B"})
    current, other = await results(sandbox, query)

    assert (current["data"], current["count"], current["compare_label"]) == ([2, 2, 1, 0, 1], 6, "current")
    assert (other["data"], other["count"], other["compare_label"]) == (previous, count, "previous")


async def test_persons_are_counted_once_an_interval_and_once_in_a_single_number(sandbox: Serving) -> None:
    every = node(None, math="dau")
    (line,) = await results(sandbox, trends(every))
    (number,) = await results(sandbox, trends(every, trendsFilter={"display": "BoldNumber"}))

    assert line["label"] == "All events"
    assert line["data"] == [1, 0, 1, 3, 3, 0, 2, 1, 1, 0, 1]
    assert (number["aggregated_value"], number["data"], number["days"], number["count"]) == (4, [], [], 0)
    assert "labels" not in number


async def test_breakdown_values_are_ordered_by_total_then_missing_then_other(sandbox: Serving) -> None:
    query = trends(breakdownFilter={"breakdown": "$browser", "breakdown_type": "event"})
    full = await run_query(sandbox, query)
    query["breakdownFilter"]["breakdown_limit"] = 2
    limited = await run_query(sandbox, query)

    null, other = "$$_posthog_breakdown_null_$$", "$$_posthog_breakdown_other_$$"
    assert [(row["breakdown_value"], row["count"]) for row in full["results"]] == [
        ("Chrome", 6), ("Firefox", 2), ("Edge", 1), (null, 1),
    ]  # fmt: skip
    assert full["hasMore"] is False
    assert [(row["label"], row["count"]) for row in limited["results"]] == [("Chrome", 6), ("Firefox", 2), (other, 2)]
    assert limited["hasMore"] is True
    assert limited["results"][2]["data"] == [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0]


async def test_several_breakdowns_return_lists_and_labels_with_the_series(sandbox: Serving) -> None:
    breakdowns = [{"property": "$browser", "type": "event"}, {"property": "event", "type": "event_metadata"}]
    found = await results(sandbox, trends(*BOTH, breakdownFilter={"breakdowns": breakdowns}))

    assert found[0]["breakdown_value"] == ["Chrome", "$pageview"]
    assert found[0]["label"] == "$pageview - Chrome::$pageview"


async def test_a_breakdown_without_events_has_no_rows_and_a_plain_series_zeros(sandbox: Serving) -> None:
    nothing = node("nothing")

    assert (await results(sandbox, trends(nothing)))[0]["data"] == [0] * 11
    assert await results(sandbox, trends(nothing, breakdownFilter={"breakdown": "$browser"})) == []


@pytest.mark.parametrize(
    ("more", "data"),
    [
        ({"math": "sum", "math_property": "price"}, [9, 0, 11, 36, 13, 0, 30, 0, 17, 0, 19]),
        ({"math": "avg", "math_property": "price"}, [9, 0, 11, 12, 13, 0, 15, 0, 17, 0, 19]),
        ({"math": "p90", "math_property": "price"}, [9, 0, 11, 12, 13, 0, 15, 0, 17, 0, 19]),
        ({"math": "sum", "math_property": "$browser"}, [0] * 11),
        ({"math": "sum"}, [1, 0, 1, 3, 1, 0, 2, 0, 1, 0, 1]),
        ({"math": "max_count_per_actor"}, [1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1]),
        ({"math": "hogql", "math_hogql": "max(toFloat(properties.price)) -- the dearest"},
         [9, 0, 11, 12, 13, 0, 15, 0, 17, 0, 19]),
        ({"math": "weekly_active"}, [1, 1, 2, 3, 3, 3, 4, 4, 4, 4, 2]),
        ({"math": "first_time_for_user"}, [1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0]),
        ({"math": "first_matching_event_for_user",
          "properties": [{"type": "event", "key": "price", "operator": "gt", "value": 12}]},
         [0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]),
        ({"math": "first_time_for_user",
          "properties": [{"type": "event", "key": "price", "operator": "gt", "value": 11}]},
         [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0]),
        ({"math": "unique_session"}, [0] * 11),
        ({"math": "unique_group", "math_group_type_index": 0}, [0] * 11),
    ],
)  # fmt: skip
async def test_each_math_counts_by_its_own_rule(sandbox: Serving, more: dict[str, Any], data: list[float]) -> None:
    (result,) = await results(sandbox, trends(node(**more)))

    assert result["data"] == data


async def test_a_cumulative_display_adds_up_and_counts_persons_at_their_first_event(sandbox: Serving) -> None:
    display = {"display": "ActionsLineGraphCumulative"}
    (total,) = await results(sandbox, trends(trendsFilter=display))
    (persons,) = await results(sandbox, trends(node(math="dau"), trendsFilter=display))

    assert total["data"] == [1, 1, 2, 5, 6, 6, 8, 8, 9, 9, 10]
    assert persons["data"] == [1, 1, 2, 3, 3, 3, 4, 4, 4, 4, 4]
    assert persons["count"] == 4


async def test_smoothing_is_the_floor_of_a_moving_average(sandbox: Serving) -> None:
    (result,) = await results(sandbox, trends(trendsFilter={"smoothingIntervals": 3}))

    assert result["data"] == [1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0]


async def test_weeks_and_months_have_their_labels(sandbox: Serving) -> None:
    await sandbox.patch("/posthog/api/projects/1/", {"week_start_day": 0})
    (weeks,) = await results(sandbox, trends(interval="week"))
    (months,) = await results(sandbox, trends(interval="month"))

    assert weeks["days"] == ["2020-01-05", "2020-01-12", "2020-01-19"]
    assert weeks["labels"] == ["9\N{EN DASH}11 Jan", "12\N{EN DASH}18 Jan", "19-Jan-2020"]
    assert weeks["data"] == [2, 7, 1]
    assert (months["days"], months["labels"], months["data"]) == (["2020-01-01"], ["Jan 2020"], [10])


async def test_hours_have_their_labels_and_an_absolute_end_is_unchanged(sandbox: Serving) -> None:
    (one,) = await results(sandbox, trends(interval="hour", until="2020-01-09"))
    (day,) = await results(sandbox, trends(interval="hour", until="2020-01-09T23:00:00"))

    assert (one["labels"], one["days"]) == (["9-Jan 00:00"], ["2020-01-09 00:00:00"])
    assert [hour for hour, value in zip(day["days"], day["data"], strict=True) if value] == ["2020-01-09 12:00:00"]


async def test_the_projects_timezone_and_first_day_of_the_week_decide_the_intervals(sandbox: Serving) -> None:
    await sandbox.patch("/posthog/api/projects/1/", {"timezone": "Asia/Tokyo", "week_start_day": 1})
    (days,) = await results(sandbox, trends(interval="hour", until="2020-01-09T23:00:00"))
    (weeks,) = await results(sandbox, trends(interval="week"))

    assert [hour for hour, value in zip(days["days"], days["data"], strict=True) if value] == ["2020-01-09 21:00:00"]
    assert days["action"]["days"][0] == "2020-01-09T00:00:00+09:00"
    assert weeks["days"] == ["2020-01-06", "2020-01-13"]


async def test_the_last_seven_days_are_eight_days_compared_by_weekday(sandbox: Serving) -> None:
    query = {**trends(), "dateRange": {"date_from": "-7d"}, "compareFilter": {"compare": True}}
    current, previous = await results(sandbox, query)

    assert (current["days"][0], current["days"][-1], len(current["days"])) == ("2026-11-16", "2026-11-23", 8)
    assert (previous["days"][0], previous["days"][-1]) == ("2026-11-09", "2026-11-16")


async def test_all_time_begins_with_the_first_event_of_the_series(sandbox: Serving) -> None:
    (result,) = await results(sandbox, trends(node("$pageleave"), since="all"))

    assert result["days"][0] == "2020-01-11"
    assert result["count"] == 6


async def test_filters_of_the_insight_and_of_a_series_both_apply(sandbox: Serving) -> None:
    dear = {"type": "event", "key": "price", "operator": "gt", "value": 11}
    chrome = {
        "type": "AND",
        "values": [{"type": "OR", "values": [{"key": "$browser", "value": "Chrome", "type": "event"}]}],
    }
    (result,) = await results(sandbox, trends(node(properties=[dear]), properties=chrome))

    assert result["count"] == 5


async def test_an_action_is_a_series_with_its_name_and_an_unknown_one_is_left_out(sandbox: Serving) -> None:
    action = await sandbox.make("actions/", {"name": "Left", "steps": [{"event": "$pageleave"}]})
    known = {"kind": "ActionsNode", "id": action["id"]}
    found = await results(sandbox, trends(known, {"kind": "ActionsNode", "id": 987_654}))

    assert [(row["label"], row["count"], row["action"]["id"]) for row in found] == [("Left", 6, "Left")]


async def test_events_of_a_group_node_are_one_series(sandbox: Serving) -> None:
    (result,) = await results(sandbox, trends({"kind": "GroupNode", "operator": "OR", "nodes": list(BOTH)}))

    assert result["count"] == 16


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"kind": "TrendsQuery"}, "parse_error"),
        (trends(interval="century"), "parse_error"),
        (trends(node(math="dao")), "parse_error"),
        (trends({"kind": "Node"}), "parse_error"),
        (trends(trendsFilter={"display": "Cake"}), "parse_error"),
        (trends(trendsFilter={"formula": "A+B"}), "invalid_input"),
        (trends(trendsFilter={"formula": "__import__('os')"}), "invalid_input"),
        (trends(node(math="hogql", math_hogql="sum(")), "hogql_syntax_error"),
        (trends(node(math="hogql", math_hogql="properties.price")), "invalid_input"),
        (trends(node(math="unique_group")), "invalid_input"),
        (trends(samplingFactor=2), "parse_error"),
        (trends(since="1999-01-01", interval="minute"), "parse_error"),
        (trends(breakdownFilter={"breakdown": "x", "breakdown_type": "galaxy"}), "parse_error"),
    ],
)
async def test_an_invalid_query_is_rejected(sandbox: Serving, query: dict[str, Any], code: str) -> None:
    status, rejected, detail, _ = await sandbox.rejection("POST", "query/", {"query": query})

    assert (status, rejected) == (400, code), detail
