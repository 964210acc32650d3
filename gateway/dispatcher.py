"""Sends the requests of one tool call: only reads for a call that reads, until its deadline, and never again through a
connection that turned out to be dead.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from .connections import ControlPlane
from .directory import Directory
from .errors import Advice, Failed, GatewayError
from .http.request import Request

type Sender = Callable[[Request, float, Callable[[int], None]], Awaitable[Any]]
"""Sends one request before a `time.monotonic()` moment, reports the size of the response, and returns it parsed:
`Gateway.send`.
"""


class Dispatcher:
    """The sender of one call."""

    def __init__(self, sender: Sender, directory: Directory, *, writes: bool, deadline: float) -> None:
        self.sender = sender
        self.writes = writes
        """False on a read-only server, which sends no request that changes something."""
        self.deadline = deadline
        """The `time.monotonic()` moment after which nothing is sent and no response is waited for."""
        self.wrote = False
        """True once upstream accepted a change."""
        self.received = 0
        """Bytes of all responses so far."""
        self._directory = directory

    async def send(self, request: Request) -> Any:
        """Send a request and return its parsed response. Raises GatewayError."""
        if request.writes and not self.writes:
            raise RuntimeError(f"an operation that reads tried to {request.method} {request.path}")
        try:
            response = await self.sender(request, self.deadline, self._count)
        except GatewayError as error:
            if error.code in ("connection_not_found", "connection_expired", "missing_connection"):
                self._directory.forget()
            if request.plane == "data" and error.status == 500 and error.source == "maton":
                raise await self._with_grant(error, request.connection) from error
            raise
        self.wrote = self.wrote or request.writes
        return response

    def _count(self, size: int) -> None:
        self.received += size

    async def _with_grant(self, error: GatewayError, connection: str | None) -> GatewayError:
        """Return the error for a 500 of Maton, which often means a revoked OAuth grant; named with evidence only.

        A 500 of PostHog is no such sign.
        """
        if not await self._directory.grants.is_dead(ControlPlane(self.send), connection):
            return error.with_(advice=Advice.SUSPECT_CONNECTION)
        self._directory.connections.forget()
        return Failed(
            "connection_expired",
            "Maton failed, and the connection's authorization is no longer valid.",
            advice=Advice.RECONNECT,
            source="maton",
            outcome=error.outcome,
            status=error.status,
            request_id=error.request_id,
        )
