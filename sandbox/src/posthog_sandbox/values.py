"""Small shared conversions: JSON narrowing, times, identifiers."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

type Row = dict[str, Any]
"""One object of a resource, as JSON."""

type Clock = Callable[[], datetime]

_NAMESPACE = uuid.UUID("5f0f7f0e-2b5c-4c57-9a3e-5a4d0c0b7a10")


def as_object(value: object) -> Row | None:
    """Return the value if it is a JSON object, else None."""
    return cast(Row, value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    """Return the value if it is a JSON array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def objects(value: object) -> list[Row]:
    """Return the JSON objects of a JSON array; an empty list for any other value."""
    return [item for item in map(as_object, as_list(value) or []) if item is not None]


def timestamp(moment: datetime) -> str:
    """Format a time as Django REST framework does: ISO 8601 in UTC with `Z`, and a fraction only if not zero."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def stable_uuid(*parts: object) -> str:
    """Return a UUID derived from the parts, so that a synthetic row keeps its id across restarts."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, parts))))


def is_uuid(text: str) -> bool:
    """Return whether Python can parse the text as a UUID."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def integer_id(text: str) -> int | None:
    """Parse an integer id that fits the database, else return None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
