"""PostHog's rules for the `filters` of a feature flag."""

import json
from typing import Any

from ...errors import invalid
from ...storage.store import Rows
from ...values import Row, as_list, as_object, objects

_TEXT_OPERATORS = frozenset({"icontains", "not_icontains", "regex", "not_regex", "gt", "gte", "lt", "lte"})


def checked_filters(rows: Rows, filters: Row) -> Row:
    """Return the filters with payloads as JSON strings. Raises ApiError 400 on the first invalid value."""
    sent = as_list(filters.get("groups"))
    groups = objects(sent)
    if sent is None or len(groups) != len(sent):
        raise _invalid("Filters are not valid (groups must be a list of condition sets)")
    for condition in groups:
        _check_condition(rows, condition, filters.get("aggregation_group_type_index"))
    filters = {**filters, "groups": [{"properties": [], "rollout_percentage": None, **group} for group in groups]}
    variants = flag_variants(filters)
    _check_variants(variants)
    payloads = as_object(filters.get("payloads"))
    return filters if payloads is None else {**filters, "payloads": _checked_payloads(payloads, variants)}


def flag_variants(filters: Row) -> list[Row]:
    """Return the variants of a multivariate flag; none for a boolean flag."""
    return objects((as_object(filters.get("multivariate")) or {}).get("variants"))


def flag_properties(filters: Row, kind: str) -> list[Row]:
    """Return the properties of a type (`cohort`, `flag`) in all conditions."""
    return [
        item
        for group in objects(filters.get("groups"))
        for item in objects(group.get("properties"))
        if item.get("type") == kind
    ]


def _check_condition(rows: Rows, condition: Row, aggregation: Any) -> None:
    share = condition.get("rollout_percentage")
    if share is not None and (isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 100):
        raise _invalid("Rollout percentage must be a number between 0 and 100.")
    by_group = aggregation is not None or condition.get("aggregation_group_type_index") is not None
    for item in objects(condition.get("properties")):
        kind = item.get("type") or "event"
        if by_group and kind != "group":
            raise _invalid("Filters are not valid (can only use group properties)")
        if not by_group and kind not in {"person", "cohort", "flag"}:
            raise _invalid("Filters are not valid (can only use person, cohort, and flag properties)")
        if item.get("operator") in _TEXT_OPERATORS and not isinstance(item.get("value"), str):
            raise _invalid(f"Invalid value for operator {item['operator']}: {item.get('value')}", "invalid_value")
        if kind == "cohort":
            _check_cohort(rows, item.get("value"))


def _check_cohort(rows: Rows, value: Any) -> None:
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    cohort = None if number is None else rows.get("cohorts", number)
    if cohort is None or cohort["deleted"]:
        raise _invalid(f"Cohort with id {value} does not exist", "cohort_does_not_exist")
    if not cohort["is_static"] and '"behavioral"' in json.dumps(cohort["filters"]):
        raise _invalid(
            f"Cohort '{cohort['name']}' with behavioral filters cannot be used in feature flags.",
            "behavioral_cohort_found",
        )


def _check_variants(variants: list[Row]) -> None:
    if not variants:
        return
    shares = [variant.get("rollout_percentage") or 0 for variant in variants]
    if any(not isinstance(share, int | float) for share in shares) or round(sum(shares), 6) != 100:
        raise _invalid("Invalid variant definitions: Variant rollout percentages must sum to 100.")
    if any(not variant.get("key") for variant in variants):
        raise _invalid("Invalid variant definitions: Variant keys must not be empty.")


def _checked_payloads(payloads: Row, variants: list[Row]) -> Row:
    keys = {variant["key"] for variant in variants}
    if keys and not payloads.keys() <= keys:
        raise _invalid("Payload keys must match a variant key for multivariate flags")
    if not keys and not payloads.keys() <= {"true"}:
        raise _invalid("Payload keys must be 'true' for boolean flags")
    return {key: _payload(value) for key, value in payloads.items()}


def _payload(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        raise _invalid("Payload value is not valid JSON") from None
    return value


def _invalid(detail: str, code: str = "invalid_input") -> Exception:
    return invalid(detail, code, "filters")
