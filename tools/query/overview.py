"""The overview of a project's data in at most 1,500 tokens.

The parts with a fixed place come first; events share what is left by volume, and their properties get the rest. All
that is left out is counted, and `search` finds it.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from hogql_lang import Schema

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...gateway.kept import Aged
from ...schemas.definitions import EventDefinitionRow, PropertyDefinitionRow
from ...schemas.privacy.names import kind_of
from ...schemas.query import EventCount, VerifiedMetric
from ...schemas.text import excerpt, named
from ..operation import show
from ..operation.pages import PagedRows
from .described import AGE_S, LONGEST_NAME, Folded, few, oldest, rows_in, short, shown_values
from .fitting import weight, within
from .samples import MOST_EVENTS, NO_SAMPLES, Samples, Volume, ask_samples
from .schema import schema_of
from .seen_names import first_event, group_property_names, group_types, property_names

MOST_TOKENS = 1_500
_OF_THE_CALL = 170
"""Tokens kept for the project, the connection, the notes and the age."""
_ROOMS = {"person_properties": 130, "session_properties": 110, "groups": 90, "metrics": 130, "tables": 150}
_EVENTS_SHARE, _NAMES_SHARE = 0.55, 0.08
"""The shares of events with numbers, and of names of the others, in what the other parts leave."""
_MOST_OWN = 6
"""Names of properties beside an event; fewer where they would leave no room for this many events."""
_MANY_EVENTS = 15
_MOST_TYPED = 100
_MOST_GROUP_TYPES = 5
_FEWEST_EVENTS, _MOST_OF_THEM = 4, 0.6
"""With at least so many events, a property on this share of them is named once, as on most events."""
_FEW_BOTS = 5
"""Percent of automated events that are not worth a note."""
_MOST_NAMED = 3
_LONGEST_ABOUT = 60
_CLICK_IDS = (
    "gclid", "gad_source", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "li_fat_id", "mc_cid",
    "igshid", "ttclid", "_kx", "irclid", "epik", "qclid", "sccid", "rdt_cid", "irgwc",
)  # fmt: skip
_EVENT_PAGES = 2
_EVENT_DEFINITIONS = "/api/projects/{project_id}/event_definitions/"
_PROPERTY_DEFINITIONS = "/api/projects/{project_id}/property_definitions/"
_METRICS = "/api/projects/{project_id}/data_catalog/metrics/"

type Json = dict[str, Any]


async def overview(api: Call) -> Json:
    """Return events by volume with their properties, and the properties of persons, groups and sessions."""
    volumes, schema = await volumes_of(api), await schema_of(api)
    folded = Folded()
    events = [event for event in volumes.value if folded.plain([event.name])]
    sampled = await _optional(samples_of_project(api), None)
    persons = folded.plain((await property_names(api, "person")).known)
    began = await first_event(api)
    groups, metrics = await _optional(_groups(api, folded), None), await _optional(_metrics(api, folded), None)
    parts: Json = {
        "person_properties": _cut(sorted(persons, key=_is_posthogs), "person_properties"),
        "session_properties": _session_properties(schema.value),
        "groups": groups,
        "metrics": metrics,
        "tables": _tables(schema.value),
    }
    parts = {name: part for name, part in parts.items() if part}
    room = MOST_TOKENS - _OF_THE_CALL - weight(parts)
    found = sampled.value if sampled else NO_SAMPLES
    shown = _events(events, found, folded, room)
    shown |= await _properties(api, events, found, folded, room - weight(shown))
    notes = [*_bots(found), *folded.note()]
    if sampled is None:
        notes.append("Properties of events are missing: the query for them failed. Use `event`.")
    if missing := [name for name, part in (("groups", groups), ("metrics", metrics)) if part is None]:
        notes.append(f"Missing, because PostHog could not be asked: {' and '.join(missing)}.")
    return {
        **({"data_since": f"{began:%Y-%m-%d %H:%M}"} if began else {}),
        **shown,
        **parts,
        **({"notes": notes} if notes else {}),
        "age_s": oldest(volumes, schema, *([sampled] if sampled else [])),
    }


async def volumes_of(api: Call) -> Aged[list[Volume]]:
    """Return the events of the last 30 days, the most frequent first, then the others by their last arrival."""
    counts = await _remembered(api, "event counts", partial(_ask_counts, api))
    seen = await _remembered(api, "events seen", partial(_ask_last_seen, api))
    counted = {str(each["event"]): each["count"] for each in counts.value}
    rows = [Volume(name, count, seen.value.get(name)) for name, count in counted.items()]
    rows += [Volume(name, 0, day) for name, day in seen.value.items() if name not in counted]
    return Aged(rows, max(counts.age_s, seen.age_s))


async def samples_of_project(api: Call) -> Aged[Samples]:
    """Return the properties of the most frequent events. Raises GatewayError."""
    events = [event for event in (await volumes_of(api)).value if event.count and Folded().plain([event.name])]
    return await _remembered(api, "samples", partial(ask_samples, api, events[:MOST_EVENTS]))


async def types_of(api: Call, names: Sequence[str]) -> Mapping[str, str | None]:
    """Return PostHog's types of these properties of events. Raises GatewayError."""
    asked = sorted(name for name in names if "," not in name)[:_MOST_TYPED]
    query = {"type": "event", "properties": ",".join(asked)}
    return (await _remembered(api, ("types", *asked), partial(_ask_types, api, query))).value if asked else {}


def _events(events: Sequence[Volume], found: Samples, folded: Folded, room: float) -> Json:
    """Return the events that fit, and the names of others; on most events a property is named once."""
    common = _common(found, folded)
    frequent = [event for event in events if event.count]
    rows: list[list[Any]] = []
    for most in range(_MOST_OWN, 0, -1):
        rows = within((_row(event, found, common, most) for event in frequent), room * _EVENTS_SHARE)
        if len(rows) >= min(_MANY_EVENTS, len(frequent)):
            break
    others = [event.name for event in events[len(rows) :]]
    shown: Json = {"columns": ["event", "count_30d", "last_seen", "properties"], "events": rows}
    if others:
        shown["other_events"] = _fitting(others, room * _NAMES_SHARE)
    return shown | ({"on_most_events": common} if common else {})


def _row(event: Volume, found: Samples, common: Sequence[str], most: int) -> list[Any]:
    names = Folded().plain(name for name in found.events.get(event.name, ()) if name not in common)
    names = [short(name) for name in sorted(names, key=_is_posthogs)]
    more = [f"… {len(names) - most} more"] if len(names) > most else []
    own = [[*names[:most], *more]] if names else []
    return [short(event.name, LONGEST_NAME), event.count, event.last_seen, *own]


def _common(found: Samples, folded: Folded) -> list[str]:
    if len(found.events) < _FEWEST_EVENTS:
        return []
    names = [name for name, one in found.properties.items() if len(one.events) >= _MOST_OF_THEM * len(found.events)]
    return sorted(folded.plain(names), key=_is_posthogs)


async def _properties(api: Call, events: Sequence[Volume], found: Samples, folded: Folded, room: float) -> Json:
    """Return types and frequent values, by the volume of the events with the property."""
    counts = {event.name: event.count for event in events}
    volumes = {name: sum(counts.get(event, 0) for event in one.events) for name, one in found.properties.items()}
    names = sorted(folded.plain(found.properties), key=lambda name: (_is_posthogs(name), -volumes[name]))
    types = await _optional(types_of(api, names[:_MOST_TYPED]), {})
    rows = within((_property(api, name, found, types, folded) for name in names), room)
    if not names:
        return {}
    shown: Json = {"property_columns": ["property", "type", "top_values"], "properties": rows}
    left = len(names) - len(rows)
    return shown | ({"more_properties": f"{left}: search, or event"} if left else {})


def _property(api: Call, name: str, found: Samples, types: Mapping[str, str | None], folded: Folded) -> list[Any]:
    """Return a row without values where they are personal data, which an overview does not need."""
    values = [] if kind_of(name, of_person=True) else found.properties[name].top()
    values = few(folded.plain_values(shown_values(api, name, values)))
    return [short(name), types.get(name), *([values] if values else [])]


def property_rows(api: Call, names: Iterable[str], found: Samples, types: Mapping[str, str | None]) -> list[list[Any]]:
    """Return `[property, type, events, top values]` of sampled properties."""
    return [
        [*row[:2], [short(event) for event in Folded().plain(found.properties[name].events)[:_MOST_OWN]], *row[2:]]
        for name in names
        for row in [_property(api, name, found, types, Folded())]
    ]


async def _groups(api: Call, folded: Folded) -> Json:
    """Return the properties of each type of groups."""
    found: Json = {}
    for name, index in list((await group_types(api)).items())[:_MOST_GROUP_TYPES]:
        names = folded.plain((await group_property_names(api, index)).known)
        if folded.plain([name]):
            found[short(name)] = sorted(names, key=_is_posthogs)
    room = _ROOMS["groups"] / max(len(found), 1)
    return {name: _fitting(names, room) for name, names in found.items()}


async def _metrics(api: Call, folded: Folded) -> Json:
    """Return the metrics that somebody approved, with what they are."""
    found = await _remembered(api, "metrics", partial(_ask_metrics, api))
    plain = [each for each in found.value if folded.plain([each["name"]])]
    rows = [(each["name"], " ".join(folded.plain_values([_about(each)]))) for each in plain]
    kept = within(rows, _ROOMS["metrics"])
    more = {"more": f"{len(rows) - len(kept)}: system.information_schema.metrics"} if len(kept) < len(rows) else {}
    return dict(kept) | more


def _about(metric: Mapping[str, Any]) -> str:
    about = excerpt(metric.get("display_name") or metric.get("description") or "", _LONGEST_ABOUT)
    return f"{about} ({excerpt(metric['unit'], 20)})" if metric.get("unit") else about


def _session_properties(schema: Schema) -> list[str]:
    """Return the columns of `sessions` that are properties, without those of click ids."""
    names = [name for name in schema.tables.get("sessions", {}) if name.startswith("$")]
    return _cut([name for name in names if not name.endswith(_CLICK_IDS)], "session_properties", len(names))


def _tables(schema: Schema) -> Json:
    """Return names by kind: PostHog's own, the project's metadata, the warehouse."""
    kinds: dict[str, list[str]] = {}
    for name in schema.tables:
        kinds.setdefault(schema.kinds.get(name) or "other", []).append(name)
    room = _ROOMS["tables"]
    shown: Json = {}
    for at, kind in enumerate(sorted(kinds, key=lambda kind: len(kinds[kind]))):
        shown[kind] = _fitting(kinds[kind], room / (len(kinds) - at))
        room -= weight(shown[kind])
    return shown


def _bots(found: Samples) -> list[str]:
    shares = {name: share for name, share in found.automated_percent.items() if share >= _FEW_BOTS}
    if not shares:
        return []
    most = sorted(shares, key=lambda name: -shares[name])[:_MOST_NAMED]
    listed = ", ".join(f"{shares[name]} % of {named(name)}" for name in most)
    return [f"Looks automated (isLikelyBot, latest events): {listed}."]


def _cut(names: Sequence[str], part: str, whole: int | None = None) -> list[str]:
    return _fitting(names, _ROOMS[part], whole)


def _fitting(names: Sequence[str], room: float, whole: int | None = None) -> list[str]:
    """Return the names that fit, and how many more there are."""
    kept = within((short(name, LONGEST_NAME) for name in names), room)
    left = (len(names) if whole is None else whole) - len(kept)
    return [*kept, f"… {left} more: search"] if left else kept


def _is_posthogs(name: str) -> bool:
    """Return whether a property comes from PostHog, as opposed to one that the project chose."""
    return name.startswith("$")


async def _ask_counts(api: Call) -> list[Json]:
    query = {"kind": "TeamTaxonomyQuery"}
    return rows_in(await api.counted_as(Budget.ANALYTICS).query({"query": query}), EventCount)


async def _ask_last_seen(api: Call) -> dict[str, str | None]:
    """Return the day of each event's last arrival, by name, the latest first."""
    rows = PagedRows(api, _EVENT_DEFINITIONS, {}, pages=_EVENT_PAGES)
    shown = [show(EventDefinitionRow, row) async for row in rows]
    return {each["name"]: (each.get("last_seen_at") or "")[:10] or None for each in shown}


async def _ask_types(api: Call, query: Mapping[str, str]) -> dict[str, str | None]:
    shown = [show(PropertyDefinitionRow, row) async for row in PagedRows(api, _PROPERTY_DEFINITIONS, query, pages=1)]
    return {each["name"]: each.get("property_type") for each in shown}


async def _ask_metrics(api: Call) -> list[Json]:
    """Return the approved metrics that still are what was approved; none where PostHog has no such list."""
    try:
        rows = [show(VerifiedMetric, row) async for row in PagedRows(api, _METRICS, {}, pages=1)]
    except GatewayError as error:
        if error.code not in ("not_found", "permission_denied"):
            raise
        return []
    return [row for row in rows if row.get("status") == "approved" and not row.get("is_drifted")]


async def _remembered[T](api: Call, topic: Hashable, ask: Callable[[], Awaitable[T]]) -> Aged[T]:
    async with api.remembered(("describe", topic), AGE_S) as slot:
        return slot.found or slot.fill(await ask())


async def _optional[T](asked: Awaitable[T], otherwise: T) -> T:
    """Return a part that a description can do without."""
    try:
        return await asked
    except GatewayError:
        return otherwise
