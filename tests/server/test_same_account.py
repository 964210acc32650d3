"""Reads and writes act on one account: the connection and the project that results named."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from mcp import Client

from maton_posthog.server.app import build
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.tools.operation import Operation, Toolset
from maton_posthog.tools.operations import OPERATIONS
from tests.gateway.fake_gateway import (
    CONNECTION,
    OTHER_CONNECTION,
    Behaviour,
    FakeGateway,
    Peer,
    Received,
    connections,
    drop,
    maton_connection,
    raw,
    reply,
)

from .test_every_operation import ARGUMENTS, documented, key_set, served, text_of

pytestmark = pytest.mark.anyio

LIST = "/connections"
OLD = maton_connection(CONNECTION, created="2026-01-05")
NEW = maton_connection(OTHER_CONNECTION, created="2026-02-05")
ONE, NINE = {"id": 1, "name": "One"}, {"id": 9, "name": "Nine"}
GONE = reply(404, {"message": "Connection not found", "type": "Not Found", "code": 404})
NOTE = {"content": "Release"}
IN_PROJECT = pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.toolset is not Toolset.CONNECTIONS],
    ids=lambda operation: operation.name,
)


def accounts(current: Mapping[str, Mapping[str, Any]]) -> Behaviour:
    """Return a behavior with another `@current` project behind each connection; "" is Maton's own choice."""

    async def behave(request: Received, peer: Peer) -> None:
        project = current[request.headers.get("maton-connection", "")]
        if request.path.endswith("/projects/@current/"):
            await peer.send(raw(200, json.dumps({**project, "timezone": "UTC"}).encode()))
        elif one := re.fullmatch(r"/posthog/api/projects/([0-9]+)/", request.path):
            number = int(one[1])
            names = {1: "One", 9: "Nine", 5: "Five"}
            await peer.send(raw(200, json.dumps({"id": number, "name": names[number]}).encode()))
        else:
            await documented(request, peer)

    return behave


async def shown(client: Client, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    return json.loads(text_of(await client.call_tool(tool, arguments or {})))


def writes(fake: FakeGateway) -> list[str]:
    return [request.path for request in fake.received if request.method in ("POST", "PATCH")]


async def test_a_write_does_not_follow_to_the_next_connection_before_a_result_named_it() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(OLD, NEW), connections(NEW))
        fake.answers(accounts({CONNECTION: ONE, OTHER_CONNECTION: NINE}))
        assert (await shown(client, "list_flags"))["project"] == ONE
        fake.on("GET", "/posthog/api/projects/1/annotations/", GONE)
        error = (await shown(client, "list_annotations"))["error"]
        assert error["code"] == "connection_not_found"
        assert CONNECTION in error["message"]
        for _ in range(2):
            error = (await shown(client, "create_annotation", NOTE))["error"]
            assert (error["code"], error["outcome"]) == ("project_unresolved", "not_sent")
            assert f"through connection {CONNECTION} (project 1 One)" in error["message"]
            assert f"through {OTHER_CONNECTION} (project 9 Nine)" in error["message"]
            assert error["hint"].startswith("Pass connection_id. Or call get_project")
        assert writes(fake) == []
        assert (await shown(client, "get_project"))["project"] == NINE
        stored = await shown(client, "create_annotation", NOTE)
    assert (stored["project"], stored["connection"]) == (NINE, {"id": OTHER_CONNECTION})
    assert writes(fake) == ["/posthog/api/projects/9/annotations/"]


async def test_a_number_is_no_way_around_the_connection_that_results_named() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(OLD), connections(NEW))
        fake.answers(accounts({CONNECTION: ONE, OTHER_CONNECTION: NINE}))
        await shown(client, "list_flags", {"project_id": 1})
        fake.on("GET", "/posthog/api/projects/1/annotations/", GONE)
        await shown(client, "list_annotations", {"project_id": 1})
        error = (await shown(client, "create_annotation", {**NOTE, "project_id": 1}))["error"]
        assert error["code"] == "project_unresolved"
        named = {**NOTE, "project_id": 1, "connection_id": OTHER_CONNECTION}
        assert (await shown(client, "create_annotation", named))["connection"] == {"id": OTHER_CONNECTION}


@pytest.mark.parametrize("explicit", [False, True])
async def test_a_read_without_the_control_plane_binds_the_write_after_it(explicit: bool) -> None:
    """Maton's own choice was another account; with a number, another host that has this number, too."""
    chosen = {"project_id": 9} if explicit else {}
    async with served() as (client, fake):
        fake.on("GET", LIST, drop, connections(OLD, NEW))
        fake.answers(accounts({"": NINE, CONNECTION: ONE}))
        read = await shown(client, "list_flags", chosen)
        assert (read["project"], read["connection"]) == (NINE, {"resolved": False})
        if explicit:
            fake.on("GET", "/posthog/api/projects/9/", reply(200, {"id": 9, "name": "Neuf"}))
        error = (await shown(client, "create_annotation", {**NOTE, **chosen}))["error"]
    assert error["code"] == "project_unresolved"
    assert "earlier results were about project 9 Nine" in error["message"]
    assert writes(fake) == []


async def test_a_write_after_such_a_read_of_the_same_project_is_sent() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, drop, connections(OLD, NEW))
        fake.answers(accounts({"": ONE, CONNECTION: ONE}))
        await shown(client, "list_flags")
        stored = await shown(client, "create_annotation", NOTE)
    assert (stored["project"], stored["connection"]) == (ONE, {"id": CONNECTION, "others": 1})


async def test_current_is_not_written_to_after_results_about_another_project_alone() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(OLD))
        fake.answers(accounts({CONNECTION: ONE}))
        await shown(client, "list_flags", {"project_id": 5})
        error = (await shown(client, "create_annotation", NOTE))["error"]
        assert "@current is now project 1 One, but earlier results were about project 5 Five" in error["message"]
        await shown(client, "list_flags")
        await shown(client, "list_flags", {"project_id": 5})
        assert (await shown(client, "create_annotation", NOTE))["project"] == ONE


async def test_a_connection_that_results_named_is_left_by_naming_another_only() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(OLD, NEW))
        fake.answers(accounts({CONNECTION: ONE, OTHER_CONNECTION: NINE}))
        await shown(client, "list_flags", {"connection_id": OTHER_CONNECTION})
        error = (await shown(client, "create_annotation", NOTE))["error"]
        assert error["code"] == "project_unresolved"
        stored = await shown(client, "create_annotation", {**NOTE, "connection_id": OTHER_CONNECTION})
        assert stored["project"] == NINE
        stored = await shown(client, "create_annotation", {**NOTE, "connection_id": CONNECTION})
        assert stored["project"] == ONE


async def test_a_read_that_fails_names_nothing() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(OLD), connections(NEW))
        fake.answers(accounts({CONNECTION: ONE, OTHER_CONNECTION: NINE}))
        fake.on("GET", "/posthog/api/projects/1/annotations/", GONE)
        await shown(client, "list_annotations")
        assert (await shown(client, "create_annotation", NOTE))["project"] == NINE


async def test_the_resource_of_the_project_names_it_like_a_result() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(OLD), connections(NEW))
        fake.answers(accounts({CONNECTION: ONE, OTHER_CONNECTION: NINE}))
        await client.read_resource("posthog://project")
        fake.on("GET", "/posthog/api/projects/1/annotations/", GONE)
        await shown(client, "list_annotations")
        assert (await shown(client, "create_annotation", NOTE))["error"]["code"] == "project_unresolved"


async def test_deleting_the_connection_stops_writes_until_a_result_names_the_next_one() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(OLD, NEW), connections(NEW))
        fake.answers(accounts({CONNECTION: ONE, OTHER_CONNECTION: NINE}))
        fake.on("DELETE", f"{LIST}/{CONNECTION}", reply(204, b""))
        assert (await shown(client, "get_project"))["connection"] == {"id": CONNECTION, "others": 1}
        await shown(client, "manage_connection", {"action": "delete", "connection_id": CONNECTION})
        assert (await shown(client, "create_annotation", NOTE))["error"]["code"] == "project_unresolved"
        assert (await shown(client, "list_flags"))["connection"] == {"id": OTHER_CONNECTION}
        assert (await shown(client, "create_annotation", NOTE))["project"] == NINE


async def test_manage_connection_shows_the_default_that_calls_use() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, connections(NEW), connections(OLD, NEW))
        await shown(client, "list_flags")
        assert (await shown(client, "manage_connection", {"action": "list"}))["default"] == OTHER_CONNECTION
        assert (await shown(client, "list_flags"))["connection"] == {"id": OTHER_CONNECTION, "others": 1}
        fake.on("GET", LIST, connections(OLD))
        assert (await shown(client, "manage_connection", {"action": "list"}))["default"] == CONNECTION
        assert (await shown(client, "list_flags"))["connection"] == {"id": CONNECTION}


async def test_a_write_without_the_control_plane_can_name_its_connection() -> None:
    async with served() as (client, fake):
        fake.on("GET", LIST, reply(403, {"message": "x"}))
        error = (await shown(client, "create_annotation", NOTE))["error"]
        assert (error["code"], error["outcome"], error["retryable"]) == ("unavailable", "not_sent", True)
        assert error["hint"] == "Pass connection_id, or try again."
        assert writes(fake) == []
        assert "error" not in await shown(client, "create_annotation", {**NOTE, "connection_id": CONNECTION})


@IN_PROJECT
async def test_the_named_connection_is_sent_with_every_request(operation: Operation[Any]) -> None:
    async with served() as (client, fake):
        arguments = {**ARGUMENTS.get(operation.name, {}), "connection_id": OTHER_CONNECTION}
        await client.call_tool(operation.name, arguments)
    assert {request.headers.get("maton-connection") for request in fake.received} <= {OTHER_CONNECTION}


@IN_PROJECT
async def test_a_pinned_connection_is_no_argument_and_is_sent_with_every_request(operation: Operation[Any]) -> None:
    arguments = ARGUMENTS.get(operation.name, {})
    async with served(connection_id=OTHER_CONNECTION) as (client, fake):
        tools = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        result = await client.call_tool(operation.name, {**arguments, "connection_id": CONNECTION})
        assert fake.received == []
        await client.call_tool(operation.name, arguments)
    assert [name for name, fields in tools.items() if "connection_id" in fields] == ["manage_connection"]
    assert json.loads(text_of(result))["error"]["code"] == "connection_pinned"
    assert {request.headers.get("maton-connection") for request in fake.received} <= {OTHER_CONNECTION}


async def test_servers_with_different_keys_know_nothing_of_each_other() -> None:
    async with FakeGateway() as fake:
        fake.on("GET", LIST, connections(OLD), connections(NEW))
        fake.answers(accounts({CONNECTION: ONE, OTHER_CONNECTION: NINE}))
        with key_set():
            runtimes = [Runtime(load(gateway_url=fake.url, control_url=fake.url)) for _ in range(2)]
        for runtime, project in zip(runtimes, (ONE, NINE), strict=True):
            async with Client(build(runtime)) as client:
                assert (await shown(client, "list_flags"))["project"] == project
                assert (await shown(client, "create_annotation", NOTE))["project"] == project
            await runtime.aclose()
