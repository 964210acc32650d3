"""One tool call: where it goes (project, connection), what it is counted as, and how long it may take."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from datetime import time as clock_time
from functools import cached_property
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from . import paths
from .answers import RECONNECT_HINT
from .budget import Budget
from .client import Gateway, Request
from .connections import ActiveConnections, Connection, ControlPlane
from .errors import Failed, GatewayError, Refused, read_only
from .projects import CURRENT, Project, Projects, unresolved

RESTORABLE: Mapping[str, str] = {
    "feature_flags": "flag",
    "dashboards": "dashboard",
    "insights": "insight",
    "cohorts": "cohort",
    "actions": "action",
    "annotations": "annotation",
    "experiments": "experiment",
}
"""PostHog's resources that take a soft delete, and what `restore_deleted` calls them. Elsewhere `{"deleted": true}`
is ignored
(surveys answer 200 and do nothing) or refused."""

QUERY_PATH = "/api/projects/{project_id}/query/"
QUERY_KINDS = frozenset(
    [
        "HogQLQuery",
        "HogQLMetadata",
        "DatabaseSchemaQuery",
        "EventTaxonomyQuery",
        "TeamTaxonomyQuery",
        "EventsQuery",
        "ActorsQuery",
        "TrendsQuery",
        "FunnelsQuery",
        "RetentionQuery",
        "PathsQuery",
        "StickinessQuery",
        "LifecycleQuery",
        "ExperimentQuery",
        "ExperimentExposureQuery",
        "InsightVizNode",
        "DataVisualizationNode",
        "DataTableNode",
    ]
)
"""Query kinds that only read. PostHog has one that runs code (HogQuery); it is never sent."""


class Directory:
    """What a process knows of the account behind its key: connections and projects met so far."""

    def __init__(self) -> None:
        self.connections = ActiveConnections()
        self.projects = Projects()

    def forget(self) -> None:
        """A connection was created or deleted."""
        self.connections.forget()
        self.projects.forget()


class Call:
    """What an operation sees of the gateway. Path templates stand literally in its calls; `project_id` is filled in
    here.
    """

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

        A write without a named connection goes through the oldest ACTIVE one, explicitly. `project_id` None: an
        account tool. Raises Refused (`project_pinned`, `project_unresolved`, `missing_connection`).
        """
        config = self._gateway.config
        if project_id is not None and config.project_id is not None:
            if project_id not in (CURRENT, config.project_id):
                raise Refused(
                    "project_pinned",
                    f"This server is pinned to project {config.project_id}.",
                    "Leave project_id out; the operator sets POSTHOG_PROJECT_ID / --project.",
                )
            project_id = config.project_id
        if self._budget is Budget.CONTROL:
            return
        if named := connection_id or config.connection_id:
            self._connection = Connection(named)
        elif self._writes:
            self._permit_writes()
            self._connection = await self._directory.connections.oldest(self.control)
        if project_id is not None:
            self.project = await self._directory.projects.resolve(self._send, self.connection, project_id)
            if self._writes and not self.project.resolved:
                raise unresolved()

    @property
    def connection(self) -> str | None:
        """The id sent in `Maton-Connection`; None lets Maton use the oldest active one."""
        return self._connection.id if self._connection else None

    @cached_property
    def control(self) -> ControlPlane:
        """Maton's connections."""
        return ControlPlane(self._send)

    async def get(self, path: str, query: Mapping[str, Any] | None = None, **identifiers: object) -> Any:
        """GET. Query values: booleans as true/false, lists and objects as JSON text, None left out."""
        text = {name: _query_text(value) for name, value in (query or {}).items() if value is not None}
        return await self._request("GET", self._fill(path, identifiers), writes=False, query=text)

    async def post(self, path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
        """POST: creates something."""
        return await self._request("POST", self._fill(path, identifiers), writes=True, body=body)

    async def patch(self, path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
        """PATCH: changes the fields of `body`."""
        return await self._request("PATCH", self._fill(path, identifiers), writes=True, body=body)

    async def soft_delete(self, path: str, **identifiers: object) -> Any:
        """PATCH `{"deleted": true}`, for the resources of RESTORABLE only; the answer must say deleted."""
        return await self._set_deleted(path, identifiers, deleted=True)

    async def restore(self, path: str, **identifiers: object) -> Any:
        """PATCH `{"deleted": false}`, the undo of `soft_delete`."""
        return await self._set_deleted(path, identifiers, deleted=False)

    async def query(self, body: Mapping[str, Any]) -> Any:
        """`POST /api/projects/{project_id}/query/`, which only reads: kinds outside QUERY_KINDS are refused."""
        self._check_kind(body.get("query"))
        return await self._request("POST", self._fill(QUERY_PATH, {}), writes=False, body=body)

    async def fresh_project(self) -> tuple[Project, Project | None]:
        """`@current` resolved anew, and what it meant before (None: not asked before)."""
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
        arguments: dict[str, Any] = {"resource": RESTORABLE[_resource(path)], "id": next(iter(identifiers.values()))}
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
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._timezone())).isoformat()

    def aimed(self) -> dict[str, Any]:
        """`project`, `connection` and, for queries, `budget`, as every result carries them."""
        shown: dict[str, Any] = {}
        if self.project:
            shown["project"] = self.project.as_json()
        if self._connection:
            others = {"others": self._connection.others} if self._connection.others else {}
            shown["connection"] = {"id": self._connection.id} | others
        if self._budget is Budget.QUERY:
            shown["budget"] = self._gateway.ledger.state(self._gateway.account(self.connection), self._budget)
        return shown

    def settle(self, error: GatewayError) -> GatewayError:
        """The error with its true outcome: a read changes nothing; a write may have been accepted before something
        failed.
        """
        if isinstance(error, Failed) and error.code != "outcome_unknown":
            if not self._writes:
                error.outcome = None
            elif self.wrote:
                error.outcome = "applied"
            elif error.outcome == "unknown":
                error.outcome = "not_sent"
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
        if writes and not self._writes:
            raise AssertionError(f"an operation that reads tried to {method} {path}")
        request = Request(
            method=method,
            path=path,
            writes=writes,
            budget=self._budget,
            connection=self.connection,
            query=query or {},
            body=body,
        )
        answer = await self._send(request)
        self.wrote = self.wrote or writes
        return answer

    async def _send(self, request: Request) -> Any:
        try:
            return await self._gateway.send(request, self._deadline)
        except GatewayError as error:
            if error.code in ("connection_not_found", "connection_expired", "missing_connection"):
                self._directory.forget()
            if request.plane == "data" and error.status == 500 and error.source == "maton":
                await self._check_grant(error)
            raise

    async def _check_grant(self, error: GatewayError) -> None:
        """A 500 of Maton often means a dead OAuth grant: look once, and say reconnect only with evidence."""
        try:
            failed = await self.control.list(("FAILED", "PENDING"))
        except GatewayError:
            return
        active = self.connection is None
        if any(active or row["connection_id"] == self.connection for row in failed if row.get("status") == "FAILED"):
            raise Failed(
                "connection_expired",
                "Maton failed, and the connection's authorisation is no longer valid.",
                RECONNECT_HINT,
                source="maton",
                outcome=error.outcome,
                status=error.status,
                request_id=error.request_id,
            ) from error
        error.hint = f"{error.hint} If it stays so, the connection may need to be made anew (manage_connection)."

    async def _set_deleted(self, path: str, identifiers: Mapping[str, object], *, deleted: bool) -> dict[str, Any]:
        if _resource(path) not in RESTORABLE:
            raise AssertionError(f"{path} takes no soft delete")
        answer: Any = await self._request(
            "PATCH", self._fill(path, identifiers), writes=True, body={"deleted": deleted}
        )
        fields = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if fields.get("deleted") is not deleted:
            raise Failed(
                "bad_upstream_response",
                f"PostHog accepted the request, but its answer does not say deleted: {str(deleted).lower()}.",
                "Look with the matching get tool.",
                source="posthog",
            )
        return fields

    def _check_kind(self, query: object) -> None:
        node = query
        while isinstance(node, dict):
            fields = cast("dict[str, Any]", node)
            if fields.get("kind") not in QUERY_KINDS:
                raise Refused("invalid_argument", "query: its kind is not one that this server sends.", None)
            node = fields.get("source")

    def _permit_writes(self) -> None:
        if self._gateway.config.read_only:
            raise read_only()

    def _timezone(self) -> tzinfo:
        try:
            return ZoneInfo(self.project.timezone) if self.project else UTC
        except (ZoneInfoNotFoundError, ValueError):
            return UTC


def _resource(path: str) -> str:
    """`feature_flags` of `/api/projects/{project_id}/feature_flags/{flag_id}/`."""
    return path.split("/")[4]


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, separators=(",", ":"))
    return str(value)
