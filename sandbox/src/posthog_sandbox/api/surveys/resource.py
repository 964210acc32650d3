"""Surveys. They have no `deleted` field: DELETE is permanent, and `archived` hides a survey."""

import secrets
import uuid
from datetime import datetime, timedelta

from starlette.datastructures import QueryParams

from ...errors import invalid
from ...http.fields import Field, boolean, checked, choice, integer, json_object, json_value, moment, text
from ...http.filters import Ordering, Predicate, contains, equals, is_true
from ...http.resource import Change, Resource, add_row, by_uuid, change_row, public, routes
from ...storage.store import Rows
from ...values import Row, as_object, objects, timestamp
from ..flags.resource import FLAGS, minimal_flag
from ..flags.rules import flag_variants
from .rules import appearance, check_branching, check_external, conditions, questions, schedule, targeting_filters
from .stats import ROUTES as STATS_ROUTES

_MAX_ITERATIONS = 500
_FIELDS = (
    Field("name", text(400, blank=False), required=True),
    Field("description", text()),
    Field("type", choice("popover", "widget", "external_survey", "api"), required=True),
    Field("schedule", schedule, null=True),
    Field("linked_flag_id", integer(), null=True),
    Field("linked_insight_id", integer(), null=True),
    Field("targeting_flag_id", integer()),
    Field("targeting_flag_filters", targeting_filters, null=True),
    Field("remove_targeting_flag", boolean, null=True),
    Field("questions", questions, null=True),
    Field("conditions", conditions, null=True),
    Field("appearance", appearance, null=True),
    Field("start_date", moment, null=True),
    Field("end_date", moment, null=True),
    Field("archived", boolean),
    Field("responses_limit", integer(0), null=True),
    Field("iteration_count", integer(0, _MAX_ITERATIONS), null=True),
    Field("iteration_frequency_days", integer(0), null=True),
    Field("response_sampling_start_date", moment, null=True),
    Field("response_sampling_interval_type", choice("day", "week", "month"), null=True),
    Field("response_sampling_interval", integer(0), null=True),
    Field("response_sampling_limit", integer(0), null=True),
    Field("response_sampling_daily_limits", json_value, null=True),
    Field("enable_partial_responses", boolean, null=True),
    Field("enable_iframe_embedding", boolean, null=True),
    Field("translations", json_object, null=True),
    Field("form_content", json_value, null=True),
)
_DEFAULTS: Row = {
    "id": "",
    "name": "",
    "description": "",
    "type": "popover",
    "schedule": "once",
    "linked_flag_id": None,
    "linked_insight_id": None,
    "questions": [],
    "conditions": None,
    "appearance": None,
    "start_date": None,
    "end_date": None,
    "archived": False,
    "responses_limit": None,
    "iteration_count": None,
    "iteration_frequency_days": None,
    "iteration_start_dates": [],
    "current_iteration": None,
    "current_iteration_start_date": None,
    "response_sampling_start_date": None,
    "response_sampling_interval_type": "week",
    "response_sampling_interval": None,
    "response_sampling_limit": None,
    "response_sampling_daily_limits": None,
    "enable_partial_responses": False,
    "enable_iframe_embedding": False,
    "translations": None,
    "form_content": None,
    "_targeting_flag": None,
    "_internal_targeting_flag": None,
    "_sampling_flag": None,
}
_WRITE_ONLY = ("linked_flag_id", "linked_insight_id")
"""Fields that responses to writes leave out, together with fields computed only for reads."""


def _check(change: Change, row: Row) -> Row:
    values = change.values
    before = change.before
    _check_references(change)
    _check_name(change, row)
    check_branching(row)
    check_external(values)
    filters, removal = row.pop("targeting_flag_filters", None), row.pop("remove_targeting_flag", None)
    if "targeting_flag_id" in row:
        row["_targeting_flag"] = row.pop("targeting_flag_id")
    if before is None:
        row["id"] = row["id"] or str(uuid.uuid4())
    elif removal and row["_targeting_flag"] is not None:
        change.rows.remove("feature_flags", row["_targeting_flag"])
        row["_targeting_flag"] = None
    row = _with_iterations(row)
    row["_targeting_flag"] = _targeting_flag(change, row, filters)
    row["_internal_targeting_flag"] = _internal_flag(change, row)
    if row["response_sampling_daily_limits"] is not None and row["_sampling_flag"] is None:
        everybody: Row = {"groups": [{"variant": "", "rollout_percentage": 100, "properties": []}]}
        row["_sampling_flag"] = _new_flag(change, row, everybody, "-sampling", active=row["start_date"] is not None)
    return row


def _check_references(change: Change) -> None:
    values = change.values
    flag = _own(change, "feature_flags", values.get("linked_flag_id"), "Feature Flag with this ID does not exist")
    detail = "Targeting Feature Flag with this ID does not exist"
    _own(change, "feature_flags", values.get("targeting_flag_id"), detail)
    _own(change, "insights", values.get("linked_insight_id"), "Insight with this ID does not exist")
    variant = (as_object(values.get("conditions")) or {}).get("linkedFlagVariant")
    if not variant or variant == "any":
        return
    if flag is None:
        raise invalid("linkedFlagVariant can only be used when a linked_flag_id is specified")
    keys = [item["key"] for item in flag_variants(flag["filters"])]
    if not keys:
        raise invalid(f"Feature flag variant '{variant}' specified but the linked feature flag has no variants")
    if variant not in keys:
        known = ", ".join(keys)
        raise invalid(f"Feature flag variant '{variant}' does not exist. Available variants: {known}")


def _own(change: Change, table: str, id: int | None, detail: str) -> Row | None:
    if not id:
        return None
    found = change.rows.get(table, id)
    if found is None or found["_project"] != change.project_id:
        raise invalid(detail)
    return found


def _check_name(change: Change, row: Row) -> None:
    """Reject duplicate names, also of archived surveys."""
    before = change.before
    others = [item for item in change.rows.all("surveys", change.project_id) if item["id"] != row["id"]]
    if row["name"] in [item["name"] for item in others] and (before is None or before["name"] != row["name"]):
        another = "a" if before is None else "another"
        raise invalid(f"There is already {another} survey with this name.", "unique")


def _with_iterations(row: Row) -> Row:
    """Return a repeating survey with the start dates of its iterations, once it has started."""
    count, days, start = row["iteration_count"], row["iteration_frequency_days"], row["start_date"]
    if not (count and days and start):
        return row
    first = datetime.fromisoformat(start)
    try:
        dates = [timestamp(first + timedelta(days=days * number)) for number in range(count)]
    except OverflowError:
        raise invalid("The iterations go beyond the latest possible date.", attr="iteration_count") from None
    iteration = {
        "current_iteration": row["current_iteration"] or 1,
        "current_iteration_start_date": row["current_iteration_start_date"] or start,
    }
    return {**row, **iteration, "iteration_start_dates": dates}


def _is_shown(row: Row) -> bool:
    return row["start_date"] is not None and row["end_date"] is None and not row["archived"]


def _targeting_flag(change: Change, row: Row, filters: Row | None) -> int | None:
    """Return the audience's flag, which follows the survey's state from the first update, not from its creation."""
    flag = _flag(change.rows, row["_targeting_flag"])
    if flag is None:
        if not filters:
            return None
        active = change.before is not None and row["start_date"] is not None
        return _new_flag(change, row, filters, "", active=active)
    if filters:
        flag = _set_filters(change.rows, flag, {**flag["filters"], **filters})
    if change.before is not None:
        change.rows.save("feature_flags", {**flag, "active": _is_shown(row)})
    return flag["id"]


def _internal_flag(change: Change, row: Row) -> int:
    """Return the flag, one per survey, that excludes people who answered or dismissed the survey."""
    filters: Row = {"groups": _unanswered(row)}
    flag = _flag(change.rows, row["_internal_targeting_flag"])
    if flag is None:
        return _new_flag(change, row, filters, "-custom", active=_is_shown(row))
    flag = _set_filters(change.rows, flag, {**flag["filters"], **filters})
    change.rows.save("feature_flags", {**flag, "active": _is_shown(row)})
    return flag["id"]


def _unanswered(row: Row) -> list[Row]:
    key = f"{row['id']}/{row['current_iteration'] or 1}" if row["iteration_count"] else row["id"]
    properties = [_not_set(f"$survey_dismissed/{key}"), _not_set(f"$survey_responded/{key}")]
    group: Row = {"variant": "", "rollout_percentage": 100, "properties": properties}
    days = (as_object(row["conditions"]) or {}).get("seenSurveyWaitPeriodInDays")
    if not isinstance(days, int) or days <= 0:
        return [group]
    last_seen: Row = {"key": "$survey_last_seen_date", "operator": "is_date_before", "type": "person"}
    waited = {**last_seen, "value": f"{days}d"}
    return [{**group, "properties": [*properties, item]} for item in (_not_set("$survey_last_seen_date"), waited)]


def _not_set(key: str) -> Row:
    return {"key": key, "value": "is_not_set", "operator": "is_not_set", "type": "person"}


def _new_flag(change: Change, row: Row, filters: Row, suffix: str, *, active: bool) -> int:
    body: Row = {
        "key": f"survey-targeting-{secrets.token_hex(5)}{suffix}",
        "name": f"Targeting flag for survey {row['name']}",
        "filters": filters,
        "active": active,
    }
    values: Row = {**checked(FLAGS.fields, body, partial=False), "_internal": True}
    return add_row(FLAGS, Change(change.rows, change.project_id, body, values, None))["id"]


def _set_filters(rows: Rows, flag: Row, filters: Row) -> Row:
    if filters == flag["filters"]:
        return flag
    values: Row = {"filters": filters}
    return change_row(FLAGS, Change(rows, flag["_project"], values, values, flag), flag)


def _flag(rows: Rows, id: int | None) -> Row | None:
    return None if id is None else rows.get("feature_flags", id)


def _show_saved(rows: Rows, row: Row) -> Row:
    shown = {name: value for name, value in public(rows, row).items() if name not in _WRITE_ONLY}
    flags = {
        "linked_flag": row["linked_flag_id"],
        "targeting_flag": row["_targeting_flag"],
        "internal_targeting_flag": row["_internal_targeting_flag"],
    }
    found = {name: _flag(rows, id) for name, id in flags.items()}
    embedded = {name: None if flag is None else minimal_flag(flag) for name, flag in found.items()}
    return {**shown, **embedded, "conditions": _with_actions(rows, row["conditions"])}


def _with_actions(rows: Rows, given: Row | None) -> Row | None:
    """Return conditions with their existing actions in full."""
    actions = as_object((given or {}).get("actions")) or {}
    requested = [item.get("id") for item in objects(actions.get("values"))]
    if given is None or not requested:
        return given
    found = [action for action in rows.all("actions") if action["id"] in requested]
    return {**given, "actions": {"values": [public(rows, action) for action in found]}}


def _show(rows: Rows, row: Row) -> Row:
    keys = {
        "linked_flag_key": row["linked_flag_id"],
        "targeting_flag_key": row["_targeting_flag"],
        "internal_targeting_flag_key": row["_internal_targeting_flag"],
        "internal_response_sampling_flag_key": row["_sampling_flag"],
    }
    flags = {name: _flag(rows, id) for name, id in keys.items()}
    return {
        **_show_saved(rows, row),
        **{name: row[name] for name in _WRITE_ONLY},
        "feature_flag_keys": [{"key": name, "value": flag and flag["key"]} for name, flag in flags.items()],
        "user_access_level": "editor",
    }


def _destroy(rows: Rows, row: Row) -> None:
    """Delete permanently, with the flags of the audience."""
    for id in (row["_targeting_flag"], row["_internal_targeting_flag"]):
        if id is not None:
            rows.remove("feature_flags", id)
    rows.remove("surveys", row["id"])


def _all(_params: QueryParams, _row: Row) -> bool:
    return True


def _ids(_rows: Rows, values: list[str]) -> Predicate:
    wanted = {id.strip().lower() for id in values[-1].split(",")}
    return lambda row: row["id"] in wanted


SURVEYS = Resource(
    table="surveys",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    show=_show,
    show_saved=_show_saved,
    listed=_all,
    find=by_uuid,
    destroy=_destroy,
    filters={
        "search": contains("name", "description"),
        "archived": is_true("archived"),
        "type": equals("type"),
        "ids": _ids,
    },
    ordering=Ordering("-created_at"),
)

ROUTES = (*routes(SURVEYS), *STATS_ROUTES)
