"""Activity logs: of a row in `{id}/activity/`, of a resource in `activity/`, of the project in `activity_log/`."""

from functools import partial

from anyio import to_thread
from starlette.responses import Response

from ..http.paging import page_url, positive
from ..http.resource import Resource, reach
from ..http.responses import json_response
from ..http.routing import Call, Route
from ..values import Row, stable_uuid
from .cohorts.resource import COHORTS
from .flags.resource import FLAGS
from .insights.resource import INSIGHTS
from .persons.resource import find_person
from .surveys.resource import SURVEYS

_PAGE = 10
_SCOPES = {
    "feature_flags": "FeatureFlag",
    "insights": "Insight",
    "cohorts": "Cohort",
    "surveys": "Survey",
    "dashboards": "Dashboard",
    "experiments": "Experiment",
    "actions": "Action",
    "annotations": "Annotation",
}


def _read(resource: Resource, call: Call) -> list[Row]:
    """Return the activity of the path's row, latest first."""
    scope = _SCOPES[resource.table]
    with call.services.store.transaction() as rows:
        item = reach(resource, rows, call)
        logged = rows.all("activity", call.project_id)
        found = [row for row in logged if row["table"] == resource.table and row["item"] == item["id"]]
    return [_shown(scope, row) for row in reversed(found)]


def _shown(scope: str, row: Row) -> Row:
    changes = [{"type": scope, "action": "changed", **change} for change in row["changes"]]
    return {
        "id": stable_uuid("activity", row["id"]),
        "user": {name: row["user"][name] for name in ("first_name", "last_name", "email")},
        "activity": row["activity"],
        "scope": scope,
        "item_id": str(row["item"]),
        "detail": {"name": row["name"], "changes": changes, "short_id": row["short_id"]},
        "created_at": row["created_at"],
        "unread": False,
        "is_system": False,
    }


def _page(call: Call, found: list[Row]) -> Response:
    """Return the page `{"results", "next", "previous", "total_count"}` of `?limit=10&page=1`."""
    limit, page = positive(call.params.get("limit"), _PAGE), positive(call.params.get("page"), 1)
    end = page * limit
    turn = partial(page_url, call.address, call.query)
    return json_response(
        {
            "results": found[end - limit : end],
            "next": turn({"limit": limit, "page": page + 1}) if end < len(found) else None,
            "previous": turn({"limit": limit, "page": page - 1}) if page > 1 else None,
            "total_count": len(found),
        }
    )


async def _activity(resource: Resource, call: Call) -> Response:
    return _page(call, await to_thread.run_sync(_read, resource, call))


def _read_scope(table: str, call: Call) -> list[Row]:
    with call.services.store.transaction() as rows:
        logged = [row for row in rows.all("activity", call.project_id) if row["table"] == table]
    return [_shown(_SCOPES[table], row) for row in reversed(logged)]


async def _of_all(table: str, call: Call) -> Response:
    return _page(call, await to_thread.run_sync(_read_scope, table, call))


def _read_all(call: Call) -> list[Row]:
    """Return the project's activity, latest first, filtered by `?scope=`, `?scopes=a,b`, `?item_id=` and `?user=`."""
    params = call.params
    scopes = {scope for scope in (params.get("scope", ""), *params.get("scopes", "").split(",")) if scope}
    with call.services.store.transaction() as rows:
        logged = [row for row in rows.all("activity", call.project_id) if row["table"] in _SCOPES]
    if user := params.get("user"):
        logged = [row for row in logged if user in {str(row["user"]["id"]), row["user"]["uuid"]}]
    shown = [_shown(_SCOPES[row["table"]], row) for row in reversed(logged)]
    item = params.get("item_id")
    return [row for row in shown if (not scopes or row["scope"] in scopes) and item in (None, row["item_id"])]


async def _log(call: Call) -> Response:
    return _page(call, await to_thread.run_sync(_read_all, call))


async def _of_persons(call: Call) -> Response:
    return _page(call, [])


async def _of_person(call: Call) -> Response:
    """Return an empty log: activity of persons is recorded as events."""
    await find_person(call)
    return _page(call, [])


_LOGGED = (FLAGS, INSIGHTS, COHORTS, SURVEYS)
ROUTES = (
    *(
        Route("GET", f"projects/{{project_id}}/{resource.table}/{{id}}/activity", partial(_activity, resource))
        for resource in _LOGGED
    ),
    *(
        Route("GET", f"projects/{{project_id}}/{resource.table}/activity", partial(_of_all, resource.table))
        for resource in _LOGGED
    ),
    Route("GET", "projects/{project_id}/persons/activity", _of_persons),
    Route("GET", "projects/{project_id}/persons/{id}/activity", _of_person),
    Route("GET", "projects/{project_id}/activity_log", _log),
)
