"""Small conversions that several parts share: JSON narrowing, times, identifiers."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

type Row = dict[str, Any]
"""One object of a resource: a JSON object."""

type Clock = Callable[[], datetime]

_NAMESPACE = uuid.UUID("5f0f7f0e-2b5c-4c57-9a3e-5a4d0c0b7a10")


def as_object(value: object) -> Row | None:
    """The value if it is a JSON object."""
    return cast(Row, value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    """The value if it is a JSON array."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def objects(value: object) -> list[Row]:
    """The JSON objects in a JSON array; nothing for anything else."""
    return [item for item in map(as_object, as_list(value) or []) if item is not None]


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC as Django REST framework writes it: `Z`, and a fraction only when there is one."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def stable_uuid(*parts: object) -> str:
    """The same UUID for the same parts, so that a synthetic row keeps its id over restarts."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, parts))))


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as Python reads it."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def integer_id(text: str) -> int | None:
    """An integer id that fits the database, or None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
