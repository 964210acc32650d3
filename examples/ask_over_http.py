"""Start the server on a free port and call it over Streamable HTTP. Synthetic data; no key needed."""

import asyncio
import json
import subprocess
import sys

from mcp import Client
from mcp.types import TextContent

COMMAND = [sys.executable, "-m", "maton_posthog.server", "--transport", "http", "--port", "0", "--sandbox"]


async def report(progress: float, total: float | None, message: str | None) -> None:
    print(message, file=sys.stderr)


async def show_project(url: str) -> None:
    async with Client(url) as client:
        # A call that reports progress waits until the sandbox has its data.
        result = await client.call_tool("get_project", {}, progress_callback=report)
    (content,) = result.content
    assert isinstance(content, TextContent)
    print(content.text)


def main() -> None:
    with subprocess.Popen([*COMMAND, "--log-json"], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        try:
            messages = (json.loads(line)["message"] for line in server.stderr if line.startswith("{"))
            url = next(message.split()[-1] for message in messages if message.startswith("Serving MCP at"))
            asyncio.run(show_project(url))
        finally:
            server.terminate()


main()
