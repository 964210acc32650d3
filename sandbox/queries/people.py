"""Persons as the answers of EventsQuery and ActorsQuery show them."""

import json
from typing import Any

from ..hogql import escape
from ..routing import Call
from ..values import Row, as_object
from .project import Project
from .running import run_hogql

_MOST = 50_000


async def persons_by_distinct_id(call: Call, project: Project, distinct_ids: set[str]) -> dict[str, Row]:
    """`{"uuid", "created_at", "properties", "distinct_id"}` of those that have a person."""
    if not distinct_ids:
        return {}
    listed = ", ".join(escape.string(distinct_id) for distinct_id in sorted(distinct_ids))
    text = (
        "SELECT distinct_id, person.id, person.created_at, person.properties FROM person_distinct_ids "
        f"WHERE distinct_id IN ({listed}) LIMIT {_MOST}"
    )
    rows = (await run_hogql(call, text, project.context)).table.rows
    return {
        row[0]: {"uuid": row[1], "created_at": row[2], "properties": as_json(row[3]), "distinct_id": row[0]}
        for row in rows
    }


async def persons_by_id(call: Call, project: Project, ids: set[str]) -> dict[str, Row]:
    """`{"id", "properties", "is_identified", "created_at", "distinct_ids"}` of those that exist."""
    if not ids:
        return {}
    listed = ", ".join(escape.string(identity) for identity in sorted(ids))
    people = f"SELECT id, properties, is_identified, created_at FROM persons WHERE id IN ({listed}) LIMIT {_MOST}"
    known = (
        "SELECT person_id, arraySort(groupArray(distinct_id)) FROM person_distinct_ids "
        f"WHERE person_id IN ({listed}) GROUP BY person_id LIMIT {_MOST}"
    )
    distinct_ids = {row[0]: row[1] for row in (await run_hogql(call, known, project.context)).table.rows}
    rows = (await run_hogql(call, people, project.context)).table.rows
    return {
        row[0]: {
            "id": row[0],
            "properties": as_json(row[1]),
            "is_identified": bool(row[2]),
            "created_at": row[3],
            "distinct_ids": distinct_ids.get(row[0], []),
        }
        for row in rows
    }


def display_name(person: Row | None, distinct_id: str) -> str:
    """What a person is called: the email, else the name, else the distinct id."""
    properties = as_object((person or {}).get("properties")) or {}
    for key in ("email", "name", "username"):
        if properties.get(key):
            return str(properties[key])
    return distinct_id


def as_json(text: Any) -> Any:
    """The value of a JSON text."""
    return json.loads(text) if isinstance(text, str) and text else {}
