"""What a change did to an object: the named fields, the side effects, and whether anything else happened to it."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from ...schemas.base import View
from ...schemas.json.difference import difference, without
from ...schemas.text import excerpt
from . import show

VOLATILE = frozenset(
    [
        *("updated_at", "last_modified_at", "last_modified_by", "version", "user_access_level", "can_edit"),
        *("last_called_at", "last_viewed_at", "last_accessed_at", "last_refresh", "last_calculation"),
        *("cache_target_age", "next_allowed_client_refresh", "is_cached", "result", "columns", "types", "hasMore"),
        *("query_status", "timezone", "hogql", "last_calculated_at", "filters_hash", "pending_version", "bytecode"),
        *("alerts", "effective_privilege_level", "effective_restriction_level", "dashboard_tiles", "derived_name"),
    ]
)
"""Fields that change by themselves, or follow from others."""
_FOLLOWS = {"tiles": "insights", "saved_metrics": "saved_metrics_ids"}
"""Fields that show in another way what the named ones do."""
_LONGEST = 2000
"""Most characters of one value in a difference."""


def differences(
    gives: type[View], before: Mapping[str, Any], after: Mapping[str, Any], named: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return `changed` for the named fields, and `also_changed` for others that PostHog changed with them.

    Fields of the view are compared as it shows them, and others that both objects have as they are stored.
    """
    following = {name for name, cause in _FOLLOWS.items() if cause in named}
    ignored = VOLATILE.difference(named) | following
    was, now = _comparable(gives, before, after), _comparable(gives, after, before)
    changed, others = dict[str, Any](), dict[str, Any]()
    for name in dict.fromkeys((*named, *was, *now)):
        if name in ignored:
            continue
        found = difference({name: was.get(name)}, {name: now.get(name)}, ignoring=ignored)
        if name in named:
            # A view can show less of a field than changed, such as the kind of a query.
            found = found or difference({name: before.get(name)}, {name: after.get(name)}, ignoring=ignored)
            changed.update(cut_all(found))
        else:
            others.update(cut_all(found))
    return {"changed": changed, **({"also_changed": others} if others else {})}


def _comparable(gives: type[View], one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {name: one[name] for name in one if name in other and name not in gives.model_fields}
    return {**hidden, **show(gives, one)}


def version_of(stored: Mapping[str, Any]) -> str:
    """Return a text that differs when anything in the object differs that does not change by itself."""
    lasting = {**without(stored, VOLATILE), "version": stored.get("version")}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()


def cut_all(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a difference without long values."""
    return {place: {side: cut(value) for side, value in sides.items()} for place, sides in found.items()}


def cut(value: Any) -> Any:
    """Return the value, or the start of its JSON text if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= _LONGEST else excerpt(text, _LONGEST)
