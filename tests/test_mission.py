"""The mission: every operation of the skill document that this server was made for, under the names it promises."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from maton_posthog.schemas.base.json_schema import input_schema
from maton_posthog.tools.operations import OPERATIONS
from tests.gateway.fake_gateway import CONNECTION, reply
from tests.server.test_every_operation import ARGUMENTS, served
from tests.tools.posthog.fake import connection

PAGE = "limit offset"
MISSION: Mapping[str, str] = {
    "manage_connection": "*action connection_id status dry_run confirmation",
    "get_organization": "full",
    "list_projects": f"{PAGE} search",
    "get_project": "project_id full",
    "get_current_user": "",
    "run_hogql": "*query values limit refresh name check background export plot",
    "list_persons": f"{PAGE} search email distinct_id properties cohort_id",
    "get_person": "*person_id full",
    "list_dashboards": f"{PAGE} search tags",
    "get_dashboard": "*dashboard_id full numbers refresh",
    "create_dashboard": "*name description pinned tags tiles dry_run",
    "update_dashboard": "*dashboard_id name description pinned tags remove_tags add_insights remove_insights dry_run",
    "list_insights": f"{PAGE} search saved insight dashboards",
    "get_insight": "*insight_id refresh full",
    "create_insight": "*name *query description tags add_to_dashboards saved dry_run",
    "list_flags": f"{PAGE} search active type tags",
    "get_flag": "*flag person full",
    "create_flag": "*key name active rollout_percentage filters variants tags ensure_experience_continuity copy_from "
    "create_usage_dashboard dry_run",
    "update_flag": "*flag key name active rollout_percentage condition conditions variants remove_variants payloads "
    "serve_variant filters ensure_experience_continuity tags remove_tags dry_run confirmation",
    "delete_flag": "*flag dry_run confirmation",
    "list_cohorts": f"{PAGE} search",
    "get_cohort": "*cohort_id",
    "create_cohort": "*name description filters groups dry_run",
    "list_actions": f"{PAGE} search",
    "create_action": "*name *steps description tags dry_run",
    "list_recordings": f"{PAGE} date_from date_to person_id distinct_id events properties error min_duration_s order",
    "get_recording": "*recording_id full",
    "list_annotations": f"{PAGE} search scope date_from date_to",
    "create_annotation": "*content date_marker scope insight_id dashboard_id dry_run confirmation",
    "list_surveys": f"{PAGE} search archived",
    "create_survey": "*name *type *questions description conditions appearance schedule iteration_count "
    "iteration_frequency_days translations start_date dry_run confirmation",
    "list_experiments": f"{PAGE} search status",
    "create_experiment": "*name *feature_flag_key description variants metrics secondary_metrics saved_metrics "
    "running_time_calculation type dry_run",
    "list_event_definitions": f"{PAGE} search event_type",
    # PostHog returns 400 for type=group without group_type_index.
    "list_property_definitions": f"{PAGE} search type event_names group_type_index",
}
"""Arguments beside project_id and connection_id, in any order; * marks those that must be given."""
ACCOUNT = frozenset({"manage_connection", "get_organization", "list_projects", "get_current_user"})
"""Tools that act on the account: they take no project."""

IN_PROJECT = "/posthog/api/projects/{project_id}"
SEED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET /connections", "manage_connection", {"action": "list"}),
    ("POST /connections", "manage_connection", {"action": "create"}),
    ("GET /connections/{connection_id}", "manage_connection", {"action": "get", "connection_id": CONNECTION}),
    ("DELETE /connections/{connection_id}", "manage_connection", {"action": "delete", "connection_id": CONNECTION}),
    ("GET /posthog/api/organizations/@current/", "get_organization", {}),
    ("GET /posthog/api/projects/", "list_projects", {}),
    ("GET /posthog/api/projects/@current/", "get_project", {}),
    ("GET /posthog/api/users/@me/", "get_current_user", {}),
    (f"POST {IN_PROJECT}/query/", "run_hogql", {}),
    (f"GET {IN_PROJECT}/persons/", "list_persons", {}),
    (f"GET {IN_PROJECT}/persons/{{person_uuid}}/", "get_person", {}),
    (f"GET {IN_PROJECT}/dashboards/", "list_dashboards", {}),
    (f"GET {IN_PROJECT}/dashboards/{{dashboard_id}}/", "get_dashboard", {}),
    (f"POST {IN_PROJECT}/dashboards/", "create_dashboard", {}),
    (f"PATCH {IN_PROJECT}/dashboards/{{dashboard_id}}/", "update_dashboard", {}),
    (f"GET {IN_PROJECT}/insights/", "list_insights", {}),
    (f"GET {IN_PROJECT}/insights/{{insight_id}}/", "get_insight", {}),
    (f"POST {IN_PROJECT}/insights/", "create_insight", {}),
    (f"GET {IN_PROJECT}/feature_flags/", "list_flags", {}),
    (f"GET {IN_PROJECT}/feature_flags/{{flag_id}}/", "get_flag", {"flag": 42}),
    (f"POST {IN_PROJECT}/feature_flags/", "create_flag", {}),
    (f"PATCH {IN_PROJECT}/feature_flags/{{flag_id}}/", "update_flag", {}),
    (f"PATCH {IN_PROJECT}/feature_flags/{{flag_id}}/", "delete_flag", {}),
    (f"GET {IN_PROJECT}/cohorts/", "list_cohorts", {}),
    (f"GET {IN_PROJECT}/cohorts/{{cohort_id}}/", "get_cohort", {}),
    (f"POST {IN_PROJECT}/cohorts/", "create_cohort", {}),
    (f"GET {IN_PROJECT}/actions/", "list_actions", {}),
    (f"POST {IN_PROJECT}/actions/", "create_action", {}),
    (f"GET {IN_PROJECT}/session_recordings/", "list_recordings", {}),
    (f"GET {IN_PROJECT}/session_recordings/{{recording_id}}/", "get_recording", {}),
    (f"GET {IN_PROJECT}/annotations/", "list_annotations", {}),
    (f"POST {IN_PROJECT}/annotations/", "create_annotation", {}),
    (f"GET {IN_PROJECT}/surveys/", "list_surveys", {}),
    (f"POST {IN_PROJECT}/surveys/", "create_survey", {}),
    (f"GET {IN_PROJECT}/experiments/", "list_experiments", {}),
    (f"POST {IN_PROJECT}/experiments/", "create_experiment", {}),
    (f"GET {IN_PROJECT}/event_definitions/", "list_event_definitions", {}),
    (f"GET {IN_PROJECT}/property_definitions/", "list_property_definitions", {}),
)
"""Every endpoint of the document in its order, the tool that calls it, and what to call that with."""


def test_every_tool_of_the_mission_has_exactly_its_arguments() -> None:
    offered = {operation.name: _arguments(input_schema(operation.input)) for operation in OPERATIONS}
    promised = {name: _promised(name) for name in MISSION}
    assert {name: offered.get(name) for name in MISSION} == promised


def test_every_tool_of_the_mission_covers_an_endpoint_of_the_document() -> None:
    assert {tool for _, tool, _ in SEED} == MISSION.keys()
    assert len(SEED) == 38


@pytest.mark.anyio
@pytest.mark.parametrize(("endpoint", "tool", "arguments"), SEED, ids=lambda value: str(value))
async def test_the_endpoint_of_the_document_is_called(endpoint: str, tool: str, arguments: dict[str, Any]) -> None:
    async with served() as (client, gateway):
        gateway.on("POST", "/connections", reply(200, {"connection": connection("PENDING")}))
        gateway.on("GET", f"/connections/{CONNECTION}", reply(200, {"connection": connection()}))
        result = await client.call_tool(tool, arguments or ARGUMENTS.get(tool, {}))
    assert not result.is_error, result
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(endpoint))
    sent = [f"{request.method} {request.path}" for request in gateway.received]
    assert any(re.fullmatch(pattern, request) for request in sent), sent


def _promised(name: str) -> set[str]:
    aims = {"connection_id"} if name in ACCOUNT else {"connection_id", "project_id"}
    return {*MISSION[name].split(), *aims}


def _arguments(schema: dict[str, Any]) -> set[str]:
    required = schema.get("required", [])
    return {f"*{name}" if name in required else name for name in schema["properties"]}
