"""Test controls that Maton and PostHog do not have: `/sandbox/faults` and `/sandbox/clock`."""

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

type _Endpoint = Callable[[Request], Awaitable[Response]]


def admin_routes(faults: Faults, clock: SettableClock) -> list[WebRoute]:
    """Return the routes: GET shows, POST sets and DELETE resets; each returns the resulting state."""

    async def serve_faults(request: Request) -> Response:
        if request.method == "POST":
            faults.set(read_faults(await read_json(request)))
        if request.method == "DELETE":
            faults.set([])
        return json_response({"faults": faults.shown()})

    async def serve_clock(request: Request) -> Response:
        if request.method == "POST":
            clock.apply(await read_json(request))
        if request.method == "DELETE":
            clock.reset()
        return json_response(clock.shown())

    methods = ["GET", "POST", "DELETE"]
    return [
        WebRoute("/sandbox/faults", _guarded(serve_faults), methods=methods),
        WebRoute("/sandbox/clock", _guarded(serve_clock), methods=methods),
    ]


def _guarded(act: _Endpoint) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            check_key(request.headers.get("authorization"))
            return await act(request)
        except ApiError as error:
            return error_response(error)

    return endpoint
