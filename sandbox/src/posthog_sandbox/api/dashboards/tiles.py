"""Tiles: the placement of insights and texts on dashboards."""

from copy import deepcopy
from typing import Any

from ...errors import ApiError, invalid, server_error
from ...http.fields import Field, checked, text
from ...identity import user_basic
from ...storage.store import Rows
from ...values import Row, as_list, as_object

_TILE: Row = {
    "dashboard_id": None,
    "insight_id": None,
    "text_id": None,
    "text": None,
    "button_tile": None,
    "color": None,
    "layouts": {},
    "filters_overrides": {},
    "show_description": None,
    "transparent_background": None,
    "deleted": None,
}
_DISPLAY = ("color", "layouts", "filters_overrides", "show_description", "transparent_background", "deleted")
"""The fields of a tile that a PATCH changes. `order` and `insight` are ignored."""
_TEXT = Field("body", text(4000), null=True)
_FIRST_TEXT = 1000
"""Added to the id of its tile for the id of a text, so that a client cannot take one for the other."""
_LAST = 100
"""Where tiles without a layout are sorted."""


def tiles_of_dashboard(rows: Rows, dashboard: Row) -> list[Row]:
    """Return all tiles of a dashboard from top to bottom and left to right, including deleted ones."""
    tiles = [tile for tile in rows.all("dashboard_tiles") if tile["dashboard_id"] == dashboard["id"]]
    return sorted(tiles, key=_position)


def _position(tile: Row) -> tuple[float, float, int]:
    box = as_object((as_object(tile["layouts"]) or {}).get("sm")) or {}
    y, x = (value if isinstance(value := box.get(name), int | float) else _LAST for name in ("y", "x"))
    return y, x, tile["id"]


def tiles_of_insight(rows: Rows, insight: Row) -> list[Row]:
    """Return all tiles of an insight, including deleted ones."""
    return [tile for tile in rows.all("dashboard_tiles") if tile["insight_id"] == insight["id"]]


def add_tile(rows: Rows, dashboard: Row, **values: Any) -> Row:
    """Add a tile. Without a layout, PostHog's app gives it one when the dashboard is opened there."""
    tile = {**deepcopy(_TILE), "dashboard_id": dashboard["id"], **values}
    return rows.insert("dashboard_tiles", dashboard["_project"], tile)


def place_insight(rows: Rows, insight: Row, dashboard_ids: list[int]) -> None:
    """Place an insight on exactly these dashboards. Raises ApiError 400 for one that does not exist."""
    tiles = {tile["dashboard_id"]: tile for tile in tiles_of_insight(rows, insight)}
    for dashboard_id in dashboard_ids:
        dashboard = rows.get("dashboards", dashboard_id)
        if dashboard is None or dashboard["deleted"] or dashboard["_project"] != insight["_project"]:
            raise invalid("Dashboard not found", attr="dashboards")
        if dashboard_id in tiles:
            rows.save("dashboard_tiles", {**tiles[dashboard_id], "deleted": None})
        else:
            add_tile(rows, dashboard, insight_id=insight["id"])
    for dashboard_id, tile in tiles.items():
        if dashboard_id not in dashboard_ids:
            rows.save("dashboard_tiles", {**tile, "deleted": True})


def change_tiles(rows: Rows, dashboard: Row, sent: object) -> None:
    """Apply the `tiles` of a dashboard PATCH: texts, and changes to how existing tiles are shown.

    Tiles of other dashboards and unknown ones are skipped, as PostHog does. It does not check the types.
    """
    changes = as_list(sent)
    if changes is None:
        raise server_error()
    for item in changes:
        change = as_object(item)
        if change is None:
            raise server_error()
        _change_tile(rows, dashboard, change)


def _change_tile(rows: Rows, dashboard: Row, change: Row) -> None:
    found = next((tile for tile in tiles_of_dashboard(rows, dashboard) if tile["id"] == change.get("id")), None)
    values = {name: change[name] for name in _DISPLAY if name in change}
    if "layouts" in values and values["layouts"] is None:
        raise server_error()
    if not change.get("text"):
        if found is not None:
            rows.save("dashboard_tiles", {**found, **values})
        return
    written = as_object(change["text"])
    if written is None:
        raise server_error()
    stored = _checked_text(rows, dashboard, written)
    tile = found or add_tile(rows, dashboard)
    number = written.get("id") or _FIRST_TEXT + tile["id"]
    whole = {"id": number, **stored, "team": dashboard["_project"]}
    rows.save("dashboard_tiles", {**tile, **values, "text_id": number, "text": whole})


def _checked_text(rows: Rows, dashboard: Row, written: Row) -> Row:
    """Return a text as it is stored. Raises ApiError 400 for one that is too long, or whose id is unknown here."""
    known = {tile["text"]["id"] for tile in tiles_of_dashboard(rows, dashboard) if tile["text"] is not None}
    try:
        body = checked((_TEXT,), written, partial=True).get("body")
    except ApiError as error:
        too_long = error.body["code"] == "max_length"
        detail = "Text body cannot exceed 4000 characters" if too_long else error.body["detail"]
        raise invalid(detail, error.body["code"], "text__body") from error
    if written.get("id") and written["id"] not in known:
        raise invalid("Text tile not found.", attr="text")
    author, modifier = (written["created_by"], user_basic()) if written.get("created_by") else (user_basic(), None)
    return {"body": body, "created_by": author, "last_modified_by": modifier, "last_modified_at": rows.now}


def copy_tiles(rows: Rows, source: Row, target: Row) -> None:
    """Copy the tiles of one dashboard to another; insights and texts are shared."""
    for tile in tiles_of_dashboard(rows, source):
        if not tile["deleted"]:
            add_tile(
                rows, target, **{name: tile[name] for name in ("insight_id", "text_id", "text", "layouts", "color")}
            )


def lose_dashboard(rows: Rows, dashboard: Row, *, insights_too: bool) -> None:
    """Delete the tiles of a soft-deleted dashboard, and on request its insights that are on no other dashboard."""
    for tile in tiles_of_dashboard(rows, dashboard):
        rows.save("dashboard_tiles", {**tile, "deleted": True})
        insight = None if tile["insight_id"] is None else rows.get("insights", tile["insight_id"])
        if insights_too and insight is not None and all(other["deleted"] for other in tiles_of_insight(rows, insight)):
            rows.save("insights", {**insight, "deleted": True})


def regain_dashboard(rows: Rows, dashboard: Row) -> None:
    """Restore all tiles of a restored dashboard and the deleted insights on them."""
    for tile in tiles_of_dashboard(rows, dashboard):
        rows.save("dashboard_tiles", {**tile, "deleted": None})
        insight = None if tile["insight_id"] is None else rows.get("insights", tile["insight_id"])
        if insight is not None and insight["deleted"]:
            rows.save("insights", {**insight, "deleted": False})


def show_tile(tile: Row, insight: Row | None, order: int) -> Row:
    """Return a tile as dashboards show it, with the full insight or text."""
    names = ("id", "color", "layouts", "filters_overrides", "show_description", "transparent_background")
    placed = [{"id": tile["id"], "dashboard_id": tile["dashboard_id"], "deleted": tile["deleted"]}]
    return {
        **{name: tile[name] for name in names},
        "order": order,
        "is_cached": False,
        "last_refresh": None,
        "insight": insight,
        "text": None if tile["text"] is None else {**tile["text"], "dashboard_tiles": placed},
        "button_tile": tile["button_tile"],
    }
