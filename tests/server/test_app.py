"""The server as hosts see it: instructions, the tool list, the project resource, and the effects of settings."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import TextResourceContents

from maton_posthog.gateway.errors import Failed
from maton_posthog.server.app import INSTRUCTIONS, build
from maton_posthog.server.features.resources import PROJECT_URI
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.tools.operations import OPERATIONS
from tests.gateway.fake_gateway import CONNECTION, drop, posthog, reply
from tests.server.test_every_operation import ERAS, Era, key_set, served, text_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def unconnected(**flags: Any) -> AsyncGenerator[Client]:
    """Return a client of a server without a key."""
    runtime = Runtime(load(**flags))
    try:
        async with Client(build(runtime)) as client:
            yield client
    finally:
        await runtime.aclose()


def test_the_instructions_fit_into_1500_plain_characters() -> None:
    assert len(INSTRUCTIONS) <= 1500
    assert INSTRUCTIONS.isascii()


@ERAS
async def test_the_tool_list_is_the_same_every_time_and_in_the_order_of_the_operations(era: Era) -> None:
    async with served(era) as (client, fake):
        lists = [await client.list_tools() for _ in range(2)]
        assert fake.received == []
    assert lists[0].tools == lists[1].tools
    assert [tool.name for tool in lists[0].tools] == [operation.name for operation in OPERATIONS]
    assert all(tool.output_schema is None for tool in lists[0].tools)


async def test_the_tool_list_can_be_cached_for_an_hour() -> None:
    async with unconnected() as client:
        listed = await client.list_tools()
    assert (listed.ttl_ms, listed.cache_scope) == (3_600_000, "public")


@ERAS
async def test_the_project_resource_shows_the_current_project(era: Era) -> None:
    async with served(era) as (client, _):
        (content,) = (await client.read_resource(PROJECT_URI)).contents
    assert isinstance(content, TextResourceContents)
    assert json.loads(content.text) == {
        "project": {"id": 136209, "name": "Default project"},
        "connection": {"id": CONNECTION},
        "timezone": "UTC",
    }


async def test_a_missing_resource_is_a_protocol_error() -> None:
    async with unconnected() as client:
        with pytest.raises(MCPError) as raised:
            await client.read_resource("posthog://nothing")
    assert raised.value.error.code == -32602
    assert raised.value.error.data == {"uri": "posthog://nothing"}


async def test_an_unreadable_project_is_an_error_of_the_resource() -> None:
    async with unconnected() as client:
        with pytest.raises(MCPError, match="MATON_API_KEY") as raised:
            await client.read_resource(PROJECT_URI)
    assert raised.value.error.data["error"]["code"] == "missing_api_key"


@ERAS
async def test_an_unknown_tool_is_a_protocol_error(era: Era) -> None:
    async with served(era) as (client, _):
        with pytest.raises(MCPError, match="Unknown tool") as raised:
            await client.call_tool("no_such_tool", {})
    assert raised.value.error.code == -32602


async def test_a_tool_of_an_area_that_is_not_offered_names_the_setting() -> None:
    async with unconnected(toolsets="flags,query") as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("list_cohorts", {})
    assert "list_flags" in listed
    assert "restore_deleted" in listed
    assert "list_cohorts" not in listed
    error = json.loads(text_of(result))["error"]
    assert (error["code"], error["outcome"]) == ("toolset_off", "not_sent")
    assert "--toolsets" in error["hint"]


async def test_a_pinned_project_is_not_an_argument_and_others_are_rejected() -> None:
    async with served(project_id=136209) as (client, fake):
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        assert all("project_id" not in schema["properties"] for schema in tools.values())
        refused = await client.call_tool("list_flags", {"project_id": 2})
        assert fake.received == []
        shown = await client.call_tool("list_flags", {})
    assert json.loads(text_of(refused))["error"]["code"] == "project_pinned"
    assert json.loads(text_of(shown))["project"]["id"] == 136209


@ERAS
async def test_structured_content_is_the_same_object_on_request(era: Era) -> None:
    async with served(era, structured=True) as (client, _):
        result = await client.call_tool("list_flags", {})
        refused = await client.call_tool("list_flags", {"limt": 1})
    assert result.structured_content == json.loads(text_of(result))
    assert refused.structured_content == json.loads(text_of(refused))


async def test_a_write_whose_response_is_lost_is_unknown_and_not_repeated() -> None:
    async with served(connection_id=CONNECTION, project_id=136209) as (client, fake):
        fake.on("POST", "/posthog/api/projects/136209/annotations/", drop)
        result = await client.call_tool("create_annotation", {"content": "Released"})
        sent = fake.of("POST", "/posthog/api/projects/136209/annotations/")
    error = json.loads(text_of(result))["error"]
    assert (error["code"], error["outcome"]) == ("outcome_unknown", "unknown")
    assert len(sent) == 1


async def test_the_next_call_works_after_one_that_failed() -> None:
    async with served(connection_id=CONNECTION, project_id=136209) as (client, fake):
        fake.on("GET", "/posthog/api/projects/136209/cohorts/", reply(403, posthog("No.", "permission_denied")))
        failed = await client.call_tool("list_cohorts", {})
        worked = await client.call_tool("list_flags", {})
    assert failed.is_error
    assert not worked.is_error


async def test_a_bug_is_an_internal_error_without_details(monkeypatch: pytest.MonkeyPatch) -> None:
    with key_set():
        runtime = Runtime(load())

    async def broken(**_: Any) -> Any:
        raise RuntimeError("the secret detail")

    monkeypatch.setattr(runtime, "call", broken)
    async with Client(build(runtime)) as client:
        read = await client.call_tool("list_flags", {})
        write = await client.call_tool("delete_flag", {"flag_id": 1})
    assert json.loads(text_of(read))["error"]["code"] == "internal_error"
    assert "secret" not in text_of(read)
    assert json.loads(text_of(write))["error"]["outcome"] == "unknown"


async def test_a_sandbox_that_does_not_start_is_an_error_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(load())

    async def down(**_: Any) -> Any:
        raise Failed("unavailable", "The sandbox did not start.", outcome="not_sent")

    monkeypatch.setattr(runtime, "call", down)
    async with Client(build(runtime)) as client:
        result = await client.call_tool("list_flags", {})
    assert json.loads(text_of(result))["error"]["code"] == "unavailable"
