"""A whole sandbox called over ASGI: the application with its rows in memory, and events that a module shares."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import httpx2

from posthog_sandbox.admin.clock import SettableClock
from posthog_sandbox.app import create_app
from posthog_sandbox.examples import fill, refill
from posthog_sandbox.storage.engine import Engine, Table
from posthog_sandbox.storage.events import Database, EventSource
from posthog_sandbox.storage.store import Store

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
BASE_URL = "http://sandbox.test"
FLAG: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 20}]}


@dataclass(frozen=True, slots=True)
class Shared:
    """An engine that outlives the application that uses it."""

    engine: Engine

    def select(self, sql: str, *, max_seconds: float = 60, max_memory_bytes: int = 2 * 1024**3) -> Table:
        """The engine's answer."""
        return self.engine.select(sql, max_seconds=max_seconds, max_memory_bytes=max_memory_bytes)

    def close(self) -> None:
        """Left open for the next test."""


class NoEvents:
    """A database for tests that never ask it anything."""

    def select(self, sql: str, *, max_seconds: float = 60, max_memory_bytes: int = 0) -> Table:
        """One row, in which every count is 0."""
        counts = max(sql.count("count()"), 1)
        return Table(("count()",) * counts, ("UInt64",) * counts, [[0] * counts])

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A client of a running sandbox. Paths are relative to project 1 unless they start with a slash."""

    http: httpx2.AsyncClient

    async def send(self, method: str, path: str, body: Any = None, **query: Any) -> httpx2.Response:
        """The answer to one request."""
        url = path if path.startswith("/") else f"/posthog/api/projects/1/{path}"
        return await self.http.request(method, url, json=body, params=query)

    async def get(self, path: str, **query: Any) -> Any:
        """The body of a GET that succeeds."""
        answer = await self.send("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def make(self, path: str, body: Any) -> Any:
        """The row that a POST made."""
        answer = await self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def patch(self, path: str, body: Any) -> Any:
        """The row after a PATCH that succeeds."""
        answer = await self.send("PATCH", path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str, str, Any]:
        """Status, code, detail and attr of a request that PostHog refuses."""
        answer = await self.send(method, path, body, **query)
        sent = answer.json()
        assert sent.keys() == {"type", "code", "detail", "attr"}
        return answer.status_code, sent["code"], sent["detail"], sent["attr"]

    async def query(self, text: str, **body: Any) -> Any:
        """The answer to a HogQL query."""
        answer = await self.send("POST", "query/", {"query": {"kind": "HogQLQuery", "query": text}, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def serving(database: Database | None = None, *, rate: int = 0) -> AsyncGenerator[Serving]:
    """A sandbox with its example rows, and this database for its events."""
    clock = SettableClock(lambda: NOW)
    store = Store(None, clock)
    fill(store, TODAY, BASE_URL)
    events = EventSource(lambda: database or NoEvents())
    first_rows = partial(refill, store, TODAY, BASE_URL)
    app = create_app(store, events, clock, lambda: BASE_URL, refill=first_rows, rate=rate)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        key = {"Authorization": "Bearer sandbox"}
        async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL, headers=key) as http:
            yield Serving(http)
