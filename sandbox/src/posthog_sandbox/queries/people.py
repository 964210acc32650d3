"""Persons as EventsQuery and ActorsQuery show them."""

import json
from dataclasses import replace
from itertools import batched
from typing import Any

from ..http.routing import Call
from ..values import Row, as_object, is_uuid
from .project import Project
from .running import run_hogql

_AT_ONCE = 2_000
"""Persons per lookup query."""


async def persons_by_distinct_id(call: Call, project: Project, distinct_ids: set[str]) -> dict[str, Row]:
    """Return `{"uuid", "created_at", "properties", "distinct_id"}` of the distinct ids that have a person."""
    rows = await _looked_up(
        call,
        project,
        "SELECT distinct_id, person.id, person.created_at, person.properties FROM person_distinct_ids "
        "WHERE distinct_id IN {wanted}",
        distinct_ids,
    )
    return {
        row[0]: {"uuid": row[1], "created_at": row[2], "properties": as_json(row[3]), "distinct_id": row[0]}
        for row in rows
    }


async def persons_by_id(call: Call, project: Project, ids: set[str]) -> dict[str, Row]:
    """Return `{"id", "properties", "is_identified", "created_at", "distinct_ids"}` of the existing persons."""
    ids = {identity for identity in ids if is_uuid(identity)}
    people = "SELECT id, properties, is_identified, created_at FROM persons WHERE id IN {wanted}"
    known = (
        "SELECT person_id, arraySort(groupArray(distinct_id)) FROM person_distinct_ids "
        "WHERE person_id IN {wanted} GROUP BY person_id"
    )
    distinct_ids = {row[0]: row[1] for row in await _looked_up(call, project, known, ids)}
    return {
        row[0]: {
            "id": row[0],
            "properties": as_json(row[1]),
            "is_identified": bool(row[2]),
            "created_at": row[3],
            "distinct_ids": distinct_ids.get(row[0], []),
        }
        for row in await _looked_up(call, project, people, ids)
    }


async def groups_by_key(call: Call, project: Project, index: int, keys: set[str]) -> dict[str, Row]:
    """Return `{"id", "type", "properties", "group_key", "group_type_index", ...}` of groups by key."""
    text = f"SELECT key, properties, created_at FROM groups WHERE index = {index} AND key IN {{wanted}}"
    found: dict[str, Row] = {}
    for key, properties, created_at in await _looked_up(call, project, text, keys):
        found[key] = {
            "id": key,
            "type": "group",
            "properties": as_json(properties),
            "group_key": key,
            "group_type_index": index,
            "created_at": created_at,
            "group_properties": as_json(properties),
        }
    return found


async def recorded_sessions(call: Call, project: Project, sessions: set[str]) -> set[str]:
    """Return the sessions that were recorded."""
    text = "SELECT DISTINCT session_id FROM session_replay_events WHERE session_id IN {wanted}"
    return {row[0] for row in await _looked_up(call, project, text, sessions)}


async def _looked_up(call: Call, project: Project, text: str, wanted: set[str]) -> list[list[Any]]:
    """Run a lookup query in batches and return its rows."""
    rows: list[list[Any]] = []
    for part in batched(sorted(wanted), _AT_ONCE):
        context = replace(project.context, values={"wanted": part})
        rows += (await run_hogql(call, f"{text} LIMIT {_AT_ONCE}", context)).table.rows
    return rows


def display_name(person: Row | None, distinct_id: str) -> str:
    """Return a person's display name: the email, else the name, else the distinct id."""
    properties = as_object((person or {}).get("properties")) or {}
    for key in ("email", "name", "username"):
        if properties.get(key):
            return str(properties[key])
    return distinct_id


def as_json(text: Any) -> Any:
    """Parse JSON text; an empty object for anything else."""
    return json.loads(text) if isinstance(text, str) and text else {}
