"""Insights: saved charts and SQL. A bare query is wrapped in the node that PostHog needs to draw it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...schemas.base import OF_THE_CALL
from ...schemas.base.shown import Whole
from ...schemas.insights import (
    CreateInsight,
    DeleteInsight,
    GetInsight,
    InsightRow,
    InsightState,
    InsightView,
    ListInsights,
    StoredInsight,
    UpdateInsight,
    dashboards_of,
)
from ...schemas.json import as_list, as_object, is_object
from ..analytics.computing import INSIGHTS
from ..analytics.finding import INSIGHT, find_insight
from ..operation import Effect, Operation, Result, Toolset, read, show, show_page
from ..operation.dates import calendar_of
from ..operation.editing import Change, Editing, NotRestored, plain_arguments, tags_of
from ..operation.undoing import removal
from ..operation.writing import create, deleting, updating
from ..query.seen_names import first_event
from .numbers import LATER, headlines
from .results import age_of, is_analysis, shown_result
from .saving import check_model, stored_query, stored_sql
from .withheld import WITHHELD, is_withheld, without_persons

_AIM = {*OF_THE_CALL, "insight_id"}
_ONTO = frozenset({"dashboards", "add_to_dashboards"})
_APART = frozenset({"query", "tags", "remove_tags", "dashboards", "add_to_dashboards", "remove_from_dashboards"})


async def _list_insights(api: Call, args: ListInsights) -> Result:
    """Return a page of insights. `basic=true` omits the results; PostHog's default order is arbitrary."""
    query = args.model_dump(mode="json", exclude=_AIM, exclude_none=True)
    answer = await api.get(INSIGHTS, {**query, "basic": True, "order": "-last_modified_at"})
    return await api.apart(lambda: show_page(InsightRow, answer, args, under="insights"))


async def _get_insight(api: Call, args: GetInsight) -> Result:
    found = await find_insight(api, args.insight_id, {"refresh": "force_blocking" if args.refresh else None})
    answer = without_persons(api.privacy, found)
    if args.full:
        shown = show(Whole, answer)
        result: Any = shown.get("result")
    else:
        insight, now = read(InsightView, answer), api.now()
        result, calendar = insight.result, calendar_of(api)
        began = await first_event(api) if is_analysis(insight) else None
        known = api.project.has_test_accounts if api.project else None
        computed = await api.apart(lambda: shown_result(insight, calendar, began, has_test_accounts=known))
        shown = {**show(StoredInsight, answer), **age_of(insight, now), **computed.fields}
    if is_withheld(api.privacy, found):
        shown["note"] = WITHHELD
    elif result is None:
        shown["note"] = (
            "PostHog computed no result. Open the insight there, or run its query."
            if args.refresh
            else "PostHog has no computed result; refresh: true computes it."
        )
    return shown


def _prepared(args: CreateInsight | UpdateInsight, _: Path | None) -> dict[str, Any] | None:
    if isinstance(args, CreateInsight):
        check_model(args.query)
    return stored_sql(args.query)


async def _create_insight(api: Call, args: CreateInsight) -> Result:
    body = args.model_dump(mode="json", exclude={*_AIM, "query", *_ONTO}, exclude_none=True)
    body["query"] = api.prepared or await stored_query(api, args.query)
    if onto := list(dict.fromkeys((*(args.dashboards or ()), *(args.add_to_dashboards or ())))):
        body["dashboards"] = onto
    made = await create(api, args, INSIGHTS, body, StoredInsight, what="insight", undo=removal(INSIGHTS))
    if args.dry_run:
        return made
    (number,) = await headlines(api, [made["id"]])
    note = {"note": LATER} if "no_headline" in number else {}
    undo = {"undo": made.pop("undo")}
    return {**made, **number, **note, **undo}


def _body(api: Call, args: UpdateInsight, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    added = [*(args.dashboards or ()), *(args.add_to_dashboards or ())]
    removed = set(args.remove_from_dashboards or ())
    body = args.given(leave_out=_APART) | tags_of(args, stored)
    if args.query is not None:
        body["query"] = api.prepared
    if added or removed:
        kept = [number for number in as_list(stored.get("dashboards")) if number not in removed]
        body["dashboards"] = list(dict.fromkeys((*kept, *added)))
    return body


def _back(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    was, now = as_list(before.get("dashboards")), as_list(after.get("dashboards"))
    moves = {
        "add_to_dashboards": [str(number) for number in was if number not in now],
        "remove_from_dashboards": [str(number) for number in now if number not in was],
    }
    others = plain_arguments(before, after, [name for name in names if name != "dashboards"])
    return {**others, **{name: numbers for name, numbers in moves.items() if numbers}}


async def _reasons(_: Call, change: Change) -> Sequence[str]:
    """Return why an insight on dashboards is not deleted unseen."""
    dashboards = as_list(change.before.get("dashboards"))
    if "deleted" not in change.body or not dashboards:
        return ()
    return (f"It is on {len(dashboards)} {'dashboard' if len(dashboards) == 1 else 'dashboards'}.",)


def _not_restored(before: Mapping[str, Any]) -> NotRestored | None:
    """Return the dashboards of an insight: when it is deleted, PostHog takes it off them for good."""
    dashboards = [str(number) for number in as_list(before.get("dashboards"))]
    if not dashboards:
        return None
    arguments = {"insight_id": str(before["id"]), "add_to_dashboards": dashboards}
    return NotRestored(("dashboards",), "update_insight", arguments)


async def _find(api: Call, args: UpdateInsight | DeleteInsight) -> Any:
    """Return the stored insight. The node for a new query is prepared with it: it can need look-ups."""
    found = await find_insight(api, args.insight_id)
    if isinstance(args, UpdateInsight) and args.query is not None and api.prepared is None:
        api.prepared = await stored_query(api, args.query, as_object(found).get("query"))
    return {**found, "dashboards": dashboards_of(found)} if is_object(found) else found


_EDITING: Editing[Any] = Editing(
    what="insight",
    path=INSIGHT,
    gives=StoredInsight,
    target="insight_id",
    find=_find,
    body=_body,
    back=_back,
    reasons=_reasons,
    not_restored=_not_restored,
)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_insights",
        about="List insights (saved charts and SQL), last changed first.",
        toolset=Toolset.INSIGHTS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=ListInsights,
        run=_list_insights,
    ),
    Operation(
        name="get_insight",
        about="Show one insight: query, headline number, last computed result.",
        toolset=Toolset.INSIGHTS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=GetInsight,
        run=_get_insight,
    ),
    Operation(
        name="create_insight",
        about="Save a chart or SQL query as an insight, also onto dashboards; shows its headline number.",
        toolset=Toolset.INSIGHTS,
        effect=Effect.CREATE,
        budget=Budget.ANALYTICS,
        input=CreateInsight,
        run=_create_insight,
        prepare=_prepared,
    ),
    updating(
        UpdateInsight,
        _EDITING,
        name="update_insight",
        about="Change an insight: its query, texts, tags, or the dashboards it is on.",
        toolset=Toolset.INSIGHTS,
        budget=Budget.ANALYTICS,
        prepare=_prepared,
    ),
    deleting(
        DeleteInsight,
        _EDITING,
        InsightState,
        name="delete_insight",
        about="Delete an insight; it leaves its dashboards. restore_deleted brings it back.",
        toolset=Toolset.INSIGHTS,
        budget=Budget.ANALYTICS,
    ),
)
