"""Creating, changing and deleting objects: read first, send only what differs, and say what was stored.

An answer carries `changed` (the named fields), `also_changed` (side effects) and `undo` (the call that brings back what
was stored before).
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ...gateway.approval import Proposal, nobody
from ...gateway.call import Call
from ...gateway.errors import Failed, GatewayError, Refused
from ...gateway.paths import placeholders
from ...schemas.base import OF_THE_CALL, View, Write
from ...schemas.json import as_list, as_object
from ...schemas.json.difference import difference, same, without
from ...schemas.text import excerpt
from . import Effect, Operation, Result, show, unexpected_shape
from .undoing import NO_REMOVAL, Removal, no_undo, removal, restoring, undo_call

VOLATILE = frozenset(
    [
        *("updated_at", "last_modified_at", "last_modified_by", "version", "user_access_level", "can_edit"),
        *("last_called_at", "last_viewed_at", "last_accessed_at", "last_refresh", "last_calculation"),
        *("cache_target_age", "next_allowed_client_refresh", "is_cached", "result", "columns", "types", "hasMore"),
        *("query_status", "timezone", "hogql", "last_calculated_at", "filters_hash", "pending_version", "bytecode"),
        *("alerts", "effective_privilege_level", "effective_restriction_level", "dashboard_tiles", "derived_name"),
    ]
)
"""Fields that change by themselves, or follow from others."""
NOTHING_TO_CHANGE = "Everything is stored like this already; nothing was sent."
_DATES = ("start_date", "end_date")
_SETS = ("tags", "dashboards")
"""Lists without an order."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LONGEST = 2000
"""Most characters of one value in a difference."""


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


async def nobody_asks(_: Call, __: Change) -> Sequence[str]:
    """Return no reason."""
    return ()


async def nobody_counts(_: Call, __: Change) -> Sequence[Mapping[str, Any]]:
    """Count nobody."""
    return ()


def no_notes(_: Call, __: Any, ___: Change, ____: Mapping[str, Any]) -> Sequence[str]:
    """Return no note."""
    return ()


def plain_body(_: Call, args: Any, __: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the given arguments as the fields to store."""
    return args.given()


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
    reasons: Reasons = nobody_asks
    affects: Callable[[Call, Change], Awaitable[Sequence[Mapping[str, Any]]]] = nobody_counts
    """Returns whom a change affects, as far as PostHog counts it."""
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


async def update[I: Write](api: Call, args: I, editing: Editing[I], tool: str) -> Result:
    """Change the fields that the arguments name, and return the stored object with what changed.

    Raises GatewayError.
    """
    before = await editing.stored(api, args)
    change = _change(api, args, editing, before)
    if not change.body:
        return {**_identity(editing, before, dry_run=args.dry_run), "changed": {}, "note": NOTHING_TO_CHANGE}
    proposal = await _proposal(api, editing, change, "Update", change.body)
    if args.dry_run:
        return await dry_run(proposal, _identity(editing, before, dry_run=True))
    if await api.approve(proposal):
        change = await _unchanged(api, args, editing, change)
    body = {**change.body, **editing.basis(change)}
    after = await api.patch(editing.path, body, **{editing.placeholder: before["id"]})
    _check_identity(before, after)
    _check_stored(change, after)
    notes = editing.notes(api, args, change, after)
    found = differences(editing.gives, before, after, change.body)
    others = {place.split(".")[0] for place in found.get("also_changed", ())}
    return {
        **show(editing.gives, after),
        **found,
        **_undo(api, args, editing, tool, change, after, sorted(others)),
        **({"note": " ".join(notes)} if notes else {}),
    }


async def delete[I: Write](api: Call, args: I, editing: Editing[I], state: type[View]) -> Result:
    """Delete the object softly, and return it with the call that restores it. Raises GatewayError."""
    before = await editing.stored(api, args)
    change = Change(before, {"deleted": True})
    proposal = await _proposal(api, editing, change, "Delete", change.body)
    if args.dry_run:
        return await dry_run(proposal, show(state, before))
    if await api.approve(proposal):
        await _unchanged(api, args, editing, change)
    after = await api.soft_delete(editing.path, **{editing.placeholder: before["id"]})
    _check_identity(before, after)
    return {
        **show(state, after),
        **differences(editing.gives, before, after, change.body),
        "changed": {"deleted": {"before": False, "after": True}},
        **restoring(api, editing.path, after["id"]),
    }


async def create(
    api: Call,
    args: Write,
    path: str,
    body: Mapping[str, Any],
    gives: type[View],
    *,
    what: str,
    undo: Removal | None,
    reasons: Sequence[str] = (),
    count: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]] = nobody,
) -> dict[str, Any]:
    """Create an object, and return it with the call that removes it again: `undo` gives its tool and arguments.

    Raises GatewayError.
    """
    shown = {name: value for name, value in body.items() if not name.startswith("_")}
    difference_ = {name: {"before": None, "after": _cut(value)} for name, value in shown.items()}
    name = next((shown[each] for each in ("key", "name", "content") if isinstance(shown.get(each), str)), "")
    title = f"Create {what} {json.dumps(excerpt(name, 80), ensure_ascii=False)}"
    proposal = Proposal(title=title, path=path, body=body, reasons=tuple(reasons), count=count, difference=difference_)
    if args.dry_run:
        return await dry_run(proposal, {})
    await api.approve(proposal)
    stored = await api.post(path, body)
    return {
        **show(gives, stored),
        **(undo_call(api, *undo(stored)) if undo else no_undo(NO_REMOVAL)),
    }


async def dry_run(proposal: Proposal, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a call that sends nothing: what would be sent, and what would differ."""
    asks = {"asks_first": list(proposal.reasons)} if proposal.reasons else {}
    counted = await proposal.count()
    affects = {"affects": list(counted)} if counted else {}
    return {
        "dry_run": True,
        **identity,
        "would_send": {name: _cut(value) for name, value in proposal.body.items()},
        "would_change": dict(proposal.difference),
        **affects,
        **asks,
    }


def differences(
    gives: type[View], before: Mapping[str, Any], after: Mapping[str, Any], named: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return `changed` for the named fields, and `also_changed` for others that PostHog changed with them.

    Fields of the view are compared as it shows them, and others that both objects have as they are stored.
    """
    ignored = VOLATILE.difference(named)
    was, now = _comparable(gives, before, after), _comparable(gives, after, before)
    changed, others = dict[str, Any](), dict[str, Any]()
    for name in dict.fromkeys((*named, *was, *now)):
        if name in ignored:
            continue
        found = difference({name: was.get(name)}, {name: now.get(name)}, ignoring=ignored)
        if name in named:
            # A view can show less of a field than changed, such as the kind of a query.
            found = found or difference({name: before.get(name)}, {name: after.get(name)}, ignoring=ignored)
            changed.update(_cut_all(found))
        else:
            others.update(_cut_all(found))
    return {"changed": changed, **({"also_changed": others} if others else {})}


def _comparable(gives: type[View], one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {name: one[name] for name in one if name in other and name not in gives.model_fields}
    return {**hidden, **show(gives, one)}


async def _proposal(api: Call, editing: Editing[Any], change: Change, verb: str, body: Mapping[str, Any]) -> Proposal:
    """Return the change as it is shown before it is sent."""
    named = {name: change.before.get(name) for name in body}
    return Proposal(
        title=f"{verb} {editing.label(change.before)}",
        path=editing.path.replace(f"{{{editing.placeholder}}}", str(change.before["id"])),
        body=body,
        reasons=tuple(await editing.reasons(api, change)),
        count=lambda: editing.affects(api, change),
        difference=_cut_all(difference(named, dict(body))),
        version=version_of(change.before),
    )


def version_of(stored: Mapping[str, Any]) -> str:
    """Return a text that differs when anything in the object differs that does not change by itself."""
    lasting = {**without(stored, VOLATILE), "version": stored.get("version")}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()


def _change[I: Write](api: Call, args: I, editing: Editing[I], before: Mapping[str, Any]) -> Change:
    wanted = editing.body(api, args, before)
    return Change(before, {name: value for name, value in wanted.items() if not same(value, before.get(name))})


async def _unchanged[I: Write](api: Call, args: I, editing: Editing[I], change: Change) -> Change:
    """Return the change after a person agreed to it. Raises Refused if the object changed in the meantime."""
    now = await editing.stored(api, args)
    if version_of(now) != version_of(change.before):
        raise Refused(
            "conflict",
            f"The {editing.what} changed while the change waited for confirmation; nothing was sent.",
            "Look at it and call again.",
        )
    return Change(now, change.body)


def _check_identity(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    if str(after.get("id")) != str(before.get("id")):
        raise Failed(
            "bad_upstream_response",
            "PostHog accepted the change, but responded with another object.",
            "Look at the object before you repeat the change.",
            source="posthog",
            outcome="unknown",
        )


def _check_stored(change: Change, after: Mapping[str, Any]) -> None:
    """Raise Failed if PostHog ignored a field that was sent."""
    ignored = [
        name
        for name, value in change.body.items()
        if name in after and not same(value, after[name], with_more=True) and same(after[name], change.before.get(name))
    ]
    if ignored:
        raise Failed(
            "bad_upstream_response",
            f"PostHog accepted the change but did not store {', '.join(f'`{name}`' for name in ignored)}.",
            "Look at the object; change it in PostHog if this persists.",
            source="posthog",
        )


def _undo[I: Write](
    api: Call,
    args: I,
    editing: Editing[I],
    tool: str,
    change: Change,
    after: Mapping[str, Any],
    others: Sequence[str],
) -> dict[str, Any]:
    """Return the call that stores what was there before, if such a call exists: it is tried on the stored object.

    `others` are fields that PostHog changed as well, which that call does not set.
    """
    arguments = {editing.target: str(change.before["id"]), **editing.back(change.before, after, tuple(change.body))}
    try:
        parsed = type(args).model_validate(arguments)
        stored = {**after, **editing.body(api, parsed, after)}
    except (ValidationError, GatewayError, ValueError, KeyError):
        return no_undo()
    was, now = editing.meant(change.before), editing.meant(stored)
    if not all(_is_back(name, was.get(name), now.get(name)) for name in change.body):
        return no_undo()
    found = undo_call(api, tool, arguments)
    return {"undo": {**found["undo"], "does_not_set": list(others)}} if others else found


def _is_back(name: str, before: Any, stored: Any) -> bool:
    if name in _SETS:
        return sorted(map(str, as_list(before))) == sorted(map(str, as_list(stored)))
    return same(before, stored)


def _identity(editing: Editing[Any], stored: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
    shown = show(editing.gives, stored)
    return {name: shown[name] for name in ("id", "key", "name") if name in shown} if dry_run else shown


def _cut_all(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {place: {side: _cut(value) for side, value in sides.items()} for place, sides in found.items()}


def _cut(value: Any) -> Any:
    """Return the value, or the start of its JSON text if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= _LONGEST else excerpt(text, _LONGEST)


def creating[I: Write](
    call: str, takes: type[I], gives: type[View], *, name: str, what: str, **fields: Any
) -> Operation[I]:
    """Return the operation that creates an object of its arguments: `creating("POST /api/projects/{project_id}/…", …)`.

    Its undo is the tool that deletes such an object.
    """
    path = call.removeprefix("POST ")

    async def run(api: Call, args: I) -> Result:
        body = args.model_dump(mode="json", exclude=set(OF_THE_CALL), exclude_unset=True, exclude_none=True)
        return await create(api, args, path, body, gives, what=what, undo=removal(path))

    return Operation(name=name, input=takes, run=run, effect=Effect.CREATE, **fields)


def updating[I: Write](takes: type[I], editing: Editing[I], *, name: str, **fields: Any) -> Operation[I]:
    """Return the operation that changes an object."""

    async def run(api: Call, args: I) -> Result:
        return await update(api, args, editing, name)

    return Operation(name=name, input=takes, run=run, effect=Effect.UPDATE, **fields)


def deleting[I: Write](
    takes: type[I], editing: Editing[I], state: type[View], *, name: str, **fields: Any
) -> Operation[I]:
    """Return the operation that deletes an object softly."""

    async def run(api: Call, args: I) -> Result:
        return await delete(api, args, editing, state)

    return Operation(name=name, input=takes, run=run, effect=Effect.DELETE, **fields)
