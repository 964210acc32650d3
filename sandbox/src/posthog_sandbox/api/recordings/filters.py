"""Parameters of the list of recordings as ClickHouse conditions on `posthog.session_replays`."""

from collections.abc import Iterable
from datetime import datetime

from ...errors import ApiError, invalid
from ...http.dates import parse_date
from ...http.fields import choice
from ...http.filters import json_parameter, truth
from ...http.routing import Call
from ...storage.events import literal
from ...storage.store import Rows
from ...values import Row, as_list, integer_id, is_uuid, objects
from ..persons.filters import person_condition, text_of

ACTIVITY_SCORE = "round(100 * active_seconds / greatest(recording_duration, 1), 2)"
MEASURES = {
    "start_time": "start_time",
    "duration": "recording_duration",
    **{
        name: name
        for name in (
            "recording_duration",
            "active_seconds",
            "inactive_seconds",
            "console_error_count",
            "click_count",
            "keypress_count",
            "mouse_activity_count",
        )
    },
    "activity_score": ACTIVITY_SCORE,
}
"""Columns a list can be ordered by and, except the start, filtered by."""

_DEFAULT_FROM = "-3d"
_COMPARISONS = {"exact": "=", "is_not": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_CONSOLE = {
    "info": "console_log_count",
    "log": "console_log_count",
    "warn": "console_warn_count",
    "error": "console_error_count",
}


def wanted_actions(call: Call) -> list[int]:
    """Return the ids in `actions`. Raises ApiError 400."""
    ids = [integer_id(text_of(item.get("id"))) for item in _items(call, "actions")]
    if any(item.get("properties") for item in _items(call, "actions")):
        raise _unknown("actions", "properties on an action")
    found = [id for id in ids if id is not None]
    if len(found) < len(ids):
        raise invalid("A valid integer is required.", attr="actions")
    return found


def recording_conditions(rows: Rows, call: Call, now: datetime, of_actions: Iterable[Iterable[str]]) -> list[str]:
    """Return conditions that must all be true. Raises ApiError 400 on values that are invalid or unsupported here.

    `of_actions` has the sessions with each of the requested actions.
    """
    params = call.params
    start = parse_date(params.get("date_from") or _DEFAULT_FROM, now, "date_from")
    conditions = [f"start_time >= {_moment(start)}"]
    if end := params.get("date_to"):
        conditions.append(f"start_time <= {_moment(parse_date(end, now, 'date_to'))}")
    if person := params.get("person_uuid"):
        if not is_uuid(person):
            raise invalid("Must be a valid UUID.", attr="person_uuid")
        conditions.append(f"toString(person_id) = {literal(person.lower())}")
    for name, column in (("session_ids", "session_id"), ("distinct_ids", "distinct_id")):
        if name in params:
            conditions.append(_one_of(column, json_parameter(params[name], name)))
    if truth(params.get("filter_test_accounts", "")):
        project = rows.get("projects", call.project_id) or {}
        conditions += [_property(item) for item in objects(project.get("test_account_filters"))]
    return conditions + _combined(call, of_actions)


def _combined(call: Call, of_actions: Iterable[Iterable[str]]) -> list[str]:
    """Return the filters that `operand` combines."""
    params = call.params
    operand = params.get("operand") or "AND"
    choice("AND", "OR")(operand, "operand")
    terms = [
        *(_one_of("session_id", sessions) for sessions in of_actions),
        *map(_event, _items(call, "events")),
        *map(_property, _items(call, "properties")),
        *map(_measure, _items(call, "having_predicates")),
        *map(_console, _items(call, "console_log_filters")),
    ]
    if params.get("comment_text"):
        terms.append("false")  # synthetic recordings have no comments
    return [f"({f' {operand} '.join(terms)})"] if terms else []


def _items(call: Call, name: str) -> list[Row]:
    value = call.params.get(name)
    return objects(json_parameter(value, name)) if value else []


def _moment(value: datetime) -> str:
    return f"toDateTime64({literal(value.strftime('%Y-%m-%d %H:%M:%S.%f'))}, 6, 'UTC')"


def _one_of(column: str, values: Iterable[object]) -> str:
    return f"{column} IN ({', '.join(literal(text_of(value)) for value in values) or 'NULL'})"


def _event(item: Row) -> str:
    """Return a condition for sessions with such an event."""
    name = item.get("id") or item.get("name")
    wanted = [] if name is None else [f"event = {literal(text_of(name))}"]
    for property in objects(item.get("properties")):
        if property.get("type", "event") != "event":
            raise _unknown("events", f"properties of type {property.get('type')} on an event")
        wanted.append(person_condition(property))
    return f"session_id IN (SELECT `$session_id` FROM posthog.events WHERE {' AND '.join(wanted or ['true'])})"


def _property(item: Row) -> str:
    kind = item.get("type")
    if kind == "person":
        return f"person_id IN (SELECT id FROM posthog.persons WHERE {person_condition(item)})"
    if kind == "event":
        return f"session_id IN (SELECT `$session_id` FROM posthog.events WHERE {person_condition(item)})"
    if kind == "recording":
        return _measure(item)
    if kind == "log_entry":
        return _console(item)
    raise _unknown("properties", f"type {kind}")


def _measure(item: Row) -> str:
    key, operator, value = item.get("key"), item.get("operator") or "exact", item.get("value")
    values = as_list(value)
    first = values[0] if values else value
    column, comparison = MEASURES.get(str(key)), _COMPARISONS.get(str(operator))
    if column is None or column == "start_time" or comparison is None:
        raise _unknown("having_predicates", f"{key} {operator}")
    if isinstance(first, bool) or not isinstance(first, int | float):
        raise invalid("A valid number is required.", attr="having_predicates")
    return f"{column} {comparison} {literal(first)}"


def _console(item: Row) -> str:
    values = as_list(item.get("value"))
    levels = [str(level) for level in (values or [item.get("value")])]
    if item.get("key") != "level" or not levels or not set(levels) <= _CONSOLE.keys():
        raise _unknown("console_log_filters", str(item.get("key")))
    return "(" + " OR ".join(f"{_CONSOLE[level]} > 0" for level in levels) + ")"


def _unknown(name: str, what: str) -> ApiError:
    return invalid(f"The sandbox does not know {what} in `{name}`.", attr=name)
