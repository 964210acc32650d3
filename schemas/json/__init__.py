"""Narrowing of parsed JSON to objects, lists and texts."""

from typing import Any, TypeGuard, cast

MOST_EXACT = 2**53
"""The largest integer up to which JavaScript, and whatever else reads numbers as doubles, keeps all digits."""


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether a JSON value is a list."""
    return isinstance(value, list)


def as_object(value: object) -> dict[str, Any]:
    """Return the object, or an empty one for any other value."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return the list, or an empty one for any other value."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list, or an empty list for any other value."""
    return [item for item in as_list(value) if is_object(item)]


def as_text(value: object) -> str:
    """Return the text, or an empty one for any other value."""
    return value if isinstance(value, str) else ""


def safe_integers(value: Any) -> Any:
    """Return a JSON value with integers beyond `MOST_EXACT` as text, so that hosts written in JavaScript show them."""
    if is_object(value):
        return {name: safe_integers(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [safe_integers(item) for item in cast("list[Any]", value)]
    return str(value) if isinstance(value, int) and not -MOST_EXACT <= value <= MOST_EXACT else value
