"""Recording of requests for the overview page, and the headers that mark every response."""

import json
import time
import uuid
from collections import deque
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ApiError
from ..values import Clock, Row, as_object
from .descriptions import described
from .html import Seen

_NOTE = "sandbox.note"
_NOTE_LENGTH = 240
_SECRET_PATHS = ("/connect/",)


def note(scope: Scope, words: str) -> None:
    """Add a short note about a request or its outcome, for the page."""
    parts = [part for part in (scope.get(_NOTE, ""), words[:_NOTE_LENGTH]) if part]
    scope[_NOTE] = " → ".join(parts)


def summary(body: Row) -> str:
    """Summarize a request body: the name of the object, the query, or else the fields."""
    query = as_object(body.get("query"))
    named = body.get("key") or body.get("name")
    parts = [named] if isinstance(named, str) else []
    parts += [] if query is None else [described(query)]
    if parts:
        return ": ".join(parts)
    return ", ".join(f"{name} {json.dumps(value)}" if isinstance(value, bool) else name for name, value in body.items())


def rejection(error: ApiError) -> str:
    """Return the reason of a rejection."""
    body = as_object(error.body) or {}
    nested = as_object(body.get("error")) or {}
    return str(body.get("detail") or nested.get("message") or body.get("message") or "")


class Recorded:
    """ASGI middleware that marks every response as synthetic, gives it an id and records it for the page."""

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

        began = time.perf_counter()
        moment = self._clock().strftime("%H:%M:%S")
        try:
            await self._app(scope, receive, marked)
        finally:
            if scope["path"] != "/":
                took = round((time.perf_counter() - began) * 1000)
                self._seen.append(Seen(moment, scope["method"], _shown_path(scope), status, took, scope.get(_NOTE, "")))


def _shown_path(scope: Any) -> str:
    """Return the path with its query. A connection's approval link grants access, so it is hidden."""
    path = str(scope["path"])
    for secret in _SECRET_PATHS:
        if path.startswith(secret):
            return f"{secret}…"
    query = unquote(scope["query_string"].decode("latin-1"))
    return f"{path}?{query}" if query else path
