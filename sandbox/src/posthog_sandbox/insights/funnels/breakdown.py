"""Breakdowns of funnels and retention: each event's value as HogQL, and how results show the values."""

from dataclasses import dataclass
from typing import Literal

from ...errors import invalid
from ...hogql import escape
from ...http.routing import Call
from ...values import Row, as_list, objects
from ..actor_events import GROUP_TYPES, expression, property_name
from ..requests import choice, malformed_query, number, options
from .steps import StepValue

type Form = Literal["list", "text", "cohorts"]

ALL_USERS = 0
"""The id of all users among cohorts; queries can use `all`."""

_KINDS = ("event", "person", "group", "session", "cohort", "hogql", "event_metadata")
_LIMITED_IN_FUNNELS = ("event", "person", "group")
_DEFAULT_LIMIT = 25


@dataclass(frozen=True, slots=True)
class FunnelBreakdown:
    """A parsed breakdown. `values` are HogQL expressions of text, empty when the property is missing.

    `form` is how a value is shown: a list of texts, one text, or the `cohorts` (id and name) of a person; for cohorts
    each of the `values` is a condition, in their order. With `is_limited` the values beyond the limit are combined.
    """

    values: tuple[str, ...]
    form: Form
    limit: int
    cohorts: tuple[tuple[int, str], ...] = ()
    is_limited: bool = True


def read_breakdown(call: Call, query: Row, *, several: bool) -> FunnelBreakdown | None:
    """Return the `breakdownFilter` of a query, None without one. Blocking: it reads cohorts. Raises ApiError 400.

    `several` is for kinds that use the first item of `breakdowns` before the single `breakdown`.
    """
    given = options(query, "breakdownFilter")
    listed = objects(given.get("breakdowns"))
    if several and listed:
        first = listed[0]
        single = {
            "breakdown": first.get("property"),
            "breakdown_type": first.get("type"),
            "breakdown_group_type_index": first.get("group_type_index"),
            "breakdown_normalize_url": first.get("normalize_url"),
        }
        given = {**given, **{name: value for name, value in single.items() if value is not None}}
    wanted = given.get("breakdown")
    if wanted is None or wanted == [] or wanted == "":
        return None
    kind = choice(given, "breakdown_type", "breakdownFilter.", _KINDS, "event")
    limit = number(given, "breakdown_limit", "breakdownFilter.", _DEFAULT_LIMIT, least=1)
    items = as_list(wanted) or [wanted]
    if kind == "cohort":
        cohorts = tuple(_cohort(call, item) for item in items)
        conditions = tuple(_membership(identity) for identity, _ in cohorts)
        return FunnelBreakdown(conditions, "cohorts", limit, cohorts, is_limited=False)
    values = tuple(_value(kind, str(item), given) for item in items)
    form = "text" if kind in ("group", "session") else "list"
    return FunnelBreakdown(values, form, limit, is_limited=several or kind in _LIMITED_IN_FUNNELS)


def shown(value: StepValue, breakdown: FunnelBreakdown) -> Row:
    """Return the `breakdown` and `breakdown_value` of a result."""
    if breakdown.form == "cohorts":
        identity, name = next(item for item in breakdown.cohorts if (str(item[0]),) == value)
        return {"breakdown": name, "breakdown_value": identity}
    text = list(value) if breakdown.form == "list" else "".join(value)
    return {"breakdown": text, "breakdown_value": text}


def value_expression(breakdown: FunnelBreakdown | None) -> str:
    """Return an event's value as HogQL: an array of texts, for cohorts the ids of those that contain the person."""
    if breakdown is None:
        return "[]"
    if breakdown.form != "cohorts":
        return f"[{', '.join(breakdown.values)}]"
    pairs = zip(breakdown.values, breakdown.cohorts, strict=True)
    ids = ", ".join(f"if({condition}, {escape.string(str(cohort[0]))}, '')" for condition, cohort in pairs)
    return f"arrayFilter(x -> x != '', [{ids}])"


def _value(kind: str, name: str, given: Row) -> str:
    text = f"ifNull(toString({_source(kind, name, given)}), '')"
    if given.get("breakdown_normalize_url") is not True:
        return text
    return f"if(empty(trim(TRAILING '/?#' FROM {text})), '/', trim(TRAILING '/?#' FROM {text}))"


def _source(kind: str, name: str, given: Row) -> str:
    if kind == "hogql":
        return expression(name)
    key = property_name(name)
    if kind == "group":
        index = number(given, "breakdown_group_type_index", "breakdownFilter.", 0)
        if index >= GROUP_TYPES:
            raise malformed_query("breakdownFilter.breakdown_group_type_index", "Input should be less than 5")
        return f"group_{index}.properties.{key}"
    prefixes = {"event": "properties.", "person": "person.properties.", "session": "session.", "event_metadata": ""}
    return f"{prefixes[kind]}{key}"


def _membership(identity: int) -> str:
    return "true" if identity == ALL_USERS else f"person_id IN COHORT {identity}"


def _cohort(call: Call, item: object) -> tuple[int, str]:
    if item in ("all", ALL_USERS, str(ALL_USERS)):
        return ALL_USERS, "all users"
    text = str(item)
    if not text.isascii() or not text.isdecimal():
        raise malformed_query("breakdownFilter.breakdown", "Input should be the ids of cohorts")
    with call.services.store.transaction() as rows:
        found = [row for row in rows.all("cohorts", call.project_id) if row["id"] == int(text) and not row["deleted"]]
    if not found:
        raise invalid(f"Cohort {text} does not exist.")
    return int(text), str(found[0]["name"] or "")
