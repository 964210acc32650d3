"""Maton's own rate limit: requests in any one second, over all clients of the account."""

import time
from collections import deque

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import ApiError, maton_error
from ..http.responses import error_response
from ..pages.recording import note, rejection

_WINDOW_S = 1.0
_LIMITED = ("/posthog/", "/connections")


class RateLimited:
    """ASGI middleware that sends 429 in Maton's envelope, with `Retry-After`, above `rate` requests per second.

    Rejected requests are not counted. The sandbox's own pages and endpoints are not limited. A rate of 0 disables the
    limit.
    """

    def __init__(self, app: ASGIApp, rate: int) -> None:
        self._app = app
        self._rate = rate
        self._admitted: deque[float] = deque(maxlen=max(rate, 1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(_LIMITED) and not self._admit():
            error = _too_many(self._rate)
            note(scope, rejection(error))
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self) -> bool:
        if self._rate == 0:
            return True
        now = time.monotonic()
        if len(self._admitted) == self._rate and now - self._admitted[0] < _WINDOW_S:
            return False
        self._admitted.append(now)
        return True


def _too_many(rate: int) -> ApiError:
    error = maton_error(429, f"Rate limit exceeded: {rate} requests per second.")
    return ApiError(error.status, error.body, {"Retry-After": "1"})
