"""Parameters of the list of recordings as ClickHouse conditions on `posthog.session_replays`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ...errors import ApiError, invalid
from ...hogql import escape
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
_MOST_SESSIONS = 50_000
_OF_EVENTS = frozenset(["event", "session", "cohort", "group", "hogql"])
"""Types of filters that are about events here."""
_POSITIVE = {"is_not": "exact", "is_not_set": "is_set", "not_icontains": "icontains", "not_regex": "regex"}
"""The operators that PostHog reads as: no event of the session has it."""
type Sessions = Sequence[str]
_COMPARISONS = {"exact": "=", "is_not": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_CONSOLE = {
    "info": "console_log_count",
    "log": "console_log_count",
    "warn": "console_warn_count",
    "error": "console_error_count",
}


@dataclass(frozen=True, slots=True)
class SessionsOf:
    """The sessions with such an event; with `excluded` those without one."""

    condition: str
    """HogQL about events."""
    properties: tuple[Row, ...] = ()
    excluded: bool = False

    @property
    def query(self) -> Row:
        """The HogQLQuery for the sessions with such an event."""
        terms = ["notEmpty($session_id)", self.condition, *(["{filters}"] if self.properties else [])]
        text = f"SELECT DISTINCT $session_id FROM events WHERE {' AND '.join(terms)} LIMIT {_MOST_SESSIONS}"
        return {"kind": "HogQLQuery", "query": text, "filters": {"properties": list(self.properties)}}


def wanted_sessions(call: Call) -> list[SessionsOf]:
    """Return what `events`, `actions` and `properties` require of the events of a session. Raises ApiError 400.

    As in PostHog, each is about any event of the session, and a negative condition about all of them: a session with
    one event that has the value is left out. With `operand=OR` negative conditions are about any event too.
    """
    of_events = [(item, _entity(item, name)) for name in ("actions", "events") for item in _items(call, name)]
    found = [SessionsOf(condition, tuple(objects(item.get("properties")))) for item, condition in of_events]
    alone = [item for item in _items(call, "properties") if item.get("type") in _OF_EVENTS]
    if call.params.get("operand") == "OR":
        return [*found, *(SessionsOf("true", (item,)) for item in alone)]
    negative = [item for one in found for item in one.properties if item.get("operator") in _POSITIVE]
    for item in alone:
        if item.get("operator") in _POSITIVE:
            negative.append(item)
        else:
            found.append(SessionsOf("true", (item,)))
    inverted = [{**item, "operator": _POSITIVE[str(item.get("operator"))]} for item in negative]
    return [*found, *(SessionsOf("true", (item,), excluded=True) for item in inverted)]


def _entity(item: Row, name: str) -> str:
    """Return the condition of an event or action. An event is found by its name, which is its id unless given."""
    if item.get("type") != name:
        raise _unknown(name, f"type {item.get('type')}")
    if name == "events":
        given = item.get("name") or item.get("id")
        return "true" if item.get("id") is None else f"event = {escape.string(text_of(given))}"
    action = integer_id(text_of(item.get("id")))
    if action is None:
        raise invalid("A valid integer is required.", attr="actions")
    return f"matchesAction({action})"


def recording_conditions(
    rows: Rows, call: Call, now: datetime, of_events: Iterable[tuple[SessionsOf, Sessions]]
) -> list[str]:
    """Return conditions that must all be true. Raises ApiError 400 on values that are invalid or unsupported here.

    `of_events` has the sessions with each of the requested events.
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
    return conditions + _combined(call, of_events)


def _combined(call: Call, of_events: Iterable[tuple[SessionsOf, Sessions]]) -> list[str]:
    """Return the filters that `operand` combines."""
    params = call.params
    operand = params.get("operand") or "AND"
    choice("AND", "OR")(operand, "operand")
    terms = [
        *(_of_sessions(one, sessions) for one, sessions in of_events),
        *(_property(item) for item in _items(call, "properties") if item.get("type") not in _OF_EVENTS),
        *map(_measure, _items(call, "having_predicates")),
        *map(_console, _items(call, "console_log_filters")),
    ]
    if params.get("comment_text"):
        terms.append("false")  # synthetic recordings have no comments
    return [f"({f' {operand} '.join(terms)})"] if terms else []


def _of_sessions(wanted: SessionsOf, sessions: Sessions) -> str:
    if wanted.excluded:
        return f"NOT ({_one_of('session_id', sessions)})" if sessions else "true"
    return _one_of("session_id", sessions)


def _items(call: Call, name: str) -> list[Row]:
    value = call.params.get(name)
    return objects(json_parameter(value, name)) if value else []


def _moment(value: datetime) -> str:
    return f"toDateTime64({literal(value.strftime('%Y-%m-%d %H:%M:%S.%f'))}, 6, 'UTC')"


def _one_of(column: str, values: Iterable[object]) -> str:
    return f"{column} IN ({', '.join(literal(text_of(value)) for value in values) or 'NULL'})"


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
