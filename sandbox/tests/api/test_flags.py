"""Feature flags of the sandbox: PostHog's rules, traps and side effects."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ..sandbox_client import FLAG, Serving, serving

pytestmark = pytest.mark.anyio

GROUP_FILTERS: dict[str, Any] = {
    "groups": [{"properties": [{"key": "x", "value": "y", "type": "person"}]}],
    "aggregation_group_type_index": 0,
}
WRONG_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"filters": FLAG}, "required", "key"),
    ({"key": "", "filters": FLAG}, "blank", "key"),
    ({"key": None, "filters": FLAG}, "null", "key"),
    ({"key": "k"}, "required", "filters"),
    ({"key": "k", "filters": []}, "not_a_dict", "filters"),
    ({"key": "k", "filters": {"groups": []}}, "invalid_input", "filters"),
    ({"key": "k", "filters": FLAG, "active": "perhaps"}, "invalid_input", "active"),
    ({"key": "k", "filters": FLAG, "archived": True}, "invalid_input", "archived"),
    ({"key": "k", "filters": FLAG, "evaluation_runtime": "mars"}, "invalid_choice", "evaluation_runtime"),
]
INVALID_FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"groups": [{"rollout_percentage": 101}]}, "between 0 and 100"),
    ({"groups": [{"rollout_percentage": "50"}]}, "between 0 and 100"),
    ({"groups": [{"properties": [{"key": "x", "value": "y", "type": "event"}]}]}, "can only use person"),
    ({"groups": [{"properties": [{"key": "x", "value": "y"}]}]}, "can only use person"),
    (
        {"groups": [{"properties": [{"key": "x", "value": ["y"], "type": "person", "operator": "icontains"}]}]},
        "Invalid value for operator icontains",
    ),
    (GROUP_FILTERS, "can only use group properties"),
    ({"groups": [{"properties": [{"key": "id", "value": 999, "type": "cohort"}]}]}, "Cohort with id 999"),
    ({"groups": [{}], "payloads": {"test": "1"}}, "Payload keys must be 'true'"),
    ({"groups": [{}], "payloads": {"true": "{"}}, "not valid JSON"),
    (
        {"groups": [{}], "multivariate": {"variants": [{"key": "a", "rollout_percentage": 99}]}},
        "Variant rollout percentages must sum to 100",
    ),
]


@pytest.fixture
async def sandbox() -> AsyncGenerator[Serving]:
    async with serving() as running:
        yield running


async def flag(sandbox: Serving, key: str = "fresh", **more: Any) -> dict[str, Any]:
    return await sandbox.make("feature_flags/", {"key": key, "filters": FLAG, **more})


async def test_a_new_flag_creates_a_dashboard_unless_disabled(sandbox: Serving) -> None:
    made = await flag(sandbox)
    dashboard = await sandbox.get(f"dashboards/{made['usage_dashboard']}/")

    assert dashboard["name"] == "Generated Dashboard: fresh Usage"
    assert len(dashboard["tiles"]) == 2
    assert (await flag(sandbox, "quiet", _should_create_usage_dashboard=False))["usage_dashboard"] is None


@pytest.mark.parametrize("key", ["with space", "dot.ted", "slash/ed", "ünïcode"])
async def test_a_key_has_only_letters_digits_hyphens_and_underscores(sandbox: Serving, key: str) -> None:
    status, code, _, attr = await sandbox.rejection("POST", "feature_flags/", {"key": key, "filters": FLAG})

    assert (status, code, attr) == (400, "invalid_key", "key")


async def test_a_key_is_unique(sandbox: Serving) -> None:
    await flag(sandbox)

    assert await sandbox.rejection("POST", "feature_flags/", {"key": "fresh", "filters": FLAG}) == (
        400,
        "unique",
        "There is already a feature flag with this key.",
        "key",
    )


@pytest.mark.parametrize(("body", "code", "attr"), WRONG_FIELDS)
async def test_the_first_invalid_field_is_reported(sandbox: Serving, body: Any, code: str, attr: str) -> None:
    assert (await sandbox.rejection("POST", "feature_flags/", body))[::3] == (400, attr)
    assert (await sandbox.rejection("POST", "feature_flags/", body))[1] == code


@pytest.mark.parametrize(("filters", "expected"), INVALID_FILTERS)
async def test_invalid_filters_are_rejected(sandbox: Serving, filters: Any, expected: str) -> None:
    status, _, detail, attr = await sandbox.rejection("POST", "feature_flags/", {"key": "k", "filters": filters})

    assert (status, attr) == (400, "filters")
    assert expected in detail


async def test_payloads_are_stored_as_json_strings(sandbox: Serving) -> None:
    made = await flag(sandbox, filters={**FLAG, "payloads": {"true": {"a": 1}}})

    assert made["filters"]["payloads"] == {"true": '{"a": 1}'}


async def test_a_behavioral_cohort_cannot_target_a_flag(sandbox: Serving) -> None:
    [cohort] = (await sandbox.get("cohorts/", search="Power users"))["results"]
    filters = {"groups": [{"properties": [{"key": "id", "type": "cohort", "value": cohort["id"], "operator": "in"}]}]}

    assert (await sandbox.rejection("POST", "feature_flags/", {"key": "k", "filters": filters}))[1] == (
        "behavioral_cohort_found"
    )


async def test_a_patch_replaces_filters_and_increments_the_version(sandbox: Serving) -> None:
    made = await flag(sandbox, filters={**FLAG, "payloads": {"true": "1"}})
    changed = await sandbox.patch(f"feature_flags/{made['id']}/", {"filters": {"groups": [{"rollout_percentage": 60}]}})

    assert changed["filters"]["groups"] == [{"properties": [], "rollout_percentage": 60}]
    assert changed["filters"]["payloads"] == {}
    assert (made["version"], changed["version"]) == (1, 2)


async def test_a_patch_of_filters_without_groups_is_ignored(sandbox: Serving) -> None:
    made = await flag(sandbox)
    changed = await sandbox.patch(f"feature_flags/{made['id']}/", {"filters": {"payloads": {"true": "1"}}})

    assert changed["filters"] == made["filters"]


async def test_a_conflicting_edit_is_409_with_type_server_error(sandbox: Serving) -> None:
    made = await flag(sandbox)
    await sandbox.patch(f"feature_flags/{made['id']}/", {"name": "theirs"})
    body = {"name": "mine", "version": made["version"], "original_flag": made}
    response = await sandbox.send("PATCH", f"feature_flags/{made['id']}/", body)

    assert response.status_code == 409
    assert response.json()["type"] == "server_error"
    assert response.json()["code"] == "conflict"


async def test_delete_is_405_with_an_empty_body_and_a_patch_deletes_and_restores(sandbox: Serving) -> None:
    made = await flag(sandbox)
    path = f"feature_flags/{made['id']}/"
    rejected = await sandbox.send("DELETE", path)

    assert (rejected.status_code, rejected.content, rejected.headers["content-length"]) == (405, b"", "0")
    assert (await sandbox.patch(path, {"deleted": True}))["deleted"] is True
    assert (await sandbox.get("feature_flags/", search="fresh"))["results"] == []
    assert (await sandbox.get(path))["deleted"] is True
    assert (await sandbox.patch(path, {"deleted": False}))["key"] == "fresh"


async def test_a_new_flag_removes_the_deleted_flag_with_its_key(sandbox: Serving) -> None:
    first = await flag(sandbox)
    await sandbox.patch(f"feature_flags/{first['id']}/", {"deleted": True})
    second = await flag(sandbox)

    assert second["id"] != first["id"]
    assert (await sandbox.send("PATCH", f"feature_flags/{first['id']}/", {"deleted": False})).status_code == 404


async def test_a_flag_of_a_running_experiment_cannot_be_deleted(sandbox: Serving) -> None:
    [running] = (await sandbox.get("feature_flags/", search="new-checkout"))["results"]
    status, _, detail, _ = await sandbox.rejection("PATCH", f"feature_flags/{running['id']}/", {"deleted": True})

    assert status == 400
    assert "running experiment" in detail
    assert running["experiment_set"]


async def test_the_key_of_a_deleted_flag_with_an_experiment_is_freed_and_restored(sandbox: Serving) -> None:
    [linked] = (await sandbox.get("feature_flags/", search="yearly-billing-first"))["results"]
    path = f"feature_flags/{linked['id']}/"

    assert (await sandbox.patch(path, {"deleted": True}))["key"] != "yearly-billing-first"
    await flag(sandbox, "yearly-billing-first")
    assert (await sandbox.patch(path, {"deleted": False}))["key"] == "yearly-billing-first-2"


async def test_a_flag_with_dependents_cannot_be_switched_off(sandbox: Serving) -> None:
    made = await flag(sandbox)
    needs = {"groups": [{"properties": [{"key": str(made["id"]), "type": "flag", "value": True, "operator": "exact"}]}]}
    await flag(sandbox, "dependent", filters=needs)

    for body in ({"active": False}, {"deleted": True}):
        assert "other flags depend on it" in (await sandbox.rejection("PATCH", f"feature_flags/{made['id']}/", body))[2]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"type": "multivariant"}, {"new-checkout", "onboarding-checklist", "yearly-billing-first"}),
        ({"type": "experiment"}, {"new-checkout", "onboarding-checklist", "yearly-billing-first"}),
        ({"type": "remote_config"}, {"pricing-banner"}),
        ({"type": "boolean", "tags": '["beta"]'}, {"beta-reports"}),
        ({"active": "STALE"}, {"dark-mode"}),
        ({"active": "false", "search": "LEGACY"}, {"legacy-editor"}),
        ({"search": "keyboard"}, {"command-palette"}),
        ({"archived": "true"}, set[str]()),
    ],
)
async def test_the_list_of_flags_is_filtered(sandbox: Serving, query: dict[str, str], keys: set[str]) -> None:
    assert {row["key"] for row in (await sandbox.get("feature_flags/", **query))["results"]} == keys


async def test_a_flag_is_not_found_by_its_key_or_in_another_project(sandbox: Serving) -> None:
    made = await flag(sandbox)

    for path in ("feature_flags/fresh/", f"/posthog/api/projects/2/feature_flags/{made['id']}/"):
        assert await sandbox.rejection("GET", path) == (404, "not_found", "Not found.", None)
