"""The parts of PostHog's query objects that all kinds of analyses share, made from a Spec."""

from typing import Any

from ...schemas.analytics.events import PROPERTY_MATHS, scoped
from .dates import as_sent
from .spec import EVERY_EVENT, Counted, Spec, Split

type PosthogQuery = dict[str, Any]
"""One of PostHog's insight queries, or a part of it."""


def shared(node: str, spec: Spec[Any], *, interval: str = "day") -> PosthogQuery:
    """Return the kind, range and filters of a query. `interval` decides when a date alone ends."""
    dates = unless_empty(
        date_from=as_sent(spec.dates.start), date_to=as_sent(spec.dates.end, interval=interval, end=True)
    )
    return {
        "kind": node,
        **unless_empty(
            dateRange=dates,
            properties=[condition.as_filter() for condition in spec.conditions],
            filterTestAccounts=spec.without_test_accounts,
        ),
    }


def event_node(one: Counted) -> PosthogQuery:
    """Return an EventsNode or ActionsNode."""
    conditions = [condition.as_filter() for condition in one.conditions]
    if one.event is None:
        node: PosthogQuery = {"kind": "ActionsNode", "id": one.action_id}
    else:
        everything = one.event == EVERY_EVENT
        name = "All events" if everything else one.event
        node = {"kind": "EventsNode", "event": None if everything else one.event, "name": name}
    return node | unless_empty(custom_name=one.name, properties=conditions)


def math_node(one: Counted) -> PosthogQuery:
    """Return the node with its math."""
    node = event_node(one) | {"math": one.math}
    if one.math == "hogql":
        node["math_hogql"] = one.math_property
    elif one.math in PROPERTY_MATHS:
        name, scope = scoped(one.math_property or "")
        node["math_property"] = name
        if scope == "person":
            node["math_property_type"] = "person_properties"
    if one.group_type_index is not None:
        node["math_group_type_index"] = one.group_type_index
    return node


def breakdown_filter(spec: Spec[Any]) -> PosthogQuery:
    """Return the breakdown by properties, or by cohorts, which only the older form supports."""
    if not spec.splits:
        return {}
    limited = {"breakdown_limit": spec.most_values} if spec.most_values else {}
    if spec.is_by_cohort:
        return {"breakdown_type": "cohort", "breakdown": [one.property for one in spec.splits], **limited}
    return {"breakdowns": [_breakdown(one) for one in spec.splits], **limited}


def _breakdown(one: Split) -> PosthogQuery:
    index = {} if one.group_type_index is None else {"group_type_index": one.group_type_index}
    return {"property": one.property, "type": one.type, **index}


def compare_filter(spec: Spec[Any]) -> PosthogQuery:
    """Return the comparison with the previous period, or with a shifted one."""
    if spec.compare is None:
        return {}
    return {"compare": True, **({} if spec.compare == "previous" else {"compare_to": spec.compare})}


def unless_empty(**fields: Any) -> PosthogQuery:
    """Return the fields with a value that PostHog would not take as absent."""
    return {name: value for name, value in fields.items() if value}
