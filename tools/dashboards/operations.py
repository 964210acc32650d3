"""Dashboards. PostHog cannot search them, so that is done here, over all pages; tiles come without their results."""

from typing import Any

from ...gateway.call import Call
from ...schemas.dashboards import (
    CreateDashboard,
    DashboardRow,
    DashboardState,
    DashboardView,
    DeleteDashboard,
    GetDashboard,
    ListDashboards,
    NumberedTiles,
    UpdateDashboard,
)
from ...schemas.json import as_object, is_list, is_object
from ...schemas.shown import Whole
from ..operation import Effect, Operation, Result, Toolset, read, route, show, show_page
from ..pages import MAX_PAGES, PAGE_SIZE, Rows
from .numbers import numbers_of

DASHBOARDS = "/api/projects/{project_id}/dashboards/"
DASHBOARD = "/api/projects/{project_id}/dashboards/{dashboard_id}/"


async def _list_dashboards(api: Call, args: ListDashboards) -> Result:
    tags = args.tags or []
    tag = tags[0] if len(tags) == 1 else None
    if args.search or len(tags) > 1:
        return await _search(api, args, tag)
    answer = await api.get(DASHBOARDS, {"tags": tag, "limit": args.limit, "offset": args.offset})
    return show_page(DashboardRow, answer, args, under="dashboards")


async def _search(api: Call, args: ListDashboards, tag: str | None) -> Result:
    """PostHog ignores `search` here and takes one tag for each `tags` parameter: both are compared on our side."""
    every = Rows(api, DASHBOARDS, {"tags": tag})
    found = [row async for item in every if _fits(row := show(DashboardRow, item), args)]
    here = found[args.offset : args.offset + args.limit]
    shown: dict[str, Any] = {"dashboards": here, "count": len(found)}
    if len(found) > args.offset + len(here):
        shown["next_offset"] = args.offset + len(here)
    if every.cut:
        shown["truncated"] = True
        shown["how_to_continue"] = (
            f"Only the first {MAX_PAGES * PAGE_SIZE} dashboards (pinned first, then by name) were searched: "
            "there may be more. Narrow by one tag, or list without search."
        )
    return shown


def _fits(row: dict[str, Any], args: ListDashboards) -> bool:
    text = f"{row.get('name', '')}\n{row.get('description', '')}".casefold()
    tagged = not args.tags or not set(args.tags).isdisjoint(map(str, row.get("tags", ())))
    return tagged and (args.search or "").casefold() in text


async def _get_dashboard(api: Call, args: GetDashboard) -> Result:
    answer = await api.get(DASHBOARD, dashboard_id=args.dashboard_id)
    shown = _without_results(show(Whole, answer)) if args.full else show(DashboardView, answer)
    if not (args.numbers or args.refresh):
        return shown
    told = await numbers_of(api, args.dashboard_id, read(NumberedTiles, answer), refresh=args.refresh)
    kept = shown if args.full else {name: value for name, value in shown.items() if name != "tiles"}
    return {**kept, **told}


def _without_results(dashboard: dict[str, Any]) -> dict[str, Any]:
    """A dashboard holds the whole result of every tile, megabytes at times; get_insight shows a single one."""
    tiles: object = dashboard.get("tiles")
    return {**dashboard, "tiles": list(map(_without_result, tiles))} if is_list(tiles) else dashboard


def _without_result(tile: Any) -> Any:
    insight: object = as_object(tile).get("insight")
    if not is_object(insight):
        return tile
    return {**tile, "insight": {name: value for name, value in insight.items() if name != "result"}}


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_dashboards",
        about="List dashboards, pinned first, or search their names and descriptions.",
        toolset=Toolset.DASHBOARDS,
        effect=Effect.READ,
        input=ListDashboards,
        run=_list_dashboards,
    ),
    Operation(
        name="get_dashboard",
        about="Show one dashboard and the insights on it, with their numbers if asked.",
        toolset=Toolset.DASHBOARDS,
        effect=Effect.READ,
        input=GetDashboard,
        run=_get_dashboard,
    ),
    route(
        "POST /api/projects/{project_id}/dashboards/",
        CreateDashboard,
        DashboardView,
        name="create_dashboard",
        about="Create an empty dashboard; create_insight or update_insight puts insights on it.",
        toolset=Toolset.DASHBOARDS,
    ),
    route(
        "PATCH /api/projects/{project_id}/dashboards/{dashboard_id}/",
        UpdateDashboard,
        DashboardView,
        name="update_dashboard",
        about="Change the name, description, pin or tags of a dashboard.",
        toolset=Toolset.DASHBOARDS,
    ),
    route(
        "SOFT_DELETE /api/projects/{project_id}/dashboards/{dashboard_id}/",
        DeleteDashboard,
        DashboardState,
        name="delete_dashboard",
        about="Delete a dashboard; its insights stay. restore_deleted brings it back.",
        toolset=Toolset.DASHBOARDS,
    ),
)
