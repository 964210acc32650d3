"""Evaluation of a flag: its condition sets in order, their rollout, and the variants.

Users are assigned to a rollout as in the local evaluation of PostHog's SDKs: by SHA-1 of the key and distinct id.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from ...errors import ApiError
from ...storage.store import Rows
from ...values import Row, objects
from ..cohorts.rules import CohortError, persons_of
from ..persons.filters import person_condition
from .rules import flag_variants

_MOST = float(0xFFFFFFFFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition set of a flag.

    `sql` is true for matching persons; None when the sandbox cannot evaluate it (conditions on groups or other flags).
    """

    share: float
    variant: str | None
    sql: str | None


def read_conditions(rows: Rows, flag: Row) -> list[Condition]:
    """Return the condition sets of a flag in order."""
    return [_read(rows, flag, item) for item in objects(flag["filters"]["groups"])]


def _read(rows: Rows, flag: Row, item: Row) -> Condition:
    share = item.get("rollout_percentage")
    by_group = flag["filters"].get("aggregation_group_type_index") is not None
    sql = None if by_group else persons_who_fit(rows, flag["_project"], objects(item.get("properties")))
    return Condition(100 if share is None else share, item.get("variant"), sql)


def persons_who_fit(rows: Rows, project_id: int, properties: list[Row]) -> str | None:
    """Return a condition on `posthog.persons` for persons with all of the properties and in all of the cohorts.

    None for conditions that do not depend on persons alone: on groups or other flags.
    """
    terms = ["true"]
    for item in properties:
        kind = item.get("type") or "person"
        if kind == "cohort":
            cohort = rows.get("cohorts", item["value"]) if isinstance(item.get("value"), int) else None
            if cohort is None or cohort["_project"] != project_id:
                return None
            try:
                inside = f"id IN ({persons_of(rows, cohort)})"
            except CohortError:
                return None
            terms.append(f"NOT {inside}" if item.get("operator") == "not_in" else inside)
        elif kind == "person":
            try:
                terms.append(person_condition(item))
            except ApiError:
                return None
        else:
            return None
    return f"({' AND '.join(terms)})"


def evaluated(flag: Row, conditions: list[Condition], fitting: list[bool], distinct_id: str) -> Row:
    """Return `{"value", "evaluation": {"reason", "condition_index"}}`; `fitting` has the result of each condition."""
    if not flag["active"]:
        return _result(False, "disabled", None)
    if flag["filters"].get("aggregation_group_type_index") is not None:
        return _result(False, "no_group_type", None)
    outside: int | None = None
    for index, (condition, fits) in enumerate(zip(conditions, fitting, strict=True)):
        if fits and _draw(flag["key"], distinct_id) <= condition.share / 100:
            return _result(_variant(flag, condition, distinct_id) or True, "condition_match", index)
        if fits and outside is None:
            outside = index
    if outside is not None:
        return _result(False, "out_of_rollout_bound", outside)
    return _result(False, "no_condition_match", max(len(conditions) - 1, 0))


def _result(value: Any, reason: str, index: int | None) -> Row:
    return {"value": value, "evaluation": {"reason": reason, "condition_index": index}}


def _variant(flag: Row, condition: Condition, distinct_id: str) -> str | None:
    """Return the variant of the condition, or the one the user is assigned to; None for a boolean flag."""
    variants = flag_variants(flag["filters"])
    if condition.variant in [variant["key"] for variant in variants]:
        return condition.variant
    drawn = _draw(flag["key"], distinct_id, "variant")
    reached = 0.0
    for variant in variants:
        reached += (variant.get("rollout_percentage") or 0) / 100
        if drawn < reached:
            return str(variant["key"])
    return None


def _draw(key: str, distinct_id: str, salt: str = "") -> float:
    """Return a number from 0 to 1 that is constant for a flag and person."""
    digest = hashlib.sha1(f"{key}.{distinct_id}{salt}".encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return int(digest[:15], 16) / _MOST
