"""Dashboards and their contents. Their list ignores `search`."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial

from anyio import to_thread
from starlette.responses import Response, StreamingResponse

from ...errors import ApiError, PartlyStored, invalid
from ...http.fields import Field, boolean, choice, integer, json_list, json_object, json_value, tags, text
from ...http.filters import Ordering, Predicate, equals, tagged, truth
from ...http.resource import Change, Resource, add_row, alive_or_restored, get_row, public, routes
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.store import Rows
from ...values import Row
from ..insights.resource import INSIGHTS, ObtainResult, overriding, show_insight, with_result
from .tiles import change_tiles, copy_tiles, lose_dashboard, regain_dashboard, show_tile, tiles_of_dashboard

_FIELDS = (
    Field("name", text(400), null=True),
    Field("description", text()),
    Field("pinned", boolean),
    Field("deleted", boolean),
    Field("tags", tags),
    Field("filters", json_object),
    Field("variables", json_object, null=True),
    Field("breakdown_colors", json_value),
    Field("data_color_theme_id", integer(), null=True),
    Field("quick_filter_ids", json_list, null=True),
    Field("restriction_level", integer()),
    Field("creation_mode", choice("default", "template", "duplicate", "unlisted")),
)
_DEFAULTS: Row = {
    "name": None,
    "description": "",
    "pinned": False,
    "last_accessed_at": None,
    "last_viewed_at": None,
    "is_shared": False,
    "deleted": False,
    "creation_mode": "default",
    "tags": [],
    "restriction_level": 21,
    "last_refresh": None,
    "filters": {},
    "variables": {},
    "breakdown_colors": [],
    "data_color_theme_id": None,
    "quick_filter_ids": [],
    "persisted_filters": None,
    "persisted_variables": None,
}
_DETAILS = (
    "filters",
    "variables",
    "breakdown_colors",
    "data_color_theme_id",
    "quick_filter_ids",
    "persisted_filters",
    "persisted_variables",
)
_TEMPLATES = {"DEFAULT_APP": "My App Dashboard"}
GENERATED = "Generated Dashboard: "
"""Prefix of the names of dashboards that PostHog creates for feature flags."""


def _check(change: Change, row: Row) -> Row:
    template, source = change.body.get("use_template"), change.body.get("use_dashboard")
    if template and source:
        raise invalid("`use_dashboard` and `use_template` cannot be used together")
    if change.before is None and template and template not in _TEMPLATES:
        raise invalid(f"Invalid template provided: {template}", attr="use_template")
    if row["restriction_level"] not in {21, 37}:
        raise invalid(f'"{row["restriction_level"]}" is not a valid choice.', "invalid_choice", "restriction_level")
    if change.before is None and template:
        row = {**row, "name": row["name"] or _TEMPLATES[template], "creation_mode": "template"}
    if change.before is None and source:
        row = {**row, "creation_mode": "duplicate", "_source": _source(change, source)["id"]}
    return row


def _source(change: Change, key: object) -> Row:
    found = change.rows.get("dashboards", key) if isinstance(key, int) else None
    if found is None or found["deleted"] or found["_project"] != change.project_id:
        raise invalid("Dashboard not found", attr="use_dashboard")
    return found


def _stored(change: Change, row: Row) -> None:
    rows = change.rows
    before = change.before
    if before is None:
        source = rows.get("dashboards", row["_source"]) if "_source" in row else None
        if source is not None:
            copy_tiles(rows, source, row)
        return
    if row["deleted"] and not before["deleted"]:
        lose_dashboard(rows, row, insights_too=change.body.get("delete_insights") is True)
    if before["deleted"] and not row["deleted"]:
        regain_dashboard(rows, row)
    try:
        change_tiles(rows, row, change.body.get("tiles", []))
    except ApiError as error:
        raise PartlyStored(error.status, error.body) from error


def _show_basic(rows: Rows, row: Row) -> Row:
    return {
        **{name: value for name, value in public(rows, row).items() if name not in _DETAILS},
        "effective_restriction_level": row["restriction_level"],
        "effective_privilege_level": 37,
        "user_access_level": "editor",
        "access_control_version": "v2",
        "team_id": row["_project"],
    }


def _show(rows: Rows, row: Row) -> Row:
    return {
        **_show_basic(rows, row),
        **{name: row[name] for name in _DETAILS},
        "tiles": [
            show_tile(tile, None if insight is None else show_insight(rows, insight), order)
            for order, (tile, insight) in enumerate(_live_tiles(rows, row))
        ],
    }


def _live_tiles(rows: Rows, row: Row) -> list[tuple[Row, Row | None]]:
    tiles = [tile for tile in tiles_of_dashboard(rows, row) if not tile["deleted"]]
    pairs = [(tile, None if tile["insight_id"] is None else rows.get("insights", tile["insight_id"])) for tile in tiles]
    return [(tile, insight) for tile, insight in pairs if insight is None or not insight["deleted"]]


def _exclude_generated(_rows: Rows, values: list[str]) -> Predicate:
    wanted = truth(values[-1])
    return lambda row: not wanted or not str(row["name"]).startswith(GENERATED)


DASHBOARDS = Resource(
    table="dashboards",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    stored=_stored,
    show=_show,
    show_in_list=_show_basic,
    reachable=alive_or_restored,
    listed=lambda _params, row: not row["deleted"] and row["creation_mode"] != "unlisted",
    filters={
        "tags": tagged,
        "creation_mode": equals("creation_mode"),
        "exclude_generated": _exclude_generated,
    },
    ordering=Ordering("-pinned,name"),
)


async def _get(obtain: ObtainResult, call: Call) -> Response:
    """Return a dashboard; tiles have their results according to `refresh`, null where one fails."""
    shown = await to_thread.run_sync(get_row, DASHBOARDS, call)
    for tile in shown["tiles"]:
        await _compute(obtain, call, shown, tile)
    return json_response(shown)


async def _compute(obtain: ObtainResult, call: Call, shown: Row, tile: Row) -> None:
    """Add a result to a tile, with the tile's filter overrides or else the dashboard's filters."""
    if tile["insight"] is None:
        return
    overridden = overriding(call, shown["filters"], shown["variables"] or {})
    if tile["filters_overrides"]:
        overridden = replace(overridden, body={**overridden.body, "filters_override": tile["filters_overrides"]})
    insight = await with_result(obtain, overridden, tile["insight"], shown["id"])
    tile |= {name: insight[name] for name in ("is_cached", "last_refresh")} | {"insight": insight}


async def _stream(obtain: ObtainResult, call: Call) -> Response:
    """Stream a dashboard as server-sent events: `metadata` without tiles, each `tile` with its result, `complete`."""
    shown = await to_thread.run_sync(get_row, DASHBOARDS, call)
    overriding(call, {}, {})  # reject invalid overrides while a status can still be sent

    async def events() -> AsyncGenerator[str]:
        yield _event({"type": "metadata", "dashboard": {**shown, "tiles": []}})
        for order, tile in enumerate(shown["tiles"]):
            await _compute(obtain, call, shown, tile)
            yield _event({"type": "tile", "order": order, "tile": tile})
        yield _event({"type": "complete"})

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


def _event(data: Row) -> str:
    return f"data: {json.dumps(data)}\n\n"


def dashboard_routes(obtain: ObtainResult) -> tuple[Route, ...]:
    """Return the routes of dashboards; `obtain` returns query results as the query endpoint does."""
    item = "projects/{project_id}/dashboards/{id}"
    own = {("GET", item): partial(_get, obtain)}
    return (
        *(
            Route(route.method, route.path, own.get((route.method, route.path), route.endpoint))
            for route in routes(DASHBOARDS)
        ),
        Route("GET", f"{item}/stream_tiles", partial(_stream, obtain)),
    )


def usage_dashboard(change: Change, flag: Row) -> int:
    """Create the dashboard that PostHog adds for a new flag, with its two insights; return its id."""
    name = f"{GENERATED}{flag['key']} Usage"
    dashboard = add_row(DASHBOARDS, _of_values(change, {"name": name, "tags": ["feature flags"]}))
    for title, math in (("Total volume", "total"), ("Calls made by unique users", "dau")):
        query = _flag_calls(flag["key"], math)
        values = {"name": f"Feature Flag Called {title}", "query": query, "dashboards": [dashboard["id"]]}
        add_row(INSIGHTS, _of_values(change, values))
    return int(dashboard["id"])


def _of_values(change: Change, values: Row) -> Change:
    return Change(change.rows, change.project_id, {}, values, None)


def _flag_calls(key: str, math: str) -> Row:
    flag = {"key": "$feature_flag", "type": "event", "value": key, "operator": "exact"}
    return {
        "kind": "InsightVizNode",
        "source": {
            "kind": "TrendsQuery",
            "series": [{"kind": "EventsNode", "event": "$feature_flag_called", "math": math}],
            "interval": "day",
            "dateRange": {"date_from": "-30d"},
            "properties": {"type": "AND", "values": [{"type": "AND", "values": [flag]}]},
            "breakdownFilter": {"breakdown": "$feature_flag_response", "breakdown_type": "event"},
        },
    }
