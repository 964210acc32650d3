"""The record of an operation. `route` and `listing` make those of one HTTP call that reads; others are coroutines."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ValidationError

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import Failed
from ...gateway.paths import placeholders
from ...schemas.base import Input, Page, View
from ...schemas.base.shown import Whole
from ...schemas.text import named, shortened
from ..toolsets import Effect, Toolset

type Result = Mapping[str, Any]
"""A JSON-ready object. The server adds `project`, `connection` and `budget`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG that is returned with the text of a result."""

    png: bytes


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file that a call wrote, shown as an MCP resource link."""

    uri: str
    name: str
    mime_type: str
    size: int
    """The size in bytes."""


type Attachment = Picture | FileLink


@dataclass(frozen=True, slots=True)
class Reply:
    """A result with its attachments."""

    result: Result
    attachments: tuple[Attachment, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The `_meta` for the page that hosts show with the result; models do not see it."""
    revealed: tuple[str, ...] = ()
    """Fields of the result whose session tokens are kept, because their reader needs them."""


def _nothing_else(_: Input) -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation[I: Input]:
    """One tool, as `tools/list` shows it and `tools/call` runs it."""

    name: str
    about: str
    toolset: Toolset | None
    """None for a tool of all areas, which is offered with every selection of `--toolsets`."""
    effect: Effect
    input: type[I]
    run: Callable[[Call, I], Awaitable[Result | Reply]]
    budget: Budget = Budget.CRUD
    effects: Callable[[I], Effect] | None = None
    """Returns the effect of a call, for a tool whose effect depends on its arguments."""
    prepare: Callable[[I, Path | None], Any] | None = None
    """Returns what `run` finds as `Call.prepared`, or a Reply, which is the result without `run`. It is called with the
    directory of exports before anything is sent, and can reject the call.
    """

    does: Callable[[I], Collection[str]] = _nothing_else
    """Returns the other tools whose work a call does as well: where one of them is off, the call is rejected."""

    def __post_init__(self) -> None:
        if self.toolset is Toolset.CONNECTIONS and self.budget is not Budget.CONTROL:
            raise TypeError(f"{self.name}: connections are on the control plane")

    def writes(self, args: I) -> bool:
        """Return whether a call with these arguments changes something."""
        return self.effect_of(args).writes

    def effect_of(self, args: I) -> Effect:
        """Return the effect of a call with these arguments."""
        return self.effects(args) if self.effects else self.effect


_AIM = ("project_id", "connection_id")
"""Arguments that choose the target of a call; the gateway applies them."""


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
    """Return an operation that is one HTTP call and reads: `route("GET /api/projects/{project_id}/…", …)`.

    Arguments that are named in the path fill it; the others that were given become the query. The response is shown as
    `gives`. What changes something is made by `writing`.
    """
    path = _parse(call, takes, name)

    async def run(api: Call, args: I) -> Result:
        identifiers = {key: getattr(args, key) for key in placeholders(path) if key != "project_id"}
        query = args.model_dump(mode="json", exclude={*identifiers, *_AIM}, exclude_unset=True, exclude_none=True)
        found = await api.get(path, query, **identifiers)
        return await api.apart(lambda: show(gives, found))

    return Operation(name=name, about=about, toolset=toolset, effect=Effect.READ, budget=budget, input=takes, run=run)


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
    path = _parse(call, takes, name)

    async def run(api: Call, args: P) -> Result:
        identifiers = {key: getattr(args, key) for key in placeholders(path) if key != "project_id"}
        query = args.model_dump(mode="json", exclude={*identifiers, *_AIM}, exclude_none=True)
        found = await api.get(path, query, **identifiers)
        return await api.apart(lambda: show_page(row, found, args, under=toolset.value))

    return Operation(name=name, about=about, toolset=toolset, effect=Effect.READ, budget=budget, input=takes, run=run)


def show(view: type[View], response: object) -> dict[str, Any]:
    """Return the fields of the view, JSON-ready, without null fields. Raises Failed, see `read`."""
    found = read(view, response)
    if isinstance(found, Whole):
        return found.present()
    return found.model_dump(mode="json", exclude_none=True, by_alias=True)


def read[M: BaseModel](model: type[M], response: object) -> M:
    """Return a response as its model.

    Raises Failed (`bad_upstream_response`) when it does not fit: PostHog changed, and the caller made no mistake.
    """
    try:
        return model.model_validate(response)
    except ValidationError as error:
        raise unexpected_shape(model.__name__, misfits(error)) from error


def show_page(row: type[View], response: object, args: Page, *, under: str) -> dict[str, Any]:
    """Return one page of a list. Only the `offset` in PostHog's `next` URL is read; the URL is never requested."""
    page = read(_UpstreamPage, response)
    shown: dict[str, Any] = {under: [shortened(show(row, item)) for item in page.results]}
    if page.count is not None:
        shown["count"] = page.count
    if page.next and page.results:
        following = _next_offset(page.next)
        shown["next_offset"] = following if following > args.offset else args.offset + len(page.results)
    return shown


def unexpected_shape(expected: str, misfits: str) -> Failed:
    """Return the error for a response that does not match PostHog's documented API."""
    return Failed(
        "bad_upstream_response",
        f"PostHog's response does not match {expected}: {misfits}.",
        "PostHog may have changed its API; the request itself was accepted.",
        source="posthog",
    )


def misfits(error: ValidationError) -> str:
    """Return the places that do not fit, at most five."""
    places = {".".join(map(str, item["loc"])) or "(the whole response)" for item in error.errors(include_input=False)}
    return ", ".join(place if place.startswith("(") else named(place, 100) for place in sorted(places)[:5])


class _UpstreamPage(View):
    """A page as PostHog's LimitOffset pagination returns it."""

    results: list[Any]
    count: int | None = None
    next: str | None = None


def _next_offset(url: str) -> int:
    """Return the offset of PostHog's next page; 0 without one that is a number of usual length."""
    try:
        values = parse_qs(urlsplit(url).query).get("offset", [])
    except ValueError:
        return 0
    return int(values[0]) if values and re.fullmatch(r"[0-9]{1,9}", values[0]) else 0


def _parse(call: str, takes: type[Input], name: str) -> str:
    """Return the path of `"GET /api/…"`. Raises TypeError when the path names a field that the input lacks."""
    method, path = call.split(" ", 1)
    if method != "GET" or not path.startswith("/api/"):
        raise TypeError(f"{name}: {call} is not a call that reads")
    if missing := placeholders(path) - takes.model_fields.keys():
        raise TypeError(f"{takes.__name__} lacks {sorted(missing)}, named in {path}")
    return path
