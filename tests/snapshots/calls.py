"""The calls whose responses are kept as snapshots: for every tool one that succeeds and one typical mistake."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

type Arguments = Mapping[str, Any]
type Call = tuple[str, Arguments]

MISSING = 999_999
"""The id of nothing."""
FLAG, EXPERIMENT, DASHBOARD, INSIGHT, COHORT, ACTION, ANNOTATION = 8, 1, 1, 1, 1, 2, 7
SURVEY = "0197d0c6-5b1e-7d3a-9c41-3f7be21a8e54"
RECORDING = "01a20369-2004-7295-9b7d-9d2d22aff503"
PERSON = "f20b9199-68a5-4ee7-ab6e-0d069211d6cc"
ERROR = "35f1a6ac-0dae-5db6-ac00-f2a96c8f87de"
CONNECTION = "d7f2ed1c-5be3-5285-85e0-d18240b5661d"
COUNTED = "SELECT event, count() AS events FROM events WHERE timestamp > now() - INTERVAL 30 DAY GROUP BY event"
PAYING = {"key": "plan", "type": "person", "value": ["pro"], "operator": "exact"}
RATING = {"type": "rating", "question": "How likely are you to recommend us?", "scale": 10}
PURCHASES = {
    "kind": "ExperimentMetric",
    "metric_type": "funnel",
    "name": "Purchases",
    "series": [{"kind": "EventsNode", "event": "purchase_completed"}],
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A call that succeeds, after the calls of `before`, and one that fails."""

    good: Arguments | Callable[[Mapping[str, Any]], Arguments]
    """The arguments, or how they follow from the last response of `before`."""
    bad: Arguments
    before: tuple[Call, ...] = ()


LARGE: tuple[Call, ...] = (
    ("run_hogql", {"query": "SELECT uuid, event, timestamp FROM events ORDER BY timestamp, uuid", "limit": 1000}),
)
"""A query whose response has a `query_id`: its rows do not fit into one result."""
DATA: Mapping[str, Pair] = {
    "run_hogql": Pair(
        {"query": f"{COUNTED} ORDER BY events DESC, event LIMIT 5"}, {"query": "SELECT evnt FROM events"}
    ),
    "get_query_result": Pair(
        lambda shown: {"query_id": shown["query_id"], "offset": 500, "limit": 2}, {"query_id": "0" * 32}, before=LARGE
    ),
    "cancel_query": Pair(lambda shown: {"query_id": shown["query_id"]}, {"query_id": "0" * 32}, before=LARGE),
    "check_hogql": Pair({"query": f"{COUNTED} LIMIT 5"}, {"query": ""}),
    "describe_data": Pair({"event": "purchase_completed"}, {"table": "event"}),
    "query_trends": Pair(
        {"events": ["purchase_completed"], "date_from": "-7d", "compare": "previous"},
        {"events": ["purchase_complete"], "interval": "fortnight"},
    ),
    "query_funnel": Pair(
        {"steps": ["$pageview", "checkout_started", "purchase_completed"], "date_from": "-30d"},
        {"steps": ["$pageview"]},
    ),
    "query_retention": Pair(
        {"event": "$pageview", "period": "Week", "periods": 4}, {"event": "$pageview", "period": "Year"}
    ),
    "query_paths": Pair({"start": "https://quillboard.example/", "steps": 3, "edges": 5}, {"steps": 99}),
    "query_stickiness": Pair({"events": ["$pageview"], "interval": "day"}, {"events": []}),
    "query_lifecycle": Pair(
        {"event": "$pageview", "interval": "week"}, {"event": "$pageview", "date_from": "recently"}
    ),
    "explain_change": Pair(
        {"event": "$exception", "date_from": "2026-11-10", "date_to": "2026-11-16"}, {"dimensions": ["plan"]}
    ),
    "list_actors": Pair(
        {
            "of": {"tool": "query_funnel", "arguments": {"steps": ["checkout_started", "purchase_completed"]}},
            "step": 2,
            "outcome": "dropped",
            "properties": ["plan"],
            "limit": 2,
        },
        {"of": {"tool": "query_funnel", "arguments": {"steps": ["checkout_started", "purchase_completed"]}}},
    ),
    "list_persons": Pair({"limit": 2}, {"limit": 500}),
    "get_person": Pair({"person_id": PERSON}, {"person_id": "nobody@quillboard.example"}),
    "list_recordings": Pair({"limit": 2, "date_from": "-30d", "error": "TypeError"}, {"order": "length"}),
    "get_recording": Pair({"recording_id": RECORDING}, {"recording_id": "01a20369-2004-7295-9b7d-000000000000"}),
    "list_errors": Pair({"limit": 2, "date_from": "2026-10-24"}, {"status": "open"}),
    "get_error": Pair({"error_id": ERROR, "date_from": "2026-10-24"}, {"error_id": "TypeError"}),
    "list_event_definitions": Pair({"search": "checkout"}, {"event_type": "custom"}),
    "list_property_definitions": Pair({"search": "plan"}, {"type": "group"}),
}
OBJECTS: Mapping[str, Pair] = {
    "list_insights": Pair({"search": "revenue"}, {"insight": "BARS"}),
    "get_insight": Pair({"insight_id": INSIGHT}, {"insight_id": MISSING}),
    "create_insight": Pair(
        {
            "name": "Page views",
            "query": {"tool": "query_trends", "arguments": {"events": ["$pageview"]}},
            "add_to_dashboards": [DASHBOARD],
        },
        {"name": "Page views", "query": {"tool": "query_trends", "arguments": {"event": "$pageview"}}},
    ),
    "update_insight": Pair({"insight_id": INSIGHT, "name": "Daily users"}, {"insight_id": INSIGHT}),
    "delete_insight": Pair({"insight_id": INSIGHT}, {"insight_id": MISSING}),
    "list_dashboards": Pair({}, {"offset": -1}),
    "get_dashboard": Pair({"dashboard_id": DASHBOARD}, {"dashboard_id": MISSING}),
    "create_dashboard": Pair(
        {
            "name": "Growth",
            "tags": ["weekly"],
            "tiles": [
                {"text": "# Visits"},
                {"name": "Page views", "query": {"tool": "query_trends", "arguments": {"events": ["$pageview"]}}},
                {"name": "Events", "query": {"kind": "HogQLQuery", "query": "SELECT count() FROM events"}},
            ],
        },
        {"name": "Growth", "tiles": [{"text": "# Visits"}, {"query": {"kind": "TrendsQuery"}, "width": "wide"}]},
    ),
    "update_dashboard": Pair({"dashboard_id": DASHBOARD, "pinned": False}, {"dashboard_id": DASHBOARD}),
    "delete_dashboard": Pair({"dashboard_id": DASHBOARD}, {"dashboard_id": MISSING}),
    "list_cohorts": Pair({"search": "power"}, {"serch": "power"}),
    "get_cohort": Pair({"cohort_id": COHORT}, {"cohort_id": MISSING}),
    "create_cohort": Pair({"name": "Pro plan", "groups": [{"properties": [PAYING]}]}, {"name": "Pro plan"}),
    "update_cohort": Pair({"cohort_id": COHORT, "name": "Paying"}, {"cohort_id": COHORT}),
    "delete_cohort": Pair({"cohort_id": COHORT}, {"cohort_id": MISSING}),
    "list_actions": Pair({"search": "paid"}, {"limit": 0}),
    "get_action": Pair({"action_id": ACTION}, {"action_id": MISSING}),
    "create_action": Pair(
        {"name": "Pricing page", "steps": [{"event": "$pageview", "url": "/pricing", "url_matching": "contains"}]},
        {"name": "Pricing page", "steps": [{"url": "/pricing", "url_matching": "is"}]},
    ),
    "update_action": Pair({"action_id": ACTION, "name": "Bought"}, {"action_id": ACTION}),
    "delete_action": Pair({"action_id": ACTION}, {"action_id": MISSING}),
    "list_annotations": Pair({"date_from": "2026-11-10"}, {"scope": "team"}),
    "create_annotation": Pair(
        {"content": "Release 4.0.0", "date_marker": "2026-11-23T09:00:00Z"},
        {"content": "Release 4.0.0", "scope": "dashboard"},
    ),
    "update_annotation": Pair({"annotation_id": ANNOTATION, "content": "Release 3.9"}, {"annotation_id": ANNOTATION}),
    "delete_annotation": Pair({"annotation_id": ANNOTATION}, {"annotation_id": MISSING}),
}
FLAGS_AND_ACCOUNT: Mapping[str, Pair] = {
    "list_flags": Pair({"search": "checkout"}, {"type": "percentage"}),
    "get_flag": Pair({"flag": "beta-reports"}, {"flag": "beta-report"}),
    "create_flag": Pair({"key": "new-search", "rollout_percentage": 10}, {"key": "new search"}),
    "update_flag": Pair({"flag": FLAG, "rollout_percentage": 25}, {"flag": FLAG, "rollout_percentage": 150}),
    "delete_flag": Pair({"flag": 1}, {"flag": MISSING}),
    "list_surveys": Pair({}, {"archived": "maybe"}),
    "get_survey": Pair({"survey_id": SURVEY}, {"survey_id": "nps"}),
    "create_survey": Pair(
        {"name": "NPS", "type": "popover", "questions": [RATING]}, {"name": "NPS", "type": "popover", "questions": []}
    ),
    "update_survey": Pair({"survey_id": SURVEY, "archived": True}, {"survey_id": SURVEY}),
    "get_survey_stats": Pair({"survey_id": SURVEY}, {"survey_id": SURVEY, "date_from": "next week"}),
    "list_experiments": Pair({"status": "running"}, {"status": "started"}),
    "get_experiment": Pair({"experiment_id": EXPERIMENT}, {"experiment_id": MISSING}),
    "create_experiment": Pair(
        {"name": "Search box", "feature_flag_key": "search-box", "metrics": [PURCHASES]},
        {"name": "Search box", "feature_flag_key": "search-box", "variants": [{"key": "control"}]},
    ),
    "update_experiment": Pair(
        {"experiment_id": EXPERIMENT, "name": "Checkout on one page"},
        {"experiment_id": EXPERIMENT, "conclusion": "good"},
    ),
    "delete_experiment": Pair({"experiment_id": 3}, {"experiment_id": MISSING}),
    "get_experiment_results": Pair({"experiment_id": EXPERIMENT}, {"experiment_id": MISSING}),
    "restore_deleted": Pair(
        {"resource": "flag", "id": 1}, {"resource": "survey", "id": 1}, before=(("delete_flag", {"flag": 1}),)
    ),
    "get_organization": Pair({}, {"id": 1}),
    "list_projects": Pair({}, {"limit": "many"}),
    "get_project": Pair({}, {"project_id": MISSING}),
    "get_current_user": Pair({}, {"full": True}),
    "manage_connection": Pair({"action": "list"}, {"action": "get"}),
}
PAIRS: Mapping[str, Pair] = {**DATA, **OBJECTS, **FLAGS_AND_ACCOUNT}
