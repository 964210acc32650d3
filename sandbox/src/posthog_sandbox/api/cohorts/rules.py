"""Cohort definitions: validation as in PostHog, and translation to ClickHouse SQL."""

from datetime import datetime, timedelta
from typing import Any

from ...errors import ApiError, invalid
from ...storage.events import literal
from ...storage.store import Rows
from ...values import Row, as_list, as_object, is_uuid, objects
from ..persons.filters import person_condition

_INTERVALS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1, "week": 7, "month": 30, "year": 365}
_DEEPEST = 20
_COUNTS = {"gte": ">=", "lte": "<=", "gt": ">", "lt": "<", "eq": "=", "exact": "="}


class CohortError(Exception):
    """The sandbox cannot calculate the cohort; the message gives the reason."""


def check_filters(rows: Rows, filters: Row) -> None:
    """Raise ApiError 400 unless the filters are a tree of groups and known filters."""
    properties = as_object(filters.get("properties"))
    if properties is None:
        raise _invalid("Must contain a 'properties' key with type and values")
    _check_group(rows, properties, 0)


def _check_group(rows: Rows, group: Row, depth: int) -> None:
    values = as_list(group.get("values"))
    if str(group.get("type")).upper() not in {"AND", "OR"} or values is None or depth > _DEEPEST:
        raise _invalid("A group needs a type, AND or OR, and a list of values")
    for value in values:
        item = as_object(value)
        if item is None:
            raise _invalid("Each value must be a filter or a group")
        if "values" in item:
            _check_group(rows, item, depth + 1)
        else:
            _check_leaf(rows, item)


def _check_leaf(rows: Rows, item: Row) -> None:
    kind = item.get("type")
    needed = {"behavioral": ("key", "event_type", "value"), "person": ("key",), "cohort": ("key", "value")}
    if kind not in needed:
        raise _invalid(f"Filter type '{kind}' is not one of behavioral, person, cohort")
    missing = [name for name in needed[kind] if item.get(name) in (None, "")]
    if kind == "behavioral" and not item.get("explicit_datetime"):
        missing += [name for name in ("time_value", "time_interval") if item.get(name) in (None, "")]
    if kind == "person" and item.get("value") is None and item.get("operator") not in {"is_set", "is_not_set"}:
        missing.append("value")
    if missing:
        raise _invalid(f"Missing required keys for {kind} filter: {', '.join(missing)}")
    if kind == "cohort" and not isinstance(item["value"], int):
        raise _invalid("The value of a cohort filter is the number of a cohort")
    if kind == "cohort" and rows.get("cohorts", item["value"]) is None:
        raise _invalid(f"Cohort with id {item['value']} does not exist")


def filters_of_groups(groups: list[Any]) -> Row:
    """Convert the deprecated `groups` to filters, as PostHog does.

    `{"event_id", "days"}` is a performed event. `{"properties"}` are *person* properties regardless of their type, so a
    group of type `event` matches no persons.
    """
    return {"properties": {"type": "OR", "values": [_group_filters(group) for group in objects(groups)]}}


def _group_filters(group: Row) -> Row:
    event = group.get("event_id") or group.get("action_id")
    if event:
        done = {"type": "behavioral", "key": event, "event_type": "events", "value": "performed_event"}
        return {"type": "AND", "values": [{**done, "time_value": group.get("days") or 7, "time_interval": "day"}]}
    return {"type": "AND", "values": [{**item, "type": "person"} for item in objects(group.get("properties"))]}


def persons_of(rows: Rows, cohort: Row, depth: int = 0) -> str:
    """Return a SELECT of the cohort's person ids. Raises CohortError when the sandbox cannot calculate the cohort."""
    if depth > _DEEPEST:
        raise CohortError("The cohorts refer to each other in a cycle.")
    if cohort["is_static"]:
        members = ", ".join(literal(member) for member in cohort["_members"] if is_uuid(member))
        return f"SELECT id FROM posthog.persons WHERE toString(id) IN ({members or repr('')})"
    filters = cohort["filters"] or filters_of_groups(cohort["groups"])
    condition = _group(rows, filters["properties"], depth)
    return f"SELECT id FROM posthog.persons WHERE {condition}"


def _group(rows: Rows, group: Row, depth: int) -> str:
    joint = f" {str(group['type']).upper()} "
    terms = [
        _group(rows, item, depth) if "values" in item else _leaf(rows, item, depth) for item in objects(group["values"])
    ]
    return f"({joint.join(terms)})" if terms else "false"


def _leaf(rows: Rows, item: Row, depth: int) -> str:
    if item["type"] == "person":
        try:
            condition = person_condition(item)
        except ApiError as error:
            raise CohortError(str(error.body["detail"])) from error
    elif item["type"] == "cohort":
        other = rows.get("cohorts", item["value"])
        if other is None:
            raise CohortError(f"Cohort {item['value']} does not exist.")
        condition = f"id IN ({persons_of(rows, other, depth + 1)})"
    else:
        condition = f"id IN ({_performed(rows, item)})"
    return f"NOT ({condition})" if item.get("negation") else f"({condition})"


def _performed(rows: Rows, item: Row) -> str:
    """Return a SELECT of the persons who performed the event often and recently enough."""
    if item.get("event_type") != "events" or item["value"] not in {"performed_event", "performed_event_multiple"}:
        raise CohortError(f"The sandbox does not support {item['value']} on {item.get('event_type')} in cohorts.")
    since = literal(_since(rows, item).strftime("%Y-%m-%d %H:%M:%S"))
    wanted_of_it = "".join(f" AND {_of_event(part)}" for part in objects(item.get("event_filters")))
    having = ""
    if item["value"] == "performed_event_multiple":
        operator = _COUNTS.get(str(item.get("operator", "gte")))
        wanted = item.get("operator_value", 1)
        if operator is None or not isinstance(wanted, int):
            raise CohortError("performed_event_multiple needs an operator and an operator_value.")
        having = f" GROUP BY person_id HAVING count() {operator} {wanted}"
    return (
        f"SELECT person_id FROM posthog.events WHERE event = {literal(str(item['key']))} "
        f"AND timestamp >= toDateTime64({since}, 6, 'UTC'){wanted_of_it}{having}"
    )


def _of_event(item: Row) -> str:
    """Return the condition of a property on the event."""
    if item.get("type", "event") != "event":
        raise CohortError(f"The sandbox does not support properties of type {item.get('type')} on a cohort's event.")
    try:
        return person_condition(item)
    except ApiError as error:
        raise CohortError(str(error.body["detail"])) from error


def _since(rows: Rows, item: Row) -> datetime:
    now = datetime.fromisoformat(rows.now)
    try:
        if item.get("explicit_datetime"):
            text = str(item["explicit_datetime"])
            if text.startswith("-") and text[-1:] in "hdwmy":
                unit = {"h": "hour", "d": "day", "w": "week", "m": "month", "y": "year"}[text[-1]]
                return now - timedelta(days=int(text[1:-1]) * _INTERVALS[unit])
            return datetime.fromisoformat(text)
        return now - timedelta(days=float(item["time_value"]) * _INTERVALS[str(item["time_interval"])])
    except (KeyError, ValueError, OverflowError, TypeError):
        raise CohortError("Invalid time in a behavioral filter.") from None


def _invalid(detail: str) -> ApiError:
    return invalid(detail, attr="filters")
