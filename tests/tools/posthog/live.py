"""A sandbox in a separate process, and tools called against it over real HTTP.

    with running_sandbox() as sandbox:
        shown = await sandbox.call("query_trends", events=["$pageview"])

The clocks of both are frozen, so results are reproducible. Tools are called without the MCP server.
"""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.gateway.directory import Directory
from maton_posthog.schemas.privacy import OPEN, Privacy
from maton_posthog.tools.operation import Reply
from maton_posthog.tools.operations import OPERATIONS
from posthog_sandbox import Sandbox

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
EVENTS = 20_000
_OPERATIONS = {operation.name: operation for operation in OPERATIONS}


@dataclass(frozen=True, slots=True)
class LiveSandbox:
    """A running sandbox and its URL."""

    url: str
    privacy: Privacy = OPEN

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the result of the tool. Raises GatewayError."""
        operation = _OPERATIONS[tool]
        args = operation.input.model_validate(arguments)
        project: Any = getattr(args, "project_id", "@current")
        async with self._aimed(operation.budget, writes=operation.writes(args), project=project) as call:
            given = await operation.run(call, args)
            shown = given.result if isinstance(given, Reply) else given
            return json.loads(json.dumps({**call.aimed(), **shown}, allow_nan=False))

    async def get(self, path: str, *, id: object) -> dict[str, Any]:
        """Return an object as PostHog stores it."""
        async with self._aimed(Budget.CRUD, writes=False) as call:
            return await call.get(path, None, id=id)

    async def rows(self, sql: str) -> list[list[Any]]:
        """Return the rows of a HogQL query, sent unchanged."""
        async with self._aimed(Budget.QUERY, writes=False) as call:
            return (await call.query({"query": {"kind": "HogQLQuery", "query": f"{sql} LIMIT 50000"}}))["results"]

    @asynccontextmanager
    async def _aimed(
        self, budget: Budget, *, writes: bool, project: int | Literal["@current"] = "@current"
    ) -> AsyncGenerator[Call]:
        """Yield a call to a project of the sandbox."""
        gateway = self._gateway()
        try:
            call = Call(
                gateway.send,
                Directory(gateway.config, gateway.ledger, lambda: NOW),
                budget=budget,
                writes=writes,
                privacy=self.privacy,
            )
            await call.aim(None, project)
            yield call
        finally:
            await gateway.aclose()

    def _gateway(self) -> Gateway:
        """Return a gateway with a deadline that a slow machine meets."""
        urls = (self.url,)
        return Gateway(GatewayConfig(api_key="sandbox", gateway_urls=urls, control_urls=urls, deadline_s=600.0))


@contextmanager
def running_sandbox(events: int = EVENTS) -> Generator[LiveSandbox]:
    """Run a sandbox with synthetic events up to TODAY, at NOW. Its process ends with the block."""
    with Sandbox(events=events, today=NOW.date(), now=NOW) as sandbox:
        yield LiveSandbox(sandbox.url)
