"""How the objects of one kind are changed: what to store, what undoes it, and when a person looks first."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...gateway.approval import not_counted
from ...gateway.call import Call
from ...gateway.paths import placeholders
from ...schemas.base import View, Write
from ...schemas.json import as_list, as_object
from ...schemas.text import excerpt
from . import show, unexpected_shape

_DATES = ("start_date", "end_date")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a stored object, before it is sent."""

    before: Mapping[str, Any]
    body: Mapping[str, Any]
    """The fields to send: those that differ from what is stored."""

    @property
    def after(self) -> Mapping[str, Any]:
        """The object as it is expected to be stored."""
        return {**self.before, **self.body}


type Reasons = Callable[[Call, Change], Awaitable[Sequence[str]]]
"""Returns why a person should look at a change before it is sent."""


async def no_reasons(_: Call, __: Change) -> Sequence[str]:
    """Return no reason."""
    return ()


def no_notes(_: Call, __: Any, ___: Change, ____: Mapping[str, Any]) -> Sequence[str]:
    """Return no note."""
    return ()


def plain_body(_: Call, args: Any, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the given arguments as the fields to store; tags are added and removed."""
    if not hasattr(args, "remove_tags"):
        return args.given()
    return args.given(leave_out=frozenset({"tags", "remove_tags"})) | tags_of(args, stored)


def plain_arguments(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """Return the arguments that store the fields as before.

    They have the names of the fields. An empty text clears a text, and `none` a date. Tags are added and removed.
    """
    back: dict[str, Any] = {}
    for name in names:
        value = before.get(name)
        if name == "tags":
            back |= tags_back(before, after)
        elif value is None:
            back[name] = "none" if name in _DATES else ""
        else:
            back[name] = value
    return back


def tags_back(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that bring back the tags that were there before."""
    was, now = as_list(before.get("tags")), as_list(after.get("tags"))
    lost, added = [tag for tag in was if tag not in now], [tag for tag in now if tag not in was]
    return {**({"tags": lost} if lost else {}), **({"remove_tags": added} if added else {})}


def tags_of(args: Any, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"tags"}` with the given tags added and removed, or nothing when none are given."""
    if args.tags is None and args.remove_tags is None:
        return {}
    removed = set(args.remove_tags or ())
    kept = [tag for tag in as_list(stored.get("tags")) if tag not in removed]
    return {"tags": list(dict.fromkeys((*kept, *(args.tags or ()))))}


@dataclass(frozen=True, slots=True)
class NotRestored:
    """What restoring a deleted object does not bring back, and the call that does."""

    names: Sequence[str]
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Editing[I: Write]:
    """How the objects of one kind are changed and deleted."""

    what: str
    """The kind of object, such as `feature flag`."""
    path: str
    gives: type[View]
    target: str
    """The argument that names the object."""
    find: Callable[[Call, I], Awaitable[Any]] | None = None
    """Returns the stored object; by default it is read by its id."""
    body: Callable[[Call, I, Mapping[str, Any]], Mapping[str, Any]] = plain_body
    """Returns the fields that PostHog should store, from the arguments and the stored object. Raises Refused."""
    back: Callable[[Mapping[str, Any], Mapping[str, Any], Sequence[str]], Mapping[str, Any]] = plain_arguments
    """Returns the arguments that store these fields as before: of the object before and after the change."""
    meant: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """Returns an object without what has no meaning, so that the undo need not bring it back."""
    basis: Callable[[Change], Mapping[str, Any]] = lambda _: {}
    """Returns what is sent along, so that PostHog notices conflicting changes."""
    reasons: Reasons = no_reasons
    affects: Callable[[Call, Change], Awaitable[Sequence[Mapping[str, Any]]]] = not_counted
    """Returns whom a change affects, as far as PostHog counts it."""
    store: Callable[[Call, Change], Awaitable[dict[str, Any]]] | None = None
    """Stores a change that takes more than one request, and returns the object then; by default it is one PATCH."""
    not_restored: Callable[[Mapping[str, Any]], NotRestored | None] = lambda _: None
    notes: Callable[[Call, I, Change, Mapping[str, Any]], Sequence[str]] = no_notes
    """Returns notes on the stored object."""

    def label(self, stored: Mapping[str, Any]) -> str:
        """Return how the object is called in texts, such as `feature flag "beta" (42)`."""
        names = (stored.get(each) for each in ("key", "name", "derived_name", "content"))
        name = next((each for each in names if isinstance(each, str) and each), "")
        return f"{self.what} {json.dumps(excerpt(name, 80), ensure_ascii=False)} ({stored.get('id')})"

    async def stored(self, api: Call, args: I) -> dict[str, Any]:
        """Return the object that the arguments name. Raises GatewayError."""
        if self.find is not None:
            found = await self.find(api, args)
        else:
            found = await api.get(self.path, **{self.placeholder: getattr(args, self.target)})
        show(self.gives, found)
        fields = as_object(found)
        # What is changed next is the object that PostHog returned, so it has to be the one that was asked for.
        identifiers = {str(fields.get(name)) for name in ("id", "key", "short_id")}
        if str(getattr(args, self.target)) not in identifiers or not _IDENTIFIER.fullmatch(str(fields.get("id"))):
            raise unexpected_shape(self.gives.__name__, "id")
        return fields

    @property
    def placeholder(self) -> str:
        """The name of the id in the path."""
        (name,) = placeholders(self.path) - {"project_id"}
        return name
