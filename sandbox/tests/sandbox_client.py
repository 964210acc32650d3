"""A whole sandbox called over ASGI: the application with its rows in memory, and events shared by a module."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import httpx2

from posthog_sandbox.admin.clock import SettableClock
from posthog_sandbox.app import create_app
from posthog_sandbox.dataset import tell
from posthog_sandbox.examples import fill, refill
from posthog_sandbox.storage.engine import Engine, ResultTable
from posthog_sandbox.storage.events import Database, EventSource
from posthog_sandbox.storage.store import Store

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
BASE_URL = "http://sandbox.test"
FLAG: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 20}]}


@dataclass(frozen=True, slots=True)
class Shared:
    """An engine that outlives the application."""

    engine: Engine

    def select(self, sql: str, *, max_seconds: float = 60, max_memory_bytes: int = 2 * 1024**3) -> ResultTable:
        """Return the engine's result."""
        return self.engine.select(sql, max_seconds=max_seconds, max_memory_bytes=max_memory_bytes)

    def close(self) -> None:
        """Keep it open for the next test."""


class NoEvents:
    """A database for tests without queries."""

    def select(self, sql: str, *, max_seconds: float = 60, max_memory_bytes: int = 0) -> ResultTable:
        """Return one row, in which every count is 0."""
        counts = max(sql.count("count()"), 1)
        return ResultTable(("count()",) * counts, ("UInt64",) * counts, [[0] * counts])

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A client of a running sandbox. Paths are relative to project 1 unless they start with a slash."""

    http: httpx2.AsyncClient

    async def send(self, method: str, path: str, body: Any = None, **query: Any) -> httpx2.Response:
        """Send one request and return the response."""
        url = path if path.startswith("/") else f"/posthog/api/projects/1/{path}"
        return await self.http.request(method, url, json=body, params=query)

    async def get(self, path: str, **query: Any) -> Any:
        """Return the body of a successful GET."""
        response = await self.send("GET", path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    async def make(self, path: str, body: Any) -> Any:
        """Create a row with POST and return it."""
        response = await self.send("POST", path, body)
        assert response.status_code == 201, response.text
        return response.json()

    async def patch(self, path: str, body: Any) -> Any:
        """Return the row after a successful PATCH."""
        response = await self.send("PATCH", path, body)
        assert response.status_code == 200, response.text
        return response.json()

    async def rejection(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str, str, Any]:
        """Return status, code, detail and attr of a rejected request."""
        response = await self.send(method, path, body, **query)
        sent = response.json()
        assert sent.keys() == {"type", "code", "detail", "attr"}
        return response.status_code, sent["code"], sent["detail"], sent["attr"]

    async def query(self, text: str, **body: Any) -> Any:
        """Return the response to a HogQL query."""
        response = await self.send("POST", "query/", {"query": {"kind": "HogQLQuery", "query": text}, **body})
        assert response.status_code == 200, response.text
        return response.json()


@asynccontextmanager
async def serving(
    database: Database | None = None, *, rate: int = 0, counts_cohorts: bool = False, faithful_links: bool = False
) -> AsyncGenerator[Serving]:
    """Yield a sandbox with its example rows and this database for events.

    The example cohorts are counted on request, because that takes longer than most tests.
    """
    clock = SettableClock(lambda: NOW)
    store = Store(None, clock)
    fill(store, tell(TODAY), BASE_URL)
    if database and not counts_cohorts:
        _leave_cohorts_uncounted(store)
    events = EventSource(lambda: database or NoEvents())
    first_rows = partial(refill, store, tell(TODAY), BASE_URL)
    app = create_app(
        store, events, clock, lambda: BASE_URL, refill=first_rows, rate=rate, faithful_links=faithful_links
    )
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        key = {"Authorization": "Bearer sandbox"}
        async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL, headers=key) as http:
            yield Serving(http)


def _leave_cohorts_uncounted(store: Store) -> None:
    with store.transaction() as rows:
        for cohort in rows.all("cohorts"):
            rows.save("cohorts", {**cohort, "is_calculating": False})
