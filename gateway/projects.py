"""Which project a call acts in. PostHog's `@current` follows the web page of the user, so it is resolved once and
remembered.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

import anyio

from .budget import Budget
from .client import Request
from .connections import Send
from .errors import GatewayError, Refused

CURRENT: Literal["@current"] = "@current"


@dataclass(frozen=True, slots=True)
class Project:
    """A project as results name it. Unresolved (`id` is `@current`) when the token may not read projects."""

    id: int | Literal["@current"]
    name: str | None = None
    timezone: str = "UTC"

    @property
    def resolved(self) -> bool:
        return self.id != CURRENT

    def as_json(self) -> dict[str, Any]:
        """`{"id", "name"}`, or `{"resolved": false}`."""
        if not self.resolved:
            return {"resolved": False}
        return {"id": self.id} | ({"name": self.name} if self.name else {})


class Projects:
    """The projects met so far, for each connection."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int | str], Project] = {}
        self._locks: dict[tuple[str, int | str], anyio.Lock] = {}

    def forget(self) -> None:
        """Connections changed: `@current` may mean another project now."""
        self._known.clear()

    def known(self, connection: str | None, project_id: int | str) -> Project | None:
        """What was resolved before, without a request."""
        return self._known.get((connection or "", project_id))

    async def resolve(
        self, send: Send, connection: str | None, project_id: int | Literal["@current"], *, afresh: bool = False
    ) -> Project:
        """The project with its number, name and timezone: one request the first time, none later.

        `GET /api/projects/@current/`; without the right to it, `team` of `GET /api/users/@me/`; without that,
        unresolved.
        """
        key = (connection or "", project_id)
        async with self._locks.setdefault(key, anyio.Lock()):
            found = None if afresh else self._known.get(key)
            if found is None:
                found = await self._ask(send, connection, project_id)
                self._known[key] = found
                if found.resolved:
                    self._known[(connection or "", found.id)] = found
            return found

    async def _ask(self, send: Send, connection: str | None, project_id: int | Literal["@current"]) -> Project:
        try:
            return _read(await send(_get(f"/api/projects/{project_id}/", connection)), project_id)
        except GatewayError as error:
            if error.code != "permission_denied":
                raise
        if project_id != CURRENT:
            return Project(project_id)
        try:
            user = await send(_get("/api/users/@me/", connection))
        except GatewayError as error:
            if error.code != "permission_denied":
                raise
            return Project(CURRENT)
        team = cast("dict[str, Any]", user).get("team") if isinstance(user, dict) else None
        return _read(team, CURRENT)


def unresolved(candidates: str | None = None) -> Refused:
    """The refusal of a write whose project is not known for sure."""
    return Refused(
        "project_unresolved",
        "The current project cannot be read with this connection, and a write must not land in the wrong one.",
        f"Pass project_id as a number{f': {candidates}' if candidates else ''}; list_projects or the user can name it.",
    )


def _get(path: str, connection: str | None) -> Request:
    return Request(method="GET", path=path, writes=False, budget=Budget.CRUD, connection=connection)


def _read(answer: object, asked: int | Literal["@current"]) -> Project:
    fields = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    number, name, timezone = fields.get("id"), fields.get("name"), fields.get("timezone")
    return Project(
        number if isinstance(number, int) else asked,
        name if isinstance(name, str) else None,
        timezone if isinstance(timezone, str) else "UTC",
    )
