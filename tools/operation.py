"""What an operation is. Two ways to make one: `route` or `listing` (most: one HTTP call), or a coroutine (the special
ones).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ValidationError

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.errors import Failed
from ..gateway.paths import placeholders
from ..schemas.base import Input, Page, View
from ..schemas.restore import RESTORABLE


class Effect(StrEnum):
    """What a tool does to PostHog or Maton; all MCP hints follow from it."""

    READ = "read"
    SAVE = "save"
    """Reads, and creates an object only when the argument `save_as` names it: without it, it is a READ."""
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"

    @property
    def writes(self) -> bool:
        """Whether every call changes something."""
        return self not in (Effect.READ, Effect.SAVE)


class Toolset(StrEnum):
    """The areas that `--toolsets` chooses from."""

    CONNECTIONS = "connections"
    ACCOUNT = "account"
    QUERY = "query"
    ANALYTICS = "analytics"
    INSIGHTS = "insights"
    DASHBOARDS = "dashboards"
    FLAGS = "flags"
    COHORTS = "cohorts"
    ACTIONS = "actions"
    PERSONS = "persons"
    RECORDINGS = "recordings"
    ANNOTATIONS = "annotations"
    SURVEYS = "surveys"
    EXPERIMENTS = "experiments"
    DEFINITIONS = "definitions"


SAVE_AS = "save_as"
"""The argument that makes a reading operation store what it read."""

type Result = Mapping[str, Any]
"""A JSON-ready object: what the tool shows beside `project`, `connection` and `budget`, which the server adds."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG beside the text of a result."""

    png: bytes


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file that a call wrote, as MCP's resource link."""

    uri: str
    name: str
    mime_type: str
    size: int
    """In bytes."""


type Attachment = Picture | FileLink


@dataclass(frozen=True, slots=True)
class Reply:
    """A result with what goes beside its text."""

    result: Result
    attachments: tuple[Attachment, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What a page that hosts show beside the result reads, as `_meta`; models do not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation[I: Input]:
    """One tool: what `tools/list` shows and what `tools/call` runs."""

    name: str
    about: str
    toolset: Toolset | None
    """None for what belongs to every area: it is offered whatever `--toolsets` chooses."""
    effect: Effect
    input: type[I]
    run: Callable[[Call, I], Awaitable[Result | Reply]]
    budget: Budget = Budget.CRUD

    def __post_init__(self) -> None:
        if self.toolset is Toolset.CONNECTIONS and self.budget is not Budget.CONTROL:
            raise TypeError(f"{self.name}: connections are on the control plane")
        if (self.effect is Effect.SAVE) is not (SAVE_AS in self.input.model_fields):
            raise TypeError(f"{self.name}: an operation that saves has the argument {SAVE_AS}, and no other has it")

    def writes(self, args: I) -> bool:
        """Whether a call with these arguments changes something."""
        return self.effect.writes or getattr(args, SAVE_AS, None) is not None


type Method = Literal["GET", "POST", "PATCH", "SOFT_DELETE"]
_EFFECTS: Mapping[str, Effect] = {
    "GET": Effect.READ,
    "POST": Effect.CREATE,
    "PATCH": Effect.UPDATE,
    "SOFT_DELETE": Effect.DELETE,
}
_AIM = ("project_id", "connection_id")
"""Arguments that say where a call goes; the gateway applies them."""


def route[I: Input](
    call: str,
    takes: type[I],
    gives: type[View],
    *,
    name: str,
    about: str,
    toolset: Toolset,
    budget: Budget = Budget.CRUD,
) -> Operation[I]:
    """An operation that is one HTTP call, written as PostHog's documentation writes it: `route("GET
    /api/projects/{project_id}/…", …)`.

    Arguments named in the path fill it; the others are the query of a GET and the body of a POST or PATCH (only those
    given). `SOFT_DELETE` is PATCH `{"deleted": true}`, checked in the answer. The answer is shown as `gives`.
    """
    method, path = _parse(call, takes, name)

    async def run(api: Call, args: I) -> Result:
        identifiers = {key: getattr(args, key) for key in placeholders(path) if key != "project_id"}
        rest = args.model_dump(mode="json", exclude={*identifiers, *_AIM}, exclude_unset=True, exclude_none=True)
        match method:
            case "GET":
                answer = await api.get(path, rest, **identifiers)
            case "POST":
                answer = await api.post(path, rest, **identifiers)
            case "PATCH":
                answer = await api.patch(path, rest, **identifiers)
            case "SOFT_DELETE":
                answer = await api.soft_delete(path, **identifiers)
        shown = show(gives, answer)
        return {**shown, **undo(api, path, **identifiers)} if method == "SOFT_DELETE" else shown

    return Operation(
        name=name, about=about, toolset=toolset, effect=_EFFECTS[method], budget=budget, input=takes, run=run
    )


def listing[P: Page](
    call: str,
    takes: type[P],
    row: type[View],
    *,
    name: str,
    about: str,
    toolset: Toolset,
    budget: Budget = Budget.CRUD,
) -> Operation[P]:
    """An operation that is one page of a list: `{"<toolset>": [row, …], "count"?, "next_offset"?}`."""
    _, path = _parse(call, takes, name)

    async def run(api: Call, args: P) -> Result:
        identifiers = {key: getattr(args, key) for key in placeholders(path) if key != "project_id"}
        query = args.model_dump(mode="json", exclude={*identifiers, *_AIM}, exclude_none=True)
        return show_page(row, await api.get(path, query, **identifiers), args, under=toolset.value)

    return Operation(name=name, about=about, toolset=toolset, effect=Effect.READ, budget=budget, input=takes, run=run)


def undo(api: Call, path: str, **identifiers: object) -> dict[str, Any]:
    """Return `{"undo": {"tool", "arguments"}}`: the exact call that undoes a soft delete of `path`."""
    (identifier,) = identifiers.values()
    arguments: dict[str, Any] = {"resource": RESTORABLE[path.split("/")[4]], "id": identifier}
    if api.project and api.project.resolved:
        arguments["project_id"] = api.project.id
    if api.connection:
        arguments["connection_id"] = api.connection
    return {"undo": {"tool": "restore_deleted", "arguments": arguments}}


def show(view: type[View], answer: object) -> dict[str, Any]:
    """The answer cut down to its view, JSON-ready, null fields left out. Raises as `read` does."""
    return read(view, answer).model_dump(mode="json", exclude_none=True, by_alias=True)


def read[V: View](view: type[V], answer: object) -> V:
    """The answer as its view.

    Raises Failed (`bad_upstream_response`) when the answer does not fit: that is PostHog's news, never the caller's
    mistake.
    """
    try:
        return view.model_validate(answer)
    except ValidationError as error:
        raise unexpected_shape(view, error) from error


def show_page(row: type[View], answer: object, args: Page, *, under: str) -> dict[str, Any]:
    """One page of a list. Of PostHog's `next` URL only the `offset` in its query is read; the URL goes nowhere."""
    page = _UpstreamPage.read(answer)
    shown: dict[str, Any] = {under: [show(row, item) for item in page.results]}
    if page.count is not None:
        shown["count"] = page.count
    if page.next and page.results:
        shown["next_offset"] = _next_offset(page.next) or args.offset + len(page.results)
    return shown


def unexpected_shape(view: type[BaseModel], error: ValidationError) -> Failed:
    """The error for an answer that is not as PostHog's API describes it."""
    fields = sorted(
        {".".join(map(str, item["loc"])) or "(the whole answer)" for item in error.errors(include_input=False)}
    )
    return Failed(
        "bad_upstream_response",
        f"PostHog answered, but not as {view.__name__} expects: {', '.join(fields[:5])}.",
        "PostHog may have changed its API; the request itself was accepted.",
        source="posthog",
    )


class _UpstreamPage(View):
    results: list[Any]
    count: int | None = None
    next: str | None = None

    @classmethod
    def read(cls, answer: object) -> "_UpstreamPage":
        try:
            return cls.model_validate(answer)
        except ValidationError as error:
            raise unexpected_shape(cls, error) from error


def _next_offset(url: str) -> int | None:
    try:
        values = parse_qs(urlsplit(url).query).get("offset", [])
        return int(values[0]) if values and values[0].isdecimal() else None
    except ValueError:
        return None


def _parse(call: str, takes: type[Input], name: str) -> tuple[Method, str]:
    """Method and path of `"GET /api/…"`. Raises TypeError at import when the path names an argument that the input
    lacks.
    """
    method, path = call.split(" ", 1)
    if method not in _EFFECTS or not path.startswith("/api/"):
        raise TypeError(f"{name}: {call} is not a call that operations make")
    if missing := placeholders(path) - takes.model_fields.keys():
        raise TypeError(f"{takes.__name__} lacks {sorted(missing)}, named in {path}")
    return cast("Method", method), path
