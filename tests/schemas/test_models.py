"""PostHog's models of stored objects: what they reject, what a kind ignores, and what is left alone."""

from typing import Any

import pytest

from maton_posthog.schemas.models import as_sentence, condition_flaws, metric_flaws, query_flaws
from maton_posthog.tools.analytics.kinds import KINDS

EVENT: dict[str, Any] = {"kind": "EventsNode", "event": "$pageview"}
TRENDS: dict[str, Any] = {"kind": "TrendsQuery", "series": [EVENT]}
FUNNEL: dict[str, Any] = {"kind": "FunnelsQuery", "series": [EVENT, {"kind": "ActionsNode", "id": 3}]}
RETENTION: dict[str, Any] = {"kind": "RetentionQuery", "retentionFilter": {"period": "Week"}}
PATHS: dict[str, Any] = {"kind": "PathsQuery", "pathsFilter": {}}
STICKINESS: dict[str, Any] = {"kind": "StickinessQuery", "series": [EVENT]}
LIFECYCLE: dict[str, Any] = {"kind": "LifecycleQuery", "series": [EVENT]}
SQL: dict[str, Any] = {"kind": "HogQLQuery", "query": "SELECT 1"}
BROWSER = {"property": "$browser", "type": "event"}


def flaws(query: dict[str, Any], **more: Any) -> str:
    return as_sentence(query_flaws({**query, **more}))


MISPLACED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (FUNNEL, {"funnelWindowInterval": 7}, "`funnelWindowInterval` is not a field of FunnelsQuery; "
     "write funnelsFilter.funnelWindowInterval"),
    (TRENDS, {"date_from": "-7d"}, "`date_from` is not a field of TrendsQuery; write dateRange.date_from"),
    (TRENDS, {"compare": True}, "`compare` is not a field of TrendsQuery; write compareFilter.compare"),
    (TRENDS, {"breakdown": "$os"}, "`breakdown` is not a field of TrendsQuery; write breakdownFilter.breakdown"),
    (RETENTION, {"totalIntervals": 8}, "; write retentionFilter.totalIntervals"),
    (FUNNEL, {"trendsFilter": {}}, "`trendsFilter` is not a field of FunnelsQuery, only of TrendsQuery"),
    (STICKINESS, {"breakdownFilter": {}}, "only of TrendsQuery and FunnelsQuery and RetentionQuery"),
    (STICKINESS, {"aggregation_group_type_index": 0}, "`aggregation_group_type_index` is not a field of"),
    (TRENDS, {"dateRange": {"from": "-7d"}}, "`dateRange.from` is not a field of dateRange (did you mean date_from?)"),
    (TRENDS, {"series": [{**EVENT, "maths": "dau"}]}, "`series.0.maths` is not a field of EventsNode "
     "(did you mean math?)"),
    (TRENDS, {"properties": [{"key": "a", "value": 1, "operatr": "gt"}]}, "`properties.0.operatr` is not a field"),
    (TRENDS, {"properties": {"type": "AND", "values": [{"type": "OR", "values": [{"key": "a", "val": 1}]}]}},
     "`properties.values.0.values.0.val` is not a field"),
    (TRENDS, {"trendsFilter": {"formulaNodes": [{"formula": "A", "name": "x"}]}}, "`trendsFilter.formulaNodes.0.name`"),
    (RETENTION, {"retentionFilter": {"targetEntity": {"id": "a", "event": "a"}}},
     "`retentionFilter.targetEntity.event`"),
    (SQL, {"limit": 5}, "`limit` is not a field of HogQLQuery"),
    (SQL, {"filters": {"date_from": "-7d"}}, "`filters.date_from` is not a field of filters; write dateRange"),
    (SQL, {"zzz": 1}, "`zzz` is not a field of HogQLQuery"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "more", "says"), MISPLACED)
def test_an_unknown_field_is_found_at_every_depth_with_its_right_place(
    query: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    assert says in flaws(query, **more)


IGNORED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (FUNNEL, {"breakdownFilter": {"breakdowns": [BROWSER]}},
     '`breakdownFilter.breakdowns` has no effect in a funnel; write "breakdown": "$browser", '
     '"breakdown_type": "event"'),
    (RETENTION, {"breakdownFilter": {"breakdowns": [BROWSER, BROWSER]}}, "retention ignores the others"),
    (RETENTION, {"breakdownFilter": {"breakdowns": [{"property": "$channel_type", "type": "session"}]}},
     "`breakdownFilter.breakdowns.0.type` is read as event by retention; write type hogql with session.$channel_type"),
    (RETENTION, {"breakdownFilter": {"breakdown": "event", "breakdown_type": "event_metadata"}}, "is read as event by"),
    (PATHS, {"pathsFilter": {"excludeEvents": ["/x"]}}, "`pathsFilter.excludeEvents` has no effect without"),
    (STICKINESS, {"series": [{**EVENT, "math": "sum", "math_property": "x"}]}, "`series.0.math` has no effect"),
    (LIFECYCLE, {"series": [EVENT, EVENT]}, "a lifecycle ignores the others"),
    (TRENDS, {"series": [{**EVENT, "math": "sum"}]}, "counts events instead of sum: it needs `math_property`"),
    (TRENDS, {"series": [{**EVENT, "math": "hogql"}]}, "needs `math_hogql`"),
    (TRENDS, {"series": [{**EVENT, "math": "unique_group"}]}, "needs `math_group_type_index`"),
    (TRENDS, {"properties": [{"key": "plan", "value": []}]}, "PostHog ignores the filter otherwise"),
    (TRENDS, {"properties": [{"key": "plan"}]}, "PostHog ignores the filter otherwise"),
    (TRENDS, {"properties": [{"value": 1}]}, "`properties.0` needs `key`"),
    (TRENDS, {"properties": [{"key": "f", "type": "flag", "value": True}]}, "has no effect in a query"),
    (TRENDS, {"properties": [{"key": "industry", "type": "group", "value": "x"}]}, "needs `group_type_index`"),
    (TRENDS, {"breakdownFilter": {"breakdowns": [{"property": "industry", "type": "group"}]}}, "`group_type_index`"),
    (FUNNEL, {"breakdownFilter": {"breakdown": "industry", "breakdown_type": "group"}}, "breakdown_group_type_index"),
    (FUNNEL, {"breakdownFilter": {"breakdown": "pro", "breakdown_type": "cohort"}}, "must be cohort ids, or all"),
    (FUNNEL, {"funnelsFilter": {"funnelFromStep": 1}}, "must be between 0 and 0"),
    (FUNNEL, {"funnelsFilter": {"funnelToStep": 2}}, "must be after funnelFromStep, and at most 1"),
    (FUNNEL, {"funnelsFilter": {"breakdownAttributionType": "step"}}, "breakdownAttributionValue` is required"),
    (FUNNEL, {"series": [{**EVENT, "optionalInFunnel": True}, EVENT]}, "cannot be true for the first step"),
    (TRENDS, {"dateRange": {"date_from": "yesterday"}}, "`dateRange.date_from` must be an ISO 8601 date, all, or"),
    (TRENDS, {"dateRange": {"date_to": "last_week"}}, "`dateRange.date_to` must be an ISO 8601 date"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "more", "says"), IGNORED)
def test_a_form_that_a_kind_ignores_is_found(query: dict[str, Any], more: dict[str, Any], says: str) -> None:
    assert says in flaws(query, **more)


VALUES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (FUNNEL, {"funnelsFilter": {"funnelVizType": "Steps"}}, "`funnelsFilter.funnelVizType` must be steps"),
    (FUNNEL, {"funnelsFilter": {"funnelWindowIntervalUnit": "days"}}, "must be day"),
    (FUNNEL, {"funnelsFilter": {"funnelWindowInterval": 7.5}}, "must be an integer"),
    (TRENDS, {"interval": "fortnight"}, "`interval` must be one of second, minute, hour, day, week, month"),
    (TRENDS, {"filterTestAccounts": "maybe"}, "`filterTestAccounts` must be true or false"),
    (TRENDS, {"trendsFilter": {"display": "LineGraph"}}, "`trendsFilter.display` must be"),
    (TRENDS, {"series": [{**EVENT, "math": "unique"}]}, "`series.0.math` must be one of total, dau"),
    (TRENDS, {"series": ["$pageview"]}, '`series.0` must be an object such as {"kind": "EventsNode"'),
    (TRENDS, {"properties": [{"key": "a", "value": 1, "operator": "equals"}]}, "`properties.0.operator` must be one"),
    (TRENDS, {"properties": [{"key": "a", "value": 1, "type": "events"}]}, "`properties.0.type` must be event"),
    (TRENDS, {"properties": [{"key": "id", "type": "cohort", "value": "pro"}]}, "`properties.0.value` must be an int"),
    (TRENDS, {"properties": "a"}, "`properties` must be a list"),
    (TRENDS, {"dateRange": "-7d"}, "`dateRange` must be an object"),
    (TRENDS, {"compareFilter": {"compare": True, "compare_to": "last week"}}, "must be a shift such as -7d"),
    (RETENTION, {"retentionFilter": {"period": "week"}}, "`retentionFilter.period` must be Week"),
    (PATHS, {"pathsFilter": {"includeEventTypes": ["pageview"]}}, "must be $pageview"),
    ({"kind": "InsightVizNode", "source": SQL}, {"showLegend": True}, "`showLegend` is not a field of InsightVizNode"),
    ({"kind": "DataVisualizationNode", "source": TRENDS}, {}, "`kind` must be InsightVizNode for a TrendsQuery"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "more", "says"), VALUES)
def test_a_value_that_posthog_rejects_is_found(query: dict[str, Any], more: dict[str, Any], says: str) -> None:
    assert says in flaws(query, **more)


SOUND: list[dict[str, Any]] = [
    {**TRENDS, "interval": None, "properties": None, "breakdownFilter": None},
    {**TRENDS, "filterTestAccounts": "yes", "samplingFactor": "0.5", "version": 2, "modifiers": {"any": 1}},
    {**TRENDS, "dateRange": {"date_from": "-1mStart", "date_to": "-1mEnd", "explicitDate": True}},
    {**TRENDS, "dateRange": {"date_from": "all", "date_to": "2026-11-01T10:00:00+02:00"}},
    {**TRENDS, "properties": [{"key": "a", "value": [1, "b", True], "operator": "exact", "type": "person"}]},
    {**TRENDS, "properties": [{"key": "a", "operator": "is_set"}, {"key": "1 = 1", "type": "hogql", "value": None}]},
    {**TRENDS, "properties": [{"key": "id", "value": 7, "type": "cohort", "operator": "in", "cohort_name": "Pro"}]},
    {**TRENDS, "properties": {"type": "AND", "values": [{"type": "OR", "values": []}]}},
    {**TRENDS, "series": [{"kind": "GroupNode", "operator": "OR", "nodes": [EVENT, EVENT], "math": "dau"}]},
    {**TRENDS, "series": [{"kind": "DataWarehouseNode", "anything": 1}]},
    {**TRENDS, "trendsFilter": {"display": "SlopeGraph", "formulaNodes": [{"formula": "A", "custom_name": "x"}]}},
    {**TRENDS, "trendsFilter": {"resultCustomizations": {"0": {"assignmentBy": "position", "color": "preset-1"}}}},
    {**TRENDS, "breakdownFilter": {"breakdowns": [{"property": "industry", "type": "group", "group_type_index": 0}]}},
    {**FUNNEL, "breakdownFilter": {"breakdown": ["$os", "$browser"], "breakdown_type": "event"}},
    {**FUNNEL, "breakdownFilter": {"breakdown": [7, "all"], "breakdown_type": "cohort", "breakdowns": []}},
    {**FUNNEL, "funnelsFilter": {"exclusions": [{**EVENT, "funnelFromStep": 0, "funnelToStep": 1}]}},
    {**FUNNEL, "funnelsFilter": {"breakdownAttributionType": "step", "breakdownAttributionValue": 0}},
    {**RETENTION, "retentionFilter": {"targetEntity": {"type": "data_warehouse", "table_name": "t"}}},
    {**PATHS, "funnelPathsFilter": {"funnelPathType": "funnel_path_after_step", "funnelSource": FUNNEL}},
    {**STICKINESS, "stickinessFilter": {"stickinessCriteria": {"operator": "gte", "value": 2}}, "intervalCount": 1},
    {**LIFECYCLE, "lifecycleFilter": {"toggledLifecycles": ["new", "dormant"], "stacked": True}},
    {**SQL, "values": {"a": 1}, "filters": {"dateRange": {"date_from": "-7d"}}, "variables": {}},
    {"kind": "DataVisualizationNode", "source": SQL, "display": "ActionsBar", "chartSettings": {"new": 1}},
    {"kind": "DataTableNode", "source": SQL, "showWhatever": True},
    {"kind": "InsightVizNode", "source": TRENDS, "full": True, "vizSpecificOptions": {}},
    {"kind": "DataTableNode", "source": {"kind": "NewerQuery", "field": 1}},
    {"kind": "NewerQuery", "field": 1},
]


@pytest.mark.parametrize("query", SOUND)
def test_what_posthog_accepts_and_what_is_not_known_here_has_no_fault(query: dict[str, Any]) -> None:
    assert flaws(query) == ""


ASKED: list[tuple[str, dict[str, Any]]] = [
    ("trends", {"events": ["a", {"action_id": 7}], "math": "sum", "property": "person.age", "compare": "-4w"}),
    ("trends", {"events": ["a"], "breakdown": ["$os", "person.plan", "session.$channel_type"], "interval": "total"}),
    ("trends", {"events": ["a"], "math": "hogql", "property": "1", "breakdown": "cohort.7", "formula": "A*2"}),
    ("funnel", {"steps": ["a", "b"], "exclude": "c", "breakdown": "hogql:1", "view": "trend"}),
    ("funnel", {"steps": ["a", "b"], "breakdown": "cohort.7", "filters": [{"type": "hogql", "key": "1 = 1"}]}),
    ("retention", {"event": "a", "breakdown": "$channel_type"}),
    ("retention", {"event": "*", "returning_event": {"action_id": 7}, "breakdown": "$os", "cumulative": True}),
    ("paths", {"start": "/", "exclude": ["/x"], "groupings": ["/user/*"]}),
    ("stickiness", {"events": ["a", "b"], "at_least": 3, "compare": True}),
    ("lifecycle", {"event": {"event": "a", "where": [{"key": "b", "operator": "is_set"}]}, "date_from": "all"}),
]


@pytest.mark.parametrize(("name", "arguments"), ASKED)
def test_queries_of_the_typed_tools_have_no_fault(name: str, arguments: dict[str, Any]) -> None:
    (kind,) = [kind for kind in KINDS if kind.name == name]
    assert flaws(kind.compile(kind.read(kind.input.model_validate(arguments)))) == ""


METRICS: list[tuple[dict[str, Any], str]] = [
    ({"metric_type": "mean", "source": EVENT}, ""),
    ({"kind": "ExperimentTrendsQuery", "anything": 1}, ""),
    ({"metric_type": "funnel", "series": [{**EVENT, "properties": {}}], "uuid": "u", "fingerprint": "f"}, ""),
    ({"metric_type": "ratio", "numerator": EVENT, "denominator": EVENT, "goal": "decrease"}, ""),
    ({"metric_type": "mean"}, "needs `source`"),
    ({"metric_type": "mean", "event": "purchase"}, "`event` is not a field of a mean metric; needs `source`"),
    ({"metric_type": "mean", "source": {**EVENT, "maths": "sum"}}, "`source.maths` is not a field of EventsNode"),
    ({"metric_type": "mean", "source": {**EVENT, "math": "sum"}}, "it needs `math_property`"),
    ({"metric_type": "funnel", "series": [EVENT], "conversion_window_unit": "days"}, "must be day"),
    ({"metric_type": "average", "source": EVENT}, "`metric_type` must be one of mean, funnel, ratio, retention"),
    ({"metric_type": "mean", "source": EVENT, "goal": "up"}, "`goal` must be one of increase, decrease"),
]


@pytest.mark.parametrize(("metric", "says"), METRICS)
def test_a_metric_is_checked_by_its_type(metric: dict[str, Any], says: str) -> None:
    found = as_sentence(metric_flaws({"kind": "ExperimentMetric", **metric}))
    assert says in found
    assert bool(says) is bool(found)


RECENT = {"time_value": 30, "time_interval": "day"}
DONE = {"type": "behavioral", "key": "a", "event_type": "events", "value": "performed_event", **RECENT}
CONDITIONS: list[tuple[dict[str, Any], str]] = [
    (DONE, ""),
    ({**DONE, "conditionHash": "x", "added_by_posthog": 1}, ""),
    ({**DONE, "explicit_datetime": "-30d", "time_value": None, "time_interval": None}, ""),
    ({**DONE, "value": "performed_event_multiple", "operator": "gte", "operator_value": "3"}, ""),
    ({"type": "person", "key": "plan", "operator": "is_set"}, ""),
    ({"type": "cohort", "key": "id", "value": "7"}, ""),
    ({**DONE, "value": "performed"}, "`value` must be"),
    ({**DONE, "time_interval": "days"}, "`time_interval` must be day"),
    ({**DONE, "time_value": None}, "needs `time_value`"),
    ({**DONE, "time_vaule": 7}, "`time_vaule` is not a field of a behavioral condition (did you mean time_value?)"),
    ({**DONE, "value": "performed_event_multiple"}, "needs `operator`, `operator_value`"),
    ({**DONE, "event_filters": [{"key": "plan"}]}, "`event_filters.0` needs a `value`"),
    ({"type": "person", "key": "plan"}, "needs a `value`"),
    ({"type": "person", "key": "plan", "value": "pro", "operator": "equals"}, "`operator` must be one of exact"),
    ({"type": "cohort", "key": "id", "value": "pro"}, "`value` must be an integer"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "says"), CONDITIONS)
def test_a_condition_of_a_cohort_is_checked_by_its_type(condition: dict[str, Any], says: str) -> None:
    found = as_sentence(condition_flaws(condition))
    assert says in found
    assert bool(says) is bool(found)


def test_only_the_first_faults_are_told() -> None:
    many = flaws(TRENDS, **{f"zzz{at}": 1 for at in range(9)})
    assert many.count("is not a field") == 4
    assert many.endswith("; and 5 more")
