"""Breakdowns of retention: a text per event, or cohorts of persons in turn."""

from dataclasses import dataclass

from ...errors import invalid
from ...http.routing import Call
from ...queries.property_filters import TRUE
from ...values import Row, as_list, objects
from ..actor_events import GROUP_TYPES, expression, property_name
from ..breakdowns import TYPES
from ..requests import choice, malformed_query, number, options

ALL_USERS = 0
"""The id of all users among cohorts; queries can use `all`."""
_LIMIT = 25


@dataclass(frozen=True, slots=True)
class Cohort:
    """A breakdown value that is a condition on persons. `id` is the cohort's id as text."""

    id: str
    condition: str


@dataclass(frozen=True, slots=True)
class RetentionBreakdown:
    """A parsed breakdown. `value` is HogQL for an event's text, empty when the property is missing; unused for cohorts.

    `limit` values are shown; the others are combined.
    """

    value: str
    cohorts: tuple[Cohort, ...]
    limit: int


def read_retention_breakdown(call: Call, query: Row) -> RetentionBreakdown | None:
    """Return the `breakdownFilter` of a query, None without one. Blocking: it reads cohorts. Raises ApiError 400.

    PostHog's retention uses the first of several breakdowns, or every cohort among them. It supports properties of
    events, persons and groups, HogQL and cohorts, and reads any other type as an event property.
    """
    given = options(query, "breakdownFilter")
    place = "breakdownFilter."
    single = choice(given, "breakdown_type", place, TYPES, "event")
    listed = objects(given.get("breakdowns"))
    if not listed:
        wanted = given.get("breakdown")
        if wanted is None or wanted == "" or wanted == []:
            return None
        index = given.get("breakdown_group_type_index")
        keys = (as_list(wanted) or [wanted]) if single == "cohort" else [wanted]
        listed = [{"property": key, "type": single, "group_type_index": index} for key in keys]
    limit = number(given, "breakdown_limit", place, _LIMIT, least=1)
    kinds = [choice(item, "type", f"{place}breakdowns.", TYPES, "event") for item in listed]
    if "cohort" in kinds:
        cohorts = [item.get("property") for item, kind in zip(listed, kinds, strict=True) if kind == "cohort"]
        return RetentionBreakdown("''", tuple(_cohort(call, key) for key in cohorts), limit)
    return RetentionBreakdown(f"ifNull(toString({_source(kinds[0], listed[0])}), '')", (), limit)


def _source(kind: str, item: Row) -> str:
    key = item.get("property")
    listed = as_list(key)
    if listed is not None and len(listed) == 1:
        key = listed[0]
    if not isinstance(key, str) or not key:
        raise malformed_query("breakdownFilter.breakdown", "Input should be a valid string")
    match kind:
        case "hogql":
            return expression(key)
        case "person":
            return f"person.properties.{property_name(key)}"
        case "group":
            index = number(item, "group_type_index", "breakdownFilter.breakdown_", 0)
            if index >= GROUP_TYPES:
                raise malformed_query("breakdownFilter.breakdown_group_type_index", "Input should be less than 5")
            return f"group_{index}.properties.{property_name(key)}"
        case _:
            return f"properties.{property_name(key)}"


def _cohort(call: Call, value: object) -> Cohort:
    if value in ("all", ALL_USERS, str(ALL_USERS)):
        return Cohort(str(ALL_USERS), TRUE)
    text = str(value)
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise malformed_query("breakdownFilter.breakdown", "Input should be the ids of cohorts")
    with call.services.store.transaction() as rows:
        found = [row for row in rows.all("cohorts", call.project_id) if row["id"] == int(text) and not row["deleted"]]
    if not found:
        raise invalid(f"Cohort {text} does not exist.")
    return Cohort(str(int(text)), f"person_id IN COHORT {int(text)}")
