"""The sandbox as one ASGI application: both planes of the gateway, injected faults and an overview page."""

import logging
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route as WebRoute

from .admin.clock import SettableClock
from .admin.endpoints import admin_routes
from .admin.faults import Faults, FaultyApp
from .admin.journal import Journal, JournalApp
from .api import on_ready, resource_routes
from .api.account import find_organization, find_project
from .errors import ApiError, maton_error, method_not_allowed, not_found, server_error
from .http.bodies import read_object
from .http.responses import error_response, json_response
from .http.routing import PUBLIC_URL, Call, Router, Services
from .maton.connections import check_connection, web_routes
from .maton.keys import Key, check_key, check_reach, check_scope
from .maton.rate import RateLimited
from .pages.html import Overview, Seen, overview_page, page_headers
from .pages.recording import Recorded, note, rejection, summary
from .storage.engine import EngineError
from .storage.events import EventSource
from .storage.store import Store
from .values import timestamp

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_EVENT_TABLES = ("events", "persons", "sessions", "session_replays")
_ROW_TABLES = (
    "dashboards",
    "insights",
    "feature_flags",
    "cohorts",
    "actions",
    "annotations",
    "surveys",
    "experiments",
    "connections",
)
_REMEMBERED = 200
_COUNTING_S = 0.5
"""Seconds to wait for the counts; a page without them shows them after its next refresh."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Application:
    services: Services
    base_url: Callable[[], str]
    router: Router
    faults: Faults
    clock: SettableClock
    rate: int
    seen: deque[Seen]
    journal: Journal


def create_app(
    store: Store,
    events: EventSource,
    clock: SettableClock,
    base_url: Callable[[], str],
    on_failure: Callable[[Exception], None] | None = None,
    *,
    refill: Callable[[], None] = lambda: None,
    rate: int = 0,
    faithful_links: bool = False,
) -> Starlette:
    """Return the application, which owns `store` and `events`: its lifespan opens the events and closes both.

    `base_url` returns the sandbox's own address without a trailing slash. `on_failure` is called when the events cannot
    be generated. `refill` replaces the rows by those of a new sandbox. `rate` is the limit of requests per second, as
    Maton applies it; 0 means no limit. With `faithful_links` the links of pages name PostHog's host, as in
    PostHog; otherwise they stay on the sandbox.
    """
    background = _Background()
    own = partial(_prefixed, base_url)
    services = Services(store, events, clock, background.start, (lambda: PUBLIC_URL) if faithful_links else own)
    router = Router(resource_routes())
    sandbox = _Application(services, base_url, router, Faults(), clock, rate, deque(maxlen=_REMEMBERED), Journal())
    return Starlette(
        routes=[
            WebRoute("/", partial(_overview, sandbox)),
            *web_routes(services, base_url),
            *admin_routes(sandbox.faults, clock, sandbox.journal, partial(_reset, sandbox, refill)),
            WebRoute("/posthog/project/{path:path}", _overview_of_the_app),
            WebRoute("/posthog/{path:path}", partial(_data_plane, sandbox), methods=_METHODS),
            WebRoute("/{path:path}", _unknown, methods=_METHODS),
        ],
        middleware=[
            Middleware(JournalApp, journal=sandbox.journal),
            Middleware(Recorded, seen=sandbox.seen, clock=clock),
            Middleware(RateLimited, rate=rate),
            Middleware(FaultyApp, faults=sandbox.faults),
        ],
        exception_handlers={sqlite3.OperationalError: _not_stored},
        lifespan=partial(_lifespan, services, background, on_failure),
    )


def _prefixed(base_url: Callable[[], str]) -> str:
    return f"{base_url()}/posthog"


async def _overview_of_the_app(_request: Request) -> Response:
    """Answer for a page of PostHog's app, to which results link: the overview is the only page of the sandbox."""
    return RedirectResponse("/", status_code=302)


class _Background:
    """Jobs that run until the application stops."""

    def __init__(self) -> None:
        self.jobs: TaskGroup | None = None

    def start(self, job: Callable[[], Awaitable[None]]) -> None:
        if self.jobs is not None:
            self.jobs.start_soon(_quietly, job)


async def _quietly(job: Callable[[], Awaitable[None]]) -> None:
    try:
        await job()
    except sqlite3.OperationalError as error:
        _log.warning("%s", _reason(error))
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
            _log.exception("Cannot generate the events")
        else:
            on_failure(error)
        return
    await _quietly(lambda: on_ready(services))


async def _reset(sandbox: _Application, refill: Callable[[], None]) -> None:
    """Reset to the state of a new sandbox but keep the events. A new router has no cached query results."""
    sandbox.clock.reset()
    sandbox.faults.set([])
    await to_thread.run_sync(refill)
    sandbox.router = Router(resource_routes())
    sandbox.seen.clear()
    sandbox.journal.clear()
    sandbox.services.spawn(lambda: on_ready(sandbox.services))


async def _data_plane(sandbox: _Application, request: Request) -> Response:
    """Handle one PostHog API request and turn errors into responses."""
    try:
        return await _dispatch(sandbox, check_key(request.headers.get("authorization")), request)
    except ApiError as error:
        note(request.scope, rejection(error))
        return error_response(error)
    except sqlite3.OperationalError as error:
        return error_response(server_error(503, _reason(error)))
    except Exception:
        _log.exception("Unhandled error in the sandbox on %s %s", request.method, request.url.path)
        return error_response(server_error())


async def _dispatch(sandbox: _Application, key: Key, request: Request) -> Response:
    path: str = request.path_params["path"]
    found = sandbox.router.find(path.removeprefix("api/")) if path.startswith("api/") else None
    endpoints, arguments = found or ({}, {})
    segments: list[str] = path.removeprefix("api/").strip("/").split("/") if endpoints else []
    project_id = await to_thread.run_sync(_enter, sandbox.services.store, key, request, segments)
    if not endpoints:
        raise not_found("Endpoint not found.")
    endpoint = endpoints.get(request.method)
    if endpoint is None:
        raise method_not_allowed(request.method, ", ".join(endpoints))
    body = await read_object(request)
    note(request.scope, summary(body))
    call = Call(
        services=sandbox.services,
        method=request.method,
        path=f"/{path}",
        query=request.url.query,
        params=request.query_params,
        headers=request.headers,
        body=body,
        arguments=arguments,
        project_id=project_id,
    )
    return await endpoint(call)


def _enter(store: Store, key: Key, request: Request, segments: Sequence[str]) -> int:
    """Check the connection and the key's permissions; return the project id of the path, or 0."""
    with store.transaction() as rows:
        check_connection(rows, request.headers.get("maton-connection"))
        match segments:
            case ["projects" | "environments", wanted, *_]:
                project = find_project(rows, wanted)
                place = int(project["id"]), str(project["organization"])
            case ["organizations", organization, "projects", wanted, *_]:
                place = int(find_project(rows, wanted)["id"]), find_organization(rows, organization)
            case ["organizations", organization, *_]:
                place = 0, find_organization(rows, organization)
            case _:
                place = 0, None
    if segments:
        check_scope(key, request.method, segments)
        check_reach(key, segments, *place)
    return place[0]


async def _overview(sandbox: _Application, _request: Request) -> Response:
    stored = await to_thread.run_sync(sandbox.services.store.counts)
    overview = Overview(
        base_url=sandbox.base_url(),
        events=await _event_counts(sandbox.services.events),
        rows={table: stored[table] for table in _ROW_TABLES},
        in_force=_in_force(sandbox),
        requests=list(reversed(sandbox.seen)),
    )
    return HTMLResponse(overview_page(overview), headers=page_headers())


async def _event_counts(events: EventSource) -> Mapping[str, int | None]:
    with anyio.move_on_after(_COUNTING_S), suppress(ApiError, EngineError):
        return await events.counts(_EVENT_TABLES)
    return dict.fromkeys(_EVENT_TABLES)


def _in_force(sandbox: _Application) -> list[str]:
    """Return one sentence for each setting that makes this sandbox behave differently from the default."""
    faults = len(sandbox.faults.shown())
    lines = list[str]()
    if faults:
        lines.append(f"Injected faults: {faults} {'rule is' if faults == 1 else 'rules are'} active.")
    if sandbox.clock.shown()["is_set"]:
        lines.append(f"The clock is set to {timestamp(sandbox.clock().replace(microsecond=0))}.")
    if sandbox.rate:
        lines.append(f"Requests are limited to {sandbox.rate} per second.")
    return lines


async def _not_stored(_request: Request, error: Exception) -> Response:
    """Return the control plane's error for rows that cannot be stored: a full disk or a locked database."""
    return error_response(maton_error(503, _reason(error)))


def _reason(error: Exception) -> str:
    return f"The sandbox cannot store rows in its directory: {error}."


async def _unknown(_request: Request) -> Response:
    return json_response({"detail": "Not Found"}, 404)
