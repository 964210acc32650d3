"""The simplest server to call: its two tools return PostHog's response unparsed. Takes the gateway's URL."""

import sys
from functools import partial
from typing import Any

import anyio
import httpx2
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool

PATH = "/posthog/api/projects/1/feature_flags/"
QUERY = "/posthog/api/projects/1/query/"


async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
    schema = {"type": "object"}
    return ListToolsResult(tools=[Tool(name=name, input_schema=schema) for name in ("list_flags", "run_hogql")])


async def call_tool(
    client: httpx2.AsyncClient, _: ServerRequestContext[Any], params: CallToolRequestParams
) -> CallToolResult:
    if params.name == "run_hogql":
        query = {"kind": "HogQLQuery", "query": (params.arguments or {})["query"]}
        response = await client.post(QUERY, json={"query": query})
    else:
        response = await client.get(PATH, params=params.arguments)
    return CallToolResult(content=[TextContent(text=response.text)], is_error=response.is_error)


async def main(gateway_url: str) -> None:
    headers = {"Authorization": "Bearer bench"}
    async with httpx2.AsyncClient(base_url=gateway_url, headers=headers) as client:
        server = Server("proxy", on_list_tools=list_tools, on_call_tool=partial(call_tool, client))
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
