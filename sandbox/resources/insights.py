"""Insights: saved queries. `{id}` is the number or the 8 characters of `short_id`."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import datetime
from functools import partial

from anyio import to_thread
from starlette.responses import Response

from ..dates import parse_date
from ..errors import permission_denied
from ..fields import Field, boolean, integer, integers, json_object, tags, text
from ..filters import Filter, Ordering, Predicate, contains, created_by, equals, is_true, json_parameter, tagged, truth
from ..identity import user_basic
from ..query import RUNNERS
from ..resource import Change, Resource, alive_or_restored, by_id, get_row, list_rows, public, routes
from ..responses import answer
from ..routing import Call, Route
from ..store import Rows
from ..values import Row, as_object
from .tiles import place_insight, tiles_of_insight

type RunQuery = Callable[[Call, Row], Awaitable[Row]]
"""The answer of a query, without its envelope."""

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
}
_KINDS = {
    "TRENDS": "TrendsQuery",
    "FUNNELS": "FunnelsQuery",
    "RETENTION": "RetentionQuery",
    "PATHS": "PathsQuery",
    "STICKINESS": "StickinessQuery",
    "LIFECYCLE": "LifecycleQuery",
}
_COMPUTING = frozenset({"blocking", "force_blocking", "async", "force_async", "lazy_async", "true"})


def _check(change: Change, row: Row) -> Row:
    if change.values.get("filters") and not row["query"]:
        raise permission_denied("Creating or updating insights with legacy filters is not available for this user.")
    if row["query"]:
        row["filters"] = {}
    row.pop("dashboards", None)
    now, user = change.rows.now, user_basic()
    return {**row, "last_modified_at": now, "last_modified_by": user}


def _stored(change: Change, row: Row) -> None:
    if change.before is None:
        row["short_id"] = _short_id(row["id"])
        change.rows.save("insights", row)
    if "dashboards" in change.values:
        place_insight(change.rows, row, change.values["dashboards"])


def _short_id(number: int) -> str:
    """Eight letters and digits, never only digits: those would read as a number."""
    digest = int.from_bytes(hashlib.sha256(f"insight {number}".encode()).digest())
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
    rest = "".join(letters[digest // len(letters) ** place % len(letters)] for place in range(7))
    return letters[digest % 24] + rest


def show_insight(rows: Rows, row: Row) -> Row:
    """The whole insight; results are null until they are asked for."""
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
    """The kind of the query inside its wrapper nodes."""
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
    """`user` asks for one's own, whatever its value."""
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


async def _list(call: Call) -> Response:
    """A page of insights; with `basic=true` without the fields of results."""
    page = await to_thread.run_sync(list_rows, INSIGHTS, call)
    if truth(call.params.get("basic", "")) is True:
        page["results"] = [
            {name: value for name, value in row.items() if name not in _RESULTS} for row in page["results"]
        ]
    return answer(page)


async def with_result(run_query: RunQuery, call: Call, shown: Row) -> Row:
    """The insight with its result if the request asks for one: `refresh=blocking` and the like.

    By default only a cached result would come, so null. Queries of kinds that the query endpoint does not answer yet
    keep their null.
    """
    can_run = query_kind(shown["query"]) in {"HogQLQuery", *RUNNERS}
    if call.params.get("refresh", "").lower() not in _COMPUTING or not can_run:
        return shown
    result = await run_query(call, shown["query"])
    computed = {name: result[name] for name in _UNCOMPUTED if name in result}
    return {**shown, **computed, "result": result.get("results")}


async def _get(run_query: RunQuery, call: Call) -> Response:
    return answer(await with_result(run_query, call, await to_thread.run_sync(get_row, INSIGHTS, call)))


def insight_routes(run_query: RunQuery) -> tuple[Route, ...]:
    """The routes of insights; `run_query` computes a query as the query endpoint does."""
    collection = "projects/{project_id}/insights"
    own = {("GET", collection): _list, ("GET", f"{collection}/{{id}}"): partial(_get, run_query)}
    return tuple(
        Route(route.method, route.path, own.get((route.method, route.path), route.endpoint))
        for route in routes(INSIGHTS)
    )
