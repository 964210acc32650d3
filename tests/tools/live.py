"""A sandbox in a separate process, and tools called against it over real HTTP.

    with running_sandbox() as sandbox:
        shown = await sandbox.call("query_trends", events=["$pageview"])

The clocks of both are frozen, so results are reproducible. Tools are called without the MCP server.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from maton_posthog.gateway.call import Call, Directory
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.tools.operations import OPERATIONS

TODAY = "2026-11-23"
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
PATIENCE_S = 60
_OPERATIONS = {operation.name: operation for operation in OPERATIONS}


@dataclass(frozen=True, slots=True)
class LiveSandbox:
    """A running sandbox and its URL."""

    url: str

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the result of the tool. Raises GatewayError."""
        config = GatewayConfig(api_key="sandbox", gateway_urls=(self.url,), control_urls=(self.url,))
        gateway = Gateway(config)
        try:
            operation = _OPERATIONS[tool]
            args = operation.input.model_validate(arguments)
            call = Call(gateway, Directory(lambda: NOW), budget=operation.budget, writes=operation.writes(args))
            await call.aim(None, "@current")
            shown = cast("Any", await operation.run(call, args))
            return json.loads(json.dumps({**call.aimed(), **shown}, allow_nan=False))
        finally:
            await gateway.aclose()

    async def rows(self, sql: str) -> list[list[Any]]:
        """Return the rows of a HogQL query, sent unchanged."""
        gateway = Gateway(GatewayConfig(api_key="sandbox", gateway_urls=(self.url,), control_urls=(self.url,)))
        try:
            call = Call(gateway, Directory(lambda: NOW), budget=_OPERATIONS["run_hogql"].budget, writes=False)
            await call.aim(None, "@current")
            return (await call.query({"query": {"kind": "HogQLQuery", "query": f"{sql} LIMIT 50000"}}))["results"]
        finally:
            await gateway.aclose()


@contextmanager
def running_sandbox(events: int = 20_000) -> Generator[LiveSandbox]:
    """Run a sandbox with synthetic events up to TODAY, at NOW. Its process ends with the block."""
    command = [sys.executable, "-m", "posthog_sandbox", "--json", "--today", TODAY, "--events", str(events)]
    with subprocess.Popen(
        [*command, "--exit-on-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            url = json.loads(process.stdout.readline())["gateway_url"]
            _set_clock(url)
            yield LiveSandbox(url)
        finally:
            process.stdin.close()
            process.wait(PATIENCE_S)


def _set_clock(url: str) -> None:
    body = json.dumps({"now": NOW.isoformat(), "frozen": True}).encode()
    headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/sandbox/clock", body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert answer.status == 200
