"""Groups, read from the events: lists with a cursor, and the group types."""

import base64
import json
from binascii import Error as NotBase64

from starlette.responses import Response

from ..errors import invalid, not_found, required
from ..http.responses import json_response
from ..http.routing import Call, Route
from ..storage.events import literal
from ..values import Row, integer_id
from .account import group_types

_PAGE = 100
_COLUMNS = "index, key, created_at, properties"


async def _list(call: Call) -> Response:
    """Return a page `{"next", "previous", "results"}` of 100 groups; `cursor` is only in the links."""
    index, offset = _index(call), _offset(call.params.get("cursor"))
    wanted = [f"index = {index}"]
    if search := call.params.get("search"):
        words = f"concat(key, ' ', JSONExtractString(properties, 'name')), {literal(search)}"
        wanted.append(f"positionCaseInsensitiveUTF8({words}) > 0")
    page = f"ORDER BY created_at DESC, key LIMIT {_PAGE + 1} OFFSET {offset}"
    found = await _read(call, f"WHERE {' AND '.join(wanted)} {page}")
    following = _link(call, index, offset + _PAGE) if len(found) > _PAGE else None
    previous = _link(call, index, max(offset - _PAGE, 0)) if offset else None
    return json_response({"next": following, "previous": previous, "results": found[:_PAGE]})


async def _find(call: Call) -> Response:
    """Return the group of `?group_type_index=&group_key=`."""
    key = call.params.get("group_key")
    if key is None:
        raise required("group_key")
    found = await _read(call, f"WHERE index = {_index(call)} AND key = {literal(key)}")
    if not found:
        raise not_found()
    return json_response(found[0])


async def _types(call: Call) -> Response:
    return json_response(group_types(call.project_id))


async def _read(call: Call, clauses: str) -> list[Row]:
    rows = await call.services.events.rows(call.project_id, f"SELECT {_COLUMNS} FROM posthog.groups {clauses}")
    return [
        {"group_type_index": index, "group_key": key, "created_at": made, "group_properties": json.loads(properties)}
        for index, key, made, properties in rows
    ]


def _index(call: Call) -> int:
    value = call.params.get("group_type_index")
    if not value:
        raise required("group_type_index")
    number = integer_id(value)
    if number is None or number > 4:
        raise invalid("A valid group type index is required.", attr="group_type_index")
    return number


def _link(call: Call, index: int, offset: int) -> str:
    cursor = base64.urlsafe_b64encode(f"o={offset}".encode()).decode().rstrip("=")
    return f"{call.address}?cursor={cursor}&group_type_index={index}"


def _offset(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        word, number = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode().split("=")
    except (NotBase64, ValueError):
        word, number = "", ""
    offset = integer_id(number)
    if word != "o" or offset is None:
        raise not_found("Invalid cursor")
    return offset


ROUTES = (
    Route("GET", "projects/{project_id}/groups", _list),
    Route("GET", "projects/{project_id}/groups/find", _find),
    Route("GET", "projects/{project_id}/groups_types", _types),
)
