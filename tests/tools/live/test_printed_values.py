"""What results print is accepted as a filter: every value of every list, against the filter that takes it."""

from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from maton_posthog.schemas.base import Page
from maton_posthog.schemas.json import as_objects
from maton_posthog.tools.operation import Operation
from maton_posthog.tools.operations import OPERATIONS

from ..posthog.live import LiveSandbox

pytestmark = pytest.mark.anyio

LISTS = [
    operation
    for operation in OPERATIONS
    if issubclass(operation.input, Page)
    and not any(field.is_required() for field in operation.input.model_fields.values())
]
"""The lists of objects; list_actors lists the persons behind a number that is given."""
FILTERS = {
    ("list_flags", "status"): "active",
    ("list_insights", "kind"): "insight",
}
"""The filters with another name than the field that prints their values."""
PRINTED: list[tuple[str, str, list[Any]]] = [
    ("list_experiments", "status", ["draft", "running", "paused", "exposure_frozen", "stopped", "Stopped", "complete"]),
    ("list_flags", "active", [True, False, "ACTIVE", "INACTIVE", "STALE", "stale"]),
    ("list_insights", "insight", ["TrendsQuery", "FunnelsQuery", "RetentionQuery", "PathsQuery", "StickinessQuery",
                                  "LifecycleQuery", "HogQLQuery", "EventsQuery", "query_trends", "query_funnel"]),
    ("list_annotations", "scope", ["project", "organization", "dashboard", "insight", "dashboard_item"]),
    ("list_recordings", "order", ["start_time", "recording_duration", "active_seconds", "click_count", "keypress_count",
                                  "console_error_count", "mouse_activity_count", "activity_score", "Click Count"]),
    ("manage_connection", "status", ["ACTIVE", "PENDING", "FAILED", "active"]),
    ("query_trends", "interval", ["Day", "days", "daily", "weekly", "MONTH"]),
    ("query_trends", "math", ["DAU", "Unique Users", "weekly-active", "Avg", "unique_session"]),
    ("query_trends", "compare", ["Previous", "previous_period", "-1W", "last year", True]),
    ("query_funnel", "window_unit", ["Days", "HOUR"]),
    ("query_retention", "period", ["Week", "weekly"]),
    ("query_retention", "kind", ["First Time", "RECURRING"]),
    ("query_trends", "breakdown", ["Person.plan", "cohort.7"]),
]  # fmt: skip
OPERATORS = ["=", "EXACT", "is not", "Contains", "greater than", ">=", "max", "IS_SET", "is-not-set", "before", "AFTER"]


def operation_of(name: str) -> Operation[Any]:
    return next(operation for operation in OPERATIONS if operation.name == name)


@pytest.mark.parametrize("operation", LISTS, ids=lambda operation: operation.name)
async def test_every_value_in_a_list_is_accepted_by_the_filter_of_its_name(
    sandbox: LiveSandbox, operation: Operation[Any]
) -> None:
    shown = await sandbox.call(operation.name)
    for row in [row for value in shown.values() for row in as_objects(value)]:
        for field, value in row.items():
            name = FILTERS.get((operation.name, field), field)
            if name in operation.input.model_fields:
                await sandbox.call(operation.name, **{name: value})


@pytest.mark.parametrize(("tool", "name", "values"), PRINTED)
def test_words_are_accepted_as_they_are_printed_and_in_any_case(tool: str, name: str, values: list[Any]) -> None:
    base = {"manage_connection": {"action": "list"}, "query_trends": {"events": "x", "property": "y"},
            "query_funnel": {"steps": ["x", "y"]}, "query_retention": {"event": "x"}}.get(tool, {})  # fmt: skip
    for value in values:
        operation_of(tool).input.model_validate({**base, name: value})


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("tool", ["query_trends", "list_persons"])
def test_operators_are_accepted_in_any_case_and_common_spelling(tool: str, operator: str) -> None:
    condition = {"key": "x", "operator": operator, "value": "2026-02-23"}
    field, base = ("filters", {"events": "x"}) if tool == "query_trends" else ("properties", {})
    operation_of(tool).input.model_validate({**base, field: [condition]})


def words_of(annotation: Any) -> list[str]:
    """Return the words of every Literal in an annotation."""
    annotation = getattr(annotation, "__value__", annotation)
    if get_origin(annotation) is Literal:
        return [word for word in get_args(annotation) if isinstance(word, str)]
    return [word for part in get_args(annotation) for word in words_of(part)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_word_of_every_argument_is_accepted_in_any_case(operation: Operation[Any]) -> None:
    model: type[BaseModel] = operation.input
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is list:
            continue
        for word in words_of(field.annotation):
            for form in (word.upper(), word.title(), f" {word}"):
                assert name not in wrong_fields(model, {name: form}), (name, form)


def wrong_fields(model: type[BaseModel], given: dict[str, Any]) -> set[str]:
    """Return the fields whose values are not accepted; those that are missing do not count."""
    try:
        model.model_validate(given)
    except ValidationError as error:
        return {str(fault["loc"][0]) for fault in error.errors() if fault["loc"] and fault["type"] != "missing"}
    return set()
