from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.errors import Rejected
from maton_posthog.gateway.projects import Project
from maton_posthog.schemas.account import ListProjects
from maton_posthog.tools.account import OPERATIONS

from .posthog.fake import PROJECT_ID, FakeCall, answer, in_turn, page, run

pytestmark = pytest.mark.anyio

ORGANIZATION, PROJECTS, PROJECT, USER = OPERATIONS
DENIED = Rejected("permission_denied", "PostHog does not permit this.")
CURRENT = "GET /api/projects/@current/"
NUMBERED = "GET /api/projects/{project_id}/"


def project(**changes: Any) -> dict[str, Any]:
    more = {"secret_api_token": "phs_secret", "test_account_filters": [{"key": "email"}], "week_start_day": 1}
    return answer("project_list_row", **more, **changes)


async def test_get_organization_shows_its_projects() -> None:
    api = FakeCall({"GET /api/organizations/@current/": answer("organization")}, project=None)
    assert await run(ORGANIZATION, api) == {
        "id": "019583c6-3635-0000-5798-c18f20963b3b",
        "name": "Acme",
        "membership_level": "owner",
        "slug": "acme",
        "created_at": "2026-11-20T10:00:00.000000Z",
        "member_count": 3,
        "projects": [{"id": PROJECT_ID, "name": "Default project"}],
    }
    assert (await run(ORGANIZATION, api, full=True))["default_experiment_stats_method"] == "bayesian"


async def test_list_projects_is_paginated() -> None:
    api = FakeCall({"GET /api/projects/": page(project(), count=3, next_offset=1)}, project=None)
    shown = await run(PROJECTS, api, limit=1, search="def")
    assert api.last.query == {"limit": 1, "offset": 0, "search": "def"}
    assert [row["name"] for row in shown["projects"]] == ["Default project"]
    assert (shown["count"], shown["next_offset"]) == (3, 1)


async def test_a_connection_limited_to_some_projects_lists_its_users_projects() -> None:
    user = answer("user_me", organization={"id": "x", "teams": [{"id": 7, "name": "Docs"}, {"id": 8, "name": "Shop"}]})
    api = FakeCall({"GET /api/projects/": DENIED, "GET /api/users/@me/": user}, project=None)
    shown = await run(PROJECTS, api, limit=2)
    assert shown["projects"] == [{"id": PROJECT_ID, "name": "Default project"}, {"id": 7, "name": "Docs"}]
    assert (shown["count"], shown["next_offset"]) == (3, 2)
    assert "not allowed to list projects" in shown["note"]
    found = await run(PROJECTS, api, search="shop")
    assert [row["id"] for row in found["projects"]] == [8]


async def test_other_errors_are_raised() -> None:
    api = FakeCall({"GET /api/projects/": Rejected("invalid_key", "no")}, project=None)
    with pytest.raises(Rejected, match="no"):
        await run(PROJECTS, api)


async def test_get_project_shows_the_relevant_settings_and_no_secrets() -> None:
    api = FakeCall({NUMBERED: project()})
    shown = await run(PROJECT, api, project_id=PROJECT_ID)
    assert [sent.path for sent in api.sent] == [f"/api/projects/{PROJECT_ID}/"]
    assert shown["timezone"] == "UTC"
    assert shown["test_account_filters"] == [{"key": "email"}]
    assert "phs_" not in str(shown)


async def test_current_reports_that_the_user_opened_another_project() -> None:
    other = project(id=7, name="Docs")
    api = FakeCall({CURRENT: in_turn(project(), other, other), NUMBERED: other})
    await api.fresh_project()
    shown = await run(PROJECT, api)
    assert shown["id"] == 7
    assert shown["current_project_changed"] == {
        "before": {"id": PROJECT_ID, "name": "Default project"},
        "now": {"id": 7, "name": "Docs"},
    }
    assert api.project == Project(7, "Docs", week_start=1, has_test_accounts=True)
    assert api.last.path == "/api/projects/7/"
    assert "current_project_changed" not in await run(PROJECT, api)


async def test_a_project_whose_settings_cannot_be_read_is_still_named() -> None:
    api = FakeCall({CURRENT: DENIED, "GET /api/users/@me/": answer("user_me"), NUMBERED: DENIED})
    shown = await run(PROJECT, api)
    assert (shown["id"], shown["timezone"]) == (PROJECT_ID, "UTC")
    assert "not allowed to read" in shown["note"]


async def test_an_unknown_current_project_is_an_error() -> None:
    api = FakeCall({CURRENT: DENIED, "GET /api/users/@me/": DENIED})
    with pytest.raises(Rejected):
        await run(PROJECT, api)


async def test_get_current_user_shows_the_organization_and_current_project() -> None:
    shown = await run(USER, FakeCall({"GET /api/users/@me/": answer("user_me")}, project=None))
    assert shown["email"] == "ann@example.com"
    assert shown["team"] == {"id": PROJECT_ID, "name": "Default project", "timezone": "UTC"}
    assert shown["organizations"][0]["membership_level"] == "owner"


@pytest.mark.parametrize("arguments", [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"project_id": 1}])
def test_invalid_list_arguments_are_rejected(arguments: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        ListProjects.model_validate(arguments)
