"""One tool call: its target (project and connection), its budget class and its deadline."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from datetime import time as clock_time
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..schemas.json import as_object
from ..schemas.privacy import OPEN, Privacy
from ..schemas.restore import RESTORABLE
from . import paths
from .approval import Approve, Proposal, approved
from .budget import Budget, account
from .connections import Connection, ControlPlane
from .directory import Directory
from .dispatcher import Dispatcher, Sender
from .errors import Failed, GatewayError
from .http.request import Request
from .http.responses import LOOK_FIRST
from .http.threads import LARGE_BYTES
from .journal import Journal, not_recorded
from .kept import Slot
from .projects import CURRENT, Project
from .queries.background import Background, Progress
from .queries.kinds import INSTANT_KINDS, QUERY_PATH, Finish, check_query, unchanged
from .queries.lanes import ReportPlace, waiting_text
from .target import Target, resolve_target

_ONE_QUERY_PATH = "/api/projects/{project_id}/query/{query_id}/"
_REACH_PATH = "/api/projects/{project_id}/feature_flags/user_blast_radius/"


class Call:
    """The gateway as one operation sees it. Paths are templates; `project_id` is filled in here."""

    def __init__(
        self,
        send: Sender,
        directory: Directory,
        *,
        budget: Budget,
        writes: bool,
        target: Target | None = None,
        deadline: float | None = None,
        progress: Progress | None = None,
        export_dir: Path | None = None,
        clean: Callable[[Any], Any] = lambda value: value,
        privacy: Privacy = OPEN,
        journal: Journal = not_recorded,
        approve: Approve = approved,
        caller: Hashable = None,
    ) -> None:
        self._dispatcher = Dispatcher(
            send,
            directory,
            writes=writes,
            deadline=time.monotonic() + directory.config.deadline_s if deadline is None else deadline,
            journal=journal,
        )
        self._journal = journal
        self._approve = approve
        self._started = time.monotonic()
        self.caller = caller
        """The client of the call: clients take turns where they wait."""
        self.prepared: Any = None
        """What the operation made of its arguments before anything was sent."""
        self._directory = directory
        self._budget = budget
        self.queried = False
        self.target = target
        """The target; None before `aim`."""
        self.progress = progress
        """Reports progress to the client; None when it requested none."""
        self.export_dir = export_dir
        """The directory to which results can be written as files; None when exports are off."""
        self.clean = clean
        """Returns a JSON value without secrets and hidden characters, for pictures and files."""
        self.privacy = privacy
        """What is shown of persons."""

    async def aim(self, connection_id: str | None, project_id: int | Literal["@current"] | None) -> None:
        """Resolve connection and project before anything else is sent; see `resolve_target`."""
        if self._budget is Budget.CONTROL:
            pin = self._directory.config.connection_id
            self.target = Target(Connection(pin) if pin else None)
            return
        self.target = await resolve_target(
            self._directory,
            self._dispatcher.send,
            connection_id,
            project_id,
            writes=self._dispatcher.writes,
            caller=self.caller,
        )

    @property
    def wrote(self) -> bool:
        """True once upstream accepted a change, unless all was taken back."""
        return self._dispatcher.wrote

    def took_back(self) -> None:
        """Note that all that this call changed is stored as it was before."""
        self._dispatcher.wrote = False

    @property
    def is_large(self) -> bool:
        """Whether the responses of this call were large together, and its result should be rendered in a thread."""
        return self._dispatcher.received > LARGE_BYTES

    async def apart[T](self, work: Callable[[], T]) -> T:
        """Return the result of work on the responses of this call, done in a thread if they are large."""
        return await self.in_thread(work) if self.is_large else work()

    async def in_thread[T](self, work: Callable[[], T]) -> T:
        """Return the result of work on large data, done in a thread. Raises Failed (`timeout`) at the deadline."""
        try:
            return await self._directory.threads.run(lambda _: work(), self._dispatcher.deadline)
        except TimeoutError:
            raise Failed(
                "timeout",
                "The result could not be prepared before the deadline of the call.",
                "Request less: a smaller `limit`, fewer columns, or no `full`.",
            ) from None

    @property
    def project(self) -> Project | None:
        """The project that the call goes to; None for account tools."""
        return self.target.project if self.target else None

    @property
    def connection(self) -> str | None:
        """The id sent in `Maton-Connection`; None only for reads while the control plane cannot be reached."""
        return self.target.connection.id if self.target and self.target.connection else None

    @cached_property
    def control(self) -> ControlPlane:
        """Maton's connections."""
        return ControlPlane(self._dispatcher.send)

    async def get(self, path: str, query: Mapping[str, Any] | None = None, **identifiers: object) -> Any:
        """Send a GET. Query values: booleans as true/false, lists and objects as JSON text; None is left out."""
        text = {name: paths.query_text(name, value) for name, value in (query or {}).items() if value is not None}
        return await self._request("GET", self._fill(path, identifiers), writes=False, query=text)

    async def query_state(self, query_id: str) -> Any:
        """Send `GET /api/projects/{project_id}/query/{query_id}/`. Rows of a finished query are Rows."""
        path = self._fill(_ONE_QUERY_PATH, {"query_id": query_id})
        return await self._request("GET", path, writes=False, query={"show_progress": "true"}, rows=True)

    async def post(self, path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
        """Send a POST, which creates something. Queries are sent with `query`."""
        if path == QUERY_PATH:
            raise RuntimeError("queries are sent by Call.query, which checks their kind")
        return await self._write("POST", path, body, identifiers, _is_object)

    async def reach(self, condition: Mapping[str, Any]) -> Any:
        """Send `POST /api/projects/{project_id}/feature_flags/user_blast_radius/`, which only counts persons."""
        path = self._fill(_REACH_PATH, {})
        return await self._request("POST", path, writes=False, body={"condition": condition})

    async def patch(self, path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
        """Send a PATCH, which changes the fields of `body`. Objects are deleted with `soft_delete`."""
        if "deleted" in body:
            raise RuntimeError(f"{path}: objects are deleted by Call.soft_delete, which checks the response")
        return await self._write("PATCH", path, body, identifiers, _is_object)

    async def approve(self, proposal: Proposal) -> bool:
        """Wait until the change may be sent. Return whether a person took time, in which the object can have changed.

        The time of a person does not count towards the deadline. Raises Refused (`confirmation_required`).
        """
        waited_s = await self._approve(proposal, self.place)
        self._dispatcher.deadline += waited_s
        return waited_s > 0

    async def soft_delete(self, path: str, also: Mapping[str, Any] | None = None, **identifiers: object) -> Any:
        """Send PATCH `{"deleted": true, **also}` for a resource of RESTORABLE; the response must confirm it."""
        return await self._set_deleted(path, identifiers, {**(also or {}), "deleted": True})

    async def restore(self, path: str, **identifiers: object) -> Any:
        """Send PATCH `{"deleted": false}`, the undo of `soft_delete`."""
        return await self._set_deleted(path, identifiers, {"deleted": False})

    async def query[T](
        self,
        body: Mapping[str, Any],
        *,
        rows: bool = False,
        report: ReportPlace | None = None,
        finish: Finish[T] = unchanged,
    ) -> T:
        """Send `POST /api/projects/{project_id}/query/`, which only reads. Kinds outside QUERY_KINDS are rejected.

        With `rows`, the rows of the response are Rows. At most three queries of a project are sent at a time; `report`
        tells how many are ahead, by default as progress. A query has its turn until `finish` is done.
        """
        check_query(body.get("query"))
        self.queried = True
        path = self._fill(QUERY_PATH, {})
        if as_object(body.get("query")).get("kind") in INSTANT_KINDS:
            return await finish(await self._request("POST", path, writes=False, body=body, rows=rows))
        until, tell = self._dispatcher.deadline, report or self._report_place
        async with self._directory.lanes.turn(self.place, self.caller, until, tell):
            return await finish(await self._request("POST", path, writes=False, body=body, rows=rows))

    async def _report_place(self, ahead: int) -> None:
        if self.progress is not None:
            await self.progress(round(time.monotonic() - self._started, 3), waiting_text(ahead))

    async def cancel_query(self, query_id: str) -> None:
        """Send `DELETE /api/projects/{project_id}/query/{query_id}/`, which stops the query. Raises GatewayError."""
        path = self._fill(_ONE_QUERY_PATH, {"query_id": query_id})
        await self._dispatcher.send(
            Request(method="DELETE", path=path, writes=False, budget=Budget.CRUD, connection=self.connection, tries=1)
        )

    def remembered(self, topic: Hashable, max_age_s: float) -> AbstractAsyncContextManager[Slot]:
        """Lock the cached value of a topic for this project and connection; see `Kept.slot`.

        Calls at the same time share one value.
        """
        return self._directory.kept.slot((*self.place, topic), max_age_s)

    @property
    def place(self) -> tuple[str | None, int | str | None]:
        """Connection and project; cached values are valid for one of each."""
        return self.connection, self.project.id if self.project else None

    @property
    def queries(self) -> Background:
        """The background queries of this process."""
        return self._directory.queries

    @property
    def left_s(self) -> float:
        """Seconds until the deadline of this call."""
        return self._dispatcher.deadline - time.monotonic()

    def detached(self, seconds: float) -> "Call":
        """Return a call to the same target with a new deadline, for work that outlives this call."""
        return self._again(self._budget, time.monotonic() + seconds, None)

    def counted_as(self, budget: Budget) -> "Call":
        """Return a call to the same target whose requests are counted in another class."""
        return self._again(budget, self._dispatcher.deadline, self.progress)

    def _again(self, budget: Budget, deadline: float, progress: Progress | None) -> "Call":
        return Call(
            self._dispatcher.sender,
            self._directory,
            budget=budget,
            writes=self._dispatcher.writes,
            target=self.target,
            deadline=deadline,
            progress=progress,
            export_dir=self.export_dir,
            clean=self.clean,
            privacy=self.privacy,
            journal=self._journal,
            approve=self._approve,
            caller=self.caller,
        )

    async def fresh_project(self) -> tuple[Project, Project | None]:
        """Resolve `@current` again. Return the project and the previous one (None at first). A pin never changes."""
        target = self.target or Target()
        if target.project and self._directory.config.project_id is not None:
            return target.project, target.project
        if target.project and target.resolved_now:
            return target.project, None
        projects = self._directory.projects
        before = projects.known(self.connection, CURRENT)
        now = await projects.resolve(self._dispatcher.send, self.connection, CURRENT, again=True)
        self.target = replace(target, project=now)
        return now, before

    def forget_connections(self) -> None:
        """Forget connections and projects, because a connection was created or deleted."""
        self._directory.forget()

    def moment(self, value: datetime | date) -> str:
        """Return a time as ISO 8601 with an offset.

        A date becomes its midnight, and a time without offset is local, both in the project's timezone.
        """
        moment = value if isinstance(value, datetime) else datetime.combine(value, clock_time.min)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.timezone)).isoformat()

    def now(self) -> datetime:
        """Return the time now, in UTC."""
        return self._directory.now()

    @property
    def timezone(self) -> tzinfo:
        """The project's timezone; UTC when this machine does not know it."""
        try:
            return ZoneInfo(self.project.timezone) if self.project else UTC
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return UTC

    def aimed(self) -> dict[str, Any]:
        """Return `project`, `connection` and, for queries, `budget`, as every result carries them."""
        shown: dict[str, Any] = {}
        if self.target and self._budget is not Budget.CONTROL:
            shown |= self.target.as_json()
        if self.queried or self._budget is Budget.QUERY:
            shown["budget"] = self._directory.ledger.state(account(self.connection), self._budget)
        return shown

    def remember_target(self) -> None:
        """Remember that a result names the target of this call: later writes of its caller must not go elsewhere."""
        if self.target and self._budget is not Budget.CONTROL:
            self._directory.named.remember(self.caller, self.target.destination)

    def default_connection(self, active: Sequence[str]) -> str:
        """Return the connection of calls that name none. `active` are the ids of the ACTIVE ones, oldest first."""
        return self.connection or self._directory.connections.among(active)

    def settle(self, error: GatewayError) -> GatewayError:
        """Return the error with the outcome of the whole call.

        A change that was accepted before the failure persists, so the call must not be repeated unchanged.
        """
        if error.outcome == "unknown":
            return error
        if self.wrote:
            return error.with_(outcome="applied", retryable=False)
        if error.outcome is None and self._dispatcher.writes:
            return error.with_(outcome="not_sent")
        return error.with_(retryable=error.retryable and error.outcome != "applied")

    def _fill(self, path: str, identifiers: Mapping[str, object]) -> str:
        return paths.fill(path, {**identifiers, **({"project_id": self.project.id} if self.project else {})})

    async def _request(
        self,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        *,
        writes: bool,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        rows: bool = False,
        unconfirmed: Callable[[Any], GatewayError | None] = lambda _: None,
    ) -> Any:
        request = Request(
            method=method,
            path=path,
            writes=writes,
            budget=self._budget,
            connection=self.connection,
            query=query or {},
            body=body,
            rows=rows,
            unconfirmed=unconfirmed,
        )
        return await self._dispatcher.send(request)

    async def _set_deleted(
        self, path: str, identifiers: Mapping[str, object], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        if paths.resource(path) not in RESTORABLE:
            raise RuntimeError(f"{path} takes no soft delete")
        return await self._write(
            "PATCH", path, body, identifiers, lambda found: found.get("deleted") is body["deleted"]
        )

    async def _write(
        self,
        method: Literal["POST", "PATCH"],
        path: str,
        body: Mapping[str, Any],
        identifiers: Mapping[str, object],
        confirms: Callable[[Mapping[str, Any]], bool],
    ) -> dict[str, Any]:
        """Send a change. It is applied only when PostHog's own JSON confirms it: a login page can come with 200."""

        def unconfirmed(answer: Any) -> GatewayError | None:
            if confirms(as_object(answer)):
                return None
            expected = f"confirm deleted: {str(body['deleted']).lower()}" if "deleted" in body else "contain the object"
            return Failed(
                "bad_upstream_response",
                f"PostHog accepted the request, but its response does not {expected}.",
                LOOK_FIRST,
                source="posthog",
                outcome="unknown",
            )

        filled = self._fill(path, identifiers)
        return as_object(await self._request(method, filled, writes=True, body=body, unconfirmed=unconfirmed))


def _is_object(fields: Mapping[str, Any]) -> bool:
    """Return whether this is a stored object: all objects that this server writes have an id."""
    return fields.get("id") is not None
