"""Maton's control plane: the connections of one API key, and which of them a call goes through.

Endpoints: `GET /connections`, `POST /connections`, `GET /connections/{connection_id}`, `DELETE
/connections/{connection_id}`.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio

from ..schemas.json import as_object, is_list, is_object
from . import paths
from .budget import Budget
from .errors import Advice, Failed, GatewayError, Refused
from .http.request import Request
from .http.retry import MAX_TRIES

type Send = Callable[[Request], Awaitable[Any]]
APP = "posthog"
GRANTS_KNOWN_S = 60.0
GRANT_CHECK_S = 5.0
READ_WAITS_S = 5.0
"""Longest time that a read waits for the name of its connection."""
ASK_AGAIN_S = 60.0
"""After a failure of the control plane, reads skip it for this long."""
_CERTAIN = ("missing_api_key", "invalid_key", "missing_connection")
"""Failures that a read would get as well."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection of a call; `others` is the number of further ACTIVE ones."""

    id: str
    others: int | None = None


class ControlPlane:
    """The connections of a key, normalized to flat objects with `connection_id`."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def list(self, statuses: Sequence[str] = ("ACTIVE",), *, tries: int = MAX_TRIES) -> list[dict[str, Any]]:
        """Return all PostHog connections in one of the statuses (ACTIVE, PENDING, FAILED), oldest first."""
        status = {"status": statuses[0]} if len(statuses) == 1 else {}
        response = await self._request("GET", "/connections", query={"app": APP, **status}, tries=tries)
        rows: object = response.get("connections") if is_object(response) else response
        if not is_list(rows):
            raise _unexpected()
        found = [_flat(row) for row in rows]
        chosen = [row for row in found if row.get("app", APP) == APP and row.get("status") in statuses]
        return sorted(chosen, key=lambda row: str(row.get("creation_time", "")))

    async def create(self) -> dict[str, Any]:
        """Create a PENDING connection and return it with the `url` that a person opens to authorize it."""

        def unconfirmed(response: object) -> GatewayError | None:
            return None if _id_in(response) else _unexpected(wrote=True)

        return _flat(await self._request("POST", "/connections", body={"app": APP}, unconfirmed=unconfirmed))

    async def get(self, connection_id: str) -> dict[str, Any]:
        """Return one connection."""
        return _flat(await self._request("GET", _one(connection_id)))

    async def delete(self, connection_id: str) -> None:
        """Remove a connection; PostHog itself is not changed. Maton returns an object or nothing (204)."""

        def unconfirmed(response: object) -> GatewayError | None:
            return None if response is None or is_object(response) else _unexpected(wrote=True)

        await self._request("DELETE", _one(connection_id), unconfirmed=unconfirmed)

    async def _request(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        unconfirmed: Callable[[object], GatewayError | None] | None = None,
        tries: int = MAX_TRIES,
    ) -> Any:
        request = Request(
            method=method,
            path=path,
            plane="control",
            budget=Budget.CONTROL,
            writes=unconfirmed is not None,
            unconfirmed=unconfirmed or (lambda _: None),
            query=query or {},
            body=body,
            tries=tries,
        )
        return await self._send(request)


class ActiveConnections:
    """The connection of calls that name none: the oldest ACTIVE one, requested once.

    Maton's own default differs between versions of its documentation, so reads and writes both name the connection.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until = -math.inf
        self._known: Connection | None = None
        self._changes = 0
        self._asking = anyio.Lock()

    def forget(self) -> None:
        """Forget the connection, because connections changed."""
        self._known = None
        self._quiet_until = -math.inf
        self._changes += 1

    def among(self, active: Sequence[str]) -> str:
        """Return the connection of calls that name none, now that the ACTIVE ones are known, oldest first."""
        known = self._known.id if self._known and self._known.id in active else active[0]
        self._known = Connection(known, len(active) - 1)
        return known

    async def of_write(self, control: ControlPlane) -> Connection:
        """Return the connection of a write. Raises GatewayError when it is not known for sure."""
        async with self._asking:
            try:
                return self._known or await self._ask(control, MAX_TRIES)
            except GatewayError as error:
                if error.code in (*_CERTAIN, "rate_limited"):
                    raise
                raise _uncertain(error) from error

    async def of_read(self, control: ControlPlane) -> Connection | None:
        """Return the connection of a read; None while the control plane cannot be reached, so that reads keep working.

        Raises GatewayError for failures that a read would get as well, such as a key without an ACTIVE connection.
        """
        if not self._asking.locked() and self._is_settled():
            return self._known
        with anyio.move_on_after(READ_WAITS_S):
            async with self._asking:
                if self._is_settled():
                    return self._known
                try:
                    return await self._ask(control, 1)
                except GatewayError as error:
                    if error.code in _CERTAIN:
                        raise
        self._quiet_until = self._clock() + ASK_AGAIN_S
        return None

    def _is_settled(self) -> bool:
        """Return whether reads need no request to know their connection, or to know that they get none."""
        return self._known is not None or self._clock() < self._quiet_until

    async def _ask(self, control: ControlPlane, tries: int) -> Connection:
        changes = self._changes
        active = await control.list(tries=tries)
        if not active:
            raise Refused(
                "missing_connection",
                "This Maton key has no active PostHog connection.",
                advice=Advice.CREATE_CONNECTION,
                source="maton",
            )
        found = Connection(active[0]["connection_id"], len(active) - 1)
        if changes == self._changes:
            self._known = found
        return found


class Grants:
    """Finds connections whose authorization by PostHog is no longer valid.

    The control plane is requested at most once a minute and without retries: after a failure it may be down as well.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at = -math.inf
        self._rows: Sequence[Mapping[str, Any]] = ()
        self._asking = anyio.Lock()

    def forget(self) -> None:
        """Forget the grants, because connections changed."""
        self._asked_at = -math.inf

    async def is_dead(self, control: ControlPlane, connection: str | None) -> bool:
        """Return True only with evidence: the connection FAILED, or none is ACTIVE and one FAILED."""
        async with self._asking:
            if self._clock() - self._asked_at >= GRANTS_KNOWN_S:
                self._asked_at = self._clock()
                self._rows = ()
                with anyio.move_on_after(GRANT_CHECK_S):
                    try:
                        self._rows = await control.list(("ACTIVE", "FAILED"), tries=1)
                    except GatewayError:
                        self._rows = ()
        used = [row["status"] for row in self._rows if connection in (None, row["connection_id"])]
        return "FAILED" in used and "ACTIVE" not in used


def _uncertain(error: GatewayError) -> Refused:
    """Return the error for a write while the connections cannot be listed."""
    return Refused(
        "unavailable",
        "Maton's connections cannot be listed, and a write must not land in the wrong account.",
        "Pass connection_id, or try again.",
        source="maton",
        retryable=True,
        retry_after_s=error.retry_after_s,
        status=error.status,
        request_id=error.request_id,
        upstream=error.upstream,
    )


def _one(connection_id: str) -> str:
    return paths.fill("/connections/{connection_id}", {"connection_id": connection_id})


def _flat(response: object) -> dict[str, Any]:
    """Return a connection that is flat or nested under `connection`; its id is connection_id, connection_Id or id."""
    identifier = _id_in(response)
    if identifier is None:
        raise _unexpected()
    return {**_fields(response), "connection_id": identifier}


def _fields(response: object) -> dict[str, Any]:
    outer = as_object(response)
    inner: object = outer.get("connection")
    return inner if is_object(inner) else outer


def _id_in(response: object) -> str | None:
    fields = _fields(response)
    names = ("connection_id", "connection_Id", "id")
    return next((identifier for name in names if isinstance(identifier := fields.get(name), str)), None)


def _unexpected(*, wrote: bool = False) -> Failed:
    return Failed(
        "bad_upstream_response",
        "Maton returned something other than the documented connections.",
        "Do not repeat it before you have listed the connections (PENDING ones too)." if wrote else "Try again.",
        source="maton",
        outcome="unknown" if wrote else None,
    )
