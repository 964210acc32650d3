"""The project of a call. PostHog's `@current` follows the user's web page, so it is resolved once and remembered."""

from dataclasses import dataclass
from typing import Any, Literal

import anyio

from ..schemas.json import as_list, as_object, is_list
from ..schemas.text import named
from .budget import Budget
from .connections import Send
from .errors import Advice, Failed, GatewayError, Refused
from .http.request import Request

CURRENT: Literal["@current"] = "@current"
_MOST_PROJECTS = 1000

type _Key = tuple[str, int | str]


@dataclass(frozen=True, slots=True)
class Project:
    """A project as results name it. Unresolved (`id` is `@current`) when the token cannot read projects."""

    id: int | Literal["@current"]
    name: str | None = None
    timezone: str = "UTC"
    week_start: int = 0
    """The first day of a week: 0 for Sunday, 1 for Monday."""
    has_test_accounts: bool | None = None
    """Whether the project defines which users are test accounts; None if unknown."""
    candidates: tuple[str, ...] = ()
    """Possible projects of an unresolved one, as `number name`."""

    @property
    def resolved(self) -> bool:
        """Return whether the number of the project is known."""
        return self.id != CURRENT

    def as_json(self) -> dict[str, Any]:
        """Return `{"id", "name"}`, or `{"resolved": false}`."""
        if not self.resolved:
            return {"resolved": False}
        return {"id": self.id} | ({"name": self.name} if self.name else {})


class Projects:
    """The known projects of each connection."""

    def __init__(self) -> None:
        self._known: dict[_Key, Project] = {}
        self._asking: dict[_Key, anyio.Lock] = {}
        self._changes = 0

    def forget(self) -> None:
        """Forget the projects, because connections changed."""
        self._known.clear()
        self._changes += 1

    def known(self, connection: str | None, project_id: int | str) -> Project | None:
        """Return the project that was resolved before, without a request."""
        return self._known.get((connection or "", project_id))

    async def resolve(
        self,
        send: Send,
        connection: str | None,
        project_id: int | Literal["@current"],
        *,
        again: bool = False,
    ) -> Project:
        """Return the project with its number, name and timezone: one request the first time, shared by calls at once.

        The request is `GET /api/projects/@current/`. Without permission for it, the `team` of `GET /api/users/@me/` is
        used, and without that the project is unresolved. `again` resolves a known project again. Raises
        Failed (`bad_upstream_response`) when the response is another project.
        """
        key = (connection or "", project_id)
        if not again and (known := self._known.get(key)):
            return known
        lock = self._asking.setdefault(key, anyio.Lock())
        try:
            async with lock:
                if not again and (known := self._known.get(key)):
                    return known
                changes = self._changes
                found = await _ask(send, connection, project_id)
                if changes == self._changes:
                    self._remember(key, found)
                return found
        finally:
            if not lock.statistics().tasks_waiting:
                self._asking.pop(key, None)

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
    fields = as_object(user)
    if isinstance(fields.get("team"), dict):
        return _read(fields["team"], CURRENT)
    return Project(CURRENT, candidates=_candidates(as_object(fields.get("organization")).get("teams")))


def unresolved(project: Project) -> Refused:
    """Return the error for a write whose project is not known for sure."""
    candidates = f" (candidates: {', '.join(project.candidates)})" if project.candidates else ""
    return Refused(
        "project_unresolved",
        "The current project cannot be read with this connection, and a write must not land in the wrong one.",
        f"Pass project_id as a number{candidates}.",
        advice=Advice.LIST_PROJECTS,
    )


def label(number: object, name: object) -> str:
    """Return a project as errors name it: `136209 "Default project"`."""
    return f"{named(str(number), 20)} {named(name)}" if isinstance(name, str) and name else named(str(number), 20)


def _get(path: str, connection: str | None) -> Request:
    return Request(method="GET", path=path, writes=False, budget=Budget.CRUD, connection=connection)


def _read(response: object, wanted: int | Literal["@current"]) -> Project:
    fields = as_object(response)
    number: object = fields.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or wanted not in (CURRENT, number):
        raise Failed(
            "bad_upstream_response",
            f"PostHog did not return project {wanted}.",
            "Try again.",
            advice=Advice.LIST_PROJECTS,
            source="posthog",
        )
    name: object = fields.get("name")
    timezone: object = fields.get("timezone")
    return Project(
        number,
        name if isinstance(name, str) else None,
        timezone if isinstance(timezone, str) else "UTC",
        1 if fields.get("week_start_day") == 1 else 0,
        bool(fields["test_account_filters"]) if is_list(fields.get("test_account_filters")) else None,
    )


def _candidates(teams: object) -> tuple[str, ...]:
    """Return `136209 "Default project"` for each of at most ten projects."""
    rows = [as_object(team) for team in as_list(teams)[:10]]
    return tuple(label(row["id"], row.get("name")) for row in rows if "id" in row)
