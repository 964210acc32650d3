"""Maton's side of the sandbox: connections, the page that approves them, and the one a request uses."""

from collections.abc import AsyncGenerator

import pytest

from .sandbox_client import BASE_URL, Serving, serving

pytestmark = pytest.mark.anyio

ME = "/posthog/api/users/@me/"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def sandbox() -> AsyncGenerator[Serving]:
    async with serving() as running:
        yield running


async def the_connection(sandbox: Serving) -> str:
    [connection] = (await sandbox.get("/connections", app="posthog", status="ACTIVE"))["connections"]
    return connection["connection_id"]


async def status_through(sandbox: Serving, connection_id: str) -> int:
    response = await sandbox.http.get(ME, headers={"Maton-Connection": connection_id})
    return response.status_code


async def test_one_connection_is_active_from_the_start(sandbox: Serving) -> None:
    connection_id = await the_connection(sandbox)
    found = (await sandbox.get(f"/connections/{connection_id}"))["connection"]

    assert (found["status"], found["app"], found["connection_id"]) == ("ACTIVE", "posthog", connection_id)
    assert await status_through(sandbox, connection_id) == 200


async def test_a_new_connection_is_flat_and_pending_until_a_person_approves_it(sandbox: Serving) -> None:
    made = (await sandbox.send("POST", "/connections", {"app": "posthog"})).json()
    assert made.keys() == {"connection_id", "status", "url", "app"}
    assert made["status"] == "PENDING"
    assert await status_through(sandbox, made["connection_id"]) == 400

    page = made["url"].removeprefix(BASE_URL)
    assert "<form" in (await sandbox.http.get(page, headers={"Authorization": ""})).text
    assert (await sandbox.http.post(page, headers={"Authorization": ""})).status_code == 200
    assert (await sandbox.get(f"/connections/{made['connection_id']}"))["connection"]["status"] == "ACTIVE"
    assert await status_through(sandbox, made["connection_id"]) == 200


async def test_lists_are_filtered_and_limited(sandbox: Serving) -> None:
    for _ in range(3):
        await sandbox.send("POST", "/connections", {"app": "posthog"})

    for query, count in (({}, 4), ({"status": "PENDING"}, 3), ({"app": "slack"}, 0), ({"limit": 2}, 2)):
        assert len((await sandbox.get("/connections", **query))["connections"]) == count


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_unknown_connection_is_404_in_the_flat_envelope(sandbox: Serving, method: str) -> None:
    response = await sandbox.send(method, f"/connections/{UNKNOWN}")
    through = await sandbox.http.get(ME, headers={"Maton-Connection": UNKNOWN})

    for rejected in (response, through):
        assert rejected.status_code == 404
        assert (rejected.json()["type"], rejected.json()["code"]) == ("Not Found", 404)


async def test_without_an_active_connection_requests_are_400_in_matons_envelope(sandbox: Serving) -> None:
    await sandbox.send("DELETE", f"/connections/{await the_connection(sandbox)}")
    response = await sandbox.send("GET", ME)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == 400


async def test_a_connection_with_a_revoked_grant_is_500(sandbox: Serving) -> None:
    connection_id = await the_connection(sandbox)
    await sandbox.send("POST", f"/sandbox/connections/{connection_id}", {"status": "FAILED"})

    assert await status_through(sandbox, connection_id) == 500
    assert (await sandbox.get("/connections", status="FAILED"))["connections"][0]["connection_id"] == connection_id


async def test_invalid_input_of_the_control_plane_is_422_with_a_list(sandbox: Serving) -> None:
    connection_id = await the_connection(sandbox)
    responses = [
        await sandbox.send("POST", "/connections", {}),
        await sandbox.send("POST", "/connections", {"app": 7}),
        await sandbox.send("GET", "/connections", status="HAPPY"),
        await sandbox.send("POST", f"/sandbox/connections/{connection_id}", {"status": "HAPPY"}),
        await sandbox.http.post("/connections", content=b"{"),
    ]

    assert [response.status_code for response in responses] == [422] * 5
    assert all(response.json()["detail"][0].keys() == {"loc", "msg"} for response in responses)


async def test_an_unknown_approval_link_is_404(sandbox: Serving) -> None:
    assert (await sandbox.http.get("/connect/nonsense")).status_code == 404
