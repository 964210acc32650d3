"""Actions: named sets of event conditions. Older PostHog servers ignore paging and search here and return all rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..gateway.call import Call
from ..schemas.actions import (
    ActionRow,
    ActionState,
    ActionView,
    CreateAction,
    DeleteAction,
    GetAction,
    ListActions,
    UpdateAction,
)
from ..schemas.base import View
from .operation import Effect, Operation, Result, Toolset, read, route, show
from .operation.editing import Editing, plain_arguments
from .operation.writing import creating, deleting, updating

ACTIONS = "/api/projects/{project_id}/actions/"


class _Actions(View):
    """PostHog's list of actions, which has no `next`."""

    results: list[Any]
    count: int | None = None


async def _list_actions(api: Call, args: ListActions) -> Result:
    query = {"search": args.search, "limit": args.limit, "offset": args.offset}
    found = read(_Actions, await api.get(ACTIONS, query))
    rows = [show(ActionRow, item) for item in found.results]
    count = found.count
    if count is None or _is_everything(args, len(rows), count):
        rows = [row for row in rows if _fits(row, args.search)]
        count = len(rows)
        rows = rows[args.offset : args.offset + args.limit]
    shown: dict[str, Any] = {"actions": rows, "count": count}
    if rows and count > args.offset + len(rows):
        shown["next_offset"] = args.offset + len(rows)
    return shown


def _is_everything(args: ListActions, received: int, count: int) -> bool:
    """Return whether the server sent more rows than fit on the page, having ignored `limit` or `offset`."""
    return received > min(args.limit, max(0, count - args.offset))


def _fits(row: dict[str, Any], search: str | None) -> bool:
    text = f"{row.get('name', '')}\n{row.get('description', '')}".casefold()
    return (search or "").casefold() in text


def _back(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """Return the arguments that bring back the fields, with the fields of steps that update_action takes."""
    steps = {"steps": show(ActionView, before).get("steps")} if "steps" in names else {}
    return {**plain_arguments(before, after, names), **steps}


def _meant(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an action whose steps have no `url_matching` without a `url`, and the like."""
    return {**stored, "steps": show(ActionView, stored).get("steps")}


_EDITING: Editing[Any] = Editing(
    what="action",
    path="/api/projects/{project_id}/actions/{action_id}/",
    gives=ActionView,
    target="action_id",
    back=_back,
    meant=_meant,
)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_actions",
        about="List actions (named groups of events). Use it to find an action_id.",
        toolset=Toolset.ACTIONS,
        effect=Effect.READ,
        input=ListActions,
        run=_list_actions,
    ),
    creating(
        "POST /api/projects/{project_id}/actions/",
        CreateAction,
        ActionView,
        name="create_action",
        what="action",
        about="Create an action: a name for events that match any of its steps.",
        toolset=Toolset.ACTIONS,
    ),
    route(
        "GET /api/projects/{project_id}/actions/{action_id}/",
        GetAction,
        ActionView,
        name="get_action",
        about="Show one action and its steps.",
        toolset=Toolset.ACTIONS,
    ),
    updating(
        UpdateAction,
        _EDITING,
        name="update_action",
        about="Change an action's name, steps, description or tags.",
        toolset=Toolset.ACTIONS,
    ),
    deleting(
        DeleteAction,
        _EDITING,
        ActionState,
        name="delete_action",
        about="Delete an action but keep its events. Undo with restore_deleted.",
        toolset=Toolset.ACTIONS,
    ),
)
