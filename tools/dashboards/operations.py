"""Dashboards. PostHog cannot search them, so all pages are searched here; tiles are shown without their results."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...gateway.call import Call
from ...schemas.base.shown import Whole
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
from ...schemas.json import as_list, as_object, is_list, is_object
from ..insights.withheld import without_persons
from ..operation import Effect, Operation, Result, Toolset, read, show, show_page
from ..operation.editing import Change, Editing
from ..operation.pages import MAX_PAGES, PAGE_SIZE, PagedRows
from ..operation.writing import delete, updating
from .making import DASHBOARDS, create_dashboard, prepared_queries
from .members import DASHBOARD, arguments_back, body_of, own_insights, read_dashboard, store_dashboard
from .numbers import numbers_of
from .taking_back import WITH_INSIGHTS, is_deleted


async def _list_dashboards(api: Call, args: ListDashboards) -> Result:
    tags = args.tags or []
    tag = tags[0] if len(tags) == 1 else None
    if args.search or len(tags) > 1:
        return await _search(api, args, tag)
    answer = await api.get(DASHBOARDS, {"tags": tag, "limit": args.limit, "offset": args.offset})
    return await api.apart(lambda: show_page(DashboardRow, answer, args, under="dashboards"))


async def _search(api: Call, args: ListDashboards, tag: str | None) -> Result:
    """Search all dashboards. PostHog ignores `search` here and takes only one tag, so both are compared here."""
    every = PagedRows(api, DASHBOARDS, {"tags": tag})
    found = [row async for item in every if _fits(row := show(DashboardRow, item), args)]
    here = found[args.offset : args.offset + args.limit]
    shown: dict[str, Any] = {"dashboards": here, "count": len(found)}
    if len(found) > args.offset + len(here):
        shown["next_offset"] = args.offset + len(here)
    if every.cut:
        shown["truncated"] = True
        shown["how_to_continue"] = (
            f"Only the first {MAX_PAGES * PAGE_SIZE} dashboards (pinned first, then by name) were searched; more may "
            "match. Narrow the search to one tag in `tags`, or list without `search`."
        )
    return shown


def _fits(row: dict[str, Any], args: ListDashboards) -> bool:
    text = f"{row.get('name', '')}\n{row.get('description', '')}".casefold()
    tagged = not args.tags or not set(args.tags).isdisjoint(map(str, row.get("tags", ())))
    return tagged and (args.search or "").casefold() in text


async def _get_dashboard(api: Call, args: GetDashboard) -> Result:
    answer = without_persons(api.privacy, await api.get(DASHBOARD, dashboard_id=args.dashboard_id))
    shown = _without_results(show(Whole, answer)) if args.full else show(DashboardView, answer)
    if not (args.numbers or args.refresh):
        return shown
    numbers = await numbers_of(api, args.dashboard_id, read(NumberedTiles, answer), refresh=args.refresh)
    kept = shown if args.full else {name: value for name, value in shown.items() if name != "tiles"}
    return {**kept, **numbers}


def _without_results(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Drop the result of every tile, which can be megabytes; get_insight shows a single one."""
    tiles: object = dashboard.get("tiles")
    return {**dashboard, "tiles": list(map(_without_result, tiles))} if is_list(tiles) else dashboard


def _without_result(tile: Any) -> Any:
    insight: object = as_object(tile).get("insight")
    if not is_object(insight):
        return tile
    return {**tile, "insight": {name: value for name, value in insight.items() if name != "result"}}


async def _reasons(_: Call, change: Change) -> Sequence[str]:
    """Return why a dashboard with tiles is not deleted unseen."""
    tiles = len(as_list(change.before.get("tiles")))
    if "deleted" not in change.body or not tiles:
        return ()
    others = (f"It has {tiles} {'tile' if tiles == 1 else 'tiles'}, and others may use it.",)
    own = len(own_insights(change.before)) if "delete_insights" in change.body else 0
    return (*others, f"The insights only on it are deleted too: {own}.") if own else others


_EDITING: Editing[Any] = Editing(
    what="dashboard",
    path=DASHBOARD,
    gives=DashboardView,
    target="dashboard_id",
    find=read_dashboard,
    body=body_of,
    back=arguments_back,
    store=store_dashboard,
    reasons=_reasons,
)


async def _delete_dashboard(api: Call, args: DeleteDashboard) -> Result:
    if not args.delete_insights:
        return await delete(api, args, _EDITING, DashboardState)
    own: list[int] = []

    async def find(api: Call, args: DeleteDashboard) -> dict[str, Any]:
        board = await read_dashboard(api, args)
        own[:] = own_insights(board)
        return board

    shown = await delete(api, args, replace(_EDITING, find=find), DashboardState, WITH_INSIGHTS)
    if not own:
        return shown
    if args.dry_run:
        return {**shown, "would_delete_insights": own}
    if await is_deleted(api, own[0]):
        return {**shown, "deleted_insights": own}
    return {**shown, "note": "PostHog deleted the dashboard, but kept its insights; delete_insight deletes one."}


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
        about="Show one dashboard and its insights, with their headline numbers if numbers is set.",
        toolset=Toolset.DASHBOARDS,
        effect=Effect.READ,
        input=GetDashboard,
        run=_get_dashboard,
    ),
    Operation(
        name="create_dashboard",
        about="Create a dashboard with all its tiles, or nothing; shows each tile's headline number.",
        toolset=Toolset.DASHBOARDS,
        effect=Effect.CREATE,
        input=CreateDashboard,
        run=create_dashboard,
        prepare=prepared_queries,
        does=lambda args: ("create_insight",) if args.queries() else (),
    ),
    updating(
        UpdateDashboard,
        _EDITING,
        name="update_dashboard",
        about="Change a dashboard's name, description, tags or insights, or pin it.",
        toolset=Toolset.DASHBOARDS,
    ),
    Operation(
        name="delete_dashboard",
        about="Delete a dashboard but keep its insights. Undo with restore_deleted.",
        toolset=Toolset.DASHBOARDS,
        effect=Effect.DELETE,
        input=DeleteDashboard,
        run=_delete_dashboard,
        does=lambda args: ("delete_insight",) if args.delete_insights else (),
    ),
)
