"""Whom a flag reaches: how many persons its conditions match, what one person gets, and whether anybody asks for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError, Rejected
from ...schemas.flags import Reach
from ...schemas.json import as_list, as_object
from ...schemas.persons import PersonView
from ...schemas.privacy import SMALLEST_GROUP
from ...schemas.text import named
from ..operation import read
from .filters import groups_of, rollout_of

_PERSON = "/api/projects/{project_id}/persons/{person_id}/"
_REASONS = "/api/projects/{project_id}/feature_flags/evaluation_reasons/"
_MOST_CONDITIONS = 3
_MOST_KEYS = 100
_FEW = f"fewer than {SMALLEST_GROUP}"
_CALLS = (
    "SELECT properties.$feature_flag, count() FROM events WHERE event = '$feature_flag_called' "
    "AND timestamp >= now() - INTERVAL 30 DAY AND properties.$feature_flag IN {keys} GROUP BY 1"
)
_WHY = {
    "condition_match": "release condition {number} matches",
    "super_condition_value": "an early access or super condition decides",
    "holdout_condition_value": "the person is in a holdout",
    "out_of_rollout_bound": "release condition {number} matches, but the person is outside its rollout",
    "no_condition_match": "no release condition matches",
    "no_group_type": "the flag is for groups, and the person was evaluated without one",
    "disabled": "the flag is off",
}


async def reach_of(api: Call, before: Sequence[Mapping[str, Any]], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many persons match each release condition that differs; nothing where PostHog cannot count them."""
    filters = as_object(after)
    if filters.get("aggregation_group_type_index") is not None:
        return []
    known = list(before)
    changed = [(number, group) for number, group in enumerate(groups_of(filters), 1) if group not in known]
    reached: list[dict[str, Any]] = []
    for number, group in changed[:_MOST_CONDITIONS]:
        try:
            reach = read(Reach, await api.reach({"properties": as_list(group.get("properties"))}))
        except GatewayError:
            return reached
        rollout, persons = rollout_of(group), reach.affected
        few = api.privacy.aggregate_only and persons < SMALLEST_GROUP
        reached.append(
            {"condition": number, "persons": _FEW if few else persons, "of": reach.total, "rollout_percentage": rollout}
        )
    return reached


async def what_a_person_gets(api: Call, key: str, person: str) -> dict[str, Any]:
    """Return `{"distinct_id", "value", "why"}` for a person, named by uuid or distinct id."""
    distinct_id = await _distinct_id(api, person)
    found = as_object(as_object(await api.get(_REASONS, {"distinct_id": distinct_id})).get(key))
    if not found:
        raise Rejected("not_found", f"PostHog evaluated no flag {named(key, 100)}.", "Is it deleted or archived?")
    evaluation = as_object(found.get("evaluation"))
    index = evaluation.get("condition_index")
    number = index + 1 if isinstance(index, int) else ""
    reason = str(evaluation.get("reason"))
    why = _WHY[reason].format(number=number) if reason in _WHY else named(reason, 100)
    return {"distinct_id": distinct_id, "value": found.get("value"), "why": why}


async def _distinct_id(api: Call, person: str) -> str:
    """Return a distinct id of the person with this uuid, or the text itself if there is none."""
    if len(person) != len("00000000-0000-0000-0000-000000000000") or person.count("-") != 4:
        return person
    try:
        found = read(PersonView, await api.get(_PERSON, person_id=person))
    except GatewayError as error:
        if error.code != "not_found":
            raise
        return person
    return found.distinct_ids[0] if found.distinct_ids else person


async def evidence(api: Call, rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], str | None]:
    """Return `{key: {"calls_30d"?, "fully_rolled_out", "since"}}` of stale flags, and a note if they are uncounted.

    One HogQL query counts the calls of all of them.
    """
    calls: dict[str, Any] | None = {}
    note = None
    if keys := [str(row.get("key")) for row in rows][:_MOST_KEYS]:
        try:
            calls = await _calls(api, keys)
        except GatewayError as error:
            calls, note = None, f"The calls of the last 30 days could not be counted ({error.code})."
    return {str(row.get("key")): _evidence(row, calls) for row in rows}, note


async def _calls(api: Call, keys: Sequence[str]) -> dict[str, Any]:
    query = {"kind": "HogQLQuery", "query": _CALLS, "values": {"keys": keys}}
    found = as_object(await api.counted_as(Budget.QUERY).query({"query": query, "name": "calls of stale flags"}))
    return {str(row[0]): row[1] for row in as_list(found.get("results")) if len(as_list(row)) == 2}


def _evidence(row: Mapping[str, Any], calls: Mapping[str, Any] | None) -> dict[str, Any]:
    counted = {} if calls is None else {"calls_30d": calls.get(str(row.get("key")), 0)}
    rolled_out = _is_for_all(as_object(row.get("filters")))
    return {**counted, "fully_rolled_out": rolled_out, "since": row.get("updated_at") or row.get("created_at")}


def _is_for_all(filters: Mapping[str, Any]) -> bool:
    return any(not group.get("properties") and rollout_of(group) >= 100 for group in groups_of(filters))
