"""PostHog's property filters (`{"key", "value", "operator", "type"}`) as HogQL conditions.

As in PostHog, incomplete filters match every row. Values are always escaped with `escape`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ..errors import invalid
from ..hogql import Context, HogqlError, column_kind, escape, parse_expression
from ..values import Row, as_list, as_object, objects
from .filter_operators import Operand, condition
from .moments import parse_moment
from .selectors import element_condition

type TableName = Literal["events", "persons", "sessions"]
TRUE = "true"
_NO_VALUE = frozenset({"is_set", "is_not_set"})
_KINDS = {"integer": "Numeric", "float": "Numeric", "boolean": "Boolean", "datetime": "DateTime"}
_PERSON_ID: Mapping[str, str] = {"events": "person_id", "persons": "id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterScope:
    """The context for parsing filters: the project, the clock, the filtered table and the path cleaning rules.

    Each rule is a regular expression and its replacement.
    """

    context: Context
    now: datetime
    table: TableName = "events"
    path_cleaning: tuple[tuple[str, str], ...] = ()


def properties_condition(properties: object, scope: FilterScope) -> str:
    """Return the condition of a list of filters (all must match) or a `PropertyGroupFilter`. Raises ApiError 400."""
    group = as_object(properties)
    if group is not None:
        return _group(group, scope)
    return _joined("AND", [_item(item, scope) for item in objects(properties)])


def _item(item: Row, scope: FilterScope) -> str:
    return _group(item, scope) if "values" in item else filter_condition(item, scope)


def _group(group: Row, scope: FilterScope) -> str:
    joint = str(group.get("type", "AND")).upper()
    return _joined("OR" if joint == "OR" else "AND", [_item(item, scope) for item in objects(group.get("values"))])


def _joined(joint: str, terms: list[str]) -> str:
    if joint == "AND":
        terms = [term for term in terms if term != TRUE]
    return f"({f' {joint} '.join(terms)})" if len(terms) > 1 else (terms[0] if terms else TRUE)


def filter_condition(item: Row, scope: FilterScope) -> str:
    """Return the condition of a filter. Raises ApiError 400 for an unsupported type or operator."""
    kind = str(item.get("type") or "event")
    key = item.get("key")
    if not isinstance(key, str) or not key:
        return TRUE
    make = _TYPES.get(kind)
    if make is None:
        raise invalid(f"The sandbox does not support property filters of type {kind[:40]}.", attr="properties")
    return make(key, item, scope)


def _valued(item: Row) -> list[Any] | None:
    """Return the values of a filter; None if it is incomplete or has an empty list, and so matches every row."""
    value = item.get("value")
    values = as_list(value)
    if values is None:
        return [] if item.get("operator") in _NO_VALUE else None if value is None else [value]
    return values or None


def _compared(expression: str, item: Row, scope: FilterScope, kind: str | None) -> str:
    values = _valued(item)
    if values is None:
        return TRUE

    def moment(text: str) -> datetime:
        return parse_moment(text, scope.now, scope.context.timezone)

    operand = Operand(expression, kind, moment, scope.path_cleaning)
    return condition(operand, str(item.get("operator") or "exact"), values)


def _on_events(scope: FilterScope, kind: str) -> None:
    if scope.table != "events":
        raise invalid(f"Property filters of type {kind} cannot be used on {scope.table}.", attr="properties")


def _name(key: str) -> str:
    try:
        return escape.hogql_identifier(key)
    except HogqlError as error:
        raise invalid(error.message, attr="properties") from error


def _event(key: str, item: Row, scope: FilterScope) -> str:
    _on_events(scope, "event")
    if key == "$elements_chain":
        return _compared("elements_chain", item, scope, "String")
    return _compared(f"properties.{_name(key)}", item, scope, scope.context.property_types.get(("event", key)))


def _person(key: str, item: Row, scope: FilterScope) -> str:
    if scope.table == "sessions":
        _on_events(scope, "person")
    if key == "distinct_id":
        inner = _compared("distinct_id", item, scope, "String")
        if inner == TRUE:
            return TRUE
        return f"{_PERSON_ID[scope.table]} IN (SELECT person_id FROM person_distinct_ids WHERE {inner})"
    owner = "properties" if scope.table == "persons" else "person.properties"
    return _compared(f"{owner}.{_name(key)}", item, scope, scope.context.property_types.get(("person", key)))


def _session(key: str, item: Row, scope: FilterScope) -> str:
    if scope.table == "persons":
        _on_events(scope, "session")
    return _column("sessions", key, "session." if scope.table == "events" else "", item, scope)


def _column(table: str, key: str, prefix: str, item: Row, scope: FilterScope) -> str:
    kind = column_kind(table, key)
    if kind is None or kind == "array":
        raise invalid(f"The {table} have no property {key[:100]}.", attr="properties")
    expression = f"{prefix}{_name(key)}"
    return _compared(f"toString({expression})" if kind == "uuid" else expression, item, scope, _KINDS.get(kind))


def _group_property(key: str, item: Row, scope: FilterScope) -> str:
    _on_events(scope, "group")
    index = item.get("group_type_index", 0)
    if not isinstance(index, int) or not 0 <= index < 5:
        raise invalid("group_type_index is a number from 0 to 4.", attr="properties")
    kind = scope.context.property_types.get(("group", key))
    return _compared(f"group_{index}.properties.{_name(key)}", item, scope, kind)


def _metadata(key: str, item: Row, scope: FilterScope) -> str:
    _on_events(scope, "event_metadata")
    return _column("events", key, "", item, scope)


def _cohort(_key: str, item: Row, scope: FilterScope) -> str:
    if scope.table == "sessions":
        _on_events(scope, "cohort")
    values = _valued(item)
    if values is None:
        return TRUE
    try:
        numbers = [int(str(value)) for value in values]
    except ValueError:
        raise invalid("The value of a cohort filter is the number of a cohort.", attr="properties") from None
    negated = item.get("operator") in {"not_in", "is_not"} or item.get("negation") is True
    operator, joint = ("NOT IN COHORT", "AND") if negated else ("IN COHORT", "OR")
    return _joined(joint, [f"({_PERSON_ID[scope.table]} {operator} {number})" for number in numbers])


def _hogql(key: str, _item: Row, _scope: FilterScope) -> str:
    try:
        parse_expression(key)
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
    return f"({key}\n)"  # the line break ends a trailing comment


def _element(key: str, item: Row, scope: FilterScope) -> str:
    _on_events(scope, "element")
    values = _valued(item)
    if values is None:
        return TRUE
    return element_condition(key, str(item.get("operator") or "exact"), [str(value) for value in values])


def _flag(_key: str, _item: Row, _scope: FilterScope) -> str:
    return TRUE


_TYPES: Mapping[str, Callable[[str, Row, FilterScope], str]] = {
    "event": _event,
    "feature": _event,
    "person": _person,
    "session": _session,
    "group": _group_property,
    "event_metadata": _metadata,
    "cohort": _cohort,
    "hogql": _hogql,
    "element": _element,
    "flag": _flag,
}
