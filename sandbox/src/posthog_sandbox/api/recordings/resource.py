"""Session recordings, computed from the events of each session. They have no snapshots to play."""

import base64
import time
from binascii import Error as NotBase64
from datetime import datetime, timedelta
from functools import partial

from anyio import to_thread
from starlette.responses import Response

from ...errors import invalid, not_found, required
from ...http.fields import boolean, choice, integer, json_list
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.events import literal
from ...values import Row, timestamp
from ..insights.resource import RunQuery
from ..persons.resource import embedded_person, read_persons
from ..removals import remove_keys, removed_keys
from .filters import ACTIVITY_SCORE, MEASURES, SessionsOf, recording_conditions, wanted_sessions

_KIND = "session_recording"
_DEFAULT_LIMIT = 50
_MAX_LIMIT = 10_000
_BULK = 100
_RETENTION = timedelta(days=90)
_ONGOING = timedelta(minutes=5)
_COLUMNS = (
    "session_id",
    "distinct_id",
    "recording_duration",
    "active_seconds",
    "inactive_seconds",
    "start_time",
    "end_time",
    "click_count",
    "keypress_count",
    "mouse_activity_count",
    "console_log_count",
    "console_warn_count",
    "console_error_count",
    "start_url",
)


async def _list(run_query: RunQuery, call: Call) -> Response:
    """Return `{"results", "has_next", "version", "next_cursor"}`; the cursor, for `after`, only when more follow."""
    began = time.perf_counter()
    limit = _number(call, "limit", 1, _DEFAULT_LIMIT)
    offset = _offset(call)
    order = call.params.get("order") or "start_time"
    choice(*MEASURES)(order, "order")
    direction = call.params.get("order_direction") or "DESC"
    choice("ASC", "DESC")(direction, "order_direction")
    wanted = await to_thread.run_sync(wanted_sessions, call)
    of_events = [(one, await _sessions_of(run_query, call, one)) for one in wanted]
    conditions = await to_thread.run_sync(_conditions, call, of_events)
    page = f"ORDER BY {MEASURES[order]} {direction}, session_id {direction} LIMIT {limit + 1} OFFSET {offset}"
    found = await _read(call, f"{' AND '.join(conditions)} {page}")
    body: Row = {"results": found[:limit], "has_next": len(found) > limit, "version": 4}
    if body["has_next"]:
        body["next_cursor"] = base64.urlsafe_b64encode(f"offset:{offset + limit}".encode()).decode()
    response = json_response(body)
    response.headers["Server-Timing"] = f"load_recordings;dur={(time.perf_counter() - began) * 1000:.2f}"
    return response


def _conditions(call: Call, of_events: list[tuple[SessionsOf, list[str]]]) -> list[str]:
    with call.services.store.transaction() as rows:
        return recording_conditions(rows, call, call.services.clock(), of_events)


async def _sessions_of(run_query: RunQuery, call: Call, wanted: SessionsOf) -> list[str]:
    """Return the sessions with an event that matches."""
    return [row[0] for row in (await run_query(call, wanted.query))["results"]]


def _number(call: Call, name: str, minimum: int, default: int) -> int:
    value = call.params.get(name)
    return min(integer(minimum)(value, name), _MAX_LIMIT) if value else default


def _offset(call: Call) -> int:
    cursor = call.params.get("after")
    if not cursor:
        value = call.params.get("offset")
        return integer(0)(value, "offset") if value else 0
    try:
        word, number = base64.b64decode(cursor, b"-_", validate=True).decode().split(":")
    except (NotBase64, ValueError):
        word, number = "", ""
    if word != "offset" or not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise invalid("Invalid cursor.", attr="after")
    return int(number)


async def _read(call: Call, clauses: str) -> list[Row]:
    """Return the recordings of these clauses that were not deleted, each with its person."""
    removed = ", ".join(map(literal, sorted(await removed_keys(call, _KIND))))
    kept = f"session_id NOT IN ({removed}) AND " if removed else ""
    columns = f"toString(person_id), {ACTIVITY_SCORE}, {', '.join(_COLUMNS)}"
    sql = f"SELECT {columns} FROM posthog.session_replays WHERE {kept}{clauses}"
    found = await call.services.events.rows(call.project_id, sql)
    ids = ", ".join(map(literal, sorted({row[0] for row in found}))) or "''"
    people = {item["uuid"]: item for item in await read_persons(call, f"WHERE toString(id) IN ({ids})")}
    viewed = await to_thread.run_sync(_viewed, call)
    show = partial(_shown, now=call.services.clock())
    return [
        show(dict(zip(_COLUMNS, values, strict=True)), score, people.get(person), viewed=values[0] in viewed)
        for person, score, *values in found
    ]


def _shown(recording: Row, score: float, person: Row | None, *, viewed: bool, now: datetime) -> Row:
    expires = datetime.fromisoformat(recording["start_time"]) + _RETENTION
    return {
        "id": recording.pop("session_id"),
        **recording,
        "viewed": viewed,
        "viewers": [],
        "person": None if person is None else embedded_person(person),
        "retention_period_days": _RETENTION.days,
        "expiry_time": timestamp(expires),
        "recording_ttl": max((expires - now).days, 0),
        "snapshot_source": "web",
        "snapshot_library": "web",
        "ongoing": datetime.fromisoformat(recording["end_time"]) > now - _ONGOING,
        "activity_score": score,
        "has_summary": False,
        "summary_outcome": None,
        "external_references": [],
        "matches_filters": True,
    }


def _viewed(call: Call) -> set[str]:
    with call.services.store.transaction() as rows:
        return {row["recording"] for row in rows.all("recording_views", call.project_id)}


def _view(call: Call, id: str) -> None:
    with call.services.store.transaction() as rows:
        rows.insert("recording_views", call.project_id, {"recording": id})


async def _one(call: Call) -> Row:
    found = await _read(call, f"session_id = {literal(call.arguments['id'])}")
    if not found:
        raise not_found("Recording not found")
    return found[0]


async def _get(call: Call) -> Response:
    return json_response(await _one(call))


async def _snapshots(call: Call) -> Response:
    """Return no sources, as for a recording whose data has expired."""
    await _one(call)
    if call.params.get("source"):
        raise not_found("Snapshots not found")
    return json_response({"sources": []})


async def _update(call: Call) -> Response:
    """Mark the recording as viewed. `deleted` is not a writable field."""
    recording = await _one(call)
    given = {name: boolean(call.body[name], name) for name in ("viewed", "analyzed") if name in call.body}
    if not any(given.values()):
        raise invalid("At least one of 'viewed' or 'analyzed' must be provided.")
    if given.get("viewed") and not recording["viewed"]:
        await to_thread.run_sync(_view, call, recording["id"])
    return json_response({"success": True})


async def _delete(call: Call) -> Response:
    await remove_keys(call, _KIND, (await _one(call))["id"])
    return Response(status_code=204)


async def _bulk_delete(call: Call) -> Response:
    """Delete at most 100 recordings at once; `failed_ids` lists those that do not exist."""
    if "session_recording_ids" not in call.body:
        raise required("session_recording_ids")
    requested = [str(id) for id in json_list(call.body["session_recording_ids"], "session_recording_ids")]
    if not 1 <= len(requested) <= _BULK:
        raise invalid(f"Between 1 and {_BULK} ids are allowed.", attr="session_recording_ids")
    found = await _read(call, f"session_id IN ({', '.join(map(literal, requested))})")
    known = {recording["id"] for recording in found}
    await remove_keys(call, _KIND, *sorted(known))
    failed = [id for id in requested if id not in known]
    return json_response(
        {"success": True, "deleted_count": len(known), "total_requested": len(requested), "failed_ids": failed}
    )


def recording_routes(run_query: RunQuery) -> tuple[Route, ...]:
    """Return the routes of recordings; `run_query` finds sessions by their events."""
    collection = "projects/{project_id}/session_recordings"
    return (
        Route("GET", collection, partial(_list, run_query)),
        Route("POST", f"{collection}/bulk_delete", _bulk_delete),
        Route("GET", f"{collection}/{{id}}", _get),
        Route("GET", f"{collection}/{{id}}/snapshots", _snapshots),
        Route("PATCH", f"{collection}/{{id}}", _update),
        Route("PUT", f"{collection}/{{id}}", _update),
        Route("DELETE", f"{collection}/{{id}}", _delete),
    )
