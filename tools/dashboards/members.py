"""The insights of a dashboard. PostHog stores on each insight which dashboards it is on, so changing several of them
takes several requests: all of them are stored, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.dashboards import DeleteDashboard, UpdateDashboard
from ...schemas.insights import dashboards_of
from ...schemas.json import as_list, as_object
from ..analytics.finding import INSIGHT, find_insight
from ..operation import unexpected_shape
from ..operation.editing import Change, plain_arguments, tags_of

DASHBOARD = "/api/projects/{project_id}/dashboards/{dashboard_id}/"
_INSIGHTS = "insights"
"""The field of a dashboard that this server adds: the ids of the insights on it."""
_NAMED = "named_insights"
"""The field with the insights that are added or removed, as they are stored."""
_APART = frozenset({"tags", "remove_tags", "add_insights", "remove_insights"})
_TAKE_BACK_S = 15.0


@dataclass(frozen=True, slots=True)
class _Stage:
    """One request of a change, and the fields that take it back."""

    what: str
    path: str
    target: Mapping[str, object]
    body: Mapping[str, Any]
    before: Mapping[str, Any]


async def read_dashboard(api: Call, args: UpdateDashboard | DeleteDashboard) -> dict[str, Any]:
    """Return the dashboard, with its insights if the arguments change which ones it has. Raises GatewayError."""
    board = as_object(await api.get(DASHBOARD, dashboard_id=args.dashboard_id))
    if not isinstance(args, UpdateDashboard) or not (args.add_insights or args.remove_insights):
        return dict(board)
    named = dict.fromkeys((*(args.add_insights or ()), *(args.remove_insights or ())))
    return {**_with_insights(board), _NAMED: {str(one): await _insight(api, one) for one in named}}


async def _insight(api: Call, insight_id: int | str) -> Mapping[str, Any]:
    try:
        insight = as_object(await find_insight(api, insight_id))
    except GatewayError as error:
        raise error.with_(message=f"Insight {insight_id}: {error.message}") from error
    number = insight.get("id")
    if not isinstance(number, int) or str(insight_id) not in (str(number), insight.get("short_id")):
        raise unexpected_shape("insight", "id")
    return insight


def _with_insights(board: Mapping[str, Any]) -> dict[str, Any]:
    shown = (as_object(as_object(tile).get("insight")).get("id") for tile in as_list(board.get("tiles")))
    return {**board, _INSIGHTS: [number for number in shown if number is not None]}


def own_insights(board: Mapping[str, Any]) -> list[int]:
    """Return the ids of the insights that are on this dashboard only."""
    insights = [as_object(as_object(tile).get("insight")) for tile in as_list(board.get("tiles"))]
    return [
        each["id"]
        for each in insights
        if isinstance(each.get("id"), int) and not each.get("deleted") and set(dashboards_of(each)) <= {board["id"]}
    ]


def body_of(_: Call, args: UpdateDashboard, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields to store; the insights are added and removed."""
    body = args.given(leave_out=_APART) | tags_of(args, stored)
    if args.add_insights or args.remove_insights:
        removed = _numbers(stored, args.remove_insights)
        kept = [number for number in as_list(stored.get(_INSIGHTS)) if number not in removed]
        body[_INSIGHTS] = list(dict.fromkeys((*kept, *_numbers(stored, args.add_insights))))
    return body


def _numbers(stored: Mapping[str, Any], insights: Sequence[int | str] | None) -> list[int]:
    """Return the numbers of insights. Those with a short id were read with the dashboard."""
    texts = [str(one) for one in insights or ()]
    return [int(text) if text.isdecimal() else stored[_NAMED][text]["id"] for text in texts]


def arguments_back(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """Return the arguments that store these fields as before."""
    was, now = as_list(before.get(_INSIGHTS)), as_list(after.get(_INSIGHTS))
    moves = {
        "add_insights": [str(number) for number in was if number not in now],
        "remove_insights": [str(number) for number in now if number not in was],
    }
    others = plain_arguments(before, after, [name for name in names if name != _INSIGHTS])
    return {**others, **{name: numbers for name, numbers in moves.items() if numbers}}


async def store_dashboard(api: Call, change: Change) -> dict[str, Any]:
    """Store a change, all of it or nothing, and return the dashboard then. Raises GatewayError."""
    board = change.before["id"]
    fields = {name: value for name, value in change.body.items() if name != _INSIGHTS}
    own = _Stage("the dashboard", DASHBOARD, {"dashboard_id": board}, fields, {n: change.before.get(n) for n in fields})
    if _INSIGHTS not in change.body:
        return await api.patch(own.path, own.body, **own.target)
    await _all_or_nothing(api, [*([own] if fields else []), *_moves(change)])
    return _with_insights(as_object(await api.get(DASHBOARD, dashboard_id=board)))


def _moves(change: Change) -> Sequence[_Stage]:
    board, on_it = change.before["id"], as_list(change.body[_INSIGHTS])
    steps: list[_Stage] = []
    for insight in change.before[_NAMED].values():
        was = list(dashboards_of(insight))
        others = [each for each in was if each != board]
        now = [*others, board] if insight["id"] in on_it else others
        if (board in was) is not (board in now):
            number = insight["id"]
            target, before = {"insight_id": number}, {"dashboards": was}
            steps.append(_Stage(f"insight {number}", INSIGHT, target, {"dashboards": now}, before))
    return steps


async def _all_or_nothing(api: Call, steps: Sequence[_Stage]) -> None:
    done: list[_Stage] = []
    for step in steps:
        try:
            await api.patch(step.path, step.body, **step.target)
        except GatewayError as error:
            unclear = [] if error.outcome in ("rejected", "not_sent") else [step]
            raise await _failure(api, step, error, [*done, *unclear]) from error
        except BaseException:  # the call was cancelled, maybe after PostHog received the request
            await _take_back(api, [*done, step])
            raise
        done.append(step)


async def _failure(api: Call, step: _Stage, error: GatewayError, changed: Sequence[_Stage]) -> GatewayError:
    message = f"{step.what[0].upper()}{step.what[1:]} could not be changed: {error.message}"
    if not changed:
        return error.with_(message=message)
    if left := await _take_back(api, changed):
        names = ", ".join(each.what for each in left)
        return error.with_(message=f"{message} What was changed before could not be taken back: {names}.")
    api.took_back()
    outcome = "unknown" if step in changed else "rejected"
    return error.with_(message=f"{message} What was changed before was taken back.", outcome=outcome)


async def _take_back(api: Call, changed: Sequence[_Stage]) -> Sequence[_Stage]:
    """Store again what was there before, the last change first. Return the steps that could not be taken back."""
    left: list[_Stage] = []
    again = api.detached(_TAKE_BACK_S)
    with anyio.CancelScope(shield=True):
        for step in reversed(changed):
            try:
                await again.patch(step.path, step.before, **step.target)
            except GatewayError:
                left.append(step)
    return left
