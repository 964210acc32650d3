"""Maton's control plane: the connections of one API key, and which of them a call goes through.

Endpoints: `GET /connections`, `POST /connections`, `GET /connections/{connection_id}`, `DELETE
/connections/{connection_id}`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import anyio

from . import paths
from .budget import Budget
from .client import Request
from .errors import Failed, Refused

type Send = Callable[[Request], Awaitable[Any]]
APP = "posthog"


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a call goes through; `others` counts further ACTIVE ones."""

    id: str
    others: int | None = None


class ControlPlane:
    """Connections as Maton gives them, normalised to flat objects with `connection_id`."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def list(self, statuses: Sequence[str] = ("ACTIVE",)) -> list[dict[str, Any]]:
        """All PostHog connections in one of the statuses (ACTIVE, PENDING, FAILED), oldest first."""
        status = {"status": statuses[0]} if len(statuses) == 1 else {}
        answer = await self._request("GET", "/connections", query={"app": APP, **status})
        rows: object = cast("dict[str, Any]", answer).get("connections") if isinstance(answer, dict) else answer
        if not isinstance(rows, list):
            raise _unexpected()
        found = [_flat(row) for row in cast("list[Any]", rows)]
        chosen = [row for row in found if row.get("app", APP) == APP and row.get("status") in statuses]
        return sorted(chosen, key=lambda row: str(row.get("creation_time", "")))

    async def create(self) -> dict[str, Any]:
        """A new PENDING connection with the `url` that a person opens to authorise it."""
        return _flat(await self._request("POST", "/connections", body={"app": APP}, writes=True))

    async def get(self, connection_id: str) -> dict[str, Any]:
        """One connection."""
        return _flat(await self._request("GET", _one(connection_id)))

    async def delete(self, connection_id: str) -> None:
        """Remove a connection; PostHog itself is not changed."""
        await self._request("DELETE", _one(connection_id), writes=True)

    async def _request(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        writes: bool = False,
    ) -> Any:
        request = Request(
            method=method,
            path=path,
            plane="control",
            budget=Budget.CONTROL,
            writes=writes,
            query=query or {},
            body=body,
        )
        return await self._send(request)


class ActiveConnections:
    """Which connection a write goes through when the caller named none: the oldest ACTIVE one, asked for once."""

    def __init__(self) -> None:
        self._known: Connection | None = None
        self._asking = anyio.Lock()

    def forget(self) -> None:
        """Connections changed: ask again."""
        self._known = None

    async def oldest(self, control: ControlPlane) -> Connection:
        """Raises Refused (`missing_connection`) when there is no ACTIVE connection."""
        async with self._asking:
            if self._known is None:
                active = await control.list()
                if not active:
                    raise Refused(
                        "missing_connection",
                        "This Maton key has no active PostHog connection.",
                        "Call manage_connection with action create and have the user open the url.",
                        source="maton",
                    )
                self._known = Connection(str(active[0]["connection_id"]), len(active) - 1)
            return self._known


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


def _unexpected() -> Failed:
    return Failed(
        "bad_upstream_response", "Maton answered, but not with connections as documented.", "Try again.", source="maton"
    )
