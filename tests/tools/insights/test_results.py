"""Results of stored insights and their headlines."""

import json
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from maton_posthog.schemas.insights import InsightView
from maton_posthog.tools.analytics.kinds import kind_of
from maton_posthog.tools.analytics.stored import source_of
from maton_posthog.tools.insights.results import Shown, shown_result
from maton_posthog.tools.operation.dates import Calendar

PAGEVIEW = {"kind": "EventsNode", "event": "$pageview", "name": "$pageview"}
PAID = {"kind": "ActionsNode", "id": 7, "name": "Paid", "math": "sum", "math_property": "revenue"}
DAYS = [f"2026-11-{day:02}" for day in range(14, 24)]
COMPUTED = "2026-11-23T12:00:00Z"
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def telling(source: dict[str, Any], result: Any, **more: Any) -> Shown:
    query = {"kind": "InsightVizNode", "source": source}
    fields = {"id": 1, "query": query, "result": result, "last_refresh": COMPUTED, **more}
    return shown_result(InsightView.model_validate(fields), Calendar(NOW))


def trends(*series: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "TrendsQuery", "series": list(series), "dateRange": {"date_from": "2026-11-14"}, **more}


def line(data: list[float], order: int = 0, **more: Any) -> dict[str, Any]:
    return {"data": data, "days": DAYS[: len(data)], "label": "x", "action": {"order": order}} | more


WEEK = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 45.0, 5.0]


def test_numbers_that_add_up_have_a_total_and_the_change_of_the_last_complete_day() -> None:
    said = telling(trends(PAGEVIEW), [line(WEEK)])
    assert said.headline == {
        "what": "$pageview: total to 2026-11-22",
        "value": 405,
        "change_percent": 125,
        "change_of": "2026-11-22 against the week before",
    }
    assert said.fields["incomplete_last"] == "2026-11-23"
    assert said.fields["columns"] == ("day", "$pageview")


def test_a_comparison_is_with_the_previous_period_and_names_other_series() -> None:
    result = [
        line(WEEK, compare_label="current"),
        line([5.0] * 10, compare_label="previous"),
        line([1.0] * 10, 1, label="Paid", compare_label="current"),
    ]
    said = telling(trends(PAGEVIEW, PAID, compareFilter={"compare": True}), result)
    assert said.headline == {
        "what": "$pageview: total to 2026-11-22",
        "value": 405,
        "change_percent": 800,
        "change_of": "the period before",
        "others": {"Paid (sum of revenue)": 9},
    }


def test_the_values_of_a_breakdown_add_up_to_the_total() -> None:
    split = {"breakdownFilter": {"breakdown": "$browser", "breakdown_type": "event"}}
    result = [line([1.0] * 10, breakdown_value="Chrome"), line([2.0] * 10, breakdown_value="Safari")]
    said = telling(trends(PAGEVIEW, **split), result)
    assert said.headline == {"what": "$pageview: total of every $browser to 2026-11-22", "value": 27}
    assert said.fields["columns"] == ("day", "Chrome", "Safari")


def test_values_and_properties_with_the_names_of_columns_are_counted_and_named_like_others() -> None:
    split = {"breakdownFilter": {"breakdown": "value", "breakdown_type": "event"}}
    over_time = [line([1.0] * 10, breakdown_value="x"), line([2.0] * 10, breakdown_value="x before")]
    said = telling(trends(PAGEVIEW, **split), over_time)
    assert said.headline == {"what": "$pageview: total of every value to 2026-11-22", "value": 27}
    users = trends({**PAGEVIEW, "math": "dau"}, **split, trendsFilter={"display": "ActionsPie"})
    totals = [{"aggregated_value": float(n), "breakdown_value": name} for n, name in ((7, "x"), (5, "y"))]
    assert telling(users, totals).headline == {"what": "x", "value": 7, "others": {"y": 5}}


@pytest.mark.parametrize("display", ["BoldNumber", "ActionsPie", "ActionsTable", "ActionsBarValue", "WorldMap"])
def test_displays_of_one_number_have_one_number(display: str) -> None:
    said = telling(
        trends(PAGEVIEW, trendsFilter={"display": display}),
        [{"aggregated_value": 42.0, "label": "$pageview", "action": {"order": 0}}],
    )
    assert said.headline == {"what": "$pageview", "value": 42}


def test_a_formula_is_named_by_its_letters() -> None:
    for shown in ({"formula": "A/B"}, {"formulas": ["A/B"]}, {"formulaNodes": [{"formula": "A/B"}]}):
        said = telling(trends(PAGEVIEW, PAID, trendsFilter=shown), [{**line([0.5] * 10), "action": None}])
        assert said.headline is not None
        assert (said.headline["what"], said.headline["value"]) == ("A/B: 2026-11-22", 0.5)


STEPS = [{"name": "$pageview", "order": 0, "count": 200}, {"name": "Paid", "order": 1, "count": 30}]


def test_a_funnel_is_its_conversion_over_every_value_of_a_breakdown() -> None:
    source: dict[str, Any] = {"kind": "FunnelsQuery", "series": [PAGEVIEW, PAID], "dateRange": {"date_from": "-30d"}}
    said = telling(source, STEPS)
    assert said.headline == {"what": "conversion, 30 of 200", "value": 15, "unit": "percent"}
    assert [row[0] for row in said.fields["rows"]] == ["$pageview", "Paid"]
    split = source | {"breakdownFilter": {"breakdown": ["$browser"], "breakdown_type": "event"}}
    groups = [[{**step, "breakdown_value": [value]} for step in STEPS] for value in ("Chrome", "Safari")]
    assert telling(split, groups).headline == {"what": "conversion, 60 of 400", "value": 15, "unit": "percent"}


def test_users_who_count_under_several_values_are_not_added_up() -> None:
    source: dict[str, Any] = {"kind": "FunnelsQuery", "series": [PAGEVIEW, PAID], "dateRange": {"date_from": "-30d"}}
    groups = [[{**step, "breakdown_value": [value]} for step in STEPS] for value in ("Chrome", "Safari")]
    of_each = source | {"breakdownFilter": {"breakdown": ["$browser"], "breakdown_type": "event"}}
    assert telling(of_each, groups).fields["facts"]["all_values"]["entered"] == 400
    all_events = of_each | {"funnelsFilter": {"breakdownAttributionType": "all_events"}}
    by_cohort = source | {"breakdownFilter": {"breakdown": [1, 2], "breakdown_type": "cohort"}}
    for several in (all_events, by_cohort):
        said = telling(several, groups)
        assert said.headline is None
        assert "all_values" not in said.fields.get("facts", {})


def test_the_views_of_a_funnel_have_their_own_headlines() -> None:
    source: dict[str, Any] = {"kind": "FunnelsQuery", "series": [PAGEVIEW, PAID], "dateRange": {"date_from": "-9d"}}
    trend = telling(source | {"funnelsFilter": {"funnelVizType": "trends"}}, [line([10.0, 20.0, 15.0])])
    assert trend.headline == {
        "what": "conversion, day of 2026-11-16",
        "value": 15,
        "unit": "percent",
        "change_percent": -25,
        "change_of": "the day before",
    }
    times = telling(
        source | {"funnelsFilter": {"funnelVizType": "time_to_convert"}},
        {"bins": [[0, 3], [60, 1]], "average_conversion_time": 31.5},
    )
    assert times.headline == {"what": "time to convert, average", "value": 31.5, "unit": "seconds"}


def test_the_headline_of_retention_is_the_return_rate_after_the_first_period() -> None:
    entity = {"id": "$pageview", "type": "events"}
    filters = {"period": "Week", "retentionType": "retention_first_time"}
    source = {
        "kind": "RetentionQuery",
        "retentionFilter": filters | {"targetEntity": entity, "returningEntity": entity},
    }
    result = [
        {"date": "2026-11-02T00:00:00Z", "values": [{"count": 10}, {"count": 5}, {"count": 2}]},
        {"date": "2026-11-09T00:00:00Z", "values": [{"count": 10}, {"count": 3}, {"count": 0}]},
        {"date": "2026-11-16T00:00:00Z", "values": [{"count": 8}, {"count": 0}, {"count": 0}]},
    ]
    said = telling(source, result)
    assert said.headline == {"what": "came back after Week 1, of 20", "value": 40, "unit": "percent"}
    split = source | {"breakdownFilter": {"breakdowns": [{"property": "$browser", "type": "event"}]}}
    groups = [{**row, "breakdown_value": value} for value in ("Chrome", "Safari") for row in result]
    by_value = telling(split, groups).headline
    assert by_value == {"what": "Chrome: came back after Week 1, of 20", "value": 40, "unit": "percent"}


def test_stickiness_lifecycle_and_paths_have_a_number_each() -> None:
    sticky = {"kind": "StickinessQuery", "series": [PAGEVIEW], "dateRange": {"date_from": "-2d", "date_to": "-1d"}}
    days = [{"data": [3, 1], "days": [1, 2], "count": 4, "action": {"order": 0}}]
    assert telling(sticky, days).headline == {"what": "days active on average: $pageview", "value": 1.25}
    still_open = telling(sticky | {"dateRange": {"date_from": "-2d"}}, days)
    assert still_open.headline == {"what": "persons: $pageview", "value": 4}
    assert still_open.fields["facts"] == [{"series": "$pageview", "persons": 4}]
    life = {"kind": "LifecycleQuery", "series": [PAGEVIEW], "dateRange": {"date_from": "2026-11-14"}}
    lines = [line([2.0, 3.0], status="new"), line([0.0, -1.0], status="dormant")]
    assert telling(life, lines).headline == {
        "what": "active, day of 2026-11-15",
        "value": 3,
        "change_percent": 50,
        "change_of": "the day before",
    }
    paths = {"kind": "PathsQuery", "pathsFilter": {"includeEventTypes": ["$pageview"]}}
    edges = [{"source": "1_/", "target": "2_/pricing", "value": 9, "average_conversion_time": 1000.0}]
    assert telling(paths, edges).headline == {"what": "paths from / to /pricing", "value": 9}


ROWS: list[tuple[list[Any], Any]] = [
    ([[42]], {"what": "a", "value": 42}),
    ([["x", 7]], {"what": "b", "value": 7}),
    ([["x", 7], ["y", 8]], {"what": "rows", "value": 2}),
    ([], {"what": "rows", "value": 0}),
]


@pytest.mark.parametrize(("rows", "said"), ROWS)
def test_sql_is_shown_as_rows(rows: list[Any], said: Any) -> None:
    source = {"kind": "HogQLQuery", "query": "SELECT 1"}
    shown = telling(source, rows, columns=["a", "b"])
    assert shown.headline == said
    assert [list(row) for row in shown.fields["rows"]] == rows


def test_rows_that_do_not_fit_and_further_rows_in_posthog_are_reported() -> None:
    source = {"kind": "HogQLQuery", "query": "SELECT 1"}
    long = telling(source, [["x" * 100]] * 1000, columns=["a"]).fields
    assert long["truncated"] is True
    assert "of 1000 rows fit: run its query with run_hogql" in long["how_to_continue"]
    more = telling(source, [["x"]], columns=["a"], hasMore=True).fields
    assert "PostHog has more rows" in more["how_to_continue"]


NOT_TOLD: list[dict[str, Any]] = [
    trends(PAGEVIEW, trendsFilter={"smoothingIntervals": 7}),
    trends(PAGEVIEW, trendsFilter={"formulaNodes": [{"formula": "A"}, {"formula": "A*2"}]}),
    trends(PAGEVIEW, aggregation_group_type_index=0),
    trends(PAGEVIEW, interval="quarter"),
    trends(),
    trends(PAGEVIEW, dateRange={"date_from": "a while ago"}),
    {"kind": "FunnelsQuery", "series": [PAGEVIEW, PAID], "funnelsFilter": {"funnelVizType": "flow"}},
    {"kind": "LifecycleQuery", "series": []},
    {"kind": "WebOverviewQuery"},
]


def test_cumulative_lines_are_summarized_by_their_last_value() -> None:
    source = trends(PAGEVIEW, trendsFilter={"display": "ActionsLineGraphCumulative"})
    said = telling(source, [line([1.0, 3.0, 6.0])])
    assert said.headline == {"what": "x: total", "value": 6}
    assert said.fields["result"][0]["data"] == [1.0, 3.0, 6.0]
    without: list[Any] = [[], [{}], {"data": [1]}, [{"data": "x"}]]
    for odd in without:
        assert telling(source, odd).headline is None


@pytest.mark.parametrize("source", NOT_TOLD)
def test_results_that_cannot_be_summarized_are_shown_unchanged(source: dict[str, Any]) -> None:
    result = [
        {**line([1.0, 2.0]), "persons_urls": ["api/..."], "labels": ["a", "b"], "filter": {"x": 1}, "count": None}
    ]
    said = telling(source, result)
    assert said.headline is None
    assert said.fields == {"result": [{"data": [1.0, 2.0], "days": DAYS[:2], "label": "x"}]}


def test_the_range_is_the_one_that_posthog_counted_in_the_projects_timezone() -> None:
    said = {"date_from": "2026-11-13T23:00:00Z", "date_to": "2026-11-23T22:59:59Z"}
    fields = {"id": 1, "query": trends(PAGEVIEW), "result": [line(WEEK)], "last_refresh": COMPUTED}
    insight = InsightView.model_validate({**fields, "resolved_date_range": said})
    shown = shown_result(insight, Calendar(NOW.astimezone(ZoneInfo("Europe/Berlin")))).fields
    assert shown["range"] == ["2026-11-14", "2026-11-23"]
    assert "incomplete_first" not in shown


ENTITY = {"id": "$pageview", "type": "events"}
COHORT = {"date": "2026-11-09T00:00:00Z", "values": [{"count": 10}, {"count": 3}]}
EDGE = {"source": "1_/", "target": "2_/pricing", "value": 9, "average_conversion_time": 1000.0}
WHOLE: list[tuple[dict[str, Any], Any]] = [
    (trends(PAGEVIEW, PAID, compareFilter={"compare": True}), [line(WEEK), line(WEEK, 1)]),
    (trends(PAGEVIEW, trendsFilter={"formula": "A", "display": "BoldNumber"}), [{"aggregated_value": 1.0, "order": 0}]),
    (
        trends(PAGEVIEW, breakdownFilter={"breakdowns": [{"property": "$browser", "type": "event"}]}),
        [line(WEEK, breakdown_value=["Chrome"]), line(WEEK, breakdown_value=None)],
    ),
    ({"kind": "FunnelsQuery", "series": [PAGEVIEW, PAID], "funnelsFilter": {"funnelVizType": "steps"}}, STEPS),
    ({"kind": "FunnelsQuery", "series": [PAGEVIEW, PAID], "funnelsFilter": {"funnelVizType": "trends"}}, [line(WEEK)]),
    (
        {"kind": "RetentionQuery", "retentionFilter": {"period": "Week", "targetEntity": ENTITY}},
        [COHORT, {**COHORT, "date": "2026-11-16"}],
    ),
    ({"kind": "PathsQuery", "pathsFilter": {"startPoint": "/"}}, [EDGE]),
    ({"kind": "StickinessQuery", "series": [PAGEVIEW]}, [{"data": [3, 1], "days": [1, 2], "count": 4}]),
    ({"kind": "LifecycleQuery", "series": [PAGEVIEW]}, [line(WEEK, status="new"), line(WEEK, status="dormant")]),
    ({"kind": "HogQLQuery", "query": "SELECT 1"}, [[1, "x"], ["y", 2]]),
]
ODD: list[Any] = [None, True, 0, -1, 1e300, "", "Day", "1999-13-45", "a/b", [], [[]], [None], {}, {"a": 1}, "x" * 300]


def parts(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value).items())
    return list(enumerate(cast("list[Any]", value))) if isinstance(value, list) else []


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every place in a JSON value."""
    return [path, *(place for name, item in parts(value) for place in places(item, (*path, name)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    fields = {name: replaced(item, path[1:], by) if name == path[0] else item for name, item in parts(value)}
    return list(fields.values()) if isinstance(value, list) else fields


@pytest.mark.parametrize(("source", "result"), WHOLE, ids=[str(source["kind"]) for source, _ in WHOLE])
def test_odd_queries_and_results_are_no_errors(source: dict[str, Any], result: Any) -> None:
    assert telling(source, result, columns=["a", "b"]).headline is not None
    for odd in ODD:
        for place in places(result):
            telling(source, replaced(result, place, odd), columns=["a", "b"])
        for place in places(source)[1:]:
            telling(replaced(source, place, odd), result, columns=["a", "b"])
        json.dumps(dict(telling(source, [odd], columns=["a"]).fields))


def test_a_query_is_found_within_its_nodes() -> None:
    assert source_of({"kind": "DataTableNode", "source": {"kind": "HogQLQuery"}}) == {"kind": "HogQLQuery"}
    assert source_of("nothing") == {}
    assert kind_of({}) is None
