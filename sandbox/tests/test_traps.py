"""PostHog's surprises for clients, one test for each, through the whole application.

Covered elsewhere, also through the whole application:

| surprise | test |
|---|---|
| persons: a page has no `count` and UUIDs as ids | test_people: a_page_of_persons_has_... |
| persons: a single one has its number as id | test_people: a_person_is_retrieved_by_uuid_or_number_... |
| actions: all of them without `limit`, no `next` and `previous` | test_people: all_actions_are_listed_without_... |
| `hasMore` is null with a LIMIT, and set with limit 100 without one | test_handlers: a_query_with_a_limit_leaves_..., |
| | a_query_without_limit_returns_... |
| asynchronous: 202, poll 202 then 200; an error is 400 with a QueryStatus | test_handlers: an_asynchronous_query_... |
| DELETE of a query: 200 with a message | test_handlers: a_cancelled_query_is_200_... |
| 429 with `Retry-After` and without | test_limits_and_clock: posthogs_throttling_has_... |
| 409 of a flag typed `server_error` | test_flags: a_conflicting_edit_is_409_... |
| `@current` is the user's current project | test_app: the_current_project_follows_the_user |
| 403 for the list of projects with a scoped token | test_keys: a_key_of_one_project_reaches_it_... |
| an insight by its short id | test_boards: an_insight_is_found_by_... |
| HogQLMetadata and DatabaseSchemaQuery without `results` | test_handlers: metadata_checks_..., the_schema_has_... |
"""

from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from .sandbox_client import BASE_URL, FLAG, Serving, Shared, serving
from .shared_data import open_shared

pytestmark = pytest.mark.anyio

ENVELOPE = {"type", "code", "detail", "attr"}
COHORT = {"properties": {"type": "OR", "values": [{"type": "person", "key": "plan", "value": "pro"}]}}
SURVEY = {"name": "Why?", "type": "popover", "questions": [{"type": "open", "question": "Why?"}]}
SOFT_DELETED: Mapping[str, dict[str, Any]] = {
    "feature_flags": {"key": "soft", "filters": FLAG},
    "dashboards": {"name": "Soft"},
    "insights": {"name": "Soft", "query": {"kind": "HogQLQuery", "query": "select 1"}},
    "cohorts": {"name": "Soft", "filters": COHORT},
    "actions": {"name": "Soft", "steps": [{"event": "$identify"}]},
    "annotations": {"content": "Soft", "scope": "project"},
    "experiments": {"name": "Soft", "feature_flag_key": "soft-experiment"},
}
EXPERIMENT = {"name": "Button", "feature_flag_key": "button"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(2_000) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def variants(*shares: int) -> dict[str, Any]:
    """Return filters of a flag with `control` and other variants, each with its percentage."""
    keys = ("control", "a", "b")
    made = [{"key": key, "rollout_percentage": share} for key, share in zip(keys, shares, strict=False)]
    return {**FLAG, "multivariate": {"variants": made}}


@pytest.mark.parametrize("resource", SOFT_DELETED)
async def test_delete_of_a_soft_deleted_resource_is_405_without_a_body(sandbox: Serving, resource: str) -> None:
    made = await sandbox.make(f"{resource}/", SOFT_DELETED[resource])
    rejected = await sandbox.send("DELETE", f"{resource}/{made['id']}/")

    assert (rejected.status_code, rejected.content, rejected.headers["content-length"]) == (405, b"", "0")
    assert (await sandbox.get(f"{resource}/{made['id']}/"))["deleted"] is False


@pytest.mark.parametrize("resource", SOFT_DELETED)
async def test_a_patch_deletes_softly_and_removes_from_the_list(sandbox: Serving, resource: str) -> None:
    made = await sandbox.make(f"{resource}/", SOFT_DELETED[resource])
    deleted = await sandbox.patch(f"{resource}/{made['id']}/", {"deleted": True})

    assert deleted["deleted"] is True
    assert made["id"] not in [row["id"] for row in (await sandbox.get(f"{resource}/", limit=1000))["results"]]


async def test_deleted_true_on_a_survey_is_200_without_effect(sandbox: Serving) -> None:
    made = await sandbox.make("surveys/", SURVEY)
    response = await sandbox.send("PATCH", f"surveys/{made['id']}/", {"deleted": True})

    assert response.status_code == 200
    assert "deleted" not in response.json()
    assert made["id"] in [row["id"] for row in (await sandbox.get("surveys/"))["results"]]


async def test_delete_of_a_survey_is_204_and_permanent(sandbox: Serving) -> None:
    made = await sandbox.make("surveys/", SURVEY)
    deleted = await sandbox.send("DELETE", f"surveys/{made['id']}/")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await sandbox.rejection("GET", f"surveys/{made['id']}/"))[0] == 404


async def test_recordings_have_a_next_page_flag_instead_of_a_count(sandbox: Serving) -> None:
    page = await sandbox.get("session_recordings/", limit=1, date_from="-90d")
    rest = await sandbox.get("session_recordings/", limit=10_000, date_from="-90d")

    assert page.keys() == {"results", "has_next", "version", "next_cursor"}
    assert rest.keys() == {"results", "has_next", "version"}
    assert (page["has_next"], rest["has_next"]) == (True, False)
    assert page["version"] == rest["version"] == 4


async def test_an_annotation_without_a_scope_belongs_to_an_insight(sandbox: Serving) -> None:
    made = await sandbox.make("annotations/", {"content": "Launch"})

    assert (made["scope"], made["dashboard_item"]) == ("dashboard_item", None)


async def test_a_page_of_annotations_has_a_thousand_rows(sandbox: Serving) -> None:
    known = (await sandbox.get("annotations/"))["count"]
    for number in range(101):
        await sandbox.make("annotations/", {"content": f"Note {number}", "scope": "project"})
    page = await sandbox.get("annotations/")

    assert len(page["results"]) == page["count"] == known + 101
    assert page["next"] is None


@pytest.mark.parametrize("resource", ["dashboards", "insights", "feature_flags", "event_definitions", "persons"])
@pytest.mark.parametrize("faithful", [True, False])
async def test_links_to_other_pages_are_absolute_and_bypass_the_gateway_only_if_asked_to(
    engine: Engine, resource: str, faithful: bool
) -> None:
    host = "https://us.posthog.com" if faithful else f"{BASE_URL}/posthog"
    async with serving(Shared(engine), faithful_links=faithful) as sandbox:
        first = await sandbox.get(f"{resource}/", limit=1)
        second = await sandbox.get(f"{resource}/", limit=1, offset=1)

    assert first["previous"] is None
    assert first["next"].startswith(f"{host}/api/projects/1/{resource}/?")
    assert {"limit=1", "offset=1"} <= set(first["next"].partition("?")[2].split("&"))
    assert second["previous"].startswith(f"{host}/api/projects/1/{resource}/?")


async def test_a_link_into_the_app_leads_to_the_overview(sandbox: Serving) -> None:
    response = await sandbox.http.get("/posthog/project/1/feature_flags/5")

    assert (response.status_code, response.headers["location"]) == (302, "/")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "feature_flags/", {"key": "two words", "filters": {"groups": "none"}, "name": 3}),
        ("POST", "insights/", {"query": "select 1"}),
        ("POST", "query/", {"query": {"kind": "HogQLQuery", "query": "select foo from events"}}),
        ("GET", "dashboards/999999/", None),
        ("GET", "no_such_resource/", None),
        ("PUT", "query/", {}),
        ("GET", "/posthog/api/projects/99/insights/", None),
    ],
)
async def test_an_error_is_one_flat_object_with_only_the_first_problem(
    sandbox: Serving, method: str, path: str, body: Any
) -> None:
    response = await sandbox.send(method, path, body)
    sent = response.json()

    assert response.status_code in (400, 404, 405)
    assert sent.keys() == ENVELOPE
    assert all(isinstance(sent[name], str) for name in ("type", "code", "detail"))
    assert sent["attr"] is None or isinstance(sent["attr"], str)


@pytest.mark.parametrize("resource", ["event_definitions", "property_definitions"])
async def test_describing_a_definition_is_a_paid_feature(sandbox: Serving, resource: str) -> None:
    first = (await sandbox.get(f"{resource}/", limit=1))["results"][0]
    response = await sandbox.send("PATCH", f"{resource}/{first['id']}/", {"description": "What it means"})

    assert response.status_code == 402
    assert (response.json()["type"], response.json()["code"]) == ("server_error", "payment_required")


async def test_variants_of_a_flag_must_add_up_to_a_hundred(sandbox: Serving) -> None:
    status, code, detail, attr = await sandbox.rejection(
        "POST", "feature_flags/", {"key": "arms", "filters": variants(50, 40)}
    )

    assert (status, code) == (400, "invalid_input")
    assert "100" in detail
    assert attr is None or attr.startswith("filters")
    assert (await sandbox.make("feature_flags/", {"key": "arms", "filters": variants(50, 50)}))["key"] == "arms"


async def test_the_key_of_a_flag_is_unique(sandbox: Serving) -> None:
    await sandbox.make("feature_flags/", {"key": "once", "filters": FLAG})
    rejection = await sandbox.rejection("POST", "feature_flags/", {"key": "once", "filters": FLAG})

    assert rejection == (400, "unique", "There is already a feature flag with this key.", "key")


async def test_the_key_of_a_deleted_flag_is_free_and_reusing_it_removes_the_deleted_flag(sandbox: Serving) -> None:
    first = await sandbox.make("feature_flags/", {"key": "again", "filters": FLAG})
    await sandbox.patch(f"feature_flags/{first['id']}/", {"deleted": True})
    second = await sandbox.make("feature_flags/", {"key": "again", "filters": FLAG})

    assert second["id"] != first["id"]
    assert (await sandbox.rejection("PATCH", f"feature_flags/{first['id']}/", {"deleted": False}))[0] == 404


async def test_an_experiment_creates_its_flag(sandbox: Serving) -> None:
    made = await sandbox.make("experiments/", EXPERIMENT)
    flag = await sandbox.get(f"feature_flags/{made['feature_flag']['id']}/")

    assert (flag["key"], flag["active"]) == ("button", False)
    assert [variant["key"] for variant in flag["filters"]["multivariate"]["variants"]] == ["control", "test"]


async def test_an_experiment_uses_an_existing_flag_with_its_key(sandbox: Serving) -> None:
    flag = await sandbox.make("feature_flags/", {"key": "button", "filters": variants(40, 30, 30)})
    made = await sandbox.make("experiments/", EXPERIMENT)

    assert made["feature_flag"]["id"] == flag["id"]
    assert (await sandbox.get(f"feature_flags/{flag['id']}/"))["filters"] == flag["filters"]


async def test_a_query_can_fail_with_200_and_an_error_in_the_body(sandbox: Serving) -> None:
    failed: dict[str, Any] = {
        "results": [],
        "columns": [],
        "types": [],
        "hasMore": None,
        "error": "Query exceeded its memory.",
    }
    rule: dict[str, Any] = {"match": {"path": "*/query/"}, "status": 200, "body": failed, "times": 1}
    await sandbox.send("POST", "/sandbox/faults", [rule])

    assert (await sandbox.query("select 1"))["error"] == "Query exceeded its memory."
    assert (await sandbox.query("select 1"))["error"] is None
