"""Several MCP servers on one sandbox: real processes."""

import json
from typing import Any

from ...tools.posthog.live import running_sandbox
from ..processes import ServerProcess


def call(server: ServerProcess, name: str, arguments: dict[str, Any]) -> Any:
    """Return the JSON of a tool's result."""
    result = server.ask("tools/call", {"name": name, "arguments": arguments}, number=5)["result"]
    assert not result.get("isError"), result
    return json.loads(result["content"][0]["text"])


def test_two_mcp_servers_share_one_sandbox() -> None:
    with running_sandbox(events=500) as sandbox:
        where = ("--gateway-url", sandbox.url, "--control-url", sandbox.url)
        with (
            ServerProcess(*where, MATON_API_KEY="sandbox") as first,
            ServerProcess(*where, MATON_API_KEY="sandbox") as second,
        ):
            for server in (first, second):
                server.initialize()
            call(first, "create_flag", {"key": "from-the-first", "rollout_percentage": 5, "project_id": 1})
            seen = call(second, "list_flags", {"project_id": 1, "search": "from-the-first"})
    assert [flag["key"] for flag in seen["flags"]] == ["from-the-first"]
