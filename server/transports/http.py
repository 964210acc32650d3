"""MCP over HTTP: one application with Streamable HTTP at /mcp, SSE at /sse and /messages/, and /healthz.

Every request passes two checks first: Host and Origin, so that no web page reaches the server through the user's
browser (DNS rebinding); then the bearer token, if one is set. The `Authorization` header of a client is removed there:
it never reaches a tool or the gateway. The SDK's transports limit the size of bodies.
"""

import hmac
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import Settings
from ..starting.leaving import leave_in_time
from ..starting.listening import HEALTH
from .connections import LimitedProtocol
from .guesses import Guesses
from .jsonrpc import MOST_VALUES, has_too_many_values, has_wrong_id, wrong_id_error
from .sessions import RoomForSessions, RoomForStreams

MAX_SESSIONS = 1000
"""Most open sessions of Streamable HTTP in the older protocol era: they expire after half an hour without requests."""
MAX_STREAMS = 200
"""Most open connections of the SSE transport."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""The SDK rejects longer bodies."""
BODY_S = 30.0
"""Time for the body of a request to arrive."""
LAST_ANSWERS_S = 1
"""Time for requests to finish after a signal."""

_DROPPED = (b"authorization", b"last-event-id")
"""Headers that stop here. Streams cannot be resumed, and the SDK fails on a request to do so."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_logger = logging.getLogger(__name__)


async def serve(
    server: Server[Any], settings: Settings, listener: socket.socket, *, at_end: Callable[[], object] = lambda: None
) -> None:
    """Serve on a listening socket until a signal arrives; `at_end` is called then."""
    config = uvicorn.Config(
        http_app(server, settings),
        http=LimitedProtocol,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
    )
    host, port = listener.getsockname()[:2]
    path = "/sse" if settings.transport == "sse" else "/mcp"
    _logger.info("Serving MCP at http://%s:%s%s", f"[{host}]" if ":" in host else host, port, path)
    await _Listener(config, at_end).serve(sockets=[listener])


async def _nothing() -> None:
    """Do nothing at the end."""


def http_app(
    server: Server[Any],
    settings: Settings,
    *,
    at_start: Callable[[], object] = lambda: None,
    at_end: Callable[[], Awaitable[None]] = _nothing,
) -> Starlette:
    """Return the ASGI application. Its lifespan owns the sessions, and calls `at_start` and `at_end` around them."""
    # Not stateless: clients of the older era can cancel a call, or receive requests during one, in a session only.
    sessions = StreamableHTTPSessionManager(server, max_sessions=MAX_SESSIONS)
    streamable = RoomForSessions(StreamableHTTPASGIApp(sessions), MAX_SESSIONS)
    streams = SseServerTransport("/messages/")
    sse = RoomForStreams(_SseEndpoint(server, streams), streams.handle_post_message, MAX_STREAMS)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        try:
            at_start()
            async with sessions.run():
                yield
        finally:
            await at_end()

    token = None if settings.token is None else settings.token.reveal()
    return Starlette(
        routes=[
            Route("/mcp", endpoint=_Checked(streamable)),
            Route("/sse", endpoint=_Endpoint(sse.open), methods=["GET"]),
            Mount("/messages/", app=_Checked(sse.post)),
            Route(HEALTH, endpoint=_healthy, methods=["GET"]),
        ],
        middleware=[Middleware(_AccessControl, security=security(settings.allowed_hosts), token=token)],
        lifespan=lifespan,
    )


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def security(allowed_hosts: Iterable[str]) -> TransportSecuritySettings:
    """Return the accepted Host and Origin values: this machine with any port, and the names of `--allowed-host`.

    A name without a port is accepted with any port.
    """
    hosts: list[str] = []
    for name in (*_LOOPBACK, *allowed_hosts):
        has_port = name.rpartition("]")[2].count(":") == 1
        hosts += [name] if has_port else [name, f"{name}:*"]
    return TransportSecuritySettings(
        allowed_hosts=hosts, allowed_origins=[f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    )


class _AccessControl:
    """Passes a request on, or responds with 421 (Host), 403 (Origin) or 401 (token)."""

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings, token: str | None) -> None:
        self._app = app
        self._hosts = TransportSecurityMiddleware(security)
        self._token = None if token is None else token.encode()
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        rejection = await self._hosts.validate_request(request) or await self._check_token(request)
        if rejection is not None:
            await rejection(scope, receive, send)
            return
        headers = [header for header in scope["headers"] if header[0] not in _DROPPED]
        await self._app({**scope, "headers": headers}, receive, send)

    async def _check_token(self, request: Request) -> Response | None:
        if self._token is None or request.url.path == HEALTH:
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._token):
            return None
        if given and not await self._guesses.slow_down(request.client.host if request.client else ""):
            return PlainTextResponse("Too many wrong tokens.\n", 429, {"Retry-After": "1", "Connection": "close"})
        return PlainTextResponse(
            "Send this server's token as `Authorization: Bearer TOKEN`.\n",
            status_code=401,
            headers={"WWW-Authenticate": 'Bearer realm="maton-posthog-mcp"'},
        )


class _Checked:
    """Rejects requests whose id is no string and no integer, which the SDK would accept as notifications, and those
    with too many values.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = dict(scope["headers"]).get(b"content-length", b"")
        if scope["method"] != "POST" or (announced.isdigit() and int(announced) > MAX_BODY_BYTES):
            await self._app(scope, receive, send)
            return
        messages: list[Message] = []
        size = 0
        with anyio.move_on_after(BODY_S) as waiting_for_body:
            while True:
                messages.append(message := await receive())
                size += len(message.get("body", b""))
                if not message.get("more_body", False) or size > MAX_BODY_BYTES:
                    break
        if waiting_for_body.cancelled_caught:
            late = PlainTextResponse("The body of the request is late.\n", 408, {"Connection": "close"})
            await late(scope, receive, send)
            return
        body = b"".join(message.get("body", b"") for message in messages) if size <= MAX_BODY_BYTES else b""
        if has_too_many_values(body):
            full = PlainTextResponse(f"The request must have at most {MOST_VALUES} values.\n", 413)
            await full(scope, receive, send)
            return
        if has_wrong_id(body):
            await JSONResponse(wrong_id_error(), status_code=400)(scope, receive, send)
            return
        waiting = iter(messages)

        async def replayed() -> Message:
            return next(waiting, None) or await receive()

        await self._app(scope, replayed, send)


class _SseEndpoint:
    """Opens an SSE connection and serves it until the client disconnects."""

    def __init__(self, server: Server[Any], streams: SseServerTransport) -> None:
        self._server = server
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._streams.connect_sse(scope, receive, send) as (incoming, outgoing):
            await self._server.run(incoming, outgoing, self._server.create_initialization_options())


class _Endpoint:
    """A bound method as an application: a route would take the method itself for a function of a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Listener(uvicorn.Server):
    """A uvicorn server that exits with code 0 on a signal, instead of raising the signal again at the end."""

    def __init__(self, config: uvicorn.Config, at_end: Callable[[], object]) -> None:
        super().__init__(config)
        self._at_end = at_end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._at_end()
        if self.should_exit:  # uvicorn's force_exit would still wait for open connections
            leave_in_time(0)
        self.should_exit = True
