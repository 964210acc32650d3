"""The PostHog queries sent for typed inputs, and the inputs that are rejected."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.schemas.analytics.events import MATHS, OPERATORS, PropertyFilter
from maton_posthog.schemas.analytics.queries import (
    QueryFunnel,
    QueryPaths,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from maton_posthog.schemas.analytics.saved import wrapped
from maton_posthog.schemas.base import Input
from maton_posthog.tools.analytics.kind import Kind
from maton_posthog.tools.analytics.kinds import KINDS
from tests.oracle import accepting

VIEW: dict[str, Any] = {"kind": "EventsNode", "event": "$pageview", "name": "$pageview"}


TRENDS, FUNNEL, RETENTION, PATHS, STICKINESS, LIFECYCLE = KINDS


def compiled(kind: Kind[Any, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    return kind.compile(kind.read(kind.input.model_validate(arguments)))


def trends(**arguments: Any) -> dict[str, Any]:
    return compiled(TRENDS, {"events": ["$pageview"], **arguments})


def funnel(**arguments: Any) -> dict[str, Any]:
    return compiled(FUNNEL, {"steps": ["$pageview", "bought"], **arguments})


def retention(**arguments: Any) -> dict[str, Any]:
    return compiled(RETENTION, {"event": "$pageview", **arguments})


def paths(**arguments: Any) -> dict[str, Any]:
    return compiled(PATHS, arguments)


@pytest.mark.parametrize(
    ("event", "node"),
    [
        ("$pageview", VIEW),
        ("*", {"kind": "EventsNode", "event": None, "name": "All events"}),
        ({"event": "$pageview", "name": "Views"}, {**VIEW, "custom_name": "Views"}),
        ({"action_id": "7", "where": None}, {"kind": "ActionsNode", "id": 7}),
        ({"event": "$pageview", "where": [{"key": "person.plan", "value": "pro"}]},
         {**VIEW, "properties": [{"key": "plan", "value": "pro", "operator": "exact", "type": "person"}]}),
    ],
)  # fmt: skip
def test_an_event_is_a_name_or_an_object(event: Any, node: dict[str, Any]) -> None:
    assert trends(events=event)["series"] == trends(events=[event])["series"] == [{**node, "math": "total"}]
    lifecycle = compiled(LIFECYCLE, {"event": event})
    stickiness = compiled(STICKINESS, {"events": [event]})
    assert lifecycle["series"] == stickiness["series"] == [node]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"math": "dau"}, {"math": "dau"}),
        ({"math": "unique_users"}, {"math": "dau"}),
        ({"math": "sum", "property": "revenue"}, {"math": "sum", "math_property": "revenue"}),
        ({"math": "avg", "property": "person.age"},
         {"math": "avg", "math_property": "age", "math_property_type": "person_properties"}),
        ({"math": "p90", "property": "session.$duration"}, {"math": "p90", "math_property": "$duration"}),
        ({"math": "hogql", "property": "uniq(properties.x)"}, {"math": "hogql", "math_hogql": "uniq(properties.x)"}),
        ({"math": "total", "property": "revenue"}, {"math": "total"}),
    ],
)  # fmt: skip
def test_a_math_applies_to_all_series_or_to_one(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert trends(**given)["series"] == [{**VIEW, **sent}]
    both = trends(events=[{"event": "$pageview", **given}, "bought"])["series"]
    assert both[0] == {**VIEW, **sent}
    assert both[1]["math"] == "total"


def test_a_group_is_counted_by_its_index() -> None:
    series = trends(events=[{"event": "$pageview", "math": "unique_group", "group_type_index": 0}])["series"]
    assert series == [{**VIEW, "math": "unique_group", "math_group_type_index": 0}]


@pytest.mark.parametrize(
    ("given", "of_trends", "of_funnels"),
    [
        ("$browser", {"breakdowns": [{"property": "$browser", "type": "event"}]},
         {"breakdown": "$browser", "breakdown_type": "event"}),
        ("person.plan", {"breakdowns": [{"property": "plan", "type": "person"}]},
         {"breakdown": "plan", "breakdown_type": "person"}),
        (["$browser", "$os"],
         {"breakdowns": [{"property": "$browser", "type": "event"}, {"property": "$os", "type": "event"}]},
         {"breakdown": ["$browser", "$os"], "breakdown_type": "event"}),
        ("cohort.7", {"breakdown": [7], "breakdown_type": "cohort"}, {"breakdown": [7], "breakdown_type": "cohort"}),
        ("hogql:properties.$os", {"breakdowns": [{"property": "properties.$os", "type": "hogql"}]},
         {"breakdown": "properties.$os", "breakdown_type": "hogql"}),
    ],
)  # fmt: skip
def test_a_breakdown_is_written_as_each_kind_reads_it(
    given: Any, of_trends: dict[str, Any], of_funnels: dict[str, Any]
) -> None:
    assert trends(breakdown=given)["breakdownFilter"] == {**of_trends, "breakdown_limit": 10}
    assert funnel(breakdown=given)["breakdownFilter"] == {**of_funnels, "breakdown_limit": 10}
    if isinstance(given, str):
        assert retention(breakdown=given)["breakdownFilter"] == of_trends


def test_a_total_is_one_number_over_the_range_of_a_chart() -> None:
    query = trends(interval="total", formula="a/2", compare=True)
    assert query["interval"] == "day"
    assert query["trendsFilter"] == {"display": "ActionsBarValue", "formulaNodes": [{"formula": "A/2"}]}
    assert query["compareFilter"] == {"compare": True}
    assert trends(compare="-4w")["compareFilter"] == {"compare": True, "compare_to": "-4w"}
    assert "compareFilter" not in trends(compare=False)


def test_a_funnel_counts_steps_from_zero_and_excludes_from_first_to_last() -> None:
    query = funnel(
        steps=["$pageview", {"event": "tried", "optional": True}, {"action_id": 3}],
        exclude="$exception",
        order="strict",
        window=2,
        window_unit="hour",
    )
    assert query["series"][1] == {"kind": "EventsNode", "event": "tried", "name": "tried", "optionalInFunnel": True}
    assert query["series"][2] == {"kind": "ActionsNode", "id": 3}
    assert query["funnelsFilter"] == {
        "funnelVizType": "steps",
        "funnelOrderType": "strict",
        "funnelWindowInterval": 2,
        "funnelWindowIntervalUnit": "hour",
        "exclusions": [
            {"kind": "EventsNode", "event": "$exception", "name": "$exception", "funnelFromStep": 0, "funnelToStep": 2}
        ],
    }
    assert funnel(view="trend", interval="week")["funnelsFilter"]["funnelVizType"] == "trends"


def test_retention_returns_to_the_same_event_unless_another_is_named() -> None:
    entity = {"id": "$pageview", "type": "events", "name": "$pageview"}
    query = retention(date_to="2026-11-01")
    assert query["dateRange"] == {"date_to": "2026-11-01"}
    assert query["retentionFilter"] == {
        "targetEntity": entity,
        "returningEntity": entity,
        "retentionType": "retention_first_time",
        "period": "Day",
        "totalIntervals": 8,
    }
    other = retention(returning_event={"action_id": 3}, kind="recurring", cumulative=True, minimum_occurrences=2)
    assert other["retentionFilter"]["returningEntity"] == {"id": 3, "type": "actions", "name": "action 3"}
    assert other["retentionFilter"] | {"cumulative": True, "minimumOccurrences": 2} == other["retentionFilter"]
    assert retention(event="*")["retentionFilter"]["targetEntity"]["id"] is None


def test_paths_are_of_pages_by_default() -> None:
    assert paths()["pathsFilter"] == {"includeEventTypes": ["$pageview"], "stepLimit": 5, "edgeLimit": 30}
    sent = paths(include=[], start="/", end="/buy", groupings=["/user/*"], steps=3, edges=9)["pathsFilter"]
    assert sent == {"startPoint": "/", "endPoint": "/buy", "stepLimit": 3, "edgeLimit": 9, "pathGroupings": ["/user/*"]}


def test_stickiness_counts_from_a_minimum_number_of_times() -> None:
    query = compiled(STICKINESS, {"events": "$pageview", "at_least": 3, "cumulative": True, "interval": "week"})
    assert query["stickinessFilter"] == {
        "computedAs": "cumulative",
        "stickinessCriteria": {"operator": "gte", "value": 3},
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"key": "$browser", "value": "Chrome"}, {"operator": "exact", "value": "Chrome", "type": "event"}),
        ({"key": "$browser", "operator": "contains", "value": ["a"]}, {"operator": "icontains", "value": ["a"]}),
        ({"key": "$browser", "operator": "is_set"}, {"operator": "is_set", "value": "is_set"}),
        ({"key": "$browser", "operator": "in", "value": "a"}, {"operator": "in", "value": ["a"]}),
        ({"key": "n", "operator": ">=", "value": 3}, {"operator": "gte", "value": 3}),
        ({"key": "n", "operator": "between", "value": [1, 2.5]}, {"operator": "between", "value": [1, 2.5]}),
        ({"key": "person.email", "value": "a@b.c"}, {"key": "email", "type": "person"}),
        ({"key": "person.email", "value": "a@b.c", "type": "event"}, {"key": "person.email", "type": "event"}),
        ({"key": "session.$channel_type", "value": "Direct"}, {"key": "$channel_type", "type": "session"}),
        ({"type": "cohort", "value": 7}, {"key": "id", "value": 7, "operator": "in", "type": "cohort"}),
        ({"type": "cohort", "value": 7, "operator": "!="}, {"operator": "not_in"}),
        ({"type": "group", "key": "a", "value": "x", "group_type_index": 0}, {"type": "group", "group_type_index": 0}),
        ({"type": "hogql", "key": "1 = 1"}, {"key": "1 = 1", "value": None, "type": "hogql"}),
        ({"key": "paid", "value": False}, {"value": False}),
    ],
)  # fmt: skip
def test_a_condition_has_its_meaning_in_posthog(given: dict[str, Any], sent: dict[str, Any]) -> None:
    (made,) = trends(filters=[given])["properties"]
    assert made | sent == made
    assert trends(filter_test_accounts=True)["filterTestAccounts"] is True


REFUSED: list[tuple[type[Input], dict[str, Any], str]] = [
    (QueryTrends, {"events": []}, "at least 1 item"),
    (QueryTrends, {"events": [{}]}, "`event` .* or `action_id`"),
    (QueryTrends, {"events": [{"event": "x", "action_id": 1}]}, "`event` .* or `action_id`"),
    (QueryTrends, {"events": [{"event": "x", "math_property": "y"}]}, "math_property"),
    (QueryTrends, {"events": "x", "math": "uniq_users"}, r"must be one of total, dau.*did you mean unique_users\?"),
    (QueryTrends, {"events": "x", "math": "sum"}, "sum needs `property`; PostHog would count events instead"),
    (QueryTrends, {"events": ["x", {"event": "y", "math": "hogql"}]}, "hogql needs `property`"),
    (QueryTrends, {"events": "x", "math": "unique_group"}, "needs `group_type_index`"),
    (QueryTrends, {"events": "x", "formula": "A/B"}, "`formula` uses series B, but there is only A"),
    (QueryTrends, {"events": ["x", "y"], "formula": "A/C"}, "`formula` uses series C, but there is only A to B"),
    (QueryTrends, {"events": "x", "formula": "A; B"}, "`formula` accepts series letters"),
    (QueryTrends, {"events": "x", "formula": "sum(A)"}, "formula"),
    (QueryTrends, {"events": "x", "compare": "next week"}, "must be previous, or a shift"),
    (QueryTrends, {"events": "x", "breakdown": ["a", "b", "c", "d"]}, "at most 3"),
    (QueryTrends, {"events": "x", "breakdown": "cohort.all"}, "with its id, such as cohort.7"),
    (QueryTrends, {"events": "x", "breakdown": ["cohort.7", "a"]}, "cannot be mixed"),
    (QueryTrends, {"events": "x", "filters": [{"key": "a"}]}, "exact needs a `value`"),
    (QueryTrends, {"events": "x", "filters": [{"key": "a", "value": []}]}, "exact needs a `value`"),
    (QueryTrends, {"events": "x", "filters": [{"value": "a"}]}, "`key` is required"),
    (QueryTrends, {"events": "x", "filters": [{"key": "a", "operator": "like", "value": "b"}]}, "icontains"),
    (QueryTrends, {"events": "x", "filters": [{"key": "a", "operator": "between", "value": [2, 1]}]}, "smallest, "),
    (QueryTrends, {"events": "x", "filters": [{"key": "a", "operator": "between", "value": 2}]}, "smallest, largest"),
    (QueryTrends, {"events": "x", "filters": [{"type": "cohort", "value": "Payers"}]}, "needs the cohort's id"),
    (QueryTrends, {"events": "x", "filters": [{"type": "cohort", "value": 7, "operator": ">"}]}, "in or not_in"),
    (QueryTrends, {"events": "x", "filters": [{"type": "group", "key": "a", "value": 1}]}, "group_type_index"),
    (QueryTrends, {"events": "x", "filters": [{"type": "flag", "key": "a", "value": 1}]}, "'event', 'person'"),
    (QueryFunnel, {"steps": ["x"]}, "at least 2"),
    (QueryFunnel, {"steps": [{"event": "x", "optional": True}, "y"]}, "first step cannot be optional"),
    (QueryFunnel, {"steps": ["x", "y"], "order": "unordered", "exclude": "z"}, "unordered funnel cannot have"),
    (QueryFunnel, {"steps": ["x", "y"], "exclude": ["y"]}, "cannot name a step"),
    (QueryFunnel, {"steps": ["x", "y"], "breakdown": ["a", "person.b"]}, "all be event properties"),
    (QueryFunnel, {"steps": ["x", "y"], "view": "time_to_convert", "breakdown": "a"}, "cannot have a `breakdown`"),
    (QueryFunnel, {"steps": ["x", "y"], "window": 0}, "greater than or equal to 1"),
    (QueryPaths, {"include": [], "exclude": ["/"]}, "`exclude` needs `include`"),
    (QueryPaths, {"include": ["$autocapture"]}, "custom_event"),
    (QueryRetention, {"event": "x", "periods": 1}, "greater than or equal to 2"),
    (QueryStickiness, {"events": ["x"], "math": "dau"}, "math"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "arguments", "says"), REFUSED)
def test_input_that_posthog_would_ignore_or_reject_is_rejected_with_the_accepted_values(
    model: type[Input], arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        model.model_validate(arguments)


@given(st.sampled_from(MATHS), st.sampled_from([None, "revenue", "person.age"]), st.integers(0, 4))
def test_every_math_is_sent_completely_or_rejected(math: str, prop: str | None, index: int) -> None:
    event = {"event": "x", "math": math, "property": prop, "group_type_index": index}
    try:
        (series,) = trends(events=[event])["series"]
    except ValidationError:
        assert prop is None
        return
    assert series["math"] == math
    named = math in ("avg", "sum", "min", "max", "median", "p75", "p90", "p95", "p99")
    assert ("math_property" in series) is named
    assert ("math_hogql" in series) is (math == "hogql")


VALUES = st.one_of(st.none(), st.text(max_size=5), st.integers(), st.booleans(), st.lists(st.integers(), max_size=3))


@accepting(20, ValidationError)
@given(st.text(max_size=10), st.sampled_from(OPERATORS), VALUES)
def test_no_condition_is_sent_that_posthog_treats_as_true(key: str, operator: str, value: Any) -> None:
    made = PropertyFilter.model_validate({"key": key, "operator": operator, "value": value}).as_filter()
    assert made["key"]
    assert made["value"] not in (None, [])


@given(st.lists(st.sampled_from(["A", "b", "+", "-", "*", "/", "%", "**", "(", ")", "1", "2.5", " "]), min_size=1))
def test_a_formula_of_known_parts_is_passed_on(parts: list[str]) -> None:
    formula = " ".join(parts)
    if formula.strip():
        sent = trends(events=["x", "y"], formula=formula)["trendsFilter"]["formulaNodes"]
        assert sent == [{"formula": formula.upper()}]


@pytest.mark.parametrize("query", [trends(), funnel(), retention(), paths()])
def test_each_query_can_be_stored_as_an_insight(query: dict[str, Any]) -> None:
    assert wrapped(query) == {"kind": "InsightVizNode", "source": query}
