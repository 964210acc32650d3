"""Sessions of Streamable HTTP and streams of SSE: when there are too many, the one that is idle longest makes room."""

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import anyio
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SESSION = b"mcp-session-id"
_STREAM = re.compile(rb"session_id=([0-9a-f]+)")
RETRY_AFTER_S = 60


@dataclass(slots=True)
class _Use:
    """The use of a session or stream."""

    last: int
    """The number of its last use, counted over all of them."""
    requests: int = 0
    """Requests in progress."""
    scope: anyio.CancelScope | None = None
    """Ends a stream."""


@dataclass(slots=True)
class _Uses:
    by_id: dict[str, _Use] = field(default_factory=dict[str, _Use])
    now: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__)
    """Counts the uses."""

    def touch(self, identifier: str) -> _Use:
        use = self.by_id.setdefault(identifier, _Use(0))
        use.last = self.now()
        return use

    def idlest(self) -> str | None:
        """Return the one that has no request in progress and was used longest ago; None when all are busy."""
        idle = [identifier for identifier, use in self.by_id.items() if not use.requests]
        return min(idle, key=lambda identifier: self.by_id[identifier].last, default=None)


def _is_older(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request is of the older era, which has sessions."""
    version = headers.get(b"mcp-protocol-version")
    return version is None or version.decode("latin-1") in HANDSHAKE_PROTOCOL_VERSIONS


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    await PlainTextResponse("Too many open sessions, all in use.\n", 503, headers)(scope, receive, send)


class RoomForSessions:
    """Streamable HTTP with at most `most` sessions; a new one ends the idlest, as its client could with DELETE."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._uses = _Uses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(_SESSION, b"").decode("latin-1")
        opens = scope["method"] == "POST" and not given and _is_older(headers)
        if opens and len(self._uses.by_id) >= self._most and not await self._make_room(scope):
            await _full(scope, receive, send)
            return
        use = self._uses.touch(given) if given in self._uses.by_id else None
        if use is not None:
            use.requests += 1

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message, given)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if use is not None:
                use.requests -= 1
                use.last = self._uses.now()

    def _note(self, scope: Scope, message: Message, given: str) -> None:
        status = message["status"]
        opened = dict(message.get("headers", ())).get(_SESSION, b"").decode("latin-1")
        if given and (status == 404 or (scope["method"] == "DELETE" and status < 300)):
            self._uses.by_id.pop(given, None)
        elif not given and opened and status < 300:
            self._uses.touch(opened)

    async def _make_room(self, scope: Scope) -> bool:
        identifier = self._uses.idlest()
        if identifier is None:
            return False
        del self._uses.by_id[identifier]
        kept = [header for header in scope["headers"] if header[0] in (b"host", b"origin")]
        ending = {**scope, "method": "DELETE", "headers": [*kept, (_SESSION, identifier.encode())]}
        await self._app(ending, _no_body, _nowhere)
        return True


class RoomForStreams:
    """SSE with at most `most` streams; a new one ends the idlest. `messages` takes the requests of their clients."""

    def __init__(self, streams: ASGIApp, messages: ASGIApp, most: int) -> None:
        self._streams = streams
        self._messages = messages
        self._most = most
        self._uses = _Uses()
        self._new = itertools.count()

    async def open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a stream until its client leaves or another one needs the room."""
        if len(self._uses.by_id) >= self._most and not self._make_room():
            await _full(scope, receive, send)
            return
        name = f"new {next(self._new)}"
        with anyio.CancelScope() as ending:
            self._uses.touch(name).scope = ending

            async def watched(message: Message) -> None:
                nonlocal name
                if name.startswith("new ") and (found := _STREAM.search(message.get("body", b""))):
                    self._uses.by_id[found[1].decode()] = self._uses.by_id.pop(name, _Use(0, scope=ending))
                    name = found[1].decode()
                elif not message.get("body", b"").startswith(b": ping"):
                    self._uses.touch(name)
                await send(message)

            try:
                await self._streams(scope, receive, watched)
            finally:
                self._uses.by_id.pop(name, None)
        if ending.cancelled_caught and not name.startswith("new "):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a message of a client on."""
        (identifier,) = parse_qs(scope["query_string"].decode("latin-1")).get("session_id", [""])[:1]
        if identifier.replace("-", "") in self._uses.by_id:
            self._uses.touch(identifier.replace("-", ""))
        await self._messages(scope, receive, send)

    def _make_room(self) -> bool:
        identifier = self._uses.idlest()
        ended = self._uses.by_id.pop(identifier, None) if identifier is not None else None
        if ended is None or ended.scope is None:
            return False
        ended.scope.cancel()
        return True


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(_: Message) -> None:
    """Drop a response that no client waits for."""
