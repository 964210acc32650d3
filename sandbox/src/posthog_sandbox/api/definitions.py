"""Event and property definitions, computed from the events. To describe, tag or verify them is a paid feature."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.datastructures import QueryParams
from starlette.responses import Response

from ..errors import invalid, not_found, payment_required, required
from ..http.fields import choice
from ..http.filters import Ordering, json_or_words, json_parameter, truth
from ..http.paging import DEFAULT_LIMIT, limit_offset, whole
from ..http.responses import json_response
from ..http.routing import Call, Endpoint, Route
from ..values import Row, integer_id, stable_uuid
from .removals import remove_keys, removed_keys

_EVENT_KIND = "event_definition"
_PROPERTY_KIND = "property_definition"
_EVENTS_SQL = "SELECT name, created_at, last_seen_at FROM posthog.event_definitions"
_PROPERTIES_SQL = "SELECT name, type, property_type, is_numerical, events FROM posthog.property_definitions"
_EVENT_ORDER = Ordering(
    "-last_seen_at,name",
    "ordering",
    ("name", "last_seen_at", "last_seen_at::date"),
    {"last_seen_at::date": lambda row: row["last_seen_at"][:10]},
)
_PROPERTY_TYPES = ("DateTime", "String", "Numeric", "Boolean", "Duration")
_GROUP_TYPES = 5
_VIRTUAL = {
    "person": (("$virt_initial_channel_type", "String"), ("$virt_initial_referring_domain_type", "String")),
    "group": (("$virt_revenue", "Numeric"), ("$virt_mrr", "Numeric")),
}
"""Properties that PostHog computes, appended to the last page even beyond its limit."""


async def _event_definitions(call: Call) -> list[Row]:
    found = await call.services.events.rows(call.project_id, _EVENTS_SQL)
    removed = await removed_keys(call, _EVENT_KIND)
    shown = (_event_definition(call.project_id, *row) for row in found)
    return [row for row in shown if row["id"] not in removed]


def _event_definition(project_id: int, name: str, created_at: str, last_seen_at: str) -> Row:
    """Return an event definition without the taxonomy add-on: no description, owner or verification."""
    return {
        "id": stable_uuid(_EVENT_KIND, project_id, name),
        "name": name,
        "created_at": created_at,
        "last_seen_at": last_seen_at,
        "last_updated_at": last_seen_at,
        "tags": [],
        "is_action": False,
        "action_id": None,
        "is_calculating": False,
        "last_calculated_at": None,
        "created_by": None,
        "post_to_slack": False,
    }


async def _list_events(call: Call) -> Response:
    wanted = _event_type(call.params)
    excluded = _names(call.params, "excluded_properties")
    matches = _search(call.params)
    found = [
        row
        for row in await _event_definitions(call)
        if wanted(row["name"]) and row["name"] not in excluded and matches(row["name"])
    ]
    found = _EVENT_ORDER.sorted(found, call.params)
    return json_response(limit_offset(call.address, call.query, call.params, found, lambda row: row, DEFAULT_LIMIT))


def _event_type(params: QueryParams) -> Callable[[str], bool]:
    kind = params.get("event_type") or "all"
    if kind not in {"event", "event_custom", "event_posthog", "all"}:
        raise invalid(f'"{kind}" is not a valid choice.', "invalid_choice", "event_type")
    if kind == "event_custom":
        return lambda name: not name.startswith("$")
    if kind == "event_posthog":
        return lambda name: name.startswith("$")
    return lambda _name: True


async def _get(definitions: Callable[[Call], Awaitable[list[Row]]], call: Call) -> Response:
    return json_response(await _one(definitions, call))


async def _delete(kind: str, definitions: Callable[[Call], Awaitable[list[Row]]], call: Call) -> Response:
    await remove_keys(call, kind, (await _one(definitions, call))["id"])
    return Response(status_code=204)


async def _one(definitions: Callable[[Call], Awaitable[list[Row]]], call: Call) -> Row:
    key = call.arguments["id"].lower()
    row = next((row for row in await definitions(call) if row["id"] == key), None)
    if row is None:
        raise not_found()
    return row


async def _metrics(call: Call) -> Response:
    """Return how often the event was queried lately: always 0, because the sandbox keeps no query log."""
    await _one(_event_definitions, call)
    return json_response({"query_usage_30_day": 0})


async def _change_event(call: Call) -> Response:
    await _one(_event_definitions, call)
    raise payment_required()


@dataclass(frozen=True, slots=True)
class _Property:
    """A property definition as shown, its type (`event`, `person`, ...) and the events that have the property."""

    row: Row
    kind: str
    events: frozenset[str]


async def _stored_properties(call: Call) -> list[_Property]:
    found = await call.services.events.rows(call.project_id, _PROPERTIES_SQL)
    removed = await removed_keys(call, _PROPERTY_KIND)
    types = await to_thread.run_sync(_property_types, call)
    stored = [_stored_property(call.project_id, types, *columns) for columns in found]
    return [item for item in stored if item.row["id"] not in removed]


def _stored_property(
    project_id: int,
    types: dict[str, str | None],
    name: str,
    kind: str,
    property_type: str | None,
    numerical: bool,
    events: list[str],
) -> _Property:
    id = stable_uuid(_PROPERTY_KIND, project_id, kind, name)
    if id in types:
        property_type = types[id]
        numerical = property_type == "Numeric"
    row: Row = {
        "id": id,
        "name": name,
        "is_numerical": numerical,
        "property_type": property_type,
        "tags": [],
        "is_seen_on_filtered_events": None,
    }
    return _Property(row, kind, frozenset(events))


def _property_types(call: Call) -> dict[str, str | None]:
    with call.services.store.transaction() as rows:
        return {row["definition"]: row["property_type"] for row in rows.all("property_types", call.project_id)}


async def _property_definitions(call: Call) -> list[Row]:
    return [item.row for item in await _stored_properties(call)]


async def _list_properties(call: Call) -> Response:
    kind, events = _property_scope(call.params)
    only_events = truth(call.params.get("filter_by_event_names", "")) is True
    accepted = _property_filter(call.params)
    found: list[Row] = []
    for item in await _stored_properties(call):
        seen = bool(item.events & events) if events else None
        if item.kind == kind and accepted(item.row) and (seen or not (events and only_events)):
            found.append({**item.row, "is_seen_on_filtered_events": seen})
    if kind == "group" and call.params.get("group_type_index") != "0":
        found = []
    found.sort(key=lambda row: (not row["is_seen_on_filtered_events"], row["name"]))
    page = limit_offset(call.address, call.query, call.params, found, lambda row: row, DEFAULT_LIMIT)
    is_last_page = page["next"] is None and whole(call.params.get("offset")) in range(max(len(found), 1))
    if is_last_page:
        page["results"] += [row for row in _virtual_definitions(kind) if accepted(row)]
    return json_response(page)


def _property_scope(params: QueryParams) -> tuple[str, frozenset[str]]:
    """Parse `type` and `event_names`. Raises ApiError 400 when they conflict."""
    kind = params.get("type") or "event"
    choice("event", "person", "group", "session")(kind, "type")
    index = params.get("group_type_index") or None
    if kind == "group" and index is None:
        raise invalid("`group_type_index` must be set for `group` type")
    if kind != "group" and index is not None:
        raise invalid("`group_type_index` can only set for `group` type")
    number = 0 if index is None else integer_id(index)
    if number is None or number >= _GROUP_TYPES:
        raise invalid("Invalid value for `group_type_index`")
    events = _names(params, "event_names")
    if kind != "event" and events:
        raise invalid("`event_names` can only be set for `event` type")
    return kind, events


def _property_filter(params: QueryParams) -> Callable[[Row], bool]:
    numerical = truth(params.get("is_numerical", ""))
    of_flags = truth(params.get("is_feature_flag", ""))
    without_core = truth(params.get("exclude_core_properties", "")) is True
    only = frozenset(map(str, json_or_words(params["properties"]))) if params.get("properties") else None
    excluded = _names(params, "excluded_properties")
    matches = _search(params)

    def accepted(row: Row) -> bool:
        name: str = row["name"]
        return (
            matches(name)
            and name not in excluded
            and (only is None or name in only)
            and (numerical is None or row["is_numerical"] == numerical)
            and (of_flags is None or name.startswith("$feature/") == of_flags)
            and not (without_core and name.startswith("$"))
        )

    return accepted


def _virtual_definitions(kind: str) -> Iterable[Row]:
    for name, property_type in _VIRTUAL.get(kind, ()):
        yield {
            "id": f"$builtin_{name}",
            "name": name,
            "is_numerical": property_type == "Numeric",
            "property_type": property_type,
            "tags": [],
            "is_seen_on_filtered_events": None,
            "virtual": True,
        }


def _names(params: QueryParams, name: str) -> frozenset[str]:
    value = params.get(name)
    return frozenset(map(str, json_parameter(value, name))) if value else frozenset()


def _search(params: QueryParams) -> Callable[[str], bool]:
    """Return a predicate for names that contain every word of `search`."""
    words = params.get("search", "").casefold().split()
    return lambda name: all(word in name.casefold() for word in words)


async def _change_property(call: Call) -> Response:
    row = await _one(_property_definitions, call)
    if call.body.keys() & {"description", "tags", "verified", "hidden"}:
        raise payment_required()
    if "property_type" not in call.body:
        return json_response(row)
    value: Any = call.body["property_type"]
    if value is not None:
        choice(*_PROPERTY_TYPES)(value, "property_type")
    await to_thread.run_sync(_set_property_type, call, row["id"], value)
    return json_response(await _one(_property_definitions, call))


def _set_property_type(call: Call, id: str, value: str | None) -> None:
    with call.services.store.transaction() as rows:
        rows.insert("property_types", call.project_id, {"definition": id, "property_type": value})


async def _seen_together(call: Call) -> Response:
    """Return, for each of the given events, whether it has the property."""
    name = call.params.get("property_name")
    if not name:
        raise required("property_name")
    carriers: frozenset[str] = frozenset()
    for item in await _stored_properties(call):
        if item.kind == "event" and item.row["name"] == name:
            carriers = item.events
    return json_response({event: event in carriers for event in sorted(_names(call.params, "event_names"))})


def _routes(table: str, listing: Endpoint, get: Endpoint, change: Endpoint, delete: Endpoint) -> tuple[Route, ...]:
    collection = f"projects/{{project_id}}/{table}"
    item = f"{collection}/{{id}}"
    return (
        Route("GET", collection, listing),
        Route("GET", item, get),
        Route("PATCH", item, change),
        Route("PUT", item, change),
        Route("DELETE", item, delete),
    )


ROUTES = (
    *_routes(
        "event_definitions",
        _list_events,
        partial(_get, _event_definitions),
        _change_event,
        partial(_delete, _EVENT_KIND, _event_definitions),
    ),
    *_routes(
        "property_definitions",
        _list_properties,
        partial(_get, _property_definitions),
        _change_property,
        partial(_delete, _PROPERTY_KIND, _property_definitions),
    ),
    Route("GET", "projects/{project_id}/event_definitions/{id}/metrics", _metrics),
    Route("GET", "projects/{project_id}/property_definitions/seen_together", _seen_together),
)
