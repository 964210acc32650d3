"""Maton's control plane: the connections of one API key, and which of them a call goes through.

Endpoints: `GET /connections`, `POST /connections`, `GET /connections/{connection_id}`, `DELETE
/connections/{connection_id}`.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import anyio

from . import paths
from .budget import Budget
from .errors import Failed, GatewayError, Refused
from .request import Request
from .retry import MAX_TRIES

type Send = Callable[[Request], Awaitable[Any]]
APP = "posthog"
GRANTS_KNOWN_S = 60.0
GRANT_CHECK_S = 5.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a call goes through; `others` counts further ACTIVE ones."""

    id: str
    others: int | None = None


class ControlPlane:
    """Connections as Maton gives them, normalised to flat objects with `connection_id`."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def list(self, statuses: Sequence[str] = ("ACTIVE",), *, tries: int = MAX_TRIES) -> list[dict[str, Any]]:
        """All PostHog connections in one of the statuses (ACTIVE, PENDING, FAILED), oldest first."""
        status = {"status": statuses[0]} if len(statuses) == 1 else {}
        answer = await self._request("GET", "/connections", query={"app": APP, **status}, tries=tries)
        rows: object = cast("dict[str, Any]", answer).get("connections") if isinstance(answer, dict) else answer
        if not isinstance(rows, list):
            raise _unexpected()
        found = [_flat(row) for row in cast("list[Any]", rows)]
        chosen = [row for row in found if row.get("app", APP) == APP and row.get("status") in statuses]
        return sorted(chosen, key=lambda row: str(row.get("creation_time", "")))

    async def create(self) -> dict[str, Any]:
        """A new PENDING connection with the `url` that a person opens to authorise it."""
        answer = await self._request("POST", "/connections", body={"app": APP}, writes=True)
        try:
            return _flat(answer)
        except Failed as error:
            raise _unexpected(wrote=True) from error

    async def get(self, connection_id: str) -> dict[str, Any]:
        """One connection."""
        return _flat(await self._request("GET", _one(connection_id)))

    async def delete(self, connection_id: str) -> None:
        """Remove a connection; PostHog itself is not changed. Maton returns an object or nothing (204)."""
        answer = await self._request("DELETE", _one(connection_id), writes=True)
        if answer is not None and not isinstance(answer, dict):
            raise _unexpected(wrote=True)

    async def _request(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        writes: bool = False,
        tries: int = MAX_TRIES,
    ) -> Any:
        request = Request(
            method=method,
            path=path,
            plane="control",
            budget=Budget.CONTROL,
            writes=writes,
            query=query or {},
            body=body,
            tries=tries,
        )
        return await self._send(request)


class ActiveConnections:
    """Which connection a write goes through when the caller named none: the oldest ACTIVE one, asked for once."""

    def __init__(self) -> None:
        self._known: Connection | None = None
        self._changes = 0
        self._asking = anyio.Lock()

    def forget(self) -> None:
        """Connections changed: ask again."""
        self._known = None
        self._changes += 1

    async def oldest(self, control: ControlPlane) -> Connection:
        """Raises Refused (`missing_connection`) when there is no ACTIVE connection."""
        async with self._asking:
            if self._known is not None:
                return self._known
            changes = self._changes
            active = await control.list()
            if not active:
                raise Refused(
                    "missing_connection",
                    "This Maton key has no active PostHog connection.",
                    "Call manage_connection with action create and have the user open the url.",
                    source="maton",
                )
            found = Connection(active[0]["connection_id"], len(active) - 1)
            if changes == self._changes:
                self._known = found
            return found


class Grants:
    """Whether PostHog's authorisation of a connection is known to be dead. Looked up at most once a minute, and once
    only: it is asked after a failure, when the control plane may not be well either.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at = -math.inf
        self._rows: Sequence[Mapping[str, Any]] = ()
        self._asking = anyio.Lock()

    def forget(self) -> None:
        """Connections changed: ask again."""
        self._asked_at = -math.inf

    async def is_dead(self, control: ControlPlane, connection: str | None) -> bool:
        """True only with evidence: the connection FAILED, or none is ACTIVE and one FAILED."""
        async with self._asking:
            if self._clock() - self._asked_at >= GRANTS_KNOWN_S:
                self._asked_at, self._rows = self._clock(), ()
                with anyio.move_on_after(GRANT_CHECK_S):
                    try:
                        self._rows = await control.list(("ACTIVE", "FAILED"), tries=1)
                    except GatewayError:
                        self._rows = ()
        used = [row["status"] for row in self._rows if connection in (None, row["connection_id"])]
        return "FAILED" in used and "ACTIVE" not in used


def _one(connection_id: str) -> str:
    return paths.fill("/connections/{connection_id}", {"connection_id": connection_id})


def _flat(answer: object) -> dict[str, Any]:
    """A connection, flat or nested under `connection`; its id is called connection_id, connection_Id or id."""
    if not isinstance(answer, dict):
        raise _unexpected()
    outer = cast("dict[str, Any]", answer)
    inner = outer.get("connection")
    fields = cast("dict[str, Any]", inner) if isinstance(inner, dict) else outer
    for name in ("connection_id", "connection_Id", "id"):
        if isinstance(identifier := fields.get(name), str):
            return {**fields, "connection_id": identifier}
    raise _unexpected()


def _unexpected(*, wrote: bool = False) -> Failed:
    return Failed(
        "bad_upstream_response",
        "Maton answered, but not with connections as documented.",
        "Do not repeat it blindly: list the connections first (PENDING ones too)." if wrote else "Try again.",
        source="maton",
        outcome="unknown" if wrote else None,
    )
