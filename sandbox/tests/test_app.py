"""The sandbox as a gateway: keys, paths, bodies, injected faults, the current project."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from .sandbox_client import FLAG, Serving, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sandbox() -> AsyncGenerator[Serving]:
    async with serving() as running:
        yield running


async def faults(sandbox: Serving, *rules: Any) -> None:
    response = await sandbox.send("POST", "/sandbox/faults", list(rules))
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic sandbox", "Bearer sandböx"])
@pytest.mark.parametrize("path", ["/posthog/api/users/@me/", "/connections", "/sandbox/faults"])
async def test_any_other_key_gets_401_in_matons_envelope(sandbox: Serving, header: str, path: str) -> None:
    response = await sandbox.http.get(path, headers={b"Authorization": header.encode("latin-1")})

    assert response.status_code == 401
    assert response.json()["error"]["code"] == 401


async def test_every_response_is_marked_as_synthetic_and_has_an_id(sandbox: Serving) -> None:
    responses = [
        await sandbox.send("GET", path) for path in ("/", "/nowhere", "/posthog/api/users/@me/", "dashboards/0/")
    ]

    assert {response.headers["x-sandbox"] for response in responses} == {"synthetic"}
    assert len({response.headers["x-request-id"] for response in responses}) == len(responses)


async def test_organization_projects_and_user_are_named_as_synthetic(sandbox: Serving) -> None:
    organization = await sandbox.get("/posthog/api/organizations/@current/")
    user = await sandbox.get("/posthog/api/users/@me/")
    projects = await sandbox.get("/posthog/api/projects/")

    assert organization["name"] == user["organization"]["name"] == "Sandbox (synthetic data)"
    assert [(row["id"], row["name"]) for row in projects["results"]] == [
        (1, "Sandbox (synthetic data)"),
        (2, "Sandbox (empty project, synthetic)"),
        (3, "Sandbox (project of the second organization, synthetic)"),
    ]
    assert await sandbox.get(f"/posthog/api/organizations/{organization['id']}/") == organization


async def test_the_current_project_follows_the_user(sandbox: Serving) -> None:
    assert (await sandbox.get("/posthog/api/projects/@current/"))["id"] == 1
    changed = await sandbox.patch("/posthog/api/users/@me/", {"set_current_team": 2})

    assert changed["team"]["id"] == 2
    assert (await sandbox.get("/posthog/api/projects/@current/"))["id"] == 2
    assert (await sandbox.get("/posthog/api/projects/@current/feature_flags/"))["count"] == 0
    assert (await sandbox.rejection("PATCH", "/posthog/api/users/@me/", {"set_current_team": 9}))[1] == "does_not_exist"


async def test_settings_of_a_project_can_be_changed_but_not_its_tokens(sandbox: Serving) -> None:
    changed = await sandbox.patch("/posthog/api/projects/1/", {"timezone": "Europe/Berlin", "api_token": "mine"})

    assert changed["timezone"] == "Europe/Berlin"
    wrong = {"timezone": "Mars/Base"}
    assert (await sandbox.rejection("PATCH", "/posthog/api/projects/1/", wrong))[1] == "invalid_choice"
    assert changed["api_token"] == "phc_synthetic_1"
    assert (await sandbox.send("DELETE", "/posthog/api/projects/1/")).status_code == 405


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/posthog/api/projects/99/insights/", "Project not found."),
        ("/posthog/api/projects/abc/", "Project not found."),
        ("/posthog/api/projects/123456789012345678901234567890/", "Project not found."),
        ("/posthog/api/organizations/nobody/", "Organization not found."),
        ("/posthog/api/projects/1/unicorns/", "Endpoint not found."),
        ("/posthog/api/events/", "Endpoint not found."),
        ("/posthog/decide/", "Endpoint not found."),
        ("/posthog/api/projects/1/dashboards/12345678901234567890/", "Not found."),
        ("/posthog/api/projects/1/dashboards/@current/", "Not found."),
    ],
)
async def test_a_404_names_the_missing_object(sandbox: Serving, path: str, detail: str) -> None:
    assert await sandbox.rejection("GET", path) == (404, "not_found", detail, None)


async def test_the_trailing_slash_is_optional_and_environments_are_projects(sandbox: Serving) -> None:
    for path in ("/posthog/api/projects/1/feature_flags", "/posthog/api/environments/1/feature_flags/"):
        assert (await sandbox.get(path))["count"] > 0


async def test_an_unsupported_method_is_405_with_an_envelope(sandbox: Serving) -> None:
    assert await sandbox.rejection("PUT", "dashboards/") == (
        405,
        "method_not_allowed",
        'Method "PUT" not allowed.',
        None,
    )


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "parse_error"),
        (b'{"key": NaN}', "application/json", 400, "parse_error"),
        (b'{"key": "\\ud800"}', "application/json", 400, "parse_error"),
        (b'{"key": 1e999}', "application/json", 400, "parse_error"),
        (b"[" * 200_000, "application/json", 400, "parse_error"),
        (b'{"key": ' + b"1" * 5000 + b"}", "application/json", 400, "parse_error"),
        (b"[]", "application/json", 400, "invalid_input"),
        (b'{"key": "x"}', "text/plain", 415, "unsupported_media_type"),
        (b"", "application/json", 400, "required"),
    ],
)
async def test_a_body_that_is_not_a_json_object_is_rejected(
    sandbox: Serving, content: bytes, kind: str, status: int, code: str
) -> None:
    path = "/posthog/api/projects/1/feature_flags/"
    response = await sandbox.http.post(path, content=content, headers={"content-type": kind})

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_fault_applies_as_often_as_its_times(sandbox: Serving) -> None:
    rule = {"match": {"path": "*/users/*"}, "status": 429, "headers": {"Retry-After": 3}, "body": {"a": 1}, "times": 2}
    await faults(sandbox, rule)
    responses = [await sandbox.send("GET", "/posthog/api/users/@me/") for _ in range(3)]

    assert [response.status_code for response in responses] == [429, 429, 200]
    assert (responses[0].headers["retry-after"], responses[0].json()) == ("3", {"a": 1})


async def test_a_fault_with_a_string_body_sends_it_unchanged(sandbox: Serving) -> None:
    html = {"status": 502, "body": "<html>Bad gateway</html>", "headers": {"content-type": "text/html"}}
    await faults(sandbox, {"match": {"method": "get"}, **html})
    response = await sandbox.send("GET", "dashboards/")

    assert (response.status_code, response.text) == (502, "<html>Bad gateway</html>")
    assert (await sandbox.send("POST", "dashboards/", {})).status_code == 201


async def test_a_body_can_have_any_size_and_drip(sandbox: Serving) -> None:
    await faults(sandbox, {"body_bytes": 300_000, "times": 1}, {"body": "slow", "drip_s": 0.001})
    large, slow = [await sandbox.send("GET", "dashboards/") for _ in range(2)]

    assert (len(large.content), len(large.json())) == (300_000, 299_998)
    assert slow.text == "slow"


async def test_faults_are_shown_and_reset(sandbox: Serving) -> None:
    await faults(sandbox, {"status": 500})
    assert [rule["status"] for rule in (await sandbox.get("/sandbox/faults"))["faults"]] == [500]

    await sandbox.send("DELETE", "/sandbox/faults")
    assert (await sandbox.send("GET", "dashboards/")).status_code == 200


@pytest.mark.parametrize(
    "rules",
    [
        {},
        [1],
        [{"match": 1}],
        [{"match": {"host": "x"}}],
        [{"status": 99}],
        [{"drop": "later"}],
        [{"times": 0}],
        [{"delay_s": -1}],
        [{"drip_s": 601}],
        [{"body_bytes": 1}],
        [{"unknown": 1}],
    ],
)
async def test_an_invalid_fault_is_rejected(sandbox: Serving, rules: Any) -> None:
    assert (await sandbox.send("POST", "/sandbox/faults", rules)).status_code == 422


async def test_a_request_with_a_dropped_response_can_still_have_been_handled(sandbox: Serving) -> None:
    await faults(sandbox, {"match": {"method": "POST"}, "drop": "after", "times": 1})
    with pytest.raises(ConnectionAbortedError):
        await sandbox.send("POST", "feature_flags/", {"key": "lost", "filters": FLAG})

    assert (await sandbox.get("feature_flags/", search="lost"))["count"] == 1


async def test_a_request_dropped_before_handling_changes_nothing(sandbox: Serving) -> None:
    await faults(sandbox, {"match": {"method": "POST"}, "drop": "before", "times": 1})
    with pytest.raises(ConnectionAbortedError):
        await sandbox.send("POST", "feature_flags/", {"key": "lost", "filters": FLAG})

    assert (await sandbox.get("feature_flags/", search="lost"))["count"] == 0


async def test_the_page_shows_requests_with_their_paths_escaped(sandbox: Serving) -> None:
    await sandbox.send("GET", "/posthog/api/<script>/")
    page = (await sandbox.send("GET", "/")).text

    assert "/posthog/api/&lt;script&gt;/" in page
    assert "/<script>" not in page
