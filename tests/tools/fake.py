"""A recording stand-in for the gateway's `Call`: what a tool asked for, and PostHog's documented answers to it.

    api = FakeCall({"GET /api/projects/{project_id}/feature_flags/": page(answer("feature_flag"))})
    shown = await run(LIST_FLAGS, api, search="checkout")
    assert api.sent == [Sent("GET", "/api/projects/136209/feature_flags/", {"search": "checkout", ...})]

Answers are keyed by "METHOD path-template", as operations write them; a soft delete and a restore are PATCH, a query is
POST to `/api/projects/{project_id}/query/`. An answer is a JSON value, an exception to raise, or a function of what was
sent. A request that has no answer fails the test.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from maton_posthog.gateway.call import Call
from maton_posthog.gateway.paths import fill
from maton_posthog.gateway.projects import Project
from maton_posthog.tools.operation import Operation

PROJECT_ID = 136209
QUERY_PATH = "/api/projects/{project_id}/query/"
LEAK = "do_not_leak"
"""A field that PostHog never sends and no view shows: `run` fails when it appears in a result."""

_FREE_FORM = frozenset(
    {"query", "filters", "properties", "result", "results", "metadata", "values", "payloads", "tags"}
)
"""Fields whose content tools may show as it is."""
_RESOURCES = {
    "feature_flags": "flag",
    "dashboards": "dashboard",
    "insights": "insight",
    "cohorts": "cohort",
    "actions": "action",
    "annotations": "annotation",
    "experiments": "experiment",
}

type Answer = Any | Exception | Callable[["Sent"], Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of a tool: the filled path, its query (as given, before it is made text) and its body."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict[str, Any])
    body: dict[str, Any] | None = None


def answer(name: str, **changes: Any) -> dict[str, Any]:
    """One object of `answers.json` (invented values in PostHog's documented shapes), with `changes` on top."""
    return {**copy.deepcopy(_ANSWERS[name]), **changes}


def page(*results: Any, count: int | None = None, next_offset: int | None = None) -> dict[str, Any]:
    """A LimitOffset page; `next` is the absolute PostHog URL that must never be followed or shown."""
    following = next_offset and f"https://us.posthog.com/api/projects/1/things/?limit=1&offset={next_offset}"
    return {
        "count": len(results) if count is None else count,
        "next": following,
        "previous": None,
        "results": list(results),
    }


def in_turn(*answers: Answer) -> Callable[[Sent], Any]:
    """Answers given one after the other to the same request."""
    left = list(answers)

    def next_answer(sent: Sent) -> Any:
        assert left, f"{sent} was sent once more than expected"
        return _evaluate(left.pop(0), sent)

    return next_answer


def marked(value: Any) -> Any:
    """The value with a field that no view lists in every object, but inside free-form fields."""
    if isinstance(value, list):
        return [marked(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    is_page = isinstance(fields.get("results"), list) and "columns" not in fields
    kept = _FREE_FORM - {"results"} if is_page else _FREE_FORM
    return {name: item if name in kept else marked(item) for name, item in fields.items()} | {LEAK: LEAK}


class FakeControl:
    """Maton's control plane with these connections, oldest first."""

    def __init__(self, *connections: Mapping[str, Any]) -> None:
        self.connections = [dict(connection) for connection in connections]
        self.sent: list[tuple[str, Any]] = []

    async def list(self, statuses: Sequence[str] = ("ACTIVE",)) -> list[dict[str, Any]]:
        self.sent.append(("list", tuple(statuses)))
        return [marked(row) for row in self.connections if row["status"] in statuses]

    async def create(self) -> dict[str, Any]:
        self.sent.append(("create", None))
        return marked(connection("PENDING"))

    async def get(self, connection_id: str) -> dict[str, Any]:
        self.sent.append(("get", connection_id))
        return next(marked(row) for row in self.connections if row["connection_id"] == connection_id)

    async def delete(self, connection_id: str) -> None:
        self.sent.append(("delete", connection_id))


def connection(status: str = "ACTIVE", connection_id: str = "0b6f7a52-6f0e-4d0e-9d59-3c1e5d0c1a11") -> dict[str, Any]:
    """A connection as Maton documents it; its url holds a session token."""
    return {
        "connection_id": connection_id,
        "status": status,
        "creation_time": "2026-01-05T10:00:00.000000Z",
        "last_updated_time": "2026-01-31T10:00:00.000000Z",
        "url": "https://connect.maton.ai/?session_token=EXAMPLE",
        "app": "posthog",
        "method": "OAUTH2",
        "metadata": {},
    }


class FakeCall:
    """Records what a tool sends; answers from `answers`."""

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        project: Project | None = Project(PROJECT_ID, "Default project"),  # noqa: B008 (immutable)
        before: Project | None = None,
        control: FakeControl | None = None,
    ) -> None:
        self.project = project
        self.connection: str | None = None
        self.control = control or FakeControl()
        self.sent: list[Sent] = []
        self._answers = dict(answers or {})
        self._before = before

    @property
    def last(self) -> Sent:
        return self.sent[-1]

    async def get(self, path: str, query: Mapping[str, Any] | None = None, **identifiers: Any) -> Any:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._answer("GET", path, given, None, identifiers)

    async def post(self, path: str, body: Mapping[str, Any], **identifiers: Any) -> Any:
        return self._answer("POST", path, {}, dict(body), identifiers)

    async def patch(self, path: str, body: Mapping[str, Any], **identifiers: Any) -> Any:
        return self._answer("PATCH", path, {}, dict(body), identifiers)

    async def query(self, body: Mapping[str, Any]) -> Any:
        return self._answer("POST", QUERY_PATH, {}, dict(body), {})

    async def soft_delete(self, path: str, **identifiers: Any) -> Any:
        return await self._set_deleted(path, True, identifiers)

    async def restore(self, path: str, **identifiers: Any) -> Any:
        return await self._set_deleted(path, False, identifiers)

    def undo(self, path: str, **identifiers: Any) -> dict[str, Any]:
        assert self.project is not None
        resource = next(name for part, name in _RESOURCES.items() if f"/{part}/" in path)
        (identifier,) = identifiers.values()
        arguments = {"resource": resource, "id": identifier, "project_id": self.project.id}
        return {"undo": {"tool": "restore_deleted", "arguments": arguments}}

    def moment(self, value: datetime | date) -> str:
        assert self.project is not None
        zone = ZoneInfo(self.project.timezone) if self.project.timezone != "UTC" else UTC
        full = value if isinstance(value, datetime) else datetime.combine(value, time())
        return (full if full.tzinfo else full.replace(tzinfo=zone)).isoformat()

    async def fresh_project(self) -> tuple[Project, Project | None]:
        assert self.project is not None
        return self.project, self._before

    async def _set_deleted(self, path: str, deleted: bool, identifiers: Mapping[str, Any]) -> Any:
        stored = self._answer("PATCH", path, {}, {"deleted": deleted}, identifiers)
        assert "deleted" not in stored or stored["deleted"] is deleted, "the gateway refuses such an answer"
        return stored

    def _answer(
        self, method: str, path: str, query: dict[str, Any], body: dict[str, Any] | None, identifiers: Mapping[str, Any]
    ) -> Any:
        project = {"project_id": self.project.id} if self.project is not None else {}
        sent = Sent(method, fill(path, {**project, **identifiers}), query, copy.deepcopy(body))
        json.dumps([query, body], allow_nan=False)
        self.sent.append(sent)
        assert f"{method} {path}" in self._answers, f"no answer for {method} {path}"
        return marked(copy.deepcopy(_evaluate(self._answers[f"{method} {path}"], sent)))


async def run(operation: Operation[Any], api: FakeCall, **arguments: Any) -> dict[str, Any]:
    """What the tool shows for these arguments, validated as a caller's are. Fails unless it is JSON without leaks."""
    shown = await operation.run(cast("Call", api), operation.input.model_validate(arguments))
    text = json.dumps(dict(shown), allow_nan=False)
    assert LEAK not in text, f"{operation.name} shows a field that its view does not list: {text}"
    return cast("dict[str, Any]", json.loads(text))


def _evaluate(given: Answer, sent: Sent) -> Any:
    if isinstance(given, Exception):
        raise given
    return given(sent) if callable(given) else given


_ANSWERS: Mapping[str, Any] = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))
