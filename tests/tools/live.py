"""A sandbox in a process of its own, and tools called against it over real HTTP.

    with running_sandbox() as sandbox:
        shown = await sandbox.call("query_trends", events=["$pageview"])

The clocks of both stand still, so that a question has one answer. Tools are called without the MCP server around them.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from maton_posthog.gateway.call import Call, Directory
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.tools.operation import Reply
from maton_posthog.tools.operations import OPERATIONS
from posthog_sandbox import Sandbox

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
_OPERATIONS = {operation.name: operation for operation in OPERATIONS}


@dataclass(frozen=True, slots=True)
class LiveSandbox:
    """Where a sandbox listens."""

    url: str

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What the tool shows. Raises GatewayError."""
        config = GatewayConfig(api_key="sandbox", gateway_urls=(self.url,), control_urls=(self.url,))
        gateway = Gateway(config)
        try:
            operation = _OPERATIONS[tool]
            args = operation.input.model_validate(arguments)
            call = Call(gateway, Directory(lambda: NOW), budget=operation.budget, writes=operation.writes(args))
            await call.aim(None, "@current")
            given = await operation.run(call, args)
            shown = given.result if isinstance(given, Reply) else given
            return json.loads(json.dumps({**call.aimed(), **shown}, allow_nan=False))
        finally:
            await gateway.aclose()

    async def rows(self, sql: str) -> list[list[Any]]:
        """The rows of a HogQL query, sent as it is."""
        gateway = Gateway(GatewayConfig(api_key="sandbox", gateway_urls=(self.url,), control_urls=(self.url,)))
        try:
            call = Call(gateway, Directory(lambda: NOW), budget=_OPERATIONS["run_hogql"].budget, writes=False)
            await call.aim(None, "@current")
            return (await call.query({"query": {"kind": "HogQLQuery", "query": f"{sql} LIMIT 50000"}}))["results"]
        finally:
            await gateway.aclose()


@contextmanager
def running_sandbox(events: int = 20_000) -> Generator[LiveSandbox]:
    """A sandbox with synthetic events up to TODAY, at NOW. Its process ends with the block."""
    with Sandbox(events=events, today=NOW.date(), now=NOW) as sandbox:
        yield LiveSandbox(sandbox.url)
