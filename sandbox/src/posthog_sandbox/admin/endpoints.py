"""Test controls that Maton and PostHog do not have: `/sandbox/faults`, `clock`, `requests` and `reset`."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as WebRoute

from ..errors import ApiError
from ..http.bodies import read_json
from ..http.responses import error_response, json_response
from ..maton.keys import check_key
from .clock import SettableClock
from .faults import Faults, read_faults
from .journal import Journal

type _AdminEndpoint = Callable[[Request], Awaitable[Response]]


def admin_routes(
    faults: Faults, clock: SettableClock, journal: Journal, reset: Callable[[], Awaitable[None]]
) -> list[WebRoute]:
    """Return the routes: GET shows, POST sets, PATCH adds, DELETE resets; each returns the resulting state."""

    async def serve_faults(request: Request) -> Response:
        if request.method == "POST":
            faults.set(read_faults(await read_json(request)))
        if request.method == "PATCH":
            faults.add(read_faults(await read_json(request)))
        if request.method == "DELETE":
            faults.set([])
        return json_response({"faults": faults.shown()})

    async def serve_clock(request: Request) -> Response:
        if request.method == "POST":
            clock.apply(await read_json(request))
        if request.method == "DELETE":
            clock.reset()
        return json_response(clock.shown())

    async def serve_requests(request: Request) -> Response:
        if request.method == "DELETE":
            journal.clear()
        return json_response({"requests": journal.shown()})

    async def serve_reset(_request: Request) -> Response:
        await reset()
        return json_response({"reset": True})

    return [
        WebRoute("/sandbox/faults", _guarded(serve_faults), methods=["GET", "POST", "PATCH", "DELETE"]),
        WebRoute("/sandbox/clock", _guarded(serve_clock), methods=["GET", "POST", "DELETE"]),
        WebRoute("/sandbox/requests", _guarded(serve_requests), methods=["GET", "DELETE"]),
        WebRoute("/sandbox/reset", _guarded(serve_reset), methods=["POST"]),
    ]


def _guarded(act: _AdminEndpoint) -> _AdminEndpoint:
    async def endpoint(request: Request) -> Response:
        try:
            check_key(request.headers.get("authorization"))
            return await act(request)
        except ApiError as error:
            return error_response(error)

    return endpoint
