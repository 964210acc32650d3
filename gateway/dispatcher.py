"""Sends the requests of one tool call: only reads for a call that reads, until its deadline, and never again through a
connection that turned out to be dead.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from .connections import ControlPlane
from .directory import Directory
from .errors import Advice, Failed, GatewayError
from .http.request import Request
from .http.responses import UpstreamResponse
from .journal import Ending, Journal

type Sender = Callable[[Request, float, Callable[[UpstreamResponse], None]], Awaitable[Any]]
"""Sends one request before a `time.monotonic()` moment, reports the response, and returns it parsed:
`Gateway.send`.
"""


_DEAD = ("connection_not_found", "connection_expired", "missing_connection")
"""Errors of a connection that no longer works."""


class Dispatcher:
    """The sender of one call."""

    def __init__(
        self, sender: Sender, directory: Directory, *, writes: bool, deadline: float, journal: Journal
    ) -> None:
        self.sender = sender
        self.writes = writes
        """False on a read-only server, which sends no request that changes something."""
        self.deadline = deadline
        """The `time.monotonic()` moment after which nothing is sent and no response is waited for."""
        self.wrote = False
        """True once upstream accepted a change, unless all was taken back."""
        self.received = 0
        """Bytes of all responses so far."""
        self._directory = directory
        self._journal = journal
        self._request_id: str | None = None

    async def send(self, request: Request) -> Any:
        """Send a request and return its parsed response. Changes are recorded. Raises GatewayError."""
        if not request.writes:
            return await self._sent(request)
        if not self.writes:
            raise RuntimeError(f"an operation that reads tried to {request.method} {request.path}")
        settle = self._journal(request)
        ending = Ending("unknown", "cancelled")
        try:
            response = await self._sent(request)
            if (error := request.unconfirmed(response)) is not None:
                raise error
            self.wrote = True
            ending = Ending("applied", request_id=self._request_id, response=response)
            return response
        except GatewayError as error:
            ending = Ending(error.outcome or "unknown", error.code, error.request_id or self._request_id)
            raise
        except Exception:
            ending = Ending("unknown", "internal_error")
            raise
        finally:
            settle(ending)

    async def _sent(self, request: Request) -> Any:
        self._request_id = None
        try:
            return await self.sender(request, self.deadline, self._note)
        except GatewayError as error:
            if error.code in _DEAD:
                self._directory.forget()
                if request.connection and request.plane == "data":
                    raise _naming(error, request.connection) from error
            if request.plane == "data" and error.status == 500 and error.source == "maton":
                raise await self._with_grant(error, request.connection) from error
            raise

    def _note(self, response: UpstreamResponse) -> None:
        self.received += response.size
        self._request_id = response.request_id

    async def _with_grant(self, error: GatewayError, connection: str | None) -> GatewayError:
        """Return the error for a 500 of Maton, which often means a revoked OAuth grant; named with evidence only.

        A 500 of PostHog is no such sign.
        """
        if not await self._directory.grants.is_dead(ControlPlane(self.send), connection):
            return error.with_(advice=Advice.SUSPECT_CONNECTION)
        self._directory.connections.forget()
        which = f"connection {connection}" if connection else "the connection"
        return Failed(
            "connection_expired",
            f"Maton failed, and the authorization of {which} is no longer valid.",
            advice=Advice.RECONNECT,
            source="maton",
            outcome=error.outcome,
            status=error.status,
            request_id=error.request_id,
        )


def _naming(error: GatewayError, connection: str) -> GatewayError:
    return error.with_(message=f"{error.message.removesuffix('.')}: connection {connection}.")
