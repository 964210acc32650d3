"""The flag of an experiment: creating or reusing it, synchronizing it, switching it on and off."""

from ...errors import invalid
from ...http.fields import checked
from ...http.resource import Change, add_row, change_row
from ...storage.store import Rows
from ...values import Row, as_object, objects
from ..flags.resource import FLAGS, flag_by_key
from ..flags.rules import flag_variants
from .rules import DEFAULT_VARIANTS, check_flag_variants


def flag_for(change: Change, row: Row, key: str) -> Row:
    """Return the flag of a new experiment: the existing one with this key, else a new one, inactive for a draft."""
    existing = flag_by_key(change.rows, change.project_id, key)
    if existing is not None:
        check_flag_variants(flag_variants(existing["filters"]))
        return existing
    given: Row = row["parameters"] or {}
    group: Row = {"properties": [], "rollout_percentage": given.get("rollout_percentage", 100)}
    body: Row = {
        "key": key,
        "name": f"Feature Flag for Experiment {row['name']}",
        "filters": {
            "groups": [group],
            "multivariate": {"variants": given.get("feature_flag_variants") or list(DEFAULT_VARIANTS)},
            "aggregation_group_type_index": given.get("aggregation_group_type_index"),
        },
        "active": row["start_date"] is not None,
        "ensure_experience_continuity": bool(given.get("ensure_experience_continuity")),
    }
    if given.get("feature_flag_payloads"):
        body["filters"]["payloads"] = given["feature_flag_payloads"]
    values = checked(FLAGS.fields, body, partial=False)
    return add_row(FLAGS, Change(change.rows, change.project_id, body, values, None))


def check_variants_kept(change: Change, flag: Row) -> None:
    """Raise ApiError 400 when a change would add or remove variants of a launched experiment."""
    given = as_object(change.values.get("parameters")) or {}
    wanted = objects(given.get("feature_flag_variants"))
    keys = sorted(variant["key"] for variant in flag_variants(flag["filters"]))
    if wanted and sorted(variant["key"] for variant in wanted) != keys:
        raise invalid("Can't update feature_flag_variants on Experiment")


def sync_flag(rows: Rows, flag: Row, given: Row) -> Row:
    """Copy variants and rollout from an experiment's parameters to its flag."""
    filters = flag["filters"]
    groups = objects(filters.get("groups"))
    share = given.get("rollout_percentage")
    if share is not None and groups:
        groups = [{**groups[0], "rollout_percentage": share}, *groups[1:]]
    changed: Row = {
        **filters,
        "groups": groups,
        "multivariate": {"variants": given.get("feature_flag_variants") or list(DEFAULT_VARIANTS)},
        "aggregation_group_type_index": given.get("aggregation_group_type_index"),
    }
    return _change(rows, flag, changed)


def _change(rows: Rows, flag: Row, filters: Row) -> Row:
    values: Row = {"filters": filters}
    return change_row(FLAGS, Change(rows, flag["_project"], values, values, flag), flag)


def switch_flag(rows: Rows, flag: Row, *, active: bool) -> None:
    """Switch the flag on or off when an experiment starts, pauses or resumes. Its version does not change."""
    rows.save("feature_flags", {**flag, "active": active, "updated_at": rows.now})


def experiment_flag(rows: Rows, experiment: Row) -> Row | None:
    """Return the flag of an experiment, even if deleted; None once another flag has its key."""
    return rows.get("feature_flags", experiment["_feature_flag"])


def check_launch(flag: Row) -> None:
    """Raise ApiError 400 unless an experiment can start on this flag."""
    if flag["deleted"]:
        raise invalid("Experiment cannot be launched because its feature flag has been deleted.")
    check_flag_variants(flag_variants(flag["filters"]))


def ship_variant(rows: Rows, flag: Row, key: str, *, to_everyone: bool) -> None:
    """Serve one variant to all users the flag targets, or to everyone. Raises ApiError 400 on an unknown variant."""
    variants = flag_variants(flag["filters"])
    if key not in [variant["key"] for variant in variants]:
        raise invalid(f"Variant '{key}' not found on feature flag.")
    shares = [{**variant, "rollout_percentage": 100 if variant["key"] == key else 0} for variant in variants]
    groups = objects(flag["filters"].get("groups"))
    if to_everyone:
        groups.insert(0, {"properties": [], "rollout_percentage": 100})
    _change(rows, flag, {**flag["filters"], "groups": groups, "multivariate": {"variants": shares}})
