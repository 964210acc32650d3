"""Changes to objects and lists that PostHog replaces whole: what is not named is kept."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from ...schemas.json import as_object, as_objects, is_object


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


def merged_by(
    keys: Sequence[str], stored: object, given: Sequence[Mapping[str, Any]], removed: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return a stored list of objects with some replaced, added and removed.

    An object is the same as a stored one if they share a value of `keys`, the first of which is the identity that
    `removed` names. A given object replaces the fields that it has. The order is that of `given` if it has all of the
    objects, and else the stored one, with new objects at the end.
    """
    objects = [each for each in as_objects(stored) if each.get(keys[0]) not in removed]
    changes: dict[int, dict[str, Any]] = {}
    order: list[int] = []
    for one in given:
        at = _place_of(keys, objects, one, changes)
        if at is None:
            objects.append(dict(one))
            at = len(objects) - 1
        changes[at] = {**objects[at], **one}
        order.append(at)
    places = order if len(order) == len(objects) else range(len(objects))
    return [changes.get(at, objects[at]) for at in places]


def _place_of(
    keys: Sequence[str], objects: Sequence[Mapping[str, Any]], one: Mapping[str, Any], taken: Collection[int]
) -> int | None:
    """Return the position of the stored object that a given one is; None for a new one."""
    for key in keys:
        value = one.get(key)
        if value is None:
            continue
        found = (at for at, each in enumerate(objects) if at not in taken and each.get(key) == value)
        if (at := next(found, None)) is not None:
            return at
    return None


def reverting(before: object, after: object) -> dict[str, Any]:
    """Return the changes that `merged` makes of `after` to have `before` again: null for what was added."""
    was, now = as_object(before), as_object(after)
    changes: dict[str, Any] = {name: None for name in now if name not in was}
    for name, value in was.items():
        if name in now and value == now[name]:
            continue
        both = is_object(value) and is_object(now.get(name))
        changes[name] = reverting(value, now[name]) if both else value
    return changes
