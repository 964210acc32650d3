"""Calls to the sandbox's endpoints without HTTP: a request in, status and parsed body out."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from starlette.datastructures import Headers, QueryParams

from posthog_sandbox.api.account import new_project
from posthog_sandbox.errors import ApiError
from posthog_sandbox.http.routing import Call, Route, Router, Services
from posthog_sandbox.storage.engine import ResultTable
from posthog_sandbox.storage.events import Database, EventSource
from posthog_sandbox.storage.store import Store

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: Any

    @property
    def detail(self) -> str:
        """The message of an error in Return an error in PostHog's envelope."""
        assert self.body.keys() == {"type", "code", "detail", "attr"}
        return cast(str, self.body["detail"])

    @property
    def names(self) -> list[str]:
        """The names of a page's rows."""
        return [row["name"] for row in self.body["results"]]


class KnownEvents:
    """A database that only knows some event names."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def select(self, sql: str, *, max_seconds: float = 60, max_memory_bytes: int = 0) -> ResultTable:
        """Return the names for any query."""
        return ResultTable(("name",), ("String",), [[name] for name in self._names])

    def close(self) -> None:
        """Do nothing."""


class Resources:
    """The endpoints of some routes over an empty store with two projects. `now` can be changed."""

    def __init__(self, routes: tuple[Route, ...], database: Database | None = None) -> None:
        self.now = NOW
        self._router = Router(routes)
        self._database = database or KnownEvents()
        self._events: EventSource | None = None
        self.store = Store(None, lambda: self.now)
        with self.store.transaction() as rows:
            for id in (1, 2):
                rows.insert("projects", 0, new_project(id, "2026-05-07T00:00:00Z"))

    def close(self) -> None:
        """Close the store; the database stays open."""
        self.store.close()

    async def _services(self) -> Services:
        if self._events is None:
            self._events = EventSource(lambda: self._database)
            await self._events.open()
        return Services(self.store, self._events, lambda: self.now, _never)

    async def send(self, method: str, path: str, body: dict[str, Any] | None = None, /, **query: Any) -> Response:
        """Send a request; `path` is relative to `/api/projects/1/`, or starts with `/` for another project."""
        path = path.removeprefix("/") if path.startswith("/") else f"1/{path}"
        found = self._router.find(f"projects/{path}")
        assert found is not None, path
        endpoints, arguments = found
        text = urlencode({name: _query_text(value) for name, value in query.items()})
        call = Call(
            services=await self._services(),
            method=method,
            path=f"/api/projects/{path}",
            query=text,
            params=QueryParams(text),
            headers=Headers(),
            body=body or {},
            arguments=arguments,
            project_id=int(arguments["project_id"]),
        )
        try:
            response = await endpoints[method](call)
        except ApiError as error:
            return Response(error.status, error.body)
        content = bytes(response.body)
        return Response(response.status_code, json.loads(content) if content else None)

    async def make(self, path: str, /, **body: Any) -> dict[str, Any]:
        """Create a row with POST and return it."""
        made = await self.send("POST", path, body)
        assert made.status == 201, made.body
        return made.body

    async def get(self, path: str, /, **query: Any) -> Any:
        """Return the body of a successful GET."""
        found = await self.send("GET", path, **query)
        assert found.status == 200, found.body
        return found.body

    async def patch(self, path: str, /, **body: Any) -> Any:
        """Return the body of a successful PATCH."""
        changed = await self.send("PATCH", path, body)
        assert changed.status == 200, changed.body
        return changed.body


def _never(_job: Callable[[], Awaitable[None]]) -> None:
    raise AssertionError("nothing here works in the background")


def _query_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
