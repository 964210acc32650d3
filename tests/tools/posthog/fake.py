"""A fake gateway that records the requests of a tool and returns PostHog's documented responses.

    api = FakeCall({"GET /api/projects/{project_id}/feature_flags/": page(answer("feature_flag"))})
    shown = await run(LIST_FLAGS, api, search="checkout")
    assert api.sent == [Sent("GET", "/api/projects/136209/feature_flags/", {"search": "checkout", ...})]

Responses are keyed by "METHOD path-template", as operations write them; a soft delete and a restore are PATCH, a query
is POST to `/api/projects/{project_id}/query/`, connections are `GET /connections` and so on. A response is a JSON
value, an exception to raise, or a function of the request. A request without a response fails the test.
"""

import copy
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, cast

from maton_posthog.gateway.approval import Approve, approved
from maton_posthog.gateway.budget import Budget, Ledger
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.client import GatewayConfig
from maton_posthog.gateway.connections import Connection
from maton_posthog.gateway.directory import Directory
from maton_posthog.gateway.http.request import Request
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target
from maton_posthog.schemas.json import as_object
from maton_posthog.tools.operation import Operation, Reply
from maton_posthog.tools.query.seen_names import FIRST_EVENT

PROJECT_ID = 136209
REACH_PATH = "/api/projects/{project_id}/feature_flags/user_blast_radius/"
QUERY_PATH = "/api/projects/{project_id}/query/"
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
"""The time of these calls unless `clock` is set, so that no result depends on the current date."""
LEAK = "do_not_leak"
"""A field that PostHog never sends and no view shows; `run` fails if it appears in a result."""

_FREE_FORM = frozenset(
    [
        "query",
        "conditions",
        "translations",
        "metrics",
        "metrics_secondary",
        "running_time_calculation",
        "appearance",
        "filters",
        "properties",
        "result",
        "results",
        "metadata",
        "values",
        "payloads",
        "variables",
        "test_account_filters",
        "tables",
    ]
)
"""Fields whose content tools are allowed to show unchanged."""

type Answer = Any | Exception | Callable[["Sent"], Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of a tool: the filled path, its query (before it is converted to text) and its body."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict[str, Any])
    body: dict[str, Any] | None = None


def answer(name: str, /, **changes: Any) -> dict[str, Any]:
    """Return an object of `answers.json` (invented values in PostHog's documented shapes) with `changes` applied."""
    return {**json.loads(_ANSWERS[name]), **changes}


def page(*results: Any, count: int | None = None, next_offset: int | None = None) -> dict[str, Any]:
    """Return a page of a list; its `next` is an absolute PostHog URL that must never be followed or shown."""
    following = next_offset and f"https://us.posthog.com/api/projects/1/things/?limit=1&offset={next_offset}"
    return {
        "count": len(results) if count is None else count,
        "next": following,
        "previous": None,
        "results": list(results),
    }


def in_turn(*answers: Answer) -> Callable[[Sent], Any]:
    """Return a function that returns the responses one after the other."""
    left = list(answers)

    def next_answer(sent: Sent) -> Any:
        assert left, f"{sent} was sent more often than expected"
        return _evaluate(left.pop(0), sent)

    return next_answer


def marked(value: Any) -> Any:
    """Add a field that no view lists to every object that is not inside a free-form field."""
    if isinstance(value, list):
        return [marked(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    is_page = isinstance(fields.get("results"), list) and "columns" not in fields
    kept = _FREE_FORM - {"results"} if is_page else _FREE_FORM
    return {name: item if name in kept else marked(item) for name, item in fields.items()} | {LEAK: LEAK}


def connection(status: str = "ACTIVE", connection_id: str = "0b6f7a52-6f0e-4d0e-9d59-3c1e5d0c1a11") -> dict[str, Any]:
    """Return a connection as Maton documents it; its url contains a session token."""
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


def unmarked(value: Any) -> Any:
    """Return a value without the fields that `marked` added."""
    if isinstance(value, list):
        return [unmarked(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    return {name: unmarked(item) for name, item in fields.items() if name != LEAK}


class FakeCall(Call):
    """The real `Call`, except that its requests are recorded and their responses come from `answers`."""

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        project: Project | None = Project(PROJECT_ID, "Default project"),  # noqa: B008 (immutable)
        connection: str | None = None,
        export_dir: Path | None = None,
        approve: Approve = approved,
    ) -> None:
        config = GatewayConfig(api_key="fake", gateway_urls=(), control_urls=())
        super().__init__(
            self._respond,
            Directory(config, Ledger(), lambda: self.clock),
            budget=Budget.CRUD,
            writes=True,
            target=Target(Connection(connection) if connection else None, project),
            export_dir=export_dir,
            approve=approve,
        )
        self._answers = {f"POST {REACH_PATH}": {"affected": 1, "total": 2}, **(answers or {})}
        self._given: dict[str, Any] = {}
        self.clock = NOW
        self.sent: list[Sent] = []
        self.began: str | None = "2019-01-01T00:00:00Z"
        """The first event of the project, which typed queries look up once; these requests are not in `sent`."""
        self.looked_up = 0
        """The number of these requests."""
        self.forgot = 0
        """The number of times that the tool reported changed connections."""

    @property
    def last(self) -> Sent:
        return self.sent[-1]

    def as_for(self, *, writes: bool) -> Self:
        """Return the call of an operation that does or does not write; a read that writes fails."""
        self._dispatcher.writes = writes
        return self

    def respond(self, answers: Mapping[str, Answer]) -> None:
        """Add responses, or replace them."""
        self._answers |= answers

    def end_in(self, seconds: float) -> None:
        """Set the deadline of the call to this many seconds from now."""
        self._dispatcher.deadline = time.monotonic() + seconds

    def forget_connections(self) -> None:
        self.forgot += 1
        super().forget_connections()

    async def get(self, path: str, query: Mapping[str, Any] | None = None, **identifiers: object) -> Any:
        self._given = {name: value for name, value in (query or {}).items() if value is not None}
        return await super().get(path, query, **identifiers)

    async def _respond(self, request: Request, _deadline: float, _received: object) -> Any:
        query = self._given if set(self._given) == set(request.query) else dict(request.query)
        body = None if request.body is None else json.loads(json.dumps(request.body, allow_nan=False))
        sent = Sent(request.method, request.path, query, body)
        if as_object(body).get("query") == FIRST_EVENT:
            self.looked_up += 1
            return {"results": [[self.began]] if self.began else []}
        self.sent.append(sent)
        given = self._answers[self._key(sent)]
        return marked(copy.deepcopy(_evaluate(given, sent)))

    def _key(self, sent: Sent) -> str:
        exact = f"{sent.method} {sent.path}"
        fitting = [key for key in self._answers if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", key), exact)]
        assert fitting, f"no response for {exact}"
        return min(fitting, key=lambda key: key != exact)


async def run(operation: Operation[Any], api: FakeCall, **arguments: Any) -> dict[str, Any]:
    """Return the result for arguments validated like a caller's. Fails unless the result is JSON without leaks."""
    args = operation.input.model_validate(arguments)
    shown = await operation.run(api.as_for(writes=operation.writes(args)), args)
    shown = shown.result if isinstance(shown, Reply) else shown
    text = json.dumps(dict(shown), allow_nan=False)
    assert LEAK not in text or arguments.get("full"), f"{operation.name} shows fields outside its view: {text}"
    return cast("dict[str, Any]", json.loads(text))


def _evaluate(given: Answer, sent: Sent) -> Any:
    if isinstance(given, Exception):
        raise given
    return given(sent) if callable(given) else given


_ANSWERS: Mapping[str, str] = {
    name: json.dumps(value)
    for name, value in json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8")).items()
}
