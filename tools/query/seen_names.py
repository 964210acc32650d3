"""The events and properties that a project has seen, cached for some minutes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...schemas.base import View
from ..operation import read
from ..operation.pages import PagedRows

NAMES_AGE_S = 600.0
_EVENT_PAGES = 5
_PROPERTY_PAGES = 3
_EVENTS = "/api/projects/{project_id}/event_definitions/"
_PROPERTIES = "/api/projects/{project_id}/property_definitions/"


@dataclass(frozen=True, slots=True)
class Names:
    """Names that were seen, and whether these are all."""

    known: tuple[str, ...]
    complete: bool
    distinct: frozenset[str]
    """The same names, to look one up."""
    strings: frozenset[str] = frozenset()
    """The properties that HogQL reads as strings: those defined as strings, and those without a type."""


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
