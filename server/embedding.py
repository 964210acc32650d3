"""The server inside another program: connected to directly, or mounted as an ASGI application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from starlette.applications import Starlette

from .app import build
from .runtime import Runtime
from .settings import Settings, check_exposure, load
from .transports.http import http_app


@asynccontextmanager
async def open_server(settings: Settings | None = None) -> AsyncGenerator[Server[Any]]:
    """Build the MCP server; at the end of the block its connections and its sandbox are closed.

    Without `settings` they are read from the environment, as the command line does. `mcp.Client(server)` connects to it
    in the same process; `server.run` serves it on any streams of the SDK.
    """
    runtime = Runtime(load() if settings is None else settings)
    try:
        runtime.start()
        yield build(runtime)
    finally:
        await _close(runtime)


def asgi_app(settings: Settings | None = None) -> Starlette:
    """Return an ASGI application with Streamable HTTP at `/mcp`, SSE at `/sse`, and `/healthz`.

    Its lifespan must run: a program that mounts it enters `app.router.lifespan_context(app)` in its own lifespan.
    Host and Origin headers are checked against loopback names and `settings.allowed_hosts`, and the bearer token is
    required when `settings.token` is set. Raises SettingsError for settings that only work on stdio.
    """
    chosen = load() if settings is None else settings
    check_exposure(replace(chosen, transport="http"))
    runtime = Runtime(chosen)

    async def at_end() -> None:
        await _close(runtime)

    return http_app(build(runtime), chosen, at_start=runtime.start, at_end=at_end)


async def _close(runtime: Runtime) -> None:
    with anyio.CancelScope(shield=True):
        await runtime.aclose()
