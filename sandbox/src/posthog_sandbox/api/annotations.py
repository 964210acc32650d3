"""Annotations. Those without a scope belong to an insight; organization-wide ones appear in every project."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from starlette.responses import Response

from ..errors import ApiError, invalid, missing_reference
from ..http.fields import Field, boolean, choice, integer, moment, tags, text
from ..http.filters import Ordering, Predicate, contains
from ..http.resource import Change, Resource, by_id, public, routes
from ..http.routing import Call, Endpoint, Route
from ..storage.store import Rows
from ..values import Row

_SCOPES = ("dashboard_item", "dashboard", "project", "organization", "recording", "tag")
_TRUE = ("true", "1", "yes")

_FIELDS = (
    Field("content", text(8192), null=True),
    Field("date_marker", moment, null=True),
    Field("creation_type", choice("USR", "GIT")),
    Field("dashboard_item", integer(), null=True),
    Field("dashboard_id", integer(), null=True),
    Field("deleted", boolean),
    Field("scope", choice(*_SCOPES)),
    Field("emoji", text(16), null=True),
    Field("hidden_in_user_interface", boolean, null=True),
    Field("tags", tags),
)
_DEFAULTS: Row = {
    "content": None,
    "date_marker": None,
    "creation_type": "USR",
    "dashboard_item": None,
    "dashboard_id": None,
    "updated_at": None,
    "deleted": False,
    "scope": "dashboard_item",
    "emoji": None,
    "hidden_in_user_interface": None,
    "tags": [],
}


def _check(change: Change, row: Row) -> Row:
    _check_parent(change, "insights", "dashboard_item", missing_reference)
    _check_parent(change, "dashboards", "dashboard_id", _no_dashboard)
    if change.values.get("scope") == "recording":
        raise invalid("Recording scope is deprecated")
    if (row["scope"] == "tag") != bool(row["tags"]):
        raise invalid("Tags are required for the tag scope, and only allowed there.", attr="tags")
    row["emoji"] = row["emoji"] or None
    # Editing another project's annotation moves it to the project of the request.
    return {**row, "_project": change.project_id}


def _no_dashboard(_id: object, attr: str) -> ApiError:
    return invalid("Dashboard not found.", attr=attr)


def _check_parent(change: Change, table: str, name: str, error: Callable[[object, str], ApiError]) -> None:
    id: int | None = change.values.get(name)
    if id is None:
        return
    parent = change.rows.get(table, id)
    if parent is None or parent["_project"] != change.project_id:
        raise error(id, name)


def _candidates(rows: Rows, table: str, project_id: int) -> list[Row]:
    organization_of = {project["id"]: project["organization"] for project in rows.all("projects")}

    def is_seen(row: Row) -> bool:
        of_siblings = organization_of[row["_project"]] == organization_of[project_id]
        return row["_project"] == project_id or (row["scope"] == "organization" and of_siblings)

    return [row for row in rows.all(table) if is_seen(row) and _parent_is_there(rows, row)]


def _find(rows: Rows, table: str, key: str) -> Row | None:
    row = by_id(rows, table, key)
    return row if row is not None and _parent_is_there(rows, row) else None


def _parent_is_there(rows: Rows, row: Row) -> bool:
    """Return whether the parent exists: deleting an insight or dashboard hides its annotations, even from PATCH."""
    if row["scope"] == "dashboard_item":
        parent = _parent(rows, "insights", row["dashboard_item"])
    elif row["scope"] == "dashboard":
        parent = _parent(rows, "dashboards", row["dashboard_id"])
    else:
        return True
    return parent is None or not parent["deleted"]


def _parent(rows: Rows, table: str, id: int | None) -> Row | None:
    return None if id is None else rows.get(table, id)


def _reachable(call: Call, row: Row) -> bool:
    return not row["deleted"] or call.method == "PATCH"


def _show(rows: Rows, row: Row) -> Row:
    insight = _parent(rows, "insights", row["dashboard_item"]) or {}
    dashboard = _parent(rows, "dashboards", row["dashboard_id"]) or {}
    return {
        **public(rows, row),
        "dashboard_name": dashboard.get("name"),
        "insight_short_id": insight.get("short_id"),
        "insight_name": insight.get("name"),
        "insight_derived_name": insight.get("derived_name"),
    }


def _scope(_rows: Rows, values: list[str]) -> Predicate:
    scope = "dashboard_item" if values[-1] == "insight" else values[-1]
    if scope not in _SCOPES:
        raise invalid(f"Invalid scope: {scope}")
    return lambda row: row["scope"] == scope


def _date(name: str, value: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise invalid(f"Invalid date range: {name} must be a valid ISO 8601 date") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _from(_rows: Rows, values: list[str]) -> Predicate:
    bound = _date("date_from", values[-1])
    return lambda row: row["date_marker"] is not None and datetime.fromisoformat(row["date_marker"]) >= bound


def _to(_rows: Rows, values: list[str]) -> Predicate:
    bound = _date("date_to", values[-1])
    return lambda row: row["date_marker"] is not None and datetime.fromisoformat(row["date_marker"]) <= bound


def _hidden(_rows: Rows, values: list[str]) -> Predicate:
    wanted = values[-1].lower() in _TRUE
    return lambda row: bool(row["hidden_in_user_interface"]) == wanted


async def _with_date_range(list_annotations: Endpoint, call: Call) -> Response:
    start, end = call.params.get("date_from"), call.params.get("date_to")
    if start and end and _date("date_from", start) > _date("date_to", end):
        raise invalid("Invalid date range: date_from must be before date_to")
    return await list_annotations(call)


ANNOTATIONS = Resource(
    table="annotations",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    show=_show,
    reachable=_reachable,
    candidates=_candidates,
    find=_find,
    filters={
        "search": contains("content"),
        "scope": _scope,
        "date_from": _from,
        "date_to": _to,
        "hidden_in_user_interface": _hidden,
    },
    ordering=Ordering("-date_marker,-id", computed={"date_marker": lambda row: row["date_marker"] or "9999"}),
    page_size=1000,
)

ROUTES = tuple(
    Route(route.method, route.path, partial(_with_date_range, route.endpoint))
    if (route.method, route.path) == ("GET", "projects/{project_id}/annotations")
    else route
    for route in routes(ANNOTATIONS)
)
