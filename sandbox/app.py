"""The sandbox as one ASGI application: both planes of the gateway, faults on demand, and a page to watch it."""

import logging
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as WebRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .bodies import read_json, read_object
from .connections import check_connection, check_key, web_routes
from .errors import ApiError, method_not_allowed, not_found, server_error
from .events import EventSource
from .faults import Faults, FaultyApp, read_faults
from .resources import on_ready, resource_routes
from .resources.account import find_project
from .responses import answer, error_answer
from .routing import Call, Router, Services
from .store import Store
from .values import Clock
from .web_page import Seen, overview_page, page_headers

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_EVENT_TABLES = ("events", "persons", "sessions", "session_replays")
_REMEMBERED = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sandbox:
    services: Services
    base_url: Callable[[], str]
    router: Router
    faults: Faults
    seen: deque[Seen]


def create_app(
    store: Store,
    events: EventSource,
    clock: Clock,
    base_url: Callable[[], str],
    on_failure: Callable[[Exception], None] | None = None,
) -> Starlette:
    """The application. It owns `store` and `events`: its lifespan opens the events in the background and closes both.

    `base_url` is where it is reached, without a slash at the end; `on_failure` hears when the events cannot be made.
    """
    background = _Background()
    services = Services(store, events, clock, background.start)
    sandbox = _Sandbox(services, base_url, Router(resource_routes()), Faults(), deque(maxlen=_REMEMBERED))
    return Starlette(
        routes=[
            WebRoute("/", partial(_overview, sandbox)),
            *web_routes(services, base_url),
            WebRoute("/sandbox/faults", partial(_faults, sandbox), methods=["GET", "POST", "DELETE"]),
            WebRoute("/posthog/{path:path}", partial(_data_plane, sandbox), methods=_METHODS),
            WebRoute("/{path:path}", _unknown, methods=_METHODS),
        ],
        middleware=[
            Middleware(_Recorded, seen=sandbox.seen, clock=clock),
            Middleware(FaultyApp, faults=sandbox.faults),
        ],
        lifespan=partial(_lifespan, services, background, on_failure),
    )


class _Background:
    """Starts jobs that run until the application ends."""

    def __init__(self) -> None:
        self.jobs: TaskGroup | None = None

    def start(self, job: Callable[[], Awaitable[None]]) -> None:
        if self.jobs is not None:
            self.jobs.start_soon(_quietly, job)


async def _quietly(job: Callable[[], Awaitable[None]]) -> None:
    try:
        await job()
    except Exception:
        _log.exception("A background job of the sandbox failed")


@asynccontextmanager
async def _lifespan(
    services: Services, background: _Background, on_failure: Callable[[Exception], None] | None, _app: Starlette
) -> AsyncGenerator[None]:
    async with anyio.create_task_group() as jobs:
        background.jobs = jobs
        jobs.start_soon(_open_events, services, on_failure)
        try:
            yield
        finally:
            jobs.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await services.events.close()
                await to_thread.run_sync(services.store.close)


async def _open_events(services: Services, on_failure: Callable[[Exception], None] | None) -> None:
    try:
        await services.events.open()
    except Exception as error:
        if on_failure is None:
            _log.exception("The events could not be made")
        else:
            on_failure(error)
        return
    await _quietly(lambda: on_ready(services))


async def _data_plane(sandbox: _Sandbox, request: Request) -> Response:
    """One request of PostHog's API through the gateway, errors as answers."""
    try:
        check_key(request.headers.get("authorization"))
        return await _answer(sandbox, request)
    except ApiError as error:
        return error_answer(error)
    except Exception:
        _log.exception("The sandbox failed on %s %s", request.method, request.url.path)
        return error_answer(server_error())


async def _answer(sandbox: _Sandbox, request: Request) -> Response:
    path = request.path_params["path"]
    found = sandbox.router.find(path.removeprefix("api/")) if path.startswith("api/") else None
    endpoints, arguments = found or ({}, {})
    project_id = await to_thread.run_sync(_enter, sandbox.services.store, request, arguments.get("project_id"))
    if not endpoints:
        raise not_found("Endpoint not found.")
    endpoint = endpoints.get(request.method)
    if endpoint is None:
        raise method_not_allowed(request.method, ", ".join(endpoints))
    call = Call(
        services=sandbox.services,
        method=request.method,
        path=f"/{path}",
        query=request.url.query,
        params=request.query_params,
        headers=request.headers,
        body=await read_object(request),
        arguments=arguments,
        project_id=project_id,
    )
    return await endpoint(call)


def _enter(store: Store, request: Request, project: str | None) -> int:
    """Check the connection, then find the project of the path; 0 without one."""
    with store.transaction() as rows:
        check_connection(rows, request.headers.get("maton-connection"))
        return 0 if project is None else int(find_project(rows, project)["id"])


async def _faults(sandbox: _Sandbox, request: Request) -> Response:
    try:
        check_key(request.headers.get("authorization"))
        if request.method == "POST":
            sandbox.faults.set(read_faults(await read_json(request)))
    except ApiError as error:
        return error_answer(error)
    if request.method == "DELETE":
        sandbox.faults.set([])
    return answer({"faults": sandbox.faults.shown()})


async def _overview(sandbox: _Sandbox, _request: Request) -> Response:
    stored = await to_thread.run_sync(sandbox.services.store.counts)
    counts: Mapping[str, int | None] = {**await sandbox.services.events.counts(_EVENT_TABLES), **stored}
    page = overview_page(sandbox.base_url(), counts, list(reversed(sandbox.seen)))
    return HTMLResponse(page, headers=page_headers())


async def _unknown(_request: Request) -> Response:
    return answer({"detail": "Not Found"}, 404)


class _Recorded:
    """Marks every answer as synthetic, gives it an id, and remembers it for the page."""

    def __init__(self, app: ASGIApp, seen: deque[Seen], clock: Clock) -> None:
        self._app = app
        self._seen = seen
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(b"x-sandbox", b"synthetic"), (b"x-request-id", uuid.uuid4().hex.encode())]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        began, moment = time.perf_counter(), self._clock().strftime("%H:%M:%S")
        try:
            await self._app(scope, receive, marked)
        finally:
            if scope["path"] != "/":
                took = round((time.perf_counter() - began) * 1000)
                self._seen.append(Seen(moment, scope["method"], scope["path"], status, took))
