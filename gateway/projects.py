"""Which project a call acts in. PostHog's `@current` follows the web page of the user, so it is resolved once and
remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import anyio

from ..schemas.text import excerpt
from .budget import Budget
from .connections import Send
from .errors import Advice, Failed, GatewayError, Refused
from .request import Request

CURRENT: Literal["@current"] = "@current"
_MOST_PROJECTS = 1000

type _Key = tuple[str, int | str]


@dataclass(frozen=True, slots=True)
class Project:
    """A project as results name it. Unresolved (`id` is `@current`) when the token may not read projects."""

    id: int | Literal["@current"]
    name: str | None = None
    timezone: str = "UTC"
    candidates: tuple[str, ...] = ()
    """Of an unresolved project: what it may be, as `number name`."""

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
        self._known: dict[_Key, Project] = {}
        self._told: dict[str, Project] = {}
        """What `@current` meant in the latest results of each connection; "" for reads without one."""
        self._asking: dict[_Key, anyio.Lock] = {}
        self._changes = 0

    def forget(self) -> None:
        """Connections changed: `@current` may mean another project now. What results named stays known, see
        `resolve`.
        """
        self._known.clear()
        self._changes += 1

    def known(self, connection: str | None, project_id: int | str) -> Project | None:
        """What was resolved before, without a request."""
        return self._known.get((connection or "", project_id))

    async def resolve(
        self,
        send: Send,
        connection: str | None,
        project_id: int | Literal["@current"],
        *,
        afresh: bool = False,
        as_told: Sequence[str | None] = (),
    ) -> Project:
        """The project with its number, name and timezone: one request the first time, none later; several calls at
        once share it.

        `GET /api/projects/@current/`; without the right to it, `team` of `GET /api/users/@me/`; without that,
        unresolved. Raises Failed (`bad_upstream_response`) when the answer is another project than was asked for.
        `as_told` are connections of earlier results. Raises Refused (`project_unresolved`) when `@current` was another
        project there: a write must not land where nobody looked.
        """
        key = (connection or "", project_id)
        told = [known for name in as_told if project_id == CURRENT and (known := self._told.get(name or ""))]
        if not afresh and (known := self._known.get(key)):
            return self._checked(key, known, told, reads=not as_told)
        lock = self._asking.setdefault(key, anyio.Lock())
        try:
            async with lock:
                if not afresh and (known := self._known.get(key)):
                    return self._checked(key, known, told, reads=not as_told)
                changes = self._changes
                found = self._checked(key, await _ask(send, connection, project_id), told, reads=not as_told)
                if changes == self._changes:
                    self._remember(key, found)
                return found
        finally:
            if not lock.statistics().tasks_waiting:
                self._asking.pop(key, None)

    def _checked(self, key: _Key, found: Project, told: Sequence[Project], *, reads: bool) -> Project:
        """The project, unless it is another one than earlier results named. What a read is told is noted."""
        for earlier in told:
            if found.resolved and earlier.id != found.id:
                raise _moved(earlier, found)
        if found.resolved and key[1] == CURRENT:
            if len(self._told) >= _MOST_PROJECTS:
                self._told.pop(next(iter(self._told)))
            self._told[key[0]] = found
            if reads and key[0]:
                self._told.pop("", None)
        return found

    def _remember(self, key: _Key, found: Project) -> None:
        if len(self._known) >= _MOST_PROJECTS:
            self._known.clear()
        self._known[key] = found
        if found.resolved:
            self._known[key[0], found.id] = found


async def _ask(send: Send, connection: str | None, project_id: int | Literal["@current"]) -> Project:
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
    fields = _object(user)
    if isinstance(fields.get("team"), dict):
        return _read(fields["team"], CURRENT)
    return Project(CURRENT, candidates=_named(_object(fields.get("organization")).get("teams")))


def unresolved(project: Project) -> Refused:
    """The refusal of a write whose project is not known for sure."""
    candidates = f" (candidates: {', '.join(project.candidates)})" if project.candidates else ""
    return Refused(
        "project_unresolved",
        "The current project cannot be read with this connection, and a write must not land in the wrong one.",
        f"Pass project_id as a number{candidates}.",
        advice=Advice.LIST_PROJECTS,
    )


def _moved(earlier: Project, found: Project) -> Refused:
    return Refused(
        "project_unresolved",
        f"@current is now project {_label(found)}, but earlier results were about project {_label(earlier)}.",
        "Pass project_id as a number.",
        advice=Advice.LOOK_AT_PROJECT,
    )


def _label(project: Project) -> str:
    return excerpt(f"{project.id} {project.name or ''}".strip(), 80)


def _get(path: str, connection: str | None) -> Request:
    return Request(method="GET", path=path, writes=False, budget=Budget.CRUD, connection=connection)


def _read(answer: object, asked: int | Literal["@current"]) -> Project:
    fields = _object(answer)
    number, name, timezone = fields.get("id"), fields.get("name"), fields.get("timezone")
    if not isinstance(number, int) or isinstance(number, bool) or asked not in (CURRENT, number):
        raise Failed(
            "bad_upstream_response",
            f"PostHog did not return project {asked}.",
            "Try again.",
            advice=Advice.LIST_PROJECTS,
            source="posthog",
        )
    return Project(number, name if isinstance(name, str) else None, timezone if isinstance(timezone, str) else "UTC")


def _named(teams: object) -> tuple[str, ...]:
    """`136209 Default project`, for at most ten."""
    rows = [_object(team) for team in cast("list[object]", teams)[:10]] if isinstance(teams, list) else []
    return tuple(excerpt(f"{row['id']} {row.get('name', '')}".strip(), 80) for row in rows if "id" in row)


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
