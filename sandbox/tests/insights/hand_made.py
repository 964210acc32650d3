"""A few hand-written events, in an engine with the tables of the dataset."""

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from posthog_sandbox.dataset.tables import DATABASE, TABLES
from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import Serving

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMESPACE = uuid.UUID("2d8e0d4e-7c43-4a53-9f0e-6b3c5f2a9b11")


@cache
def _id(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


@dataclass(frozen=True, slots=True)
class Person:
    """A person with the distinct id `name`."""

    name: str
    created_at: datetime = datetime(2019, 1, 1, tzinfo=UTC)
    properties: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)

    @property
    def id(self) -> str:
        return _id(self.name)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a person. `group` is the key of group type 0; `distinct_id` defaults to the person's name."""

    person: Person
    event: str
    timestamp: datetime
    properties: dict[str, Any] = field(default_factory=dict[str, Any])
    group: str = ""
    session: str = ""
    distinct_id: str = ""

    @property
    def sent_as(self) -> str:
        return self.distinct_id or self.person.name


@dataclass(frozen=True, slots=True)
class Group:
    """A group of type 0."""

    key: str
    created_at: datetime
    properties: dict[str, Any] = field(default_factory=dict[str, Any])


def at(text: str) -> datetime:
    """Parse a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def open_engine(
    directory: Path,
    events: list[Event],
    groups: list[Group] | None = None,
    types: dict[tuple[str, str], str] | None = None,
) -> Engine:
    """Return an engine with these events, their persons and groups. `types` are property types by scope and name.

    The caller must close it.
    """
    engine = Engine(directory)
    engine.execute(f"CREATE DATABASE {DATABASE}")
    for table in TABLES:
        engine.execute(table.create())
    persons = {event.person.name: event.person for event in events}
    _insert(engine, "events", [_event_row(index, event) for index, event in enumerate(events)])
    _insert(engine, "persons", [_person_row(index, person) for index, person in enumerate(persons.values())])
    distinct_ids = {person.name: person for person in persons.values()}
    distinct_ids |= {event.sent_as: event.person for event in events}
    rows = [{"distinct_id": name, "person_id": person.id} for name, person in distinct_ids.items()]
    _insert(engine, "person_distinct_ids", rows)
    _insert(engine, "groups", [_group_row(group) for group in groups or []])
    _insert(engine, "sessions", _session_rows(events))
    definitions = [
        {"name": name, "type": scope, "property_type": kind, "is_numerical": kind == "Numeric"}
        for (scope, name), kind in (types or {}).items()
    ]
    _insert(engine, "property_definitions", definitions)
    return engine


def _insert(engine: Engine, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        lines = ["\t".join(_field(value) for value in row.values()) + "\n" for row in rows]
        engine.insert(f"{DATABASE}.{table}", rows[0], [line.encode() for line in lines])


def _field(value: Any) -> str:
    if isinstance(value, datetime):
        return str((value - _EPOCH) // timedelta(microseconds=1))
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _event_row(index: int, event: Event) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid5(_NAMESPACE, f"event {index}")),
        "event": event.event,
        "properties": {**event.properties, **({"$session_id": event.session} if event.session else {})},
        "timestamp": event.timestamp,
        "distinct_id": event.sent_as,
        "created_at": event.timestamp,
        "$session_id": event.session,
        "person_mode": "propertyless" if event.properties.get("$process_person_profile") is False else "full",
        "$group_0": event.group,
        "person_id": event.person.id,
        "person_created_at": event.person.created_at,
        "person_properties": event.person.properties,
    }


def _person_row(index: int, person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "created_at": person.created_at,
        "properties": person.properties,
        "is_identified": True,
        "last_seen_at": person.created_at,
        "name": person.name,
        "number": index + 1,
    }


def _group_row(group: Group) -> dict[str, Any]:
    return {
        "index": 0,
        "key": group.key,
        "created_at": group.created_at,
        "updated_at": group.created_at,
        "properties": group.properties,
    }


def _session_rows(events: list[Event]) -> list[dict[str, Any]]:
    times: dict[str, list[Event]] = {}
    for event in events:
        if event.session:
            times.setdefault(event.session, []).append(event)
    rows: list[dict[str, Any]] = []
    for session, members in times.items():
        first, last = min(member.timestamp for member in members), max(member.timestamp for member in members)
        rows.append(
            {
                "session_id": session,
                "distinct_id": members[0].sent_as,
                "person_id": members[0].person.id,
                "$start_timestamp": first,
                "$end_timestamp": last,
                "$session_duration": int((last - first).total_seconds()),
            }
        )
    return rows


async def run_query(sandbox: Serving, query: dict[str, Any]) -> dict[str, Any]:
    """Return the response of the query endpoint to a query."""
    sent = await sandbox.send("POST", "query/", {"query": query})
    assert sent.status_code == 200, sent.text
    return sent.json()


async def results(sandbox: Serving, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the results of a query."""
    return (await run_query(sandbox, query))["results"]
