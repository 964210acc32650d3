"""Related objects of a flag: `{id}/dependent_flags/`, `{id}/status/` and `{id}/dashboard/`.

Dependent flags are those with a condition on this flag. The usage dashboard is created if there is none.
"""

from anyio import to_thread
from starlette.responses import Response

from ...http.resource import Change, of_project, reach
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...values import Row
from ..dashboards.resource import usage_dashboard
from .resource import FLAGS, flag_status
from .rules import flag_properties


def _dependents(call: Call) -> list[Row]:
    with call.services.store.transaction() as rows:
        wanted = str(reach(FLAGS, rows, call)["id"])
        return [
            {"id": flag["id"], "key": flag["key"], "name": flag["name"]}
            for flag in of_project(rows, "feature_flags", call.project_id)
            if not flag["deleted"]
            and any(str(item.get("key")) == wanted for item in flag_properties(flag["filters"], "flag"))
        ]


async def _list(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_dependents, call))


_REASONS = {
    "ACTIVE": "Flag is in use",
    "INACTIVE": "Flag is disabled",
    "STALE": "Flag has been rolled out to everybody for more than 30 days",
    "DELETED": "Flag has been deleted",
}


def _status(call: Call) -> Row:
    with call.services.store.transaction() as rows:
        status = flag_status(reach(FLAGS, rows, call), rows.now)
    return {"status": status, "reason": _REASONS[status]}


async def _tell_status(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_status, call))


def _make_dashboard(call: Call) -> Row:
    with call.services.store.transaction() as rows:
        flag = reach(FLAGS, rows, call)
        made = rows.get("dashboards", flag["usage_dashboard"]) if flag["usage_dashboard"] else None
        if made is None or made["deleted"]:
            change = Change(rows, call.project_id, {}, {}, flag)
            rows.save("feature_flags", {**flag, "usage_dashboard": usage_dashboard(change, flag)})
    return {"success": True}


async def _dashboard(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_make_dashboard, call))


ROUTES = (
    Route("GET", "projects/{project_id}/feature_flags/{id}/dependent_flags", _list),
    Route("GET", "projects/{project_id}/feature_flags/{id}/status", _tell_status),
    Route("POST", "projects/{project_id}/feature_flags/{id}/dashboard", _dashboard),
)
