"""The last requests with their bodies, for tests of clients."""

import json
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..values import Row

_REMEMBERED = 1_000
_LONGEST_BODY = 64 * 1024


class Journal:
    """The journal of client requests, oldest first, without requests to the sandbox itself."""

    def __init__(self) -> None:
        self._entries: deque[Row] = deque(maxlen=_REMEMBERED)

    def open(self, scope: MutableMapping[str, Any]) -> Row:
        """Add a request that has just begun. Its status is 0 until it has a response."""
        entry: Row = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "status": 0,
            "body": None,
        }
        self._entries.append(entry)
        return entry

    def shown(self) -> list[Row]:
        """Return the requests as JSON."""
        return list(self._entries)

    def clear(self) -> None:
        """Drop all requests."""
        self._entries.clear()


class JournalApp:
    """ASGI middleware that records every request in the journal before its response is sent."""

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith("/sandbox/"):
            await self._app(scope, receive, send)
            return
        entry = self._journal.open(scope)
        body = bytearray()

        async def read() -> Message:
            message = await receive()
            body.extend(message.get("body", b"") if len(body) <= _LONGEST_BODY else b"")
            if message["type"] == "http.request" and not message.get("more_body") and len(body) <= _LONGEST_BODY:
                with suppress(ValueError, RecursionError):
                    entry["body"] = json.loads(body) if body else None
            return message

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        await self._app(scope, read, note)
