"""The data catalog: a list of verified metrics, which is empty as in `system.information_schema.metrics`."""

from starlette.responses import Response

from ..http.paging import DEFAULT_LIMIT, limit_offset
from ..http.responses import json_response
from ..http.routing import Call, Route


async def _list(call: Call) -> Response:
    return json_response(limit_offset(call.address, call.query, call.params, [], lambda row: row, DEFAULT_LIMIT))


ROUTES = (Route("GET", "projects/{project_id}/data_catalog/metrics", _list),)
