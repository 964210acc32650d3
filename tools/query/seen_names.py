"""The events and properties that a project has seen, and since when, cached for some minutes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.base import View
from ...schemas.json import as_list, as_object, is_list
from ...schemas.measures import Count
from ..operation import read
from ..operation.pages import PagedRows

NAMES_AGE_S = 600.0
_EVENT_PAGES = 5
_PROPERTY_PAGES = 3
_EVENTS = "/api/projects/{project_id}/event_definitions/"
_PROPERTIES = "/api/projects/{project_id}/property_definitions/"
_GROUP_TYPES = "/api/projects/{project_id}/groups_types/"


_FIRST_AGE_S = 3600.0
_EARLIEST = "2015-01-01"
"""PostHog reads no project from before: older events have wrong clocks."""
FIRST_EVENT = {
    "kind": "EventsQuery",
    "select": ["timestamp"],
    "after": _EARLIEST,
    "orderBy": ["timestamp ASC"],
    "limit": 1,
}
"""The query for the first event. PostHog counts it as an insight query, not as HogQL."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names that were seen, and whether these are all."""

    known: tuple[str, ...]
    complete: bool
    distinct: frozenset[str]
    """The same names, to look one up."""
    strings: frozenset[str] = frozenset()
    """The properties that HogQL reads as strings: those defined as strings, and those without a type."""


class _GroupType(View):
    group_type: str
    group_type_index: Count


class _NamedRow(View):
    name: str
    property_type: Any = "unknown"
    """PostHog's type of a property; None if it has none yet."""


async def event_names(api: Call) -> Names:
    """Return the project's events, last seen first, at most 500. Raises GatewayError."""
    async with api.remembered("event names", NAMES_AGE_S) as slot:
        return (slot.found or slot.fill(await _names(api, _EVENTS, {}, _EVENT_PAGES))).value


async def property_names(api: Call, kind: str) -> Names:
    """Return the properties of `event`, `person` or `session`, at most 300. Raises GatewayError."""
    async with api.remembered(("property names", kind), NAMES_AGE_S) as slot:
        return (slot.found or slot.fill(await _names(api, _PROPERTIES, {"type": kind}, _PROPERTY_PAGES))).value


async def group_types(api: Call) -> dict[str, int]:
    """Return the index of each type of groups. Raises GatewayError."""
    async with api.remembered("group types", NAMES_AGE_S) as slot:
        return (slot.found or slot.fill(await _group_types(api))).value


async def _group_types(api: Call) -> dict[str, int]:
    response = await api.counted_as(Budget.CRUD).get(_GROUP_TYPES)
    found = [read(_GroupType, one) for one in (response if is_list(response) else [])]
    return {one.group_type: one.group_type_index for one in found}


async def group_property_names(api: Call, index: int) -> Names:
    """Return the properties of a type of groups, at most 100. Raises GatewayError."""
    async with api.remembered(("group property names", index), NAMES_AGE_S) as slot:
        query = {"type": "group", "group_type_index": str(index)}
        return (slot.found or slot.fill(await _names(api, _PROPERTIES, query, 1))).value


async def unseen_events(api: Call, wanted: Iterable[str]) -> tuple[set[str], Names]:
    """Return the wanted events that the project has never seen. Raises GatewayError."""
    names = await event_names(api)
    missing = set(wanted) - names.distinct
    if names.complete:
        return missing, names
    return {name for name in missing if not await _exists(api, _EVENTS, name, {"search": name})}, names


async def unseen_properties(api: Call, kind: str, wanted: Iterable[str]) -> tuple[set[str], Names]:
    """Return the wanted properties of a type that the project has never seen. Raises GatewayError."""
    names = await property_names(api, kind)
    missing = set(wanted) - names.distinct
    if names.complete:
        return missing, names
    return {
        name for name in missing if not await _exists(api, _PROPERTIES, name, {"type": kind, "properties": name})
    }, names


async def _exists(api: Call, path: str, name: str, query: dict[str, str]) -> bool:
    async with api.remembered((path, name, tuple(query.items())), NAMES_AGE_S) as slot:
        return (slot.found or slot.fill(name in (await _names(api, path, query, 1)).known)).value


async def _names(api: Call, path: str, query: dict[str, str], pages: int) -> Names:
    rows = PagedRows(api.counted_as(Budget.CRUD), path, query, pages=pages)
    found = [read(_NamedRow, row) async for row in rows]
    known = [each.name for each in found]
    strings = frozenset(each.name for each in found if each.property_type in ("String", None))
    return Names(tuple(known), not rows.cut, frozenset(known), strings)


async def first_event(api: Call) -> datetime | None:
    """Return the moment of the first event in the project's timezone; None without events, or when it is not known.

    Cached for an hour, also when PostHog could not tell.
    """
    async with api.remembered("first event", _FIRST_AGE_S) as slot:
        found = (slot.found or slot.fill(await _ask_first(api))).value
    return None if found is None else found.astimezone(api.timezone)


async def _ask_first(api: Call) -> datetime | None:
    try:
        answer = await api.counted_as(Budget.ANALYTICS).query({"query": FIRST_EVENT, "name": "first event"})
    except GatewayError:
        return None
    row = next(iter(as_list(as_object(answer).get("results"))), None)
    return _moment_of(next(iter(as_list(row)), None))


def _moment_of(cell: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(cell))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
