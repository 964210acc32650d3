"""The properties in release conditions. PostHog takes one without a type for a property of events, and rejects it."""

from collections.abc import Mapping
from typing import Any

from ...schemas.json import as_list, as_object, is_list, is_object

_TYPES = {"in": "cohort", "not_in": "cohort", "flag_evaluates_to": "flag"}
"""The type of a property by its operator, where only one type has that operator."""


def with_typed_groups(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters; each property without a type gets the only one it can have."""
    if not is_list(filters.get("groups")):
        return dict(filters)
    return {**filters, "groups": [typed(group, filters) for group in as_list(filters["groups"])]}


def typed(condition: Any, filters: Mapping[str, Any]) -> Any:
    """Return a release condition of these filters; each property without a type gets the only one it can have."""
    if not is_object(condition) or not is_list(condition.get("properties")):
        return condition
    index: object = condition.get("aggregation_group_type_index")
    if index is None:
        index = filters.get("aggregation_group_type_index")
    return {**condition, "properties": [_with_type(item, index) for item in as_list(condition["properties"])]}


def _with_type(item: Any, group_type_index: object) -> Any:
    if not is_object(item) or item.get("type") is not None:
        return item
    if group_type_index is not None:
        return {**item, "type": "group", "group_type_index": group_type_index}
    return {**item, "type": _TYPES.get(str(as_object(item).get("operator")), "person")}
