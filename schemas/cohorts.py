"""Cohorts: `/api/projects/{project_id}/cohorts/`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, model_validator

from .base import OBJECTS, AskedWrite, Id, InProject, Page, Part, View, Write
from .base.changes import Changes
from .base.forms import EMPTY_TEXT, Clearable, whole_number
from .base.shown import Author, Fields, IfTrue, Items, Text
from .json import as_list, as_object, is_list
from .models import CONDITIONS, as_sentence, condition_flaws, within

DAYS = 30
"""The number of days that "performed the event" covers in converted groups."""


class GroupCondition(Part):
    """One property of a group: `{"key": "$pageview", "type": "event", "value": "performed_event"}`."""

    key: str = Field(min_length=1)
    type: Literal["event", "behavioral", "person", "cohort"] = "event"
    value: Annotated[Any, EMPTY_TEXT] = None
    operator: str | None = None
    negation: bool = False
    event_type: Literal["events", "actions"] = "events"
    time_value: int = Field(default=DAYS, ge=1)
    time_interval: Literal["day", "week", "month", "year"] = "day"

    @model_validator(mode="after")
    def _mean_one_thing(self) -> Self:
        if self.type in ("event", "behavioral") and self.value != "performed_event":
            raise ValueError(
                "PostHog would look for a person property here. Use type person for a person property, value "
                "performed_event for an event, or `filters` for an event with properties"
            )
        if self.type == "person" and self.value is None and self.operator not in ("is_set", "is_not_set"):
            raise ValueError("a condition of type person needs a `value`, or the `operator` is_set or is_not_set")
        if self.type == "cohort" and type(whole_number(self.value)) is not int:
            raise ValueError("a condition of type cohort needs the cohort's id as `value`")
        return self

    def as_filter(self) -> dict[str, Any]:
        """Return the condition as a leaf of `filters`."""
        match self.type:
            case "event" | "behavioral":
                return _performed(
                    self.key, self.event_type, self.time_value, self.time_interval, negation=self.negation
                )
            case "person":
                leaf = {"type": "person", "key": self.key, "operator": self.operator or "exact"}
                value = {} if self.value is None else {"value": self.value}
                return leaf | value | {"negation": self.negation}
            case "cohort":
                return {"type": "cohort", "key": "id", "value": whole_number(self.value), "negation": self.negation}


class Group(Part):
    """PostHog's deprecated form: properties that must all match, or an event or action performed in recent days."""

    properties: list[GroupCondition] | None = Field(default=None, min_length=1)
    event_id: str | None = None
    action_id: int | None = None
    days: int = Field(default=DAYS, ge=1)

    @model_validator(mode="after")
    def _hold_one_thing(self) -> Self:
        if sum(item is not None for item in (self.properties, self.event_id, self.action_id)) != 1:
            raise ValueError("a group needs exactly one of `properties`, `event_id` and `action_id`")
        return self

    def as_filter(self) -> dict[str, Any]:
        """Return the group as a branch of `filters`."""
        if self.properties:
            leaves = [condition.as_filter() for condition in self.properties]
        elif self.event_id is not None:
            leaves = [_performed(self.event_id, "events", self.days, "day")]
        else:
            leaves = [_performed(cast("int", self.action_id), "actions", self.days, "day")]
        return {"type": "AND", "values": leaves}


def _performed(
    key: str | int, event_type: str, time_value: int, time_interval: str, *, negation: bool = False
) -> dict[str, Any]:
    return {
        "type": "behavioral",
        "key": key,
        "event_type": event_type,
        "value": "performed_event",
        "time_value": time_value,
        "time_interval": time_interval,
        "negation": negation,
    }


def filters_of(groups: list[Group]) -> dict[str, Any]:
    """Return `filters` equivalent to the groups: persons match all properties of any group.

    PostHog treats a property of type `event` in `groups` as a person property, which leaves the cohort empty.
    """
    return {"properties": {"type": "OR", "values": [group.as_filter() for group in groups]}}


def _check(filters: dict[str, Any]) -> dict[str, Any]:
    if filters.keys() != {"properties"}:
        raise ValueError('must be {"properties": {"type": "OR", "values": [...]}} with no other keys')
    if not _conditions(filters["properties"], ("properties",)):
        raise ValueError("needs at least one condition")
    return {"properties": _nested(filters["properties"])}


def _nested(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree with its conditions in groups: PostHog's page freezes on a cohort with some beside the groups.

    The conditions move into one group of the same type, which means the same.
    """
    values = as_list(tree.get("values"))
    alone = [value for value in values if as_object(value).get("type") not in ("AND", "OR")]
    groups = [value for value in values if as_object(value).get("type") in ("AND", "OR")]
    return {**tree, "values": [*([{"type": tree["type"], "values": alone}] if alone else []), *groups]}


def _conditions(node: object, path: tuple[str | int, ...]) -> int:
    """Return the number of conditions in a tree of AND and OR. Raises ValueError for anything else."""
    fields = as_object(node)
    values: object = fields.get("values")
    if fields.get("type") in ("AND", "OR") and is_list(values):
        return sum(_conditions(item, (*path, number)) for number, item in enumerate(values))
    if len(path) > 1 and fields.get("type") in CONDITIONS:
        if flaws := as_sentence(within(condition_flaws(fields), *path)):
            raise ValueError(flaws)
        return 1
    raise ValueError(
        f"`{'.'.join(map(str, path))}` must have type AND or OR and `values`"
        + (", or be a condition of type behavioral, person or cohort" if len(path) > 1 else "")
    )


type CohortFilters = Annotated[dict[str, Any], AfterValidator(_check)]


class ListCohorts(Page):
    search: str | None = None


class GetCohort(InProject):
    cohort_id: Id


class CreateCohort(Write):
    name: str = Field(min_length=1, max_length=400)
    description: str | None = Field(default=None, max_length=1000)
    filters: CohortFilters | None = None
    """{"properties": {"type": "OR", "values": [{"type": "AND", "values": [{"type": "behavioral", "key": "$pageview",
    "event_type": "events", "value": "performed_event", "time_value": 30, "time_interval": "day"}, {"type": "person",
    "key": "plan", "operator": "exact", "value": ["pro"]}]}]}}"""
    groups: Annotated[list[Group], OBJECTS, Field(min_length=1)] | None = None
    """Deprecated form, converted to filters."""

    @model_validator(mode="after")
    def _say_who(self) -> Self:
        if (self.filters is None) == (self.groups is None):
            raise ValueError("set either `filters` or `groups` to define who is in the cohort")
        return self

    def definition(self) -> dict[str, Any]:
        """Return the definition of the cohort as `filters`."""
        return self.filters or filters_of(self.groups or [])


class UpdateCohort(Changes, AskedWrite):
    cohort_id: Id
    name: str | None = Field(default=None, min_length=1, max_length=400)
    description: Clearable | None = Field(default=None, max_length=1000)
    filters: CohortFilters | None = None
    """Replaces all filters."""


class DeleteCohort(AskedWrite):
    cohort_id: Id


class CohortRow(View):
    """A cohort in a list. `count` comes from the last calculation."""

    id: int
    name: Text = None
    description: Text = None
    count: int | None = None
    is_static: IfTrue = None
    is_calculating: bool | None = None
    last_calculation: str | None = None
    created_at: str | None = None


class CohortView(CohortRow):
    """A cohort and its definition: `filters`, the `groups` of an old one, or the `query` of a static one."""

    filters: Fields = None
    groups: Items = None
    query: Fields = None
    deleted: bool | None = None
    created_by: Author = None
    errors_calculating: int | None = None
    last_error_message: Text = None
    experiment_set: Items = None


class CohortState(View):
    """A deleted cohort."""

    id: int
    name: Text = None
    deleted: bool | None = None
