"""Operations: most are one HTTP call, made by `route` or `listing`; the others are coroutines."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ValidationError

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.errors import Failed
from ..gateway.paths import placeholders
from ..schemas.base import Input, Page, View


class Effect(StrEnum):
    """The effect of a tool on PostHog or Maton; all MCP hints follow from it."""

    READ = "read"
    SAVE = "save"
    """A READ that also creates an object if the argument `save_as` names one."""
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"

    @property
    def writes(self) -> bool:
        """Return whether every call changes something."""
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
"""The argument that makes a reading operation store its result."""

type Result = Mapping[str, Any]
"""A JSON-ready object; the server adds `project`, `connection` and `budget` to it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG sent with the text of a result."""

    png: bytes


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file written by a call, sent as an MCP resource link."""

    uri: str
    name: str
    mime_type: str
    size: int
    """The size in bytes."""


type Attachment = Picture | FileLink


@dataclass(frozen=True, slots=True)
class Reply:
    """A result and its attachments."""

    result: Result
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation[I: Input]:
    """One tool, as `tools/list` shows it and `tools/call` runs it."""

    name: str
    about: str
    toolset: Toolset | None
    """The tool's area; None for a tool that is listed whatever `--toolsets` selects."""
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
        """Return whether a call with these arguments changes something."""
        return self.effect.writes or getattr(args, SAVE_AS, None) is not None


type Method = Literal["GET", "POST", "PATCH", "SOFT_DELETE"]
_EFFECTS: Mapping[str, Effect] = {
    "GET": Effect.READ,
    "POST": Effect.CREATE,
    "PATCH": Effect.UPDATE,
    "SOFT_DELETE": Effect.DELETE,
}
_AIM = ("project_id", "connection_id")
"""Arguments that select the target of a call; the gateway applies them."""


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
    """Return an operation that is one HTTP call, such as `route("GET /api/projects/{project_id}/…", …)`.

    Arguments named in the path fill it; the others, if given, are the query of a GET or the body of a POST or PATCH.
    `SOFT_DELETE` is PATCH `{"deleted": true}`, verified in the response. The response is shown as `gives`.
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
        return {**shown, **api.undo(path, **identifiers)} if method == "SOFT_DELETE" else shown

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
    """Return an operation that shows one page of a list: `{"<toolset>": [row, …], "count"?, "next_offset"?}`."""
    _, path = _parse(call, takes, name)

    async def run(api: Call, args: P) -> Result:
        identifiers = {key: getattr(args, key) for key in placeholders(path) if key != "project_id"}
        query = args.model_dump(mode="json", exclude={*identifiers, *_AIM}, exclude_none=True)
        return show_page(row, await api.get(path, query, **identifiers), args, under=toolset.value)

    return Operation(name=name, about=about, toolset=toolset, effect=Effect.READ, budget=budget, input=takes, run=run)


def show(view: type[View], answer: object) -> dict[str, Any]:
    """Return the fields of a response that its view shows, JSON-ready, without nulls. Raises as `read` does."""
    return read(view, answer).model_dump(mode="json", exclude_none=True, by_alias=True)


def read[V: View](view: type[V], answer: object) -> V:
    """Parse a response into its view.

    Raises Failed (`bad_upstream_response`) if it does not fit: PostHog caused that, not the caller.
    """
    try:
        return view.model_validate(answer)
    except ValidationError as error:
        raise unexpected_shape(view, error) from error


def show_page(row: type[View], answer: object, args: Page, *, under: str) -> dict[str, Any]:
    """Return one page of a list. Only `offset` is read from PostHog's `next` URL; the URL itself is never used."""
    page = _UpstreamPage.read(answer)
    shown: dict[str, Any] = {under: [show(row, item) for item in page.results]}
    if page.count is not None:
        shown["count"] = page.count
    if page.next and page.results:
        shown["next_offset"] = _next_offset(page.next) or args.offset + len(page.results)
    return shown


def unexpected_shape(view: type[BaseModel], error: ValidationError) -> Failed:
    """Return the error for a response that does not match PostHog's API."""
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
    """Return the method and path of `"GET /api/…"`. Raises TypeError if the path names an argument not in the input."""
    method, path = call.split(" ", 1)
    if method not in _EFFECTS or not path.startswith("/api/"):
        raise TypeError(f"{name}: {call} is not a call that operations make")
    if missing := placeholders(path) - takes.model_fields.keys():
        raise TypeError(f"{takes.__name__} lacks {sorted(missing)}, named in {path}")
    return cast("Method", method), path
