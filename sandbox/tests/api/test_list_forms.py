"""Filters, orderings and fields of lists that the resources' own tests do not cover."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ..sandbox_client import FLAG, Serving, serving

pytestmark = pytest.mark.anyio

SQL = {"kind": "DataVisualizationNode", "source": {"kind": "HogQLQuery", "query": "select 1"}}


FIELDS = {
    "dashboards/": """
        access_control_version created_at created_by creation_mode deleted description
        effective_privilege_level effective_restriction_level id is_shared last_accessed_at last_refresh
        last_viewed_at name pinned restriction_level tags team_id user_access_level
    """,
    "insights/": """
        alerts cache_target_age columns created_at created_by dashboard_tiles dashboards deleted derived_name
        description effective_privilege_level effective_restriction_level favorited filters hasMore hogql id
        is_cached is_sample last_modified_at last_modified_by last_refresh last_viewed_at name
        next_allowed_client_refresh order query query_status resolved_date_range result saved
        search_match_type short_id tags timezone types updated_at user_access_level
    """,
    "feature_flags/": """
        active analytics_dashboards archived bucketing_identifier can_edit created_at created_by deleted
        ensure_experience_continuity evaluation_contexts evaluation_runtime experiment_set
        experiment_set_metadata features filters has_encrypted_payloads has_enriched_analytics id
        is_remote_configuration is_used_in_replay_settings key last_called_at last_modified_by name
        performed_rollback rollback_conditions status surveys tags updated_at usage_dashboard
        user_access_level version
    """,
    "cohorts/": """
        cohort_type count created_at created_by deleted description errors_calculating experiment_set filters
        groups id is_calculating is_static last_calculation last_error_message name pending_version query
        version
    """,
    "actions/": """
        bytecode_error created_at created_by creation_context deleted description id is_action is_calculating
        last_calculated_at name pinned_at post_to_slack slack_message_format steps tags team_id
        user_access_level
    """,
    "annotations/": """
        content created_at created_by creation_type dashboard_id dashboard_item dashboard_name date_marker
        deleted emoji hidden_in_user_interface id insight_derived_name insight_name insight_short_id scope
        tags updated_at
    """,
}
"""The fields of a row in each list."""


@pytest.fixture
async def sandbox() -> AsyncGenerator[Serving]:
    async with serving() as running:
        yield running


async def ids(sandbox: Serving, area: str, **query: Any) -> list[Any]:
    return [row["id"] for row in (await sandbox.get(area, **query))["results"]]


async def test_a_basic_list_of_insights_has_no_result_fields(sandbox: Serving) -> None:
    whole = (await sandbox.get("insights/"))["results"]
    basic = (await sandbox.get("insights/", basic="true"))["results"]

    assert {"result", "columns", "hasMore", "query_status"} <= whole[0].keys()
    assert not {"result", "columns", "hasMore", "query_status"} & basic[0].keys()
    assert [row["id"] for row in basic] == [row["id"] for row in whole]
    assert {"name", "short_id", "query", "last_refresh"} <= basic[0].keys()


async def test_the_users_own_insights_are_all_insights(sandbox: Serving) -> None:
    assert await ids(sandbox, "insights/", user="true") == await ids(sandbox, "insights/")
    assert await ids(sandbox, "insights/", created_by="[99]") == []


async def test_views_are_recorded_and_order_the_list(sandbox: Serving) -> None:
    made = [await sandbox.make("insights/", {"query": SQL, "name": name}) for name in "ab"]
    for moment, row in (("2026-11-22T10:00:00Z", made[1]), ("2026-11-22T11:00:00Z", made[0])):
        await sandbox.send("POST", "/sandbox/clock", {"now": moment, "frozen": True})
        response = await sandbox.send("POST", "insights/viewed/", {"insight_ids": [row["id"], 10**6]})
        assert response.status_code == 201

    wanted = [made[0]["id"], made[1]["id"]]
    assert (await ids(sandbox, "insights/", order="-last_viewed_at"))[:2] == wanted
    assert [row["id"] for row in await sandbox.get("insights/my_last_viewed/")] == wanted
    assert [row["id"] for row in await sandbox.get("insights/trending/", limit=1)] == wanted[:1]
    await sandbox.send("POST", "/sandbox/clock", {"now": "2026-12-22T10:00:00Z"})
    assert await sandbox.get("insights/trending/", days=7) == []
    assert (await sandbox.send("POST", "insights/viewed/", {})).status_code == 400


async def test_flags_that_depend_on_a_flag_are_listed(sandbox: Serving) -> None:
    base = await sandbox.make("feature_flags/", {"key": "base", "filters": FLAG})
    on_base = {"key": str(base["id"]), "type": "flag", "value": True, "operator": "flag_evaluates_to"}
    filters = {"groups": [{"properties": [on_base], "rollout_percentage": 100}]}
    above = await sandbox.make("feature_flags/", {"key": "above", "name": "On top", "filters": filters})

    found = await sandbox.get(f"feature_flags/{base['id']}/dependent_flags/")
    assert found == [{"id": above["id"], "key": "above", "name": "On top"}]
    assert await sandbox.get(f"feature_flags/{above['id']}/dependent_flags/") == []


async def test_actions_are_sorted_by_each_ordering(sandbox: Serving) -> None:
    made = [await sandbox.make("actions/", {"name": name, "steps": []}) for name in ("zz last", "aa first")]

    names = [row["name"] for row in (await sandbox.get("actions/", ordering="name"))["results"]]
    assert names == sorted(names)
    for ordering in ("created_by", "-created_by", "pinned_at", "created_at"):
        assert set(await ids(sandbox, "actions/", ordering=ordering)) >= {row["id"] for row in made}


@pytest.mark.parametrize("limit", ["0", "-1", "many", ""])
@pytest.mark.parametrize("area", ["feature_flags/", "insights/", "dashboards/", "annotations/", "experiments/"])
async def test_an_invalid_limit_means_the_default(sandbox: Serving, area: str, limit: str) -> None:
    assert await ids(sandbox, area, limit=limit) == await ids(sandbox, area)


@pytest.mark.parametrize("area", ["feature_flags/", "surveys/", "cohorts/"])
async def test_a_page_beyond_the_end_is_empty_with_the_true_count(sandbox: Serving, area: str) -> None:
    page = await sandbox.get(area, offset=10_000)

    assert page["results"] == []
    assert page["count"] == len(await ids(sandbox, area)) > 0


@pytest.mark.parametrize("area", FIELDS)
async def test_a_row_of_a_list_has_exactly_posthogs_fields(sandbox: Serving, area: str) -> None:
    for row in (await sandbox.get(area))["results"]:
        assert sorted(row) == FIELDS[area].split()
