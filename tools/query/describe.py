"""Describes a project's data: tables and columns, events with their volume, properties with sample values.

They come from PostHog's taxonomy and schema queries, its definitions, and one HogQL query for the properties of all
frequent events. All of them are cached for ten minutes.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any

from hogql_lang import Column, Schema

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError, Refused
from ...gateway.kept import Aged
from ...schemas.definitions import EventDefinitionRow, PropertyDefinitionRow
from ...schemas.json import is_list
from ...schemas.near import near
from ...schemas.query import DescribeData, PersonValue, PropertySample
from ...schemas.text import code, named
from ..operation import Effect, Operation, Result, Toolset, read, show
from ..operation.pages import PagedRows
from .described import (
    AGE_S,
    LONGEST_NAME,
    MOST_NAMES,
    Folded,
    Results,
    few,
    first,
    is_context,
    oldest,
    rows_in,
    short,
    shown_values,
)
from .overview import overview, property_rows, samples_of_project, types_of, volumes_of
from .samples import NO_SAMPLES, Volume
from .schema import schema_of
from .seen_names import event_names, property_names, unseen_events

_PROPERTY_DEFINITIONS = "/api/projects/{project_id}/property_definitions/"
_EVENT_DEFINITIONS = "/api/projects/{project_id}/event_definitions/"
_PERSON_VALUES = "/api/projects/{project_id}/persons/values/"
_MOST_NEAR = 3
_MOST_PROPERTIES = 80
_MOST_FOUND = 20
_MOST_DETAILED = 10
_VALUES = 50


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
    return {"table": table, "columns": by_type, **({"joins": joins} if joins else {}), "age_s": oldest(schema)}


async def _event(api: Call, event: str) -> dict[str, Any]:
    missing, names = await unseen_events(api, [event])
    if missing:
        raise _not_found("event", event, names.known)
    samples = await _remembered(api, ("samples", event), partial(_ask_samples, api, {"event": event}))
    types = await _remembered(api, ("types", event), partial(_ask_types, api, event))
    folded = Folded()
    plain = set(folded.plain(dict.fromkeys(str(each["property"]) for each in samples.value)))
    rows = [
        [
            short(each["property"], LONGEST_NAME),
            types.value.get(each["property"]),
            few(folded.plain_values(shown_values(api, each["property"], each["sample_values"]))),
        ]
        for each in samples.value
        if each["property"] in plain and not is_context(each["property"])
    ]
    sampled = {str(each["property"]) for each in samples.value}
    defined = folded.plain(name for name in types.value if name not in sampled)
    context = _by_type(filter(is_context, {*plain, *defined}), types.value)
    others = [name for name in defined if not is_context(name)]
    notes = folded.note()
    return {
        "event": event,
        "columns": ["property", "type", "samples"],
        "properties": rows[:_MOST_PROPERTIES],
        **({"context_properties": context} if context else {}),
        **({"other_properties": first(others, MOST_NAMES)} if others else {}),
        **({"notes": notes} if notes else {}),
        "age_s": oldest(samples, types),
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
        values = shown_values(api, name, [each.get("name") for each in found.value[:_VALUES]])
        counts = [each.get("count") for each in found.value[:_VALUES]]
        folded = Folded()
        rows = [
            [short(value), count] for value, count in zip(values, counts, strict=True) if folded.plain_values([value])
        ]
        notes = {"notes": folded.note()} if folded.values else {}
        return {
            "person_property": name,
            "columns": ["value", "persons"],
            "values": rows,
            **notes,
            "age_s": oldest(found),
        }
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
    folded = Folded()
    values = [short(value) for value in folded.plain_values(shown_values(api, name, sample["sample_values"]))]
    notes = {"notes": folded.note()} if folded.values else {}
    distinct = {"distinct": sample["sample_count"]} if "sample_count" in sample else {}
    return {"event": event, "property": name, "values": values, **distinct, **notes, "age_s": oldest(samples)}


async def _search(api: Call, text: str) -> dict[str, Any]:
    schema = await schema_of(api)
    words = text.lower().split()
    columns = [
        f"{table}.{column}" for table, fields in schema.value.tables.items() for column in fields if _has(column, words)
    ]
    events = await _found(api, _EVENT_DEFINITIONS, {"search": text})
    properties = await _found(api, _PROPERTY_DEFINITIONS, {"search": text, "type": "event"})
    found: dict[str, list[str]] = {
        "person_properties": await _found(api, _PROPERTY_DEFINITIONS, {"search": text, "type": "person"}),
        "tables": [table for table in schema.value.tables if _has(table, words)],
        "table_columns": columns,
    }
    folded = Folded()
    shown = {
        **(await _found_events(api, folded.plain(events)) if events else {}),
        **(await _found_properties(api, folded.plain(properties)) if properties else {}),
        **{name: first(kept, _MOST_FOUND) for name, names in found.items() if (kept := folded.plain(names))},
    }
    if notes := folded.note():
        shown["notes"] = notes
    if shown:
        return {"search": text, **shown, "age_s": oldest(schema)}
    known = [*(await event_names(api)).known, *(await property_names(api, "event")).known]
    similar = near(text, known, _MOST_NEAR)
    return {"search": text, "found": 0, **({"nearest": similar} if similar else {}), "age_s": oldest(schema)}


async def _found_events(api: Call, names: list[str]) -> dict[str, Any]:
    """Return the events with their volume, the most frequent first."""
    known = {event.name: event for event in (await volumes_of(api)).value}
    found = [known.get(name) or Volume(name, 0, None) for name in names]
    found.sort(key=lambda event: -event.count)
    rows = [[short(event.name, LONGEST_NAME), event.count, event.last_seen] for event in found[:_MOST_FOUND]]
    left = len(found) - len(rows)
    shown = {"columns": ["event", "count_30d", "last_seen"], "events": rows} if rows else {}
    return shown | ({"more_events": f"{left}: search with more words"} if left else {})


async def _found_properties(api: Call, names: list[str]) -> dict[str, Any]:
    """Return the properties of events: those of frequent events with type, events and values, the others by name."""
    sampled = await _optional(samples_of_project(api), None)
    samples = sampled.value if sampled else NO_SAMPLES
    detailed = [name for name in names if name in samples.properties][:_MOST_DETAILED]
    types = await _optional(types_of(api, detailed), {})
    shown: dict[str, Any] = {}
    if detailed:
        shown["property_columns"] = ["property", "type", "events", "top_values"]
        shown["properties"] = property_rows(api, detailed, samples, types)
    others = [name for name in names if name not in detailed]
    return shown | ({"event_properties": first(others, _MOST_FOUND)} if others else {})


async def _found(api: Call, path: str, query: dict[str, str]) -> list[str]:
    async def ask() -> list[str]:
        rows = PagedRows(api, path, query, pages=1)
        return [str(show(EventDefinitionRow, row)["name"]) async for row in rows]

    return (await _remembered(api, ("search", path, tuple(query.items())), ask)).value


async def _ask_samples(api: Call, query: dict[str, Any]) -> list[dict[str, Any]]:
    sent = {"kind": "EventTaxonomyQuery", **query}
    return rows_in(await api.counted_as(Budget.ANALYTICS).query({"query": sent}), PropertySample)


async def _ask_types(api: Call, event: str) -> dict[str, str | None]:
    query = {"type": "event", "event_names": [event], "filter_by_event_names": True}
    rows = PagedRows(api, _PROPERTY_DEFINITIONS, query, pages=2)
    shown = [show(PropertyDefinitionRow, row) async for row in rows]
    return {each["name"]: each.get("property_type") for each in shown}


async def _ask_person_values(api: Call, name: str) -> list[dict[str, Any]]:
    response = await api.counted_as(Budget.ANALYTICS).get(_PERSON_VALUES, {"key": name})
    rows = response if is_list(response) else read(Results, response).results
    return [show(PersonValue, row) for row in rows]


async def _remembered[T](api: Call, topic: Hashable, ask: Callable[[], Awaitable[T]]) -> Aged[T]:
    async with api.remembered(("describe", topic), AGE_S) as slot:
        return slot.found or slot.fill(await ask())


async def _optional[T](asked: Awaitable[T], otherwise: T) -> T:
    """Return a part that a description can do without."""
    try:
        return await asked
    except GatewayError:
        return otherwise


def _behind(column: Column, schema: Schema) -> str | list[str]:
    """Return the table that a join leads to when it can be described, else the columns behind it."""
    known = column.type == "lazy_table" and column.table in schema.tables
    return column.table if known and column.table else list(column.fields)


def _by_type(names: Iterable[str], types: Mapping[str, str | None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(types.get(name) or "other", []).append(name)
    return {kind: first(listed, MOST_NAMES) for kind, listed in found.items()}


def _has(name: str, words: list[str]) -> bool:
    return all(word in name.lower() for word in words)


def _not_found(kind: str, name: str, known: Iterable[str]) -> Refused:
    similar = near(name, known, _MOST_NEAR)
    hint = (
        f"Did you mean {' or '.join(code(each, LONGEST_NAME) for each in similar)}?"
        if similar
        else "Find names with `search` in describe_data."
    )
    return Refused("not_found", f"There is no {kind} {code(name, LONGEST_NAME)}.", hint)


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
