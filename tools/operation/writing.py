"""Creating, changing and deleting objects: read first, send only what differs, and say what was stored.

An answer carries `changed` (the named fields), `also_changed` (side effects) and `undo` (the call that brings back what
was stored before).
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ...gateway.approval import Proposal, not_counted
from ...gateway.call import Call
from ...gateway.errors import Failed, GatewayError, Refused
from ...schemas.base import OF_THE_CALL, View, Write
from ...schemas.json import as_list
from ...schemas.json.difference import difference, same
from ...schemas.text import excerpt
from . import Effect, Operation, Result, show
from .comparing import cut, cut_all, differences, version_of
from .editing import Change, Editing
from .undoing import NO_REMOVAL, Removal, no_undo, removal, restoring, undo_call

NOTHING_TO_CHANGE = "Everything is stored like this already; nothing was sent."
_SETS = ("tags", "dashboards", "insights")
"""Lists without an order."""


async def update[I: Write](api: Call, args: I, editing: Editing[I], tool: str) -> Result:
    """Change the fields that the arguments name, and return the stored object with what changed.

    Raises GatewayError.
    """
    before = await editing.stored(api, args)
    change = _change(api, args, editing, before)
    if not change.body:
        return {**_identity(editing, before, dry_run=args.dry_run), "changed": {}, "note": NOTHING_TO_CHANGE}
    proposal = await _proposal(api, editing, change, "Update")
    if args.dry_run:
        return await dry_run(proposal, _identity(editing, before, dry_run=True))
    if await api.approve(proposal):
        change = await _unchanged(api, args, editing, change)
    after = await _stored(api, editing, change)
    check_identity(before["id"], after)
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


async def delete[I: Write](
    api: Call, args: I, editing: Editing[I], state: type[View], also: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Delete the object softly, and return it with the call that restores it. `also` is sent with the deletion.

    Raises GatewayError.
    """
    before = await editing.stored(api, args)
    change = Change(before, {"deleted": True, **(also or {})})
    proposal = await _proposal(api, editing, change, "Delete")
    if args.dry_run:
        return await dry_run(proposal, show(state, before))
    if await api.approve(proposal):
        await _unchanged(api, args, editing, change)
    after = await api.soft_delete(editing.path, also, **{editing.placeholder: before["id"]})
    check_identity(before["id"], after)
    undo, lost = restoring(api, editing.path, after["id"]), editing.not_restored(before)
    if lost is not None and "tool" in undo["undo"]:
        then = undo_call(api, lost.tool, lost.arguments)["undo"]
        undo = {"undo": {**undo["undo"], "does_not_set": list(lost.names), "then": then}}
    return {
        **show(state, after),
        **differences(editing.gives, before, after, change.body),
        "changed": {"deleted": {"before": False, "after": True}},
        **undo,
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
    count: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]] = not_counted,
) -> dict[str, Any]:
    """Create an object, and return it with the call that removes it again: `undo` gives its tool and arguments.

    Raises GatewayError.
    """
    shown = {name: value for name, value in body.items() if not name.startswith("_")}
    made = {name: {"before": None, "after": cut(value)} for name, value in shown.items()}
    name = next((shown[each] for each in ("key", "name", "content") if isinstance(shown.get(each), str)), "")
    title = f"Create {what} {json.dumps(excerpt(name, 80), ensure_ascii=False)}"
    proposal = Proposal(title=title, path=path, body=body, reasons=tuple(reasons), count=count, difference=made)
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
        "would_send": {name: cut(value) for name, value in proposal.body.items()},
        "would_change": dict(proposal.difference),
        **affects,
        **asks,
    }


async def _proposal(api: Call, editing: Editing[Any], change: Change, verb: str) -> Proposal:
    """Return the change as it is shown before it is sent."""
    named = {name: change.before.get(name) for name in change.body}
    return Proposal(
        title=f"{verb} {editing.label(change.before)}",
        path=editing.path.replace(f"{{{editing.placeholder}}}", str(change.before["id"])),
        body=change.body,
        reasons=tuple(await editing.reasons(api, change)),
        count=lambda: editing.affects(api, change),
        difference=cut_all(difference(named, dict(change.body))),
        version=version_of(change.before),
    )


async def _stored(api: Call, editing: Editing[Any], change: Change) -> dict[str, Any]:
    if editing.store is not None:
        return await editing.store(api, change)
    body = {**change.body, **editing.basis(change)}
    return await api.patch(editing.path, body, **{editing.placeholder: change.before["id"]})


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


def check_identity(identifier: object, after: Mapping[str, Any]) -> None:
    """Raise Failed if a change was answered with another object than the one that was named."""
    if str(after.get("id")) != str(identifier):
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
    if others and "tool" in found["undo"]:
        return {"undo": {**found["undo"], "does_not_set": list(others)}}
    return found


def _is_back(name: str, before: Any, stored: Any) -> bool:
    if name in _SETS:
        return sorted(map(str, as_list(before))) == sorted(map(str, as_list(stored)))
    return same(before, stored)


def _identity(editing: Editing[Any], stored: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
    shown = show(editing.gives, stored)
    return {name: shown[name] for name in ("id", "key", "name") if name in shown} if dry_run else shown


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
