"""Copies of a flag to other projects: `organizations/{id}/feature_flags/copy_flags/`."""

from anyio import to_thread
from starlette.responses import Response

from ...errors import ApiError
from ...http.filters import truth
from ...http.resource import Change, add_row, change_row
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.store import Rows
from ...values import Row, as_list, as_object
from ..account import find_organization
from .resource import FLAGS, flag_by_key

_COPIED = ("key", "name", "filters", "active", "ensure_experience_continuity", "evaluation_runtime", "tags")


def _invalid(message: str) -> ApiError:
    return ApiError(400, {"error": message})


def _copy(call: Call) -> Row:
    """Return `{"success": [flags], "failed": [{"project_id", "error_message"}]}`, one entry per target.

    A target's existing flag with this key is updated. Raises ApiError 400 when there is nothing to copy.
    """
    key, source = call.body.get("feature_flag_key"), call.body.get("from_project")
    targets = as_list(call.body.get("target_project_ids"))
    if not isinstance(key, str) or not isinstance(source, int) or not targets:
        raise _invalid("Missing required fields")
    found: Row = {"success": [], "failed": []}
    with call.services.store.transaction() as rows:
        organization = find_organization(rows, call.arguments["organization_id"])
        flag = flag_by_key(rows, source, key) if _belongs(rows, source, organization) else None
        if flag is None:
            raise _invalid("Feature flag to copy does not exist.")
        values = {name: flag[name] for name in _COPIED}
        if truth(str(call.body.get("disable_copied_flag"))):
            values["active"] = False
        for target in targets:
            if not isinstance(target, int) or not _belongs(rows, target, organization):
                found["failed"].append({"project_id": target, "error_message": "Target project not found."})
                continue
            try:
                found["success"].append(FLAGS.show(rows, _put(rows, target, values)))
            except ApiError as error:
                reason = (as_object(error.body) or {}).get("detail")
                found["failed"].append({"project_id": target, "error_message": reason})
    return found


def _belongs(rows: Rows, project_id: int, organization: str) -> bool:
    return (rows.get("projects", project_id) or {}).get("organization") == organization


def _put(rows: Rows, project_id: int, values: Row) -> Row:
    before = flag_by_key(rows, project_id, values["key"])
    body: Row = {"_should_create_usage_dashboard": False}
    change = Change(rows, project_id, body, values, before)
    return add_row(FLAGS, change) if before is None else change_row(FLAGS, change, before)


async def _respond(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_copy, call))


ROUTES = (Route("POST", "organizations/{organization_id}/feature_flags/copy_flags", _respond),)
