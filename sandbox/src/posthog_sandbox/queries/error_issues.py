"""Issues of error tracking. PostHog stores them; here they follow from the `$exception` events, and all are active."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..values import Row, as_list

ALL_ISSUES = (
    "SELECT toString(issue_id) AS id, min(timestamp) AS first_seen, "
    "argMin(tuple(properties.$exception_types, properties.$exception_values), timestamp) AS first "
    "FROM events WHERE event = '$exception' AND issue_id IS NOT NULL GROUP BY id LIMIT 50000"
)
"""HogQL for all issues: their ids, and the time, types and messages of their first exception."""


def issues_by_id(rows: Iterable[Sequence[Any]]) -> dict[str, Row]:
    """Return `{"id", "status", "name", "description", "first_seen", "assignee"}` of the rows of ALL_ISSUES."""
    return {str(id): _issue(str(id), first_seen, *first) for id, first_seen, first in rows}


def _issue(id: str, first_seen: str, types: str | None, messages: str | None) -> Row:
    return {
        "id": id,
        "status": "active",
        "name": _first(types),
        "description": _first(messages),
        "first_seen": first_seen,
        "assignee": None,
    }


def _first(texts: str | None) -> str | None:
    """Return the first text of a JSON array; None for anything else, which an event can contain too."""
    try:
        found = as_list(json.loads(texts or "null"))
    except ValueError:
        return None
    return str(found[0]) if found else None
