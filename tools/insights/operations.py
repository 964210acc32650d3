"""Insights: saved charts and SQL. A bare query is wrapped in the node that PostHog needs to draw it."""

from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError
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
)
from ..analytics.computing import INSIGHTS
from ..operation import Effect, Operation, Result, Toolset, read, show, show_page, undo
from .results import INSIGHT, age_of, shown_result
from .saving import stored_query, stored_sql

_AIM = {"project_id", "connection_id", "insight_id"}


async def _list_insights(api: Call, args: ListInsights) -> Result:
    """Return a page of insights. `basic=true` omits the results; PostHog's default order is arbitrary."""
    query = args.model_dump(mode="json", exclude=_AIM, exclude_none=True)
    answer = await api.get(INSIGHTS, {**query, "basic": True, "order": "-last_modified_at"})
    return show_page(InsightRow, answer, args, under="insights")


async def _get_insight(api: Call, args: GetInsight) -> Result:
    answer = await _read(api, args)
    if args.full:
        shown = show(Whole, answer)
        result: Any = shown.get("result")
    else:
        insight, now = read(InsightView, answer), api.now()
        result = insight.result
        shown = {
            **show(StoredInsight, answer),
            **age_of(insight, now),
            **shown_result(insight, api.timezone, now).fields,
        }
    if result is None:
        shown["note"] = (
            "PostHog computed no result. Open the insight there, or run its query."
            if args.refresh
            else "PostHog has no computed result; refresh: true computes it."
        )
    return shown


async def _read(api: Call, args: GetInsight) -> Any:
    """Return the insight with its cached result. Older servers accept a short id only in the list."""
    query = {"refresh": "blocking" if args.refresh else None}
    try:
        return await api.get(INSIGHT, query, insight_id=args.insight_id)
    except GatewayError as error:
        if error.code != "not_found" or isinstance(args.insight_id, int) or args.insight_id.isdecimal():
            raise
        listed = await api.get(INSIGHTS, {"short_id": args.insight_id, "basic": True, "limit": 1})
        found = show_page(InsightRow, listed, ListInsights(), under="insights")["insights"]
        if not found or found[0].get("short_id") != args.insight_id:
            raise
        return await api.get(INSIGHT, query, insight_id=found[0]["id"])


async def _create_insight(api: Call, args: CreateInsight) -> Result:
    body = args.model_dump(mode="json", exclude={*_AIM, "query"}, exclude_none=True)
    return show(StoredInsight, await api.post(INSIGHTS, body | {"query": stored_query(api, args.query)}))


async def _update_insight(api: Call, args: UpdateInsight) -> Result:
    body = args.model_dump(mode="json", exclude={*_AIM, "query"}, exclude_unset=True, exclude_none=True)
    if args.query is not None:
        body["query"] = stored_query(api, args.query)
    return show(StoredInsight, await api.patch(INSIGHT, body, insight_id=args.insight_id))


async def _delete_insight(api: Call, args: DeleteInsight) -> Result:
    """Delete the insight; the undo has the numeric id."""
    shown = show(InsightState, await api.soft_delete(INSIGHT, insight_id=args.insight_id))
    return {**shown, **undo(api, INSIGHT, insight_id=shown["id"])}


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
        about="Save a chart or SQL query as an insight, also onto dashboards. Run it first to check the numbers.",
        toolset=Toolset.INSIGHTS,
        effect=Effect.CREATE,
        budget=Budget.ANALYTICS,
        input=CreateInsight,
        run=_create_insight,
        prepare=lambda args: stored_sql(args.query),
    ),
    Operation(
        name="update_insight",
        about="Change an insight: its query, texts, tags, or the dashboards it is on.",
        toolset=Toolset.INSIGHTS,
        effect=Effect.UPDATE,
        budget=Budget.ANALYTICS,
        input=UpdateInsight,
        run=_update_insight,
        prepare=lambda args: stored_sql(args.query),
    ),
    Operation(
        name="delete_insight",
        about="Delete an insight; it leaves its dashboards. restore_deleted brings it back.",
        toolset=Toolset.INSIGHTS,
        effect=Effect.DELETE,
        budget=Budget.ANALYTICS,
        input=DeleteInsight,
        run=_delete_insight,
    ),
)
