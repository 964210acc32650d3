"""One tool call: where it goes (project, connection), what it is counted as, and how long it may take."""

import json
import re
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from datetime import time as clock_time
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..schemas.restore import RESTORABLE
from . import paths
from .answers import LOOK_FIRST
from .background import Background, Progress
from .budget import Budget, account
from .connections import Connection, ControlPlane
from .directory import Directory
from .errors import Advice, Failed, GatewayError, Refused
from .kept import Aged
from .projects import CURRENT, Project
from .queries import QUERY_PATH, check_query
from .request import Request
from .target import Target, resolve_target

_ONE_RESOURCE = re.compile(r"/api/projects/\{project_id\}/(\w+)/\{\w+\}/")


type Sender = Callable[[Request, float], Awaitable[Any]]
"""Sends one request before a `time.monotonic()` moment and returns its parsed response: `Gateway.send`."""


class Call:
    """What an operation sees of the gateway. Its calls name path templates; `project_id` is filled in here."""

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
    ) -> None:
        self._sender = send
        self._directory = directory
        self._budget = budget
        self._writes = writes
        self._deadline = time.monotonic() + directory.config.deadline_s if deadline is None else deadline
        self._queried = False
        self.target = target
        """Where the call goes; None before `aim`."""
        self.progress = progress
        """Reports progress to a waiting client; None when it did not request that."""
        self.export_dir = export_dir
        """The directory that results can be written to as files; None: nowhere."""
        self.wrote = False
        """Whether a change was accepted."""

    async def aim(self, connection_id: str | None, project_id: int | Literal["@current"] | None) -> None:
        """Decide connection and project before anything else is sent; see `resolve_target`."""
        if self._budget is Budget.CONTROL:
            pin = self._directory.config.connection_id
            self.target = Target(Connection(pin) if pin else None)
            return
        self.target = await resolve_target(self._directory, self._send, connection_id, project_id, writes=self._writes)

    @property
    def project(self) -> Project | None:
        """The project that the call goes to; None for account tools."""
        return self.target.project if self.target else None

    @property
    def connection(self) -> str | None:
        """The id sent in `Maton-Connection`; None leaves the choice to Maton: only for reads, while it is unknown."""
        return self.target.connection.id if self.target and self.target.connection else None

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
            raise RuntimeError("queries are sent by Call.query, which checks their kind")
        return await self._write("POST", path, body, identifiers, _is_object)

    async def patch(self, path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
        """PATCH: changes the fields of `body`; deleting is `soft_delete`."""
        if "deleted" in body:
            raise RuntimeError(f"{path}: objects are deleted by Call.soft_delete, which checks the answer")
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

    def detached(self, seconds: float) -> "Call":
        """Return a call to the same target with its own deadline, for work that outlives this call."""
        return Call(
            self._sender,
            self._directory,
            budget=self._budget,
            writes=self._writes,
            target=self.target,
            deadline=time.monotonic() + seconds,
        )

    def counted_as(self, budget: Budget) -> "Call":
        """Return a call to the same target whose requests count in another class."""
        return Call(
            self._sender,
            self._directory,
            budget=budget,
            writes=self._writes,
            target=self.target,
            deadline=self._deadline,
            progress=self.progress,
            export_dir=self.export_dir,
        )

    async def fresh_project(self) -> tuple[Project, Project | None]:
        """Resolve `@current` again; return it with what it meant before, None the first time. A pin never changes."""
        target = self.target or Target()
        if target.project and self._directory.config.project_id is not None:
            return target.project, target.project
        if target.project and target.resolved_now:
            return target.project, None
        projects = self._directory.projects
        before = projects.known(self.connection, CURRENT)
        now = await projects.resolve(self._send, self.connection, CURRENT, afresh=True)
        self.target = replace(target, project=now)
        return now, before

    def forget_connections(self) -> None:
        """A connection was created or deleted: ask again for connections and projects."""
        self._directory.forget()

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
        """Return `project`, `connection` and, for queries, `budget`, as every result carries them."""
        shown: dict[str, Any] = {}
        if self.target and self._budget is not Budget.CONTROL:
            shown |= self.target.as_json()
        if self._queried or self._budget is Budget.QUERY:
            shown["budget"] = self._directory.ledger.state(account(self.connection), self._budget)
        return shown

    def settle(self, error: GatewayError) -> GatewayError:
        """Return the error with the outcome of the call as a whole: a change that was accepted before something failed
        stays, so the call must not be repeated as it is.
        """
        if error.outcome == "unknown":
            return error
        if self.wrote:
            return error.with_(outcome="applied", retryable=False)
        if error.outcome is None and self._writes:
            return error.with_(outcome="not_sent")
        return error.with_(retryable=error.retryable and error.outcome != "applied")

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
            raise RuntimeError(f"an operation that reads tried to {request.method} {request.path}")
        answer = await self._send(request)
        self.wrote = self.wrote or request.writes
        return answer

    async def _send(self, request: Request) -> Any:
        try:
            return await self._sender(request, self._deadline)
        except GatewayError as error:
            if error.code in ("connection_not_found", "connection_expired", "missing_connection"):
                self._directory.forget()
            if request.plane == "data" and error.status == 500 and error.source == "maton":  # PostHog's own is no sign
                raise await self._with_grant(error) from error
            raise

    async def _with_grant(self, error: GatewayError) -> GatewayError:
        """A 500 of Maton often means a dead OAuth grant: look, and name that only with evidence."""
        if not await self._directory.grants.is_dead(ControlPlane(self._send), self.connection):
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

    async def _set_deleted(self, path: str, identifiers: Mapping[str, object], *, deleted: bool) -> dict[str, Any]:
        if _resource(path) not in RESTORABLE:
            raise RuntimeError(f"{path} takes no soft delete")
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
