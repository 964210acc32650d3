"""Feature flags. A flag's `name` is its description; code refers to its `key`."""

import re
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import QueryParams

from ...errors import conflict, invalid, required
from ...http.fields import Field, boolean, choice, integers, json_list, json_object, json_value, tags, text
from ...http.filters import Ordering, Predicate, contains, created_by, equals, json_or_words, not_tagged, tagged, truth
from ...http.resource import Change, Resource, public
from ...identity import user_basic
from ...storage.store import Rows
from ...values import Row, objects
from ..dashboards.resource import usage_dashboard
from .rules import checked_filters, flag_properties, flag_variants

_KEY = re.compile(r"[a-zA-Z0-9_-]+")
_STALE_AFTER = timedelta(days=30)

_FIELDS = (
    Field("key", text(400, blank=False), required=True),
    Field("name", text()),
    Field("filters", json_object),
    Field("deleted", boolean),
    Field("active", boolean),
    Field("archived", boolean),
    Field("ensure_experience_continuity", boolean, null=True),
    Field("rollback_conditions", json_value, null=True),
    Field("performed_rollback", boolean, null=True),
    Field("tags", tags),
    Field("evaluation_contexts", tags),
    Field("analytics_dashboards", integers),
    Field("has_enriched_analytics", boolean, null=True),
    Field("is_remote_configuration", boolean, null=True),
    Field("has_encrypted_payloads", boolean, null=True),
    Field("evaluation_runtime", choice("server", "client", "all"), null=True),
    Field("bucketing_identifier", choice("distinct_id", "device_id"), null=True),
    Field("features", json_list),
)
_DEFAULTS: Row = {
    "name": "",
    "key": "",
    "filters": {},
    "deleted": False,
    "active": True,
    "archived": False,
    "updated_at": None,
    "version": 1,
    "last_modified_by": None,
    "ensure_experience_continuity": False,
    "features": [],
    "rollback_conditions": None,
    "performed_rollback": False,
    "tags": [],
    "evaluation_contexts": [],
    "usage_dashboard": None,
    "analytics_dashboards": [],
    "has_enriched_analytics": False,
    "is_remote_configuration": False,
    "has_encrypted_payloads": False,
    "evaluation_runtime": "all",
    "bucketing_identifier": None,
    "last_called_at": None,
    "_internal": False,
}
_ALWAYS: Row = {"can_edit": True, "user_access_level": "editor", "is_used_in_replay_settings": False}


def _check(change: Change, row: Row) -> Row:
    before = change.before
    if before is None or "key" in change.values:
        _check_key(change, row)
    row = _with_filters(change, row)
    if row["archived"] and row["active"]:
        raise invalid("An archived feature flag must be inactive.", attr="archived")
    row["last_modified_by"] = user_basic()
    if before is None:
        _purge(change.rows, change.project_id, row["key"])
        return row
    _check_conflict(change, before)
    row["version"] = before["version"] + 1
    if row["deleted"] and not before["deleted"]:
        return _check_delete(change, row)
    if before["deleted"] and not row["deleted"]:
        row["key"] = _free_key(change, row)
    if before["active"] and not row["active"]:
        _refuse_dependents(change, row, "disable")
    return row


def _check_key(change: Change, row: Row) -> None:
    if not _KEY.fullmatch(row["key"]):
        raise invalid("Only letters, numbers, hyphens (-) & underscores (_) are allowed.", "invalid_key", "key")
    own = None if change.before is None else change.before["id"]
    taken = flag_by_key(change.rows, change.project_id, row["key"])
    if taken is not None and taken["id"] != own:
        raise invalid("There is already a feature flag with this key.", "unique", "key")


def _with_filters(change: Change, row: Row) -> Row:
    sent: Row | None = change.values.get("filters")
    if change.before is None:
        if sent is None:
            raise required("filters")
        if not sent.get("groups"):
            raise invalid("Feature flags must have at least one condition set (group).", attr="filters")
    elif sent is None or "groups" not in sent:
        return {**row, "filters": change.before["filters"]}
    filters: Row = {"multivariate": None, "payloads": {}, "aggregation_group_type_index": None, **sent}
    return {**row, "filters": checked_filters(change.rows, filters)}


def _check_conflict(change: Change, before: Row) -> None:
    """Reject a PATCH of fields that have changed since `original_flag` was read (optimistic locking)."""
    version, original = change.body.get("version"), change.body.get("original_flag")
    if not isinstance(version, int) or version >= before["version"] or not isinstance(original, dict):
        return
    seen: dict[str, Any] = {**original}
    if any(name in seen and seen[name] != before[name] for name in change.values):
        email = (before["last_modified_by"] or user_basic())["email"]
        raise conflict(
            f"The feature flag was updated by {email} since you started editing it. Please refresh and try again."
        )


def _check_delete(change: Change, row: Row) -> Row:
    experiments = experiments_of(change.rows, row)
    if any(experiment["start_date"] and not experiment["end_date"] for experiment in experiments):
        raise invalid(
            "This feature flag is linked to a running experiment and cannot be deleted. "
            "Please end or delete the experiment before deleting the flag."
        )
    _refuse_dependents(change, row, "delete")
    if experiments:
        row["key"] = f"{row['key']}:deleted:{row['id']}"
    return row


def _refuse_dependents(change: Change, row: Row, verb: str) -> None:
    dependents = [
        flag["key"]
        for flag in change.rows.all("feature_flags", change.project_id)
        if not flag["deleted"]
        and flag["active"]
        and any(str(item.get("key")) == str(row["id"]) for item in flag_properties(flag["filters"], "flag"))
    ]
    if dependents:
        raise invalid(f"Cannot {verb} this feature flag because other flags depend on it: {', '.join(dependents)}.")


def _free_key(change: Change, row: Row) -> str:
    """Return the key of a restored flag: its former key, with `-2` and so on if taken."""
    wanted = row["key"].removesuffix(f":deleted:{row['id']}")
    number = 1
    key = wanted
    while flag_by_key(change.rows, change.project_id, key) is not None:
        number += 1
        key = f"{wanted}-{number}"
    return key


def _purge(rows: Rows, project_id: int, key: str) -> None:
    """Permanently delete a soft-deleted flag when a new one takes its key."""
    for flag in rows.all("feature_flags", project_id):
        if flag["deleted"] and flag["key"] == key:
            rows.remove("feature_flags", flag["id"])


def _stored(change: Change, row: Row) -> None:
    wanted = change.body.get("_should_create_usage_dashboard", True)
    if change.before is None and wanted and not row["_internal"]:
        row["usage_dashboard"] = usage_dashboard(change, row)
        change.rows.save("feature_flags", row)


def flag_by_key(rows: Rows, project_id: int, key: str) -> Row | None:
    """Return the flag with this key that is not deleted."""
    flags = rows.all("feature_flags", project_id)
    return next((flag for flag in flags if flag["key"] == key and not flag["deleted"]), None)


def experiments_of(rows: Rows, flag: Row) -> list[Row]:
    """Return the experiments on a flag that are not deleted."""
    experiments = rows.all("experiments", flag["_project"])
    return [item for item in experiments if item["_feature_flag"] == flag["id"] and not item["deleted"]]


def minimal_flag(flag: Row) -> Row:
    """Return the flag as experiments and surveys embed it."""
    names = ("name", "key", "filters", "deleted", "active", "ensure_experience_continuity", "has_encrypted_payloads")
    more = ("version", "evaluation_runtime", "bucketing_identifier", "evaluation_contexts")
    return {"id": flag["id"], "team_id": flag["_project"], **{name: flag[name] for name in (*names, *more)}}


def flag_status(flag: Row, now: str) -> str:
    """Return ACTIVE, INACTIVE, DELETED, or STALE: on for everyone for a month or more."""
    if flag["deleted"]:
        return "DELETED"
    if not flag["active"]:
        return "INACTIVE"
    groups = objects(flag["filters"].get("groups"))
    for_all = any(not group.get("properties") and group.get("rollout_percentage") in (100, None) for group in groups)
    old = datetime.fromisoformat(now) - datetime.fromisoformat(flag["created_at"]) > _STALE_AFTER
    return "STALE" if for_all and old and not flag_variants(flag["filters"]) else "ACTIVE"


def _show(rows: Rows, row: Row) -> Row:
    experiments = experiments_of(rows, row)
    surveys = [survey for survey in rows.all("surveys", row["_project"]) if survey["linked_flag_id"] == row["id"]]
    return {
        **public(rows, row),
        **_ALWAYS,
        "experiment_set": [experiment["id"] for experiment in experiments],
        "experiment_set_metadata": [{"id": item["id"], "name": item["name"]} for item in experiments],
        "surveys": [{"id": survey["id"], "name": survey["name"]} for survey in surveys],
        "status": flag_status(row, rows.now),
    }


def _listed(params: QueryParams, row: Row) -> bool:
    archived = truth(params.get("archived", ""))
    return not row["deleted"] and not row["_internal"] and row["archived"] == bool(archived)


def _active(rows: Rows, values: list[str]) -> Predicate:
    if values[-1] == "STALE":
        return lambda row: flag_status(row, rows.now) == "STALE"
    wanted = truth(values[-1])
    return lambda row: wanted is None or row["active"] == wanted


def _type(rows: Rows, values: list[str]) -> Predicate:
    def kinds(row: Row) -> set[str]:
        variants = bool(flag_variants(row["filters"]))
        found = {"remote_config"} if row["is_remote_configuration"] else {"multivariant" if variants else "boolean"}
        return found | ({"experiment"} if experiments_of(rows, row) else set[str]())

    return lambda row: values[-1] in kinds(row)


def _not_keyed(_rows: Rows, values: list[str]) -> Predicate:
    """Leave out flags by key, which PostHog calls `excluded_properties`."""
    keys = {str(key) for key in json_or_words(values[-1])}
    return lambda row: row["key"] not in keys


def _has_contexts(_rows: Rows, values: list[str]) -> Predicate:
    wanted = truth(values[-1])
    return lambda row: bool(row["evaluation_contexts"]) == bool(wanted)


FLAGS = Resource(
    table="feature_flags",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    stored=_stored,
    show=_show,
    listed=_listed,
    filters={
        "search": contains("key", "name"),
        "active": _active,
        "type": _type,
        "created_by_id": created_by,
        "tags": tagged,
        "excluded_tags": not_tagged,
        "excluded_properties": _not_keyed,
        "evaluation_runtime": equals("evaluation_runtime"),
        "has_evaluation_contexts": _has_contexts,
    },
    ordering=Ordering("-created_at,-id", fields=("key", "name", "created_at", "updated_at", "active", "id")),
)
