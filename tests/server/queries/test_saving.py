"""Tools that write only with `save_as`: their declaration to hosts, and the project they write to."""

import json
from typing import Any

import pytest

from tests.gateway.fake_gateway import CONNECTION

from ..test_every_operation import methods, served, text_of

pytestmark = pytest.mark.anyio

VIEWS: dict[str, Any] = {"events": ["$pageview"]}


async def test_a_server_that_can_write_declares_that_the_tool_can() -> None:
    async with served() as (client, _):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    tool = tools["query_trends"]
    assert "save_as" in tool.input_schema["properties"]
    assert tool.annotations
    assert (tool.annotations.read_only_hint, tool.annotations.destructive_hint) == (False, False)


async def test_a_read_only_server_offers_the_tool_without_saving() -> None:
    async with served(read_only=True) as (client, fake):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        read = await client.call_tool("query_trends", VIEWS)
        refused = await client.call_tool("query_trends", {**VIEWS, "save_as": "Views"})
        assert methods(fake) == set()
    tool = tools["query_trends"]
    assert "save_as" not in tool.input_schema["properties"]
    assert tool.annotations
    assert tool.annotations.read_only_hint is True
    assert not read.is_error
    assert json.loads(text_of(refused))["error"]["code"] == "read_only"


async def test_a_call_that_saves_uses_the_same_connection_as_reads() -> None:
    async with served() as (client, fake):
        await client.call_tool("query_trends", VIEWS)
        assert methods(fake) == set()
        asked = [request for request in fake.received if request.path != "/connections"]
        assert {request.headers["maton-connection"] for request in asked} == {CONNECTION}
        saved = await client.call_tool("query_trends", {**VIEWS, "save_as": "Views"})
        (stored,) = [request for request in fake.received if request.path.endswith("/insights/")]
    assert stored.headers["maton-connection"] == CONNECTION
    assert stored.path == "/posthog/api/projects/136209/insights/"
    assert json.loads(text_of(saved))["saved"]["id"]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("query_trends", {"events": ["x"], "date_from": "yesterday"}, "date_from: must be an ISO 8601 date"),
        ("query_trends", {"events": ["x"], "maths": "dau"}, "maths is not an argument (did you mean math?)"),
        ("query_trends", {"events": ["x"], "filters": [{"key": "a", "operator": "is"}]}, "filters.0.operator: must be"),
        ("query_trends", {"events": [{"event": "x", "maths": "dau"}]}, "events.0.maths is not an argument"),
        ("query_trends", {"events": ["x"], "date_from": "2199-01-01"}, "date_from: 2199-01-01 is in the future"),
        ("query_funnel", {"steps": ["x"]}, "steps: must"),
        ("query_funnel", {}, "steps is required"),
    ],
)  # fmt: skip
async def test_a_mistake_is_named_in_one_line_and_nothing_is_sent(
    tool: str, arguments: dict[str, Any], says: str
) -> None:
    async with served() as (client, fake):
        error = json.loads(text_of(await client.call_tool(tool, arguments)))["error"]
        assert not [request for request in fake.received if request.path.endswith("/query/")]
    assert says in error["message"]
    assert (error["code"], error["outcome"]) == ("invalid_argument", "not_sent")
