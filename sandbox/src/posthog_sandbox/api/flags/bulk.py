"""Bulk operations on flags: `feature_flags/bulk_delete/` and `feature_flags/bulk_keys/`."""

import json
from typing import Any

from anyio import to_thread
from starlette.datastructures import QueryParams
from starlette.responses import Response

from ...errors import ApiError
from ...http.filters import selected
from ...http.resource import Change, change_row, of_project
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.store import Rows
from ...values import Row, as_list, as_object, objects
from .resource import FLAGS
from .rules import flag_variants


def _invalid(message: str) -> ApiError:
    return ApiError(400, {"error": message})


def _wanted_ids(call: Call) -> list[Any]:
    ids = as_list(call.body.get("ids"))
    if not ids:
        raise _invalid("A list of flag ids is required")
    return ids


def _delete(call: Call) -> Row:
    """Soft-delete flags one by one; return `{"deleted", "errors"}`, where errors are those that PATCH would return.

    Needs either `ids` or the list's `filters`, not both and not empty: no request deletes all flags by accident.
    """
    filters = as_object(call.body.get("filters"))
    if bool(filters) == bool(call.body.get("ids")):
        raise _invalid("Provide either filters or ids, and not both")
    outcome: Row = {"deleted": [], "errors": []}
    with call.services.store.transaction() as rows:
        found = {flag["id"]: flag for flag in of_project(rows, "feature_flags", call.project_id)}
        ids: list[Any] = _filtered(rows, list(found.values()), filters) if filters else _wanted_ids(call)
        for id in ids:
            flag = found.get(id) if isinstance(id, int) and not isinstance(id, bool) else None
            if flag is None or flag["deleted"]:
                outcome["errors"].append({"id": id, "reason": "Flag not found"})
                continue
            try:
                _delete_one(rows, flag)
            except ApiError as error:
                reason = (as_object(error.body) or {}).get("detail")
                outcome["errors"].append({"id": id, "key": flag["key"], "reason": reason})
            else:
                del found[id]
                outcome["deleted"].append({"id": id, "key": flag["key"], **_rollout(flag)})
    return outcome


def _filtered(rows: Rows, flags: list[Row], filters: Row) -> list[int]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in filters.items()}
    params = QueryParams(texts)
    listed = [flag for flag in flags if FLAGS.listed(params, flag)]
    return [flag["id"] for flag in selected(rows, listed, params, FLAGS.filters)]


def _delete_one(rows: Rows, flag: Row) -> None:
    values: Row = {"deleted": True}
    change_row(FLAGS, Change(rows, flag["_project"], values, values, flag), flag)


def _rollout(flag: Row) -> Row:
    """Return the flag's last rollout, so that people know what to replace remaining calls with."""
    open_to_all = [group for group in objects(flag["filters"].get("groups")) if not group.get("properties")]
    shares = [group.get("rollout_percentage") for group in open_to_all]
    full = flag["active"] and any(share in (100, None) for share in shares)
    reached = flag["active"] and any(
        group.get("rollout_percentage") != 0 for group in objects(flag["filters"].get("groups"))
    )
    whole = [item["key"] for item in flag_variants(flag["filters"]) if item.get("rollout_percentage") == 100]
    if full and (whole or not flag_variants(flag["filters"])):
        return {"rollout_state": "fully_rolled_out", "active_variant": whole[0] if whole else None}
    return {"rollout_state": "partial" if reached else "not_rolled_out", "active_variant": None}


def _keys(call: Call) -> Row:
    """Return `{"keys": {id: key}}` of the existing flags."""
    ids = {str(id) for id in _wanted_ids(call)}
    with call.services.store.transaction() as rows:
        flags = of_project(rows, "feature_flags", call.project_id)
    return {"keys": {str(flag["id"]): flag["key"] for flag in flags if str(flag["id"]) in ids}}


async def _bulk_delete(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_delete, call))


async def _bulk_keys(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_keys, call))


_COLLECTION = "projects/{project_id}/feature_flags"
ROUTES = (
    Route("POST", f"{_COLLECTION}/bulk_delete", _bulk_delete),
    Route("POST", f"{_COLLECTION}/bulk_keys", _bulk_keys),
)
