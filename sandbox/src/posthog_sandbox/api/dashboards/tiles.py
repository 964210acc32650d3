"""Tiles: the placement of insights and texts on dashboards."""

from copy import deepcopy

from ...errors import invalid
from ...storage.store import Rows
from ...values import Row, as_object

_TILE: Row = {
    "dashboard_id": None,
    "insight_id": None,
    "text": None,
    "button_tile": None,
    "color": None,
    "layouts": {},
    "filters_overrides": {},
    "show_description": None,
    "transparent_background": None,
    "order": 0,
    "deleted": None,
}
_CHANGEABLE = ("color", "layouts", "deleted", "order", "filters_overrides", "show_description", "button_tile")


def tiles_of_dashboard(rows: Rows, dashboard: Row) -> list[Row]:
    """Return all tiles of a dashboard in order, including deleted ones."""
    tiles = [tile for tile in rows.all("dashboard_tiles") if tile["dashboard_id"] == dashboard["id"]]
    return sorted(tiles, key=lambda tile: (tile["order"], tile["id"]))


def tiles_of_insight(rows: Rows, insight: Row) -> list[Row]:
    """Return all tiles of an insight, including deleted ones."""
    return [tile for tile in rows.all("dashboard_tiles") if tile["insight_id"] == insight["id"]]


def add_tile(rows: Rows, dashboard: Row, *, insight_id: int | None = None, text: Row | None = None) -> Row:
    """Add a tile at the end of a dashboard."""
    order = len(tiles_of_dashboard(rows, dashboard))
    layout = {"sm": {"x": (order % 2) * 6, "y": (order // 2) * 5, "w": 6, "h": 5}}
    tile = {**deepcopy(_TILE), "dashboard_id": dashboard["id"], "insight_id": insight_id, "text": text}
    return rows.insert("dashboard_tiles", dashboard["_project"], {**tile, "layouts": layout, "order": order})


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


def change_tiles(rows: Rows, dashboard: Row, sent: list[Row]) -> None:
    """Apply the `tiles` of a dashboard PATCH: changes to existing tiles, and new texts."""
    tiles = {tile["id"]: tile for tile in tiles_of_dashboard(rows, dashboard)}
    for change in sent:
        values = {name: change[name] for name in _CHANGEABLE if name in change}
        tile = tiles.get(change.get("id"))
        text = as_object(change.get("text"))
        if tile is not None:
            rows.save("dashboard_tiles", {**tile, **values, **({} if text is None else {"text": text})})
        elif text is not None:
            rows.save("dashboard_tiles", {**add_tile(rows, dashboard, text=text), **values})


def copy_tiles(rows: Rows, source: Row, target: Row) -> None:
    """Copy the tiles of one dashboard to another; insights are shared."""
    for tile in tiles_of_dashboard(rows, source):
        if not tile["deleted"]:
            add_tile(rows, target, insight_id=tile["insight_id"], text=tile["text"])


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


def show_tile(tile: Row, insight: Row | None) -> Row:
    """Return a tile as dashboards show it, with the full insight."""
    names = ("id", "color", "layouts", "filters_overrides", "show_description", "transparent_background", "order")
    return {
        **{name: tile[name] for name in names},
        "is_cached": False,
        "last_refresh": None,
        "insight": insight,
        "text": tile["text"],
        "button_tile": tile["button_tile"],
    }
