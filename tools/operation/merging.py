"""Changes to nested objects that PostHog replaces whole: fields that are not named are kept."""

from collections.abc import Mapping
from typing import Any, cast


def merged(stored: object, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored object with the changes: objects merge by key, null removes, other values replace."""
    result = dict(cast("Mapping[str, Any]", stored)) if isinstance(stored, Mapping) else {}
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = merged(result.get(name), cast("Mapping[str, Any]", value))
        else:
            result[name] = value
    return result
