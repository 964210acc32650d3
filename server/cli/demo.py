"""`maton-posthog-mcp demo`: the server at work, driven by a real MCP client.

The server is a separate process, reached over stdio; its sandbox is another one, reached over HTTP; HogQL runs in an
embedded ClickHouse. Nothing leaves this machine.
"""

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import click

from . import fail, reject_arguments
from .hosts import claude_desktop, claude_desktop_file
from .page import Terminal

if TYPE_CHECKING:
    from mcp import Client

SERVER = ("-P", "-m", "maton_posthog.server", "--sandbox", "--log-json", "--log-level", "debug")


@click.command("demo", context_settings={"allow_extra_args": True})
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show the server at work on synthetic data; needs no key."""
    reject_arguments(ctx)
    import anyio

    page = Terminal.for_terminal()
    try:
        anyio.run(show, page)
    except Exception as error:
        page.progress_done()
        fail(f"the demo stopped: {_cause(error)}", code=1)


async def show(page: Terminal) -> None:
    """Run the whole demo. Raises the error that stopped it, possibly in exception groups."""
    from .steps import Demo

    page.heading("maton-posthog-mcp: PostHog for LLM agents, on synthetic data")
    page.text(
        "This starts the MCP server and a sandbox that emulates Maton and PostHog: real HTTP, and real HogQL in an "
        "embedded ClickHouse. It needs no account, and nothing leaves this machine."
    )
    async with _connected(page) as client:
        await Demo(client, page).all()
    page.heading("Next: Claude Desktop")
    page.text(f"Put one of these into {claude_desktop_file()} and restart Claude Desktop. With synthetic data:")
    page.code(claude_desktop("--sandbox"))
    page.text("With your own PostHog through Maton (the key is at maton.ai/settings):")
    page.code(claude_desktop(MATON_API_KEY="your key"))


@asynccontextmanager
async def _connected(page: Terminal) -> AsyncGenerator["Client"]:
    """Yield a client of a new server process, whose log reports the progress of the data."""
    import anyio
    from mcp import Client, StdioServerParameters, stdio_client

    from ...tools.processes import child_environment

    server = StdioServerParameters(command=sys.executable, args=list(SERVER), env=child_environment())
    source, sink = os.pipe()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_follow, source, page)
            # Closed before the group ends, because `_follow` ends with the log.
            with os.fdopen(sink, "w") as log:
                async with Client(stdio_client(server, errlog=log)) as client:
                    yield client
    finally:
        os.close(source)


async def _follow(source: int, page: Terminal) -> None:
    """Show the progress that the server logs."""
    from ..transports.wire import LineReader

    async for line in LineReader(source, lambda line: line or b""):
        entry = _entry(line)
        if isinstance(fraction := entry.get("progress"), int | float):
            page.progress(float(fraction), str(entry.get("message", "")).removeprefix("sandbox: "))


def _entry(line: bytes) -> dict[str, object]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return {}


def _cause(error: BaseException) -> str:
    """Return the first error of nested groups, on one line."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return str(error) or type(error).__name__
