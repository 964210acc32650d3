"""One tool call: where it goes (project, connection), what it is counted as, and how long it may take."""

import copy
import json
import re
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from datetime import UTC, date, datetime, tzinfo
from datetime import time as clock_time
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..schemas.restore import RESTORABLE
from . import paths
from .answers import LOOK_FIRST
from .background import Background, Progress
from .budget import Budget
from .client import Gateway
from .connections import ActiveConnections, Connection, ControlPlane, Grants
from .errors import Failed, GatewayError, Refused, read_only
from .kept import Aged, Kept
from .projects import CURRENT, Project, Projects, unresolved
from .queries import QUERY_PATH, check_query
from .refusals import RECONNECT_HINT
from .request import Request

_ONE_RESOURCE = re.compile(r"/api/projects/\{project_id\}/(\w+)/\{\w+\}/")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Directory:
    """What a process knows of the account behind its key: connections and projects met so far.

    `now` is the clock that relative dates count back from, in UTC.
    """

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self.now = now
        self.connections = ActiveConnections()
        self.projects = Projects()
        self.grants = Grants()
        self.kept = Kept()
        self.queries = Background()

    async def aclose(self) -> None:
        """End the queries that still run in the background."""
        await self.queries.aclose()

    def forget(self) -> None:
        """A connection was created or deleted."""
        self.connections.forget()
        self.projects.forget()
        self.grants.forget()
        self.kept.forget()


class Call:
    """What an operation sees of the gateway. Path templates stand literally in its calls; `project_id` is filled in
    here.
    """

    _pinned = False
    _aimed = False
    _met_now = False
    """Whether this call resolved its project itself."""
    progress: Progress | None = None
    """Tells a waiting client how far the call is; None when it did not ask."""
    export_dir: Path | None = None
    """Where the operator lets results be written as files; None: nowhere."""
    _queried = False
    """Whether this call asked the query endpoint, whatever class that was counted in."""

    def __init__(self, gateway: Gateway, directory: Directory, *, budget: Budget, writes: bool) -> None:
        self._gateway = gateway
        self._directory = directory
        self._budget = budget
        self._writes = writes
        self._deadline = time.monotonic() + gateway.config.deadline_s
        self._connection: Connection | None = None
        self.project: Project | None = None
        self.wrote = False
        """Whether a change was accepted."""

    async def aim(self, connection_id: str | None, project_id: int | Literal["@current"] | None) -> None:
        """Decide connection and project before anything else is sent (design: right project, nothing lost).

        Without a named connection, reads and writes go through the oldest ACTIVE one, explicitly. `project_id` None:
        an account tool. Raises Refused (`project_pinned`, `project_unresolved`, `missing_connection`).
        """
        config = self._gateway.config
        self._pinned = config.project_id is not None
        self._aimed = True
        if project_id is not None and config.project_id is not None:
            if project_id not in (CURRENT, config.project_id):
                raise Refused(
                    "project_pinned",
                    f"This server is pinned to project {config.project_id}.",
                    "Leave project_id out; the operator sets POSTHOG_PROJECT_ID / --project.",
                )
            project_id = config.project_id
        if self._budget is Budget.CONTROL:
            self._connection = Connection(config.connection_id) if config.connection_id else None
            return
        if self._writes and config.read_only:
            raise read_only()
        if named := connection_id or config.connection_id:
            self._connection = Connection(paths.connection_id(named))
        else:
            connections = self._directory.connections
            self._connection = await (connections.of_write if self._writes else connections.of_read)(self.control)
        if project_id is not None:
            projects = self._directory.projects
            self._met_now = projects.known(self.connection, project_id) is None
            told = (self.connection, *(() if named else (None,))) if self._writes else ()
            self.project = await projects.resolve(self._send, self.connection, project_id, as_told=told)
            if self._writes and not self.project.resolved:
                raise unresolved(self.project)

    @property
    def connection(self) -> str | None:
        """The id sent in `Maton-Connection`; None leaves the choice to Maton: only for reads, while it is unknown."""
        return self._connection.id if self._connection else None

    @cached_property
    def control(self) -> ControlPlane:
        """Maton's connections."""
        return ControlPlane(self._dispatch)

    async def get(self, path: str, query: Mapping[str, Any] | None = None, **identifiers: object) -> Any:
        """GET. Query values: booleans as true/false, lists and objects as JSON text, None left out."""
        text = {name: _query_text(name, value) for name, value in (query or {}).items() if value is not None}
        return await self._request("GET", self._fill(path, identifiers), writes=False, query=text)

    async def post(self, path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
        """POST: creates something. A query is asked with `query`."""
        if path == QUERY_PATH:
            raise AssertionError("queries are sent by Call.query, which checks their kind")
        return await self._write("POST", path, body, identifiers, _is_object)

    async def patch(self, path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
        """PATCH: changes the fields of `body`; deleting is `soft_delete`."""
        if "deleted" in body:
            raise AssertionError(f"{path}: objects are deleted by Call.soft_delete, which checks the answer")
        return await self._write("PATCH", path, body, identifiers, _is_object)

    async def soft_delete(self, path: str, **identifiers: object) -> Any:
        """PATCH `{"deleted": true}`, for the resources of RESTORABLE only; the answer must say deleted."""
        return await self._set_deleted(path, identifiers, deleted=True)

    async def restore(self, path: str, **identifiers: object) -> Any:
        """PATCH `{"deleted": false}`, the undo of `soft_delete`."""
        return await self._set_deleted(path, identifiers, deleted=False)

    async def query(self, body: Mapping[str, Any]) -> Any:
        """`POST /api/projects/{project_id}/query/`, which only reads: kinds outside QUERY_KINDS are refused."""
        check_query(body.get("query"))
        self._queried = True
        return await self._request("POST", self._fill(QUERY_PATH, {}), writes=False, body=body)

    async def cancel_query(self, query_id: str) -> None:
        """`DELETE /api/projects/{project_id}/query/{query_id}/`: PostHog stops the query. Raises GatewayError."""
        path = self._fill("/api/projects/{project_id}/query/{query_id}/", {"query_id": query_id})
        await self._dispatch(
            Request(method="DELETE", path=path, writes=False, budget=Budget.CRUD, connection=self.connection, tries=1)
        )

    async def remembered[T](self, topic: Hashable, max_age_s: float, ask: Callable[[], Awaitable[T]]) -> Aged[T]:
        """What `ask` answered for this project and connection within the last `max_age_s`, or what it answers now.

        Calls that ask at the same time share one answer. `topic` names the question.
        """
        return await self._directory.kept.get((*self.place, topic), max_age_s, ask)

    @property
    def place(self) -> tuple[str | None, int | str | None]:
        """Connection and project: what is remembered holds for one of each."""
        return self.connection, self.project.id if self.project else None

    @property
    def queries(self) -> Background:
        """The queries of this process that run or ran, apart from the calls that started them."""
        return self._directory.queries

    @property
    def left_s(self) -> float:
        """Seconds until the deadline of this call."""
        return self._deadline - time.monotonic()

    def detached(self, seconds: float) -> Self:
        """The same aim with a deadline of its own, for what goes on after this call was answered."""
        other = copy.copy(self)
        other._deadline = time.monotonic() + seconds
        other.progress = None
        return other

    def counted_as(self, budget: Budget) -> Self:
        """The same call, for reads of another budget class: a look at a running query is no query."""
        other = copy.copy(self)
        other._budget = budget
        return other

    async def fresh_project(self) -> tuple[Project, Project | None]:
        """`@current` resolved anew, and what it meant before (None: not asked before). A pinned project stays."""
        if self._pinned and self.project:
            return self.project, self.project
        if self._met_now and self.project:
            return self.project, None
        projects = self._directory.projects
        before = projects.known(self.connection, CURRENT)
        now = await projects.resolve(self._send, self.connection, CURRENT, afresh=True)
        self.project = now
        return now, before

    def forget_connections(self) -> None:
        """A connection was created or deleted: ask again for connections and projects."""
        self._directory.forget()

    def undo(self, path: str, **identifiers: object) -> dict[str, Any]:
        """The exact `restore_deleted` call that undoes a soft delete of `path`."""
        arguments: dict[str, Any] = {
            "resource": RESTORABLE[_resource(path) or ""],
            "id": next(iter(identifiers.values())),
        }
        if self.project and self.project.resolved:
            arguments["project_id"] = self.project.id
        if self.connection:
            arguments["connection_id"] = self.connection
        return {"undo": {"tool": "restore_deleted", "arguments": arguments}}

    def moment(self, value: datetime | date) -> str:
        """ISO 8601 with an offset; a date alone is its midnight, a time without offset is local, both in the
        project's timezone.
        """
        moment = value if isinstance(value, datetime) else datetime.combine(value, clock_time.min)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.timezone)).isoformat()

    def now(self) -> datetime:
        """Return the time now, in UTC."""
        return self._directory.now()

    @property
    def timezone(self) -> tzinfo:
        """The project's; UTC when it has none that this machine knows."""
        try:
            return ZoneInfo(self.project.timezone) if self.project else UTC
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return UTC

    def aimed(self) -> dict[str, Any]:
        """`project`, `connection` and, for queries, `budget`, as every result carries them."""
        shown: dict[str, Any] = {}
        if self.project:
            shown["project"] = self.project.as_json()
        if self._connection and self._budget is not Budget.CONTROL:
            others = {"others": self._connection.others} if self._connection.others else {}
            shown["connection"] = {"id": self._connection.id} | others
        elif self._aimed and self._budget is not Budget.CONTROL:
            shown["connection"] = {"resolved": False}
        if self._queried or self._budget is Budget.QUERY:
            shown["budget"] = self._gateway.ledger.state(self._gateway.account(self.connection), self._budget)
        return shown

    def settle(self, error: GatewayError) -> GatewayError:
        """The error with the outcome of the call as a whole: a change that was accepted before something failed stays
        made, and then nobody should repeat the call as it is.
        """
        if error.outcome == "unknown":
            return error
        if self.wrote:
            error.outcome = "applied"
        elif error.outcome is None and self._writes:
            error.outcome = "not_sent"
        error.retryable = error.retryable and error.outcome != "applied"
        return error

    def _fill(self, path: str, identifiers: Mapping[str, object]) -> str:
        project = {"project_id": self.project.id} if self.project else {}
        return paths.fill(path, {**identifiers, **project})

    async def _request(
        self,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        *,
        writes: bool,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        request = Request(
            method=method,
            path=path,
            writes=writes,
            budget=self._budget,
            connection=self.connection,
            query=query or {},
            body=body,
        )
        return await self._dispatch(request)

    async def _dispatch(self, request: Request) -> Any:
        """Send what the operation asks for; from here on it is known whether it changed something."""
        if request.writes and not self._writes:
            raise AssertionError(f"an operation that reads tried to {request.method} {request.path}")
        answer = await self._send(request)
        self.wrote = self.wrote or request.writes
        return answer

    async def _send(self, request: Request) -> Any:
        try:
            return await self._gateway.send(request, self._deadline)
        except GatewayError as error:
            if error.code in ("connection_not_found", "connection_expired", "missing_connection"):
                self._directory.forget()
            if request.plane == "data" and error.status == 500 and error.source == "maton":  # PostHog's own is no sign
                await self._check_grant(error)
            raise

    async def _check_grant(self, error: GatewayError) -> None:
        """A 500 of Maton often means a dead OAuth grant: look, and say reconnect only with evidence."""
        if not await self._directory.grants.is_dead(ControlPlane(self._send), self.connection):
            error.hint = f"{error.hint} If it stays so, the connection may need to be made anew (manage_connection)."
            return
        self._directory.connections.forget()
        raise Failed(
            "connection_expired",
            "Maton failed, and the connection's authorisation is no longer valid.",
            RECONNECT_HINT,
            source="maton",
            outcome=error.outcome,
            status=error.status,
            request_id=error.request_id,
        ) from error

    async def _set_deleted(self, path: str, identifiers: Mapping[str, object], *, deleted: bool) -> dict[str, Any]:
        if _resource(path) not in RESTORABLE:
            raise AssertionError(f"{path} takes no soft delete")
        return await self._write(
            "PATCH", path, {"deleted": deleted}, identifiers, lambda fields: fields.get("deleted") is deleted
        )

    async def _write(
        self,
        method: Literal["POST", "PATCH"],
        path: str,
        body: Mapping[str, Any],
        identifiers: Mapping[str, object],
        confirms: Callable[[Mapping[str, Any]], bool],
    ) -> dict[str, Any]:
        """Send a change. It counts as made only when PostHog's own JSON confirms it: a login page, an empty response
        or a proxy's JSON may come with 200 as well.
        """
        wrote = self.wrote
        answer = await self._request(method, self._fill(path, identifiers), writes=True, body=body)
        fields = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if confirms(fields):
            return fields
        self.wrote = wrote
        expected = f"say deleted: {str(body['deleted']).lower()}" if "deleted" in body else "hold the stored object"
        raise Failed(
            "bad_upstream_response",
            f"PostHog accepted the request, but its answer does not {expected}.",
            LOOK_FIRST,
            source="posthog",
            outcome="unknown",
        )


def _is_object(fields: Mapping[str, Any]) -> bool:
    """Return whether this is an object as PostHog stores it: all that this server writes have an id."""
    return fields.get("id") is not None


def _resource(path: str) -> str | None:
    """`feature_flags` of `/api/projects/{project_id}/feature_flags/{flag_id}/`; None for what is no such path."""
    match = _ONE_RESOURCE.fullmatch(path)
    return match[1] if match else None


def _query_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (list, tuple, dict)):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise Refused("invalid_argument", f"{name}: cannot be sent as JSON.", "Use finite numbers.") from error
