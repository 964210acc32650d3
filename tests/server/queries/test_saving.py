"""Query tools only read; an insight stores their query. Their declaration to hosts, and what a mistake is told."""

import json
from typing import Any

import pytest

from tests.gateway.fake_gateway import CONNECTION

from ..test_every_operation import methods, served, text_of

pytestmark = pytest.mark.anyio

VIEWS: dict[str, Any] = {"events": ["$pageview"]}
SAVED: dict[str, Any] = {"name": "Views", "query": {"tool": "query_trends", "arguments": VIEWS}}


@pytest.mark.parametrize("read_only", [False, True])
async def test_hosts_are_told_that_query_tools_only_read(read_only: bool) -> None:
    async with served(read_only=read_only) as (client, fake):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools if tool.name.startswith("query_")}
        shown = await client.call_tool("query_trends", VIEWS)
        assert methods(fake) == set()
    assert len(tools) == 6
    assert not shown.is_error
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
    assert all("save_as" not in tool.input_schema["properties"] for tool in tools.values())


@pytest.mark.parametrize("read_only", [False, True])
async def test_the_hints_of_manage_connection_are_those_of_the_actions_it_offers(read_only: bool) -> None:
    async with served(read_only=read_only) as (client, _):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    tool = tools["manage_connection"]
    assert tool.annotations
    hints = (tool.annotations.read_only_hint, tool.annotations.destructive_hint, tool.annotations.idempotent_hint)
    assert hints == ((True, False, True) if read_only else (False, True, False))
    offered = ["list", "get"] if read_only else ["list", "create", "get", "delete"]
    assert tool.input_schema["properties"]["action"]["enum"] == offered


@pytest.mark.parametrize("read_only", [False, True])
async def test_cancelling_a_query_is_no_read_and_destroys_nothing(read_only: bool) -> None:
    async with served(read_only=read_only) as (client, _):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    hints = tools["cancel_query"].annotations
    assert hints
    assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (False, False, True)


async def test_an_insight_goes_to_the_project_and_connection_that_the_query_read() -> None:
    async with served() as (client, fake):
        await client.call_tool("query_trends", VIEWS)
        stored = json.loads(text_of(await client.call_tool("create_insight", SAVED)))
        (post,) = [request for request in fake.received if request.path.endswith("/insights/")]
    assert post.headers["maton-connection"] == CONNECTION
    assert post.path == "/posthog/api/projects/136209/insights/"
    assert stored["id"]


async def test_arguments_that_name_their_project_are_stored_in_it() -> None:
    query = {"tool": "query_trends", "arguments": {**VIEWS, "project_id": "136209"}}
    async with served() as (client, fake):
        await client.call_tool("create_insight", {"name": "Views", "query": query})
        asked = [request.path for request in fake.received if request.path.startswith("/posthog/")]
        fake.received.clear()
        other = await client.call_tool("create_insight", {"name": "Views", "query": query, "project_id": "5"})
        assert fake.received == []
    insights = "/posthog/api/projects/136209/insights/"
    assert asked == ["/posthog/api/projects/136209/", insights, f"{insights}31/"]
    assert "`project_id` differs" in json.loads(text_of(other))["error"]["message"]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("query_trends", {"events": ["x"], "date_from": "yesterdays"}, "date_from: must be a date or time"),
        ("query_trends", {"events": ["x"], "filters": [{"key": "a", "operator": "ab"}]}, "filters.0.operator: must"),
        ("query_trends", {"events": [{"event": "x", "maths": "dau"}]}, "events.0.maths is not an argument"),
        ("query_trends", {"events": ["x"], "date_from": "2199-01-01"}, "date_from: 2199-01-01 is in the future"),
        ("query_funnel", {"steps": ["x"]}, "steps: must"),
        ("query_funnel", {}, "steps is required"),
    ],
)  # fmt: skip
async def test_a_mistake_is_named_in_one_line_and_nothing_is_sent(
    tool: str, arguments: dict[str, Any], says: str
) -> None:
    query = {"tool": tool, "arguments": arguments}
    async with served() as (client, fake):
        asked = json.loads(text_of(await client.call_tool(tool, arguments)))["error"]
        saved = json.loads(text_of(await client.call_tool("create_insight", {"name": "x", "query": query})))["error"]
        changed = json.loads(text_of(await client.call_tool("update_insight", {"insight_id": 31, "query": query})))
        assert not [request for request in fake.received if request.method != "GET"]
    for error in (asked, saved, changed["error"]):
        assert says in error["message"]
        assert (error["code"], error["outcome"]) == ("invalid_argument", "not_sent")
    if "future" not in says:
        assert f"create_insight: query.arguments.{says}" in saved["message"]


async def test_a_misspelled_argument_names_the_nearest_one() -> None:
    async with served() as (client, _):
        error = json.loads(text_of(await client.call_tool("query_trends", {"events": ["x"], "maths": "dau"})))["error"]
    assert "maths is not an argument (did you mean math?)" in error["message"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"tool": "query_trend", "arguments": VIEWS}, "query.tool: must be 'query_trends'"),
        ({"tool": "query_trends"}, "query.arguments is required"),
        ({"tool": "query_trends", "arguments": 7}, "query.arguments: "),
        ({"tool": "query_trends", "arguments": VIEWS, "chart": True}, "query.chart is not an argument"),
        ({"tool": "run_hogql", "arguments": {"query": "SELECT 1", "limit": 0}}, "query.arguments.limit: must be"),
        ({"kind": "TrendQuery"}, "or pass `tool` and `arguments` of a query"),
        ("trends", "query: must be an object"),
    ],
)
async def test_a_query_in_no_known_form_is_rejected(query: Any, says: str) -> None:
    async with served() as (client, fake):
        result = await client.call_tool("create_insight", {"name": "x", "query": query})
        assert fake.received == []
    assert says in json.loads(text_of(result))["error"]["message"]


async def test_sql_that_cannot_run_is_rejected_before_anything_is_sent() -> None:
    query = {"tool": "run_hogql", "arguments": {"query": "DROP TABLE events"}}
    async with served() as (client, fake):
        result = await client.call_tool("create_insight", {"name": "x", "query": query})
        assert fake.received == []
    assert json.loads(text_of(result))["error"]["code"].startswith("hogql_")
