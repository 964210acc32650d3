"""Restricted keys: PostHog's rejections for a grant with few scopes, or of one project or organization."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from .sandbox_client import FLAG, Serving, serving

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = (f"/posthog/api/projects/{id}/" for id in (1, 2, 3))
ME, PROJECTS = "/posthog/api/users/@me/", "/posthog/api/projects/"
ONLY_PROJECTS = "API keys with scoped projects are only supported on project-based endpoints."


@pytest.fixture
async def sandbox() -> AsyncGenerator[Serving]:
    async with serving() as running:
        yield running


async def tried(sandbox: Serving, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Return the status and, for a rejection, the detail."""
    headers = {"Authorization": f"Bearer {key}"}
    response = await sandbox.http.request(method, path, json=body, headers=headers)
    if response.status_code != 403:
        return response.status_code, None
    sent = response.json()
    assert (sent["type"], sent["code"], sent["attr"]) == ("authentication_error", "permission_denied", None)
    return 403, sent["detail"]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        (PROJECTS, 403, ONLY_PROJECTS),
        ("/posthog/api/organizations/@current/", 403, ONLY_PROJECTS),
        ("/posthog/api/organizations/", 403, ONLY_PROJECTS),
        (ME, 200, None),
        (ONE, 200, None),
        ("/posthog/api/projects/@current/", 200, None),
        (f"{ONE}feature_flags/", 200, None),
        (TWO, 403, "API key does not have access to the requested project: ID 2."),
        (f"{TWO}insights/", 403, "API key does not have access to the requested project: ID 2."),
        (f"{PROJECTS}99/insights/", 404, None),
    ],
)
async def test_a_key_of_one_project_reaches_it_and_the_user(
    sandbox: Serving, path: str, status: int, detail: str | None
) -> None:
    assert await tried(sandbox, "sandbox-scoped-1", "GET", path) == (status, detail)


async def test_a_key_of_one_project_loses_the_current_one_when_the_user_switches(sandbox: Serving) -> None:
    await sandbox.patch(ME, {"set_current_team": 2})

    rejection = (403, "API key does not have access to the requested project: ID 2.")
    assert await tried(sandbox, "sandbox-scoped-1", "GET", "/posthog/api/projects/@current/") == rejection


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "feature_flags/", "feature_flag:write"),
        ("PATCH", "insights/1/", "insight:write"),
        ("DELETE", "dashboards/1/", "dashboard:write"),
        ("PATCH", "", "project:write"),
        ("POST", "annotations/", "annotation:write"),
    ],
)
async def test_a_read_key_gets_the_name_of_the_missing_scope(
    sandbox: Serving, method: str, path: str, scope: str
) -> None:
    rejection = (403, f"API key missing required scope '{scope}'")

    assert await tried(sandbox, "sandbox-read", method, f"{ONE}{path}", {"key": "a", "filters": FLAG}) == rejection


@pytest.mark.parametrize("path", [ME, PROJECTS, f"{ONE}feature_flags/", f"{ONE}cohorts/", f"{ONE}experiments/"])
async def test_a_read_key_reads_everything(sandbox: Serving, path: str) -> None:
    assert await tried(sandbox, "sandbox-read", "GET", path) == (200, None)


async def test_queries_only_need_to_read(sandbox: Serving) -> None:
    for key in ("sandbox-read", "sandbox-query"):
        assert (await tried(sandbox, key, "POST", f"{ONE}query/", {}))[0] == 400
    assert await tried(sandbox, "sandbox-query", "GET", f"{ONE}cohorts/") == (
        403,
        "API key missing required scope 'cohort:read'",
    )


async def test_the_default_key_has_all_scopes(sandbox: Serving) -> None:
    assert await tried(sandbox, "sandbox", "POST", f"{THREE}feature_flags/", {"key": "a", "filters": FLAG}) == (
        201,
        None,
    )


async def test_a_key_of_one_organization_cannot_access_the_projects_of_another(sandbox: Serving) -> None:
    first, second = (await sandbox.get("/posthog/api/organizations/"))["results"]
    rejection = (403, f"API key does not have access to the requested organization: ID {first['id']}.")

    assert await tried(sandbox, "sandbox-organization-2", "GET", ONE) == rejection
    assert await tried(sandbox, "sandbox-organization-2", "GET", "/posthog/api/organizations/@current/") == rejection
    assert await tried(sandbox, "sandbox-organization-2", "GET", THREE) == (200, None)
    path = f"/posthog/api/organizations/{second['id']}/projects/"
    assert await tried(sandbox, "sandbox-organization-2", "GET", path) == (200, None)


async def test_the_current_organization_is_that_of_the_current_project(sandbox: Serving) -> None:
    first, second = (await sandbox.get("/posthog/api/organizations/"))["results"]
    moved = await sandbox.patch(ME, {"set_current_organization": second["id"]})

    assert (moved["organization"]["id"], moved["team"]["id"]) == (second["id"], 3)
    assert [each["id"] for each in moved["organizations"]] == [first["id"], second["id"]]
    assert [project["id"] for project in second["projects"]] == [3]
    assert (await sandbox.get("/posthog/api/organizations/@current/"))["id"] == second["id"]
    assert (await sandbox.get("/posthog/api/projects/@current/"))["id"] == 3
    assert (await sandbox.rejection("PATCH", ME, {"set_current_organization": "none"}))[1] == "does_not_exist"


async def test_projects_are_found_only_below_their_own_organization(sandbox: Serving) -> None:
    first, second = (await sandbox.get("/posthog/api/organizations/"))["results"]
    below = f"/posthog/api/organizations/{first['id']}/projects/"

    assert [row["id"] for row in (await sandbox.get(below))["results"]] == [1, 2]
    assert (await sandbox.get(f"{below}2/"))["organization"] == first["id"]
    assert (await sandbox.get(f"{below}@current/"))["id"] == 1
    assert await sandbox.rejection("GET", f"{below}3/") == (404, "not_found", "Project not found.", None)
    assert (await sandbox.get(f"/posthog/api/organizations/{second['id']}/projects/3/"))["id"] == 3


async def test_organization_annotations_show_only_in_its_projects(sandbox: Serving) -> None:
    made = await sandbox.make("annotations/", {"content": "For all", "scope": "organization"})

    async def seen(project: str) -> bool:
        return made["id"] in [row["id"] for row in (await sandbox.get(f"{project}annotations/"))["results"]]

    assert [await seen(project) for project in (ONE, TWO, THREE)] == [True, True, False]
