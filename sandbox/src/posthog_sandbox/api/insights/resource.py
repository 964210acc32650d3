"""Insights: saved queries. `{id}` is the number or the 8 characters of `short_id`."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from anyio import to_thread
from starlette.responses import Response

from ...errors import ApiError, invalid, permission_denied
from ...http.dates import parse_date
from ...http.fields import Field, boolean, integer, integers, json_object, tags, text
from ...http.filters import (
    Filter,
    Ordering,
    Predicate,
    contains,
    created_by,
    equals,
    is_true,
    json_parameter,
    tagged,
    truth,
)
from ...http.resource import Change, Resource, alive_or_restored, by_id, get_row, list_rows, public, routes
from ...http.responses import json_response
from ...http.routing import Call, Endpoint, Route
from ...identity import user_basic
from ...query_endpoint.runners import RUNNERS
from ...storage.results import Mode, mode_named
from ...storage.store import Rows
from ...values import Row, as_object
from ..dashboards.tiles import place_insight, tiles_of_insight

type RunQuery = Callable[[Call, Row], Awaitable[Row]]
"""A function that returns the result of a query, computed now, without its envelope."""


class ObtainResult(Protocol):
    """A function that returns the result of a query, computed or cached, as `QueryEndpoint.obtain` does."""

    async def __call__(self, call: Call, query: Row, mode: Mode, *, of: Row | None = None) -> Row: ...


_FIELDS = (
    Field("name", text(400), null=True),
    Field("derived_name", text(400), null=True),
    Field("filters", json_object),
    Field("query", json_object, null=True),
    Field("order", integer(), null=True),
    Field("deleted", boolean),
    Field("dashboards", integers),
    Field("description", text(), null=True),
    Field("tags", tags),
    Field("favorited", boolean),
    Field("saved", boolean),
)
_DEFAULTS: Row = {
    "short_id": "",
    "name": None,
    "derived_name": None,
    "filters": {},
    "query": None,
    "order": None,
    "deleted": False,
    "description": "",
    "updated_at": None,
    "tags": [],
    "favorited": False,
    "saved": False,
    "last_modified_at": None,
    "last_modified_by": None,
    "is_sample": False,
    "last_viewed_at": None,
}
_UNCOMPUTED: Row = {
    "last_refresh": None,
    "cache_target_age": None,
    "next_allowed_client_refresh": None,
    "result": None,
    "hasMore": None,
    "columns": None,
    "timezone": "UTC",
    "is_cached": False,
    "query_status": None,
    "hogql": None,
    "types": None,
    "resolved_date_range": None,
}
_RESULTS = _UNCOMPUTED.keys() - {"last_refresh"}
_ALWAYS: Row = {
    "effective_restriction_level": 21,
    "effective_privilege_level": 37,
    "user_access_level": "editor",
    "alerts": [],
    "search_match_type": None,
}
_KINDS = {
    "TRENDS": "TrendsQuery",
    "FUNNELS": "FunnelsQuery",
    "RETENTION": "RetentionQuery",
    "PATHS": "PathsQuery",
    "STICKINESS": "StickinessQuery",
    "LIFECYCLE": "LifecycleQuery",
}
_TRUE, _FALSE = frozenset({"true", "1", "yes", ""}), frozenset({"false", "0", "no"})


def _check(change: Change, row: Row) -> Row:
    if change.values.get("filters") and not row["query"]:
        raise permission_denied("Creating or updating insights with legacy filters is not available for this user.")
    if row["query"]:
        row["filters"] = {}
    row.pop("dashboards", None)
    now = change.rows.now
    user = user_basic()
    return {**row, "last_modified_at": now, "last_modified_by": user}


def _stored(change: Change, row: Row) -> None:
    if change.before is None:
        row["short_id"] = _short_id(row["id"])
        change.rows.save("insights", row)
    if change.values.get("deleted"):
        # Restoring the insight does not bring its tiles back.
        place_insight(change.rows, row, [])
    elif "dashboards" in change.values:
        place_insight(change.rows, row, change.values["dashboards"])


def _short_id(number: int) -> str:
    """Return eight letters and digits that start with a letter, so that it never reads as a number."""
    digest = int.from_bytes(hashlib.sha256(f"insight {number}".encode()).digest())
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
    rest = "".join(letters[digest // len(letters) ** place % len(letters)] for place in range(7))
    return letters[digest % 24] + rest


def show_insight(rows: Rows, row: Row) -> Row:
    """Return the full insight; results are null until requested."""
    tiles = [tile for tile in tiles_of_insight(rows, row) if not tile["deleted"]]
    return {
        **public(rows, row),
        **deepcopy(_UNCOMPUTED),
        **_ALWAYS,
        "dashboards": [tile["dashboard_id"] for tile in tiles],
        "dashboard_tiles": [
            {"id": tile["id"], "dashboard_id": tile["dashboard_id"], "deleted": tile["deleted"]} for tile in tiles
        ],
    }


def _find(rows: Rows, table: str, key: str) -> Row | None:
    found = by_id(rows, table, key)
    return found or next((row for row in rows.all(table) if row["short_id"] == key), None)


def query_kind(query: Row | None) -> str:
    """Return the kind of the query inside its wrapper nodes."""
    while query is not None and as_object(query.get("source")) is not None:
        query = as_object(query["source"])
    return str((query or {}).get("kind"))


def _kind(_rows: Rows, values: list[str]) -> Predicate:
    wanted = values[-1].upper()
    if wanted in _KINDS:
        return lambda row: query_kind(row["query"]) == _KINDS[wanted]
    if wanted == "SQL":
        return lambda row: query_kind(row["query"]) == "HogQLQuery"
    known = {*_KINDS.values(), "HogQLQuery"}
    return lambda row: wanted != "JSON" or query_kind(row["query"]) not in known


def _on_dashboards(rows: Rows, values: list[str]) -> Predicate:
    wanted = {str(item) for item in json_parameter(values[-1], "dashboards")}
    return lambda row: (
        wanted <= {str(tile["dashboard_id"]) for tile in tiles_of_insight(rows, row) if not tile["deleted"]}
    )


def _events(_rows: Rows, values: list[str]) -> Predicate:
    wanted = [json.dumps(item) for item in json_parameter(values[-1], "events")]
    return lambda row: all(item in json.dumps(row["query"]) for item in wanted)


def _feature_flag(_rows: Rows, values: list[str]) -> Predicate:
    return lambda row: json.dumps(f"$feature/{values[-1]}") in json.dumps(row["query"])


def _own(_rows: Rows, _values: list[str]) -> Predicate:
    """Match the user's own insights, for any value of `user`."""
    own = user_basic()["id"]
    return lambda row: row["created_by"]["id"] == own


def _date(name: str, parameter: str, holds: Callable[[datetime, datetime], bool]) -> Filter:
    def make(rows: Rows, values: list[str]) -> Predicate:
        wanted = parse_date(values[-1], datetime.fromisoformat(rows.now), parameter)
        return lambda row: row[name] is not None and holds(datetime.fromisoformat(row[name]), wanted)

    return make


def _since(value: datetime, wanted: datetime) -> bool:
    return value >= wanted


def _until(value: datetime, wanted: datetime) -> bool:
    return value <= wanted


INSIGHTS = Resource(
    table="insights",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    stored=_stored,
    show=show_insight,
    reachable=alive_or_restored,
    find=_find,
    filters={
        "search": contains("name", "derived_name", "description"),
        "short_id": equals("short_id"),
        "created_by": created_by,
        "user": _own,
        "favorited": is_true("favorited"),
        "saved": is_true("saved"),
        "insight": _kind,
        "dashboards": _on_dashboards,
        "tags": tagged,
        "events": _events,
        "feature_flag": _feature_flag,
        "date_from": _date("last_modified_at", "date_from", _since),
        "date_to": _date("last_modified_at", "date_to", _until),
        "created_date_from": _date("created_at", "created_date_from", _since),
        "created_date_to": _date("created_at", "created_date_to", _until),
        "last_viewed_date_from": _date("last_viewed_at", "last_viewed_date_from", _since),
        "last_viewed_date_to": _date("last_viewed_at", "last_viewed_date_to", _until),
    },
    ordering=Ordering(
        "id", fields=("id", "name", "created_at", "updated_at", "last_modified_at", "last_viewed_at", "favorited")
    ),
)


async def _list(obtain: ObtainResult, call: Call) -> Response:
    """Return a page of insights with their cached results; with `basic=true`, without result fields."""
    page = await to_thread.run_sync(list_rows, INSIGHTS, call)
    if truth(call.params.get("basic", "")) is True:
        page["results"] = [
            {name: value for name, value in row.items() if name not in _RESULTS} for row in page["results"]
        ]
        return json_response(page)
    return json_response({**page, "results": [await with_result(obtain, call, row) for row in page["results"]]})


def refresh_mode(call: Call) -> Mode:
    """Return the mode of a request's `refresh`; `force_cache` by default and for unknown values."""
    given = str(call.params.get("refresh", call.body.get("refresh", False))).lower()
    if given in _FALSE:
        return "force_cache"
    if given in _TRUE:
        return "force_blocking"
    return mode_named(given) or "force_cache"


def overriding(call: Call, filters: Row, variables: Row) -> Call:
    """Return the request with the overrides of a dashboard, or of `filters_override` and `variables_override`.

    Raises ApiError 400 for parameters that are not JSON objects.
    """
    given = {"filters_override": filters, "variables_override": variables}
    for name in given:
        if text := call.params.get(name):
            given[name] = _json_object(text, name)
    return replace(call, body={name: value for name, value in given.items() if value})


def _json_object(text: str, name: str) -> Row:
    try:
        found = as_object(json.loads(text))
    except ValueError:
        found = None
    if found is None:
        raise invalid(f"Invalid JSON passed in {name} parameter", attr=name)
    return found


async def with_result(obtain: ObtainResult, call: Call, shown: Row, dashboard_id: int | None = None) -> Row:
    """Return the insight with its result according to `refresh`, or without a result when it cannot be computed."""
    with suppress(ApiError):
        return await with_own_result(obtain, call, shown, dashboard_id)
    return shown


async def with_own_result(obtain: ObtainResult, call: Call, shown: Row, dashboard_id: int | None = None) -> Row:
    """Return the insight with its result according to `refresh`. Raises ApiError.

    By default only a cached result is returned, else null. Queries of kinds that the query endpoint does not support
    have null.
    """
    if query_kind(shown["query"]) not in RUNNERS:
        return shown
    of: Row = {"insight_id": shown["id"], "dashboard_id": dashboard_id}
    result = await obtain(call, shown["query"], refresh_mode(call), of=of)
    computed = {name: result[name] for name in _UNCOMPUTED if name in result}
    return {**shown, **computed, "result": result.get("results")}


async def _get(obtain: ObtainResult, call: Call) -> Response:
    """Return one insight; `from_dashboard` computes it as that dashboard does."""
    shown, dashboard = await to_thread.run_sync(_with_dashboard, call)
    overridden = overriding(call, dashboard.get("filters") or {}, dashboard.get("variables") or {})
    return json_response(await with_own_result(obtain, overridden, shown, dashboard.get("id")))


def _with_dashboard(call: Call) -> tuple[Row, Row]:
    shown = get_row(INSIGHTS, call)
    wanted = call.params.get("from_dashboard", "")
    if not wanted.isdecimal() or int(wanted) not in shown["dashboards"]:
        return shown, {}
    with call.services.store.transaction() as rows:
        return shown, rows.get("dashboards", int(wanted)) or {}


async def _saved(save: Endpoint, obtain: ObtainResult, call: Call) -> Response:
    """Save an insight and return it with its result, as a read would."""
    saved = await save(call)
    shown: Row = json.loads(bytes(saved.body))
    reading = replace(call, body={"refresh": call.body.get("refresh", False)})
    return json_response(await with_result(obtain, reading, shown), saved.status_code)


def insight_routes(obtain: ObtainResult) -> tuple[Route, ...]:
    """Return the routes of insights; `obtain` returns query results as the query endpoint does."""
    collection = "projects/{project_id}/insights"
    one = f"{collection}/{{id}}"
    own = {("GET", collection): partial(_list, obtain), ("GET", one): partial(_get, obtain)}
    saving = {("POST", collection), ("PATCH", one), ("PUT", one)}

    def endpoint(route: Route) -> Endpoint:
        key = (route.method, route.path)
        return partial(_saved, route.endpoint, obtain) if key in saving else own.get(key, route.endpoint)

    return tuple(replace(route, endpoint=endpoint(route)) for route in routes(INSIGHTS))
