"""The sandbox as one ASGI application: both planes of the gateway, faults on demand, and a page to watch it."""

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
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as WebRoute

from .admin.clock import SettableClock
from .admin.endpoints import admin_routes
from .admin.faults import Faults, FaultyApp
from .admin.journal import Journal, JournalApp
from .api import on_ready, resource_routes
from .api.account import find_organization, find_project
from .errors import ApiError, maton_error, method_not_allowed, not_found, server_error
from .http.bodies import read_object
from .http.responses import answer, error_answer
from .http.routing import Call, Router, Services
from .maton.connections import check_connection, web_routes
from .maton.keys import Key, check_key, check_reach, check_scope
from .maton.rate import RateLimited
from .pages.html import Overview, Seen, overview_page, page_headers
from .pages.recording import Recorded, asked, note, refused
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
"""How long the page waits for its counts; a later look finds them."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sandbox:
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
) -> Starlette:
    """The application. It owns `store` and `events`: its lifespan opens the events in the background and closes both.

    `base_url` is where it is reached, without a slash at the end; `on_failure` hears when the events cannot be made.
    `refill` replaces the rows by those of a new sandbox. `rate` limits the requests per second, as Maton does; 0 does
    not.
    """
    background = _Background()
    services = Services(store, events, clock, background.start)
    router = Router(resource_routes())
    sandbox = _Sandbox(services, base_url, router, Faults(), clock, rate, deque(maxlen=_REMEMBERED), Journal())
    return Starlette(
        routes=[
            WebRoute("/", partial(_overview, sandbox)),
            *web_routes(services, base_url),
            *admin_routes(sandbox.faults, clock, sandbox.journal, partial(_reset, sandbox, refill)),
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
            _log.exception("The events could not be made")
        else:
            on_failure(error)
        return
    await _quietly(lambda: on_ready(services))


async def _reset(sandbox: _Sandbox, refill: Callable[[], None]) -> None:
    """Return to the state of a new sandbox; the events stay. A new router has no results of earlier queries."""
    sandbox.clock.reset()
    sandbox.faults.set([])
    await to_thread.run_sync(refill)
    sandbox.router = Router(resource_routes())
    sandbox.seen.clear()
    sandbox.journal.clear()
    sandbox.services.spawn(lambda: on_ready(sandbox.services))


async def _data_plane(sandbox: _Sandbox, request: Request) -> Response:
    """One request of PostHog's API through the gateway, errors as answers."""
    try:
        return await _answer(sandbox, check_key(request.headers.get("authorization")), request)
    except ApiError as error:
        note(request.scope, refused(error))
        return error_answer(error)
    except sqlite3.OperationalError as error:
        return error_answer(server_error(503, _reason(error)))
    except Exception:
        _log.exception("The sandbox failed on %s %s", request.method, request.url.path)
        return error_answer(server_error())


async def _answer(sandbox: _Sandbox, key: Key, request: Request) -> Response:
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
    note(request.scope, asked(body))
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
    """Check the connection and what the key may do; then the project of the path, 0 without one."""
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


async def _overview(sandbox: _Sandbox, _request: Request) -> Response:
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


def _in_force(sandbox: _Sandbox) -> list[str]:
    """What makes this sandbox behave differently from others, in words."""
    faults, said = len(sandbox.faults.shown()), list[str]()
    if faults:
        said.append(f"Faults on demand: {faults} {'rule is' if faults == 1 else 'rules are'} in force.")
    if sandbox.clock.shown()["is_set"]:
        said.append(f"The clock is set: it is {timestamp(sandbox.clock().replace(microsecond=0))}.")
    if sandbox.rate:
        said.append(f"At most {sandbox.rate} requests a second are answered.")
    return said


async def _not_stored(_request: Request, error: Exception) -> Response:
    """A full disk, or another program that holds the rows, as the control plane tells it."""
    return error_answer(maton_error(503, _reason(error)))


def _reason(error: Exception) -> str:
    return f"The sandbox cannot store rows in its directory: {error}."


async def _unknown(_request: Request) -> Response:
    return answer({"detail": "Not Found"}, 404)
