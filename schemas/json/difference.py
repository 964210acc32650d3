"""Comparison of an object as it is stored with the one that is wanted, or with the one that was stored before."""

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from . import is_list, is_object

_GIVEN_BY_POSTHOG = frozenset({"id", "uuid", "bytecode", "created_at", "fingerprint"})
"""Fields that PostHog adds to parts of an object; a body that lacks them wants no change of them."""
_MOST = 60
"""Most differences that are listed."""


def same(wanted: Any, stored: Any, *, with_more: bool = False) -> bool:
    """Return whether storing `wanted` would change nothing.

    Empty fields, and those that PostHog adds to the parts of a list, are the same as absent ones. Texts are the same if
    they are the same moment. `with_more`: stored objects can have more fields.
    """
    if is_object(wanted) and is_object(stored):
        more = set[str]() if with_more else stored.keys() - _GIVEN_BY_POSTHOG
        names = wanted.keys() | more
        return all(same(wanted.get(name), stored.get(name), with_more=with_more) for name in names)
    if is_list(wanted) and is_list(stored):
        pairs = zip(wanted, stored, strict=False)
        return len(wanted) == len(stored) and all(same(*pair, with_more=with_more) for pair in pairs)
    if _is_empty(wanted) and _is_empty(stored):
        return True
    if isinstance(wanted, bool) is not isinstance(stored, bool):
        return False
    return wanted == stored or _same_moment(wanted, stored)


def difference(before: Any, after: Any, *, ignoring: Container[str] = ()) -> dict[str, dict[str, Any]]:
    """Return `{"filters.groups.0.rollout_percentage": {"before", "after"}}`, at most 60 places.

    Lists of other lengths are compared as a whole. `ignoring` are names of fields at any depth.
    """
    found: dict[str, dict[str, Any]] = {}
    _collect("", before, after, found, ignoring)
    return found


def _collect(place: str, before: Any, after: Any, found: dict[str, dict[str, Any]], ignoring: Container[str]) -> None:
    if len(found) >= _MOST or same(after, before):
        return
    inside = f"{place}." if place else ""
    if is_object(before) and is_object(after):
        for name in dict.fromkeys((*before, *after)):
            if name not in ignoring:
                _collect(f"{inside}{name}", before.get(name), after.get(name), found, ignoring)
    elif is_list(before) and is_list(after) and len(before) == len(after) and all(map(is_object, (*before, *after))):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            _collect(f"{inside}{number}", one, other, found, ignoring)
    else:
        found[place] = {"before": before, "after": after}


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _same_moment(one: Any, other: Any) -> bool:
    if not (isinstance(one, str) and isinstance(other, str) and one[:4].isdecimal() and other[:4].isdecimal()):
        return False
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def without(fields: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    """Return an object without some of its fields."""
    return {name: value for name, value in fields.items() if name not in names}
