"""Connections of the HTTP server: a deadline for the head of a request, and a budget for all of them.

A client that sends half a head holds a file descriptor without having shown a token.
"""

import asyncio
import sys
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""Time from the first moment of a connection, or the first byte of its next request, to the end of the head."""
MAX_CONNECTIONS = 1000
_KEPT_FREE = 200
"""File descriptors that are left for everything else."""


def most_connections() -> int:
    """Return the largest number of open connections, which the limit of the process for open files can lower."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(50, min(MAX_CONNECTIONS, soft - _KEPT_FREE))


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose head is late, and the one that waits longest when there are too many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._late: asyncio.TimerHandle | None = None
        self.waiting_since = self.loop.time()

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being handled."""
        cycle: Any = self.cycle
        return bool(cycle is not None and not cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > most_connections():
            open_now = cast("set[LimitedProtocol]", self.connections)
            waiting = [each for each in open_now if not each.is_busy]
            min(waiting, key=lambda each: each.waiting_since).transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self.is_busy and self._late is None:
            self._await_head()
        super().data_received(data)
        if self.is_busy:
            self._cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    def _await_head(self) -> None:
        self._late = self.loop.call_later(HEAD_S, self.transport.abort)

    def _cancel(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
