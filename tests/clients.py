"""MCP clients of a server in this process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

from mcp import Client
from mcp.types import CallToolResult

from maton_posthog.server.app import build
from maton_posthog.server.runtime import Runtime

type Era = Literal["auto", "legacy"]


@asynccontextmanager
async def client_of(runtime: Runtime, era: Era = "auto") -> AsyncGenerator[Client]:
    """Yield a client of a server, which is closed with it.

    It has no cache, because copies of lists cost more than the lists. Where no tool has an output schema, the client
    has nothing to validate; it would list all tools to learn that.
    """
    try:
        async with Client(build(runtime), mode=era, cache=None) as client:
            if not runtime.settings.structured:
                client.session.validate_tool_result = _accept
            yield client
    finally:
        await runtime.aclose()


async def _accept(name: str, result: CallToolResult) -> None:
    """Accept a result."""
