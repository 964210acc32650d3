"""Describes a project's data: tables and columns, events with their volume, properties with sample values.

They come from PostHog's taxonomy and schema queries and its definitions; none of these is a HogQL query, and all of
them are cached for ten minutes.
"""

import re
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any

from hogql_lang import Column, Schema

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import Refused
from ...gateway.kept import Aged
from ...schemas.base import View
from ...schemas.definitions import EventDefinitionRow, PropertyDefinitionRow
from ...schemas.json import is_list
from ...schemas.near import near
from ...schemas.privacy.names import kind_of
from ...schemas.query import DescribeData, EventCount, PersonValue, PropertySample
from ...schemas.text import code, named
from ..operation import Effect, Operation, Result, Toolset, read, show
from ..operation.pages import PagedRows
from .schema import schema_of
from .seen_names import event_names, first_event, property_names, unseen_events

_AGE_S = 600.0
_EVENT_DEFINITIONS = "/api/projects/{project_id}/event_definitions/"
_PROPERTY_DEFINITIONS = "/api/projects/{project_id}/property_definitions/"
_PERSON_VALUES = "/api/projects/{project_id}/persons/values/"
_MOST_EVENTS = 40
_MOST_NEAR = 3
_MOST_PROPERTIES = 80
_MOST_NAMES = 40
_MOST_FOUND = 20
_SAMPLES = 3
_SAMPLE_LENGTH = 60
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-")
_NAME_LENGTH = 120
_VALUES = 50
_CONTEXT = (
    "$browser", "$device", "$geoip_", "$group", "$host", "$initial_", "$insert_id", "$ip", "$is_identified", "$lib",
    "$locale", "$network_", "$os", "$raw_user_agent", "$referr", "$screen_height", "$screen_width", "$sdk_",
    "$session_id", "$timezone", "$user_agent", "$viewport_", "$window_id",
)  # fmt: skip
"""Beginnings of the properties that PostHog's SDKs and its geography plugin add to every event."""


async def _describe(api: Call, args: DescribeData) -> Result:
    if args.search is not None:
        return await _search(api, args.search)
    if args.table is not None:
        return await describe_table(api, args.table)
    if args.property is not None:
        return await _values(api, args.property, args.event)
    if args.event is not None:
        return await _event(api, args.event)
    return await overview(api)


async def overview(api: Call) -> dict[str, Any]:
    """Return events by volume, tables by kind, properties of persons."""
    counts = await _remembered(api, "event counts", partial(_ask_counts, api))
    seen = await _remembered(api, "events seen", partial(_ask_last_seen, api))
    schema = await schema_of(api)
    persons = await property_names(api, "person")
    counted = {str(each["event"]): each["count"] for each in counts.value[:_MOST_EVENTS]}
    rows = [[_short(name, _NAME_LENGTH), count, seen.value.get(name)] for name, count in counted.items()]
    quiet = [name for name in seen.value if name not in counted]
    shown: dict[str, Any] = {"columns": ["event", "count_30d", "last_seen"], "events": rows}
    if quiet:
        shown["other_events"] = _first(quiet, _MOST_NAMES)
    began = await first_event(api)
    return {
        **shown,
        **({"data_since": f"{began:%Y-%m-%d %H:%M}"} if began else {}),
        "person_properties": _first(persons.known, _MOST_NAMES),
        "tables": _tables(schema.value),
        "age_s": _oldest(counts, seen, schema),
    }


async def samples_of(api: Call, event: str) -> list[tuple[str, int | None]]:
    """Return an event's properties, and how many values each has among its latest 100 events."""
    samples = await _remembered(api, ("samples", event), partial(_ask_samples, api, {"event": event}))
    return [(str(each["property"]), each.get("sample_count")) for each in samples.value]


async def describe_table(api: Call, table: str) -> dict[str, Any]:
    """Return a table's columns by type and its joins. Raises Refused (`not_found`) with the nearest tables."""
    schema = await schema_of(api)
    columns = schema.value.tables.get(table)
    if columns is None:
        raise _not_found("table", table, schema.value.tables)
    by_type: dict[str, list[str]] = {}
    for column in columns.values():
        if column.type not in ("lazy_table", "virtual_table"):
            by_type.setdefault(column.type, []).append(column.name)
    joins = {column.name: _behind(column, schema.value) for column in columns.values() if column.fields or column.table}
    return {"table": table, "columns": by_type, **({"joins": joins} if joins else {}), "age_s": _oldest(schema)}


async def _event(api: Call, event: str) -> dict[str, Any]:
    missing, names = await unseen_events(api, [event])
    if missing:
        raise _not_found("event", event, names.known)
    samples = await _remembered(api, ("samples", event), partial(_ask_samples, api, {"event": event}))
    types = await _remembered(api, ("types", event), partial(_ask_types, api, event))
    rows = [
        [
            _short(each["property"], _NAME_LENGTH),
            types.value.get(each["property"]),
            _samples(_shown_values(api, each["property"], each["sample_values"])),
        ]
        for each in samples.value
        if not _is_context(each["property"])
    ]
    sampled = {str(each["property"]) for each in samples.value}
    names = {*sampled, *types.value}
    context = _by_type(filter(_is_context, names), types.value)
    others = [name for name in types.value if name not in sampled and not _is_context(name)]
    return {
        "event": event,
        "columns": ["property", "type", "samples"],
        "properties": rows[:_MOST_PROPERTIES],
        **({"context_properties": context} if context else {}),
        **({"other_properties": _first(others, _MOST_NAMES)} if others else {}),
        "age_s": _oldest(samples, types),
    }


async def _values(api: Call, name: str, event: str | None) -> dict[str, Any]:
    if api.privacy.aggregate_only:
        raise Refused(
            "invalid_argument",
            "property: values of single persons are not shown on this server (--aggregate-only).",
            "Group by the property with run_hogql: SELECT properties.plan, uniq(person_id) FROM events GROUP BY 1.",
        )
    if event is None:
        found = await _remembered(api, ("person values", name), partial(_ask_person_values, api, name))
        if not found.value:
            raise _not_found("person property", name, (await property_names(api, "person")).known)
        values = _shown_values(api, name, [each.get("name") for each in found.value[:_VALUES]])
        counts = [each.get("count") for each in found.value[:_VALUES]]
        rows = [[_short(value), count] for value, count in zip(values, counts, strict=True)]
        return {"person_property": name, "columns": ["value", "persons"], "values": rows, "age_s": _oldest(found)}
    missing, names = await unseen_events(api, [event])
    if missing:
        raise _not_found("event", event, names.known)
    query = {"event": event, "properties": [name], "maxPropertyValues": _VALUES}
    samples = await _remembered(api, ("values", event, name), partial(_ask_samples, api, query))
    if not samples.value:
        raise _not_found(
            f"property of {named(event)} in the last 30 days", name, (await property_names(api, "event")).known
        )
    (sample,) = samples.value[:1]
    values = [_short(value) for value in _shown_values(api, name, sample["sample_values"])]
    distinct = {"distinct": sample["sample_count"]} if "sample_count" in sample else {}
    return {"event": event, "property": name, "values": values, **distinct, "age_s": _oldest(samples)}


async def _search(api: Call, text: str) -> dict[str, Any]:
    schema = await schema_of(api)
    words = text.lower().split()
    columns = [
        f"{table}.{column}" for table, fields in schema.value.tables.items() for column in fields if _has(column, words)
    ]
    found: dict[str, list[str]] = {
        "events": await _found(api, _EVENT_DEFINITIONS, {"search": text}),
        "event_properties": await _found(api, _PROPERTY_DEFINITIONS, {"search": text, "type": "event"}),
        "person_properties": await _found(api, _PROPERTY_DEFINITIONS, {"search": text, "type": "person"}),
        "tables": [table for table in schema.value.tables if _has(table, words)],
        "table_columns": columns,
    }
    shown = {name: _first(names, _MOST_FOUND) for name, names in found.items() if names}
    if shown:
        return {"search": text, **shown, "age_s": _oldest(schema)}
    known = [*(await event_names(api)).known, *(await property_names(api, "event")).known]
    similar = near(text, known, _MOST_NEAR)
    return {"search": text, "found": 0, **({"nearest": similar} if similar else {}), "age_s": _oldest(schema)}


async def _found(api: Call, path: str, query: dict[str, str]) -> list[str]:
    async def ask() -> list[str]:
        rows = PagedRows(api, path, query, pages=1)
        return [str(show(EventDefinitionRow, row)["name"]) async for row in rows]

    return (await _remembered(api, ("search", path, tuple(query.items())), ask)).value


async def _ask_counts(api: Call) -> list[dict[str, Any]]:
    return await _ask_rows(api, {"kind": "TeamTaxonomyQuery"}, EventCount)


async def _ask_samples(api: Call, query: dict[str, Any]) -> list[dict[str, Any]]:
    return await _ask_rows(api, {"kind": "EventTaxonomyQuery", **query}, PropertySample)


async def _ask_rows(api: Call, query: dict[str, Any], row: type[View]) -> list[dict[str, Any]]:
    answer = show(_Results, await api.counted_as(Budget.ANALYTICS).query({"query": query}))
    return [show(row, each) for each in answer["results"]]


async def _ask_last_seen(api: Call) -> dict[str, str | None]:
    """Return the day of each event's last arrival, by name, the latest first."""
    rows = PagedRows(api, _EVENT_DEFINITIONS, {}, pages=2)
    shown = [show(EventDefinitionRow, row) async for row in rows]
    return {each["name"]: (each.get("last_seen_at") or "")[:10] or None for each in shown}


async def _ask_types(api: Call, event: str) -> dict[str, str | None]:
    query = {"type": "event", "event_names": [event], "filter_by_event_names": True}
    rows = PagedRows(api, _PROPERTY_DEFINITIONS, query, pages=2)
    shown = [show(PropertyDefinitionRow, row) async for row in rows]
    return {each["name"]: each.get("property_type") for each in shown}


async def _ask_person_values(api: Call, name: str) -> list[dict[str, Any]]:
    response = await api.counted_as(Budget.ANALYTICS).get(_PERSON_VALUES, {"key": name})
    rows = response if is_list(response) else read(_Results, response).results
    return [show(PersonValue, row) for row in rows]


class _Results(View):
    results: list[Any]


async def _remembered[T](api: Call, topic: Hashable, ask: Callable[[], Awaitable[T]]) -> Aged[T]:
    async with api.remembered(("describe", topic), _AGE_S) as slot:
        return slot.found or slot.fill(await ask())


def _oldest(*answers: Aged[Any]) -> int:
    return round(max(answer.age_s for answer in answers))


def _tables(schema: Schema) -> dict[str, list[str]]:
    """Return names by kind: PostHog's own, the project's metadata, the warehouse."""
    kinds: dict[str, list[str]] = {}
    for name in schema.tables:
        kinds.setdefault(schema.kinds.get(name) or "other", []).append(name)
    return {kind: _first(names, _MOST_NAMES) for kind, names in kinds.items()}


def _behind(column: Column, schema: Schema) -> str | list[str]:
    """Return the table that a join leads to when it can be described, else the columns behind it."""
    known = column.type == "lazy_table" and column.table in schema.tables
    return column.table if known and column.table else list(column.fields)


def _shown_values(api: Call, name: str, values: list[Any]) -> list[Any]:
    """Return the values of a property as the operator allows: all, none of them, or pseudonyms."""
    if api.privacy.aggregate_only:
        return []
    pseudonyms, kind = api.privacy.pseudonyms, kind_of(name, of_person=True)
    return pseudonyms.whole(kind, values, numbers=True) if pseudonyms and kind else values


def _samples(values: list[Any]) -> list[Any]:
    """Return a few values; for long values and ids one is enough."""
    first = str(values[0]) if values else ""
    return [_short(value) for value in values[: 1 if len(first) > _SAMPLE_LENGTH or _UUID.match(first) else _SAMPLES]]


def _is_context(name: str) -> bool:
    """Return whether PostHog's SDKs send it with every event: `$browser` needs no sample."""
    return name.startswith(_CONTEXT)


def _by_type(names: Iterable[str], types: Mapping[str, str | None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(types.get(name) or "other", []).append(name)
    return {kind: _first(listed, _MOST_NAMES) for kind, listed in found.items()}


def _first(names: Iterable[str], most: int) -> list[str]:
    """Return some names, and how many more there are."""
    listed = [_short(name, _NAME_LENGTH) for name in names]
    return listed if len(listed) <= most else [*listed[:most], f"… {len(listed) - most} more: search"]


def _has(name: str, words: list[str]) -> bool:
    return all(word in name.lower() for word in words)


def _short(value: Any, most: int = _SAMPLE_LENGTH) -> Any:
    """Return the beginning of a sample value."""
    return f"{value[:most]}…" if isinstance(value, str) and len(value) > most else value


def _not_found(kind: str, name: str, known: Iterable[str]) -> Refused:
    similar = near(name, known, _MOST_NEAR)
    hint = (
        f"Did you mean {' or '.join(code(each, _NAME_LENGTH) for each in similar)}?"
        if similar
        else "Find names with `search` in describe_data."
    )
    return Refused("not_found", f"There is no {kind} {code(name, _NAME_LENGTH)}.", hint)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="describe_data",
        about="Find out what data there is: events with volume, properties with sample values, tables and columns. "
        "Without arguments an overview.",
        toolset=Toolset.QUERY,
        effect=Effect.READ,
        input=DescribeData,
        run=_describe,
    ),
)
