"""Experiments. Each creates a flag or uses an existing one with suitable variants."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.datastructures import QueryParams
from starlette.responses import Response

from ...errors import invalid, missing_reference
from ...http.fields import Field, boolean, checked, choice, integer, json_list, json_object, json_value, moment, text
from ...http.filters import Ordering, Predicate, contains, created_by, equals, truth
from ...http.resource import Change, Resource, alive_or_restored, public, reach, routes
from ...http.responses import json_response
from ...http.routing import Call, Endpoint, Route
from ...storage.events import literal
from ...storage.store import Rows
from ...values import Row
from ..flags.resource import minimal_flag
from .flags import check_launch, check_variants_kept, experiment_flag, flag_for, ship_variant, switch_flag, sync_flag
from .rules import (
    check_dates,
    exposure_criteria,
    metric_actions,
    metric_events,
    metrics,
    ordered_uuids,
    parameters,
    stats_config,
)
from .saved_metrics import check_links, linked_metrics, saved_metrics_ids

_CONCLUSIONS = choice("won", "lost", "inconclusive", "stopped_early", "invalid")
_ENDING = (
    Field("conclusion", _CONCLUSIONS, null=True),
    Field("conclusion_comment", text(), null=True),
)
_FIELDS = (
    Field("name", text(400, blank=False), required=True),
    Field("description", text(3000), null=True),
    Field("start_date", moment, null=True),
    Field("end_date", moment, null=True),
    Field("feature_flag_key", text(blank=False), required=True),
    Field("holdout_id", integer(), null=True),
    Field("parameters", parameters, null=True),
    Field("secondary_metrics", json_list, null=True),
    Field("saved_metrics_ids", saved_metrics_ids, null=True),
    Field("running_time_calculation", json_object),
    Field("filters", json_object),
    Field("archived", boolean),
    Field("deleted", boolean),
    Field("type", choice("web", "product"), null=True),
    Field("exposure_criteria", exposure_criteria, null=True),
    Field("metrics", metrics, null=True),
    Field("metrics_secondary", metrics, null=True),
    Field("stats_config", stats_config, null=True),
    Field("scheduling_config", json_value, null=True),
    *_ENDING,
    Field("primary_metrics_ordered_uuids", json_list, null=True),
    Field("secondary_metrics_ordered_uuids", json_list, null=True),
)
_DEFAULTS: Row = {
    "name": "",
    "description": "",
    "start_date": None,
    "end_date": None,
    "holdout": None,
    "holdout_id": None,
    "exposure_cohort": None,
    "parameters": None,
    "secondary_metrics": [],
    "saved_metrics_ids": None,
    "running_time_calculation": {},
    "_saved_metrics": [],
    "filters": {},
    "archived": False,
    "deleted": False,
    "updated_at": None,
    "type": "product",
    "exposure_criteria": {"filterTestAccounts": True},
    "metrics": [],
    "metrics_secondary": [],
    "stats_config": {"method": "bayesian"},
    "scheduling_config": None,
    "conclusion": None,
    "conclusion_comment": None,
    "primary_metrics_ordered_uuids": None,
    "secondary_metrics_ordered_uuids": None,
}
_STATUSES = ("draft", "running", "paused", "stopped")


def _check(change: Change, row: Row) -> Row:
    key = row.pop("feature_flag_key", None)
    check_dates(row)
    if row["holdout_id"] is not None:
        raise missing_reference(row["holdout_id"], "holdout_id")
    _check_actions(change)
    links = row["saved_metrics_ids"]
    check_links(change, links)
    kept = links if "saved_metrics_ids" in change.values else row.get("_saved_metrics")
    row |= {"_saved_metrics": kept or [], "saved_metrics_ids": None}
    for name, ordering in (
        ("metrics", "primary_metrics_ordered_uuids"),
        ("metrics_secondary", "secondary_metrics_ordered_uuids"),
    ):
        row[name] = row[name] or []
        row[ordering] = ordered_uuids(row[ordering], row[name])
    if change.before is None:
        return {**row, "_feature_flag": flag_for(change, row, key)["id"]}
    _check_update(change, row, change.before, key)
    return row


def _check_actions(change: Change) -> None:
    requested = metric_actions(change.values.get("metrics")) | metric_actions(change.values.get("metrics_secondary"))
    known = {action["id"] for action in change.rows.all("actions", change.project_id) if not action["deleted"]}
    if missing := sorted(requested - known):
        raise invalid(
            f"Action(s) with ID {', '.join(map(str, missing))} not found or deleted. "
            "Each ActionsNode must reference an existing action belonging to this project."
        )


def _check_update(change: Change, row: Row, before: Row, key: str | None) -> None:
    flag = experiment_flag(change.rows, before)
    if before["deleted"] and not row["deleted"] and (flag is None or flag["deleted"]):
        raise invalid(
            "Cannot restore experiment: the linked feature flag has been deleted. "
            "Restore the feature flag first, then restore the experiment."
        )
    fixed = ["get_feature_flag_key"] if key is not None and (flag is None or key != flag["key"]) else []
    fixed += ["type"] if "type" in change.values else []
    if fixed:
        raise invalid(f"Can't update keys: {', '.join(fixed)} on Experiment")
    if row["filters"].get("properties"):
        raise invalid("Experiments do not support global filter properties")
    if flag is None:
        return
    is_draft = before["start_date"] is None
    if not is_draft:
        check_variants_kept(change, flag)
    launched = is_draft and row["start_date"] is not None
    if launched:
        check_launch(flag)
    if change.values.get("parameters") and (is_draft or change.body.get("update_feature_flag_params") is True):
        flag = sync_flag(change.rows, flag, change.values["parameters"])
    if launched:
        switch_flag(change.rows, flag, active=True)


def _status(rows: Rows, row: Row) -> str:
    if row["start_date"] is None:
        return "draft"
    if row["end_date"] is not None:
        return "stopped"
    flag = experiment_flag(rows, row)
    return "running" if flag is not None and flag["active"] else "paused"


def _show(rows: Rows, row: Row) -> Row:
    flag = experiment_flag(rows, row)
    return {
        **public(rows, row),
        "feature_flag_key": None if flag is None else flag["key"],
        "feature_flag": None if flag is None else minimal_flag(flag),
        "saved_metrics": linked_metrics(rows, row),
        "user_access_level": "editor",
        "status": _status(rows, row),
    }


def _candidates(rows: Rows, table: str, project_id: int) -> list[Row]:
    """Return the project's experiments with the computed fields that lists filter and order by."""
    return [
        {**row, "_status": _status(rows, row), "_duration": _duration(row, rows.now)}
        for row in rows.all(table, project_id)
    ]


def _duration(row: Row, now: str) -> float | None:
    if row["start_date"] is None:
        return None
    end = datetime.fromisoformat(row["end_date"] or now)
    return (end - datetime.fromisoformat(row["start_date"])).total_seconds()


def _listed(params: QueryParams, row: Row) -> bool:
    return not row["deleted"] and row["archived"] == bool(truth(params.get("archived", "")))


def _has_status(_rows: Rows, values: list[str]) -> Predicate:
    """Match the status. `complete` is the former name of stopped; unknown statuses do not filter."""
    wanted = values[-1].lower().replace("complete", "stopped")
    return lambda row: wanted not in _STATUSES or row["_status"] == wanted


EXPERIMENTS = Resource(
    table="experiments",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    show=_show,
    reachable=alive_or_restored,
    listed=_listed,
    candidates=_candidates,
    filters={
        "search": contains("name"),
        "status": _has_status,
        "feature_flag_id": equals("_feature_flag"),
        "created_by_id": created_by,
    },
    ordering=Ordering(
        "-created_at,-id",
        fields=("name", "created_at", "updated_at", "start_date", "end_date", "duration", "status"),
        computed={"duration": lambda row: row["_duration"], "status": lambda row: _STATUSES.index(row["_status"])},
    ),
)


def _launched_flag(rows: Rows, experiment: Row) -> Row:
    """Return the flag of a running or paused experiment."""
    if experiment["start_date"] is None:
        raise invalid("Experiment has not been launched yet.")
    if experiment["end_date"] is not None:
        raise invalid("Experiment has already ended.")
    flag = experiment_flag(rows, experiment)
    if flag is None:
        raise invalid("Experiment does not have a feature flag linked.")
    return flag


def _launch(rows: Rows, experiment: Row, _call: Call) -> Row:
    flag = experiment_flag(rows, experiment)
    if experiment["start_date"] is not None:
        raise invalid("Experiment has already been launched.")
    if flag is None:
        raise invalid("Experiment does not have a feature flag linked.")
    check_launch(flag)
    switch_flag(rows, flag, active=True)
    return {**experiment, "start_date": rows.now}


def _pause(rows: Rows, experiment: Row, _call: Call) -> Row:
    flag = _launched_flag(rows, experiment)
    if not flag["active"]:
        raise invalid("Experiment is already paused.")
    switch_flag(rows, flag, active=False)
    return experiment


def _resume(rows: Rows, experiment: Row, _call: Call) -> Row:
    flag = _launched_flag(rows, experiment)
    if flag["active"]:
        raise invalid("Experiment is not paused.")
    switch_flag(rows, flag, active=True)
    return experiment


def _end(rows: Rows, experiment: Row, call: Call) -> Row:
    """End the experiment; its flag stays unchanged."""
    _launched_flag(rows, experiment)
    ending: Row = {"conclusion": None, "conclusion_comment": None, **checked(_ENDING, call.body, partial=True)}
    return {**experiment, **ending, "end_date": rows.now}


def _ship_variant(rows: Rows, experiment: Row, call: Call) -> Row:
    """Serve one variant to all users the flag targets; with `release_to_everyone`, to everyone."""
    shipping = (Field("variant_key", text(), required=True), Field("release_to_everyone", boolean), *_ENDING)
    values = checked(shipping, call.body, partial=False)
    flag = experiment_flag(rows, experiment)
    if experiment["start_date"] is None:
        raise invalid("Experiment has not been launched yet.")
    if flag is None:
        raise invalid("Experiment does not have a linked feature flag.")
    ship_variant(rows, flag, values.pop("variant_key"), to_everyone=values.pop("release_to_everyone", False))
    return {**experiment, **values, "end_date": experiment["end_date"] or rows.now}


def _archive(_rows: Rows, experiment: Row, _call: Call) -> Row:
    if experiment["archived"]:
        raise invalid("Experiment is already archived.")
    if experiment["end_date"] is None:
        raise invalid("Experiment must be ended before it can be archived.")
    return {**experiment, "archived": True}


def _unarchive(_rows: Rows, experiment: Row, _call: Call) -> Row:
    if not experiment["archived"]:
        raise invalid("Experiment is not archived.")
    return {**experiment, "archived": False}


def _reset(_rows: Rows, experiment: Row, _call: Call) -> Row:
    """Reset the experiment to a draft; its flag stays unchanged."""
    if experiment["start_date"] is None:
        raise invalid("Experiment is already in draft state.")
    blank = dict.fromkeys(("start_date", "end_date", "conclusion", "conclusion_comment"))
    return {**experiment, **blank, "archived": False}


type _Step = Callable[[Rows, Row, Call], Row]


async def _take(step: _Step, call: Call) -> Response:
    def act() -> Row:
        with call.services.store.transaction() as rows:
            experiment = step(rows, reach(EXPERIMENTS, rows, call), call)
            return _show(rows, rows.save("experiments", {**experiment, "updated_at": rows.now}))

    return json_response(await to_thread.run_sync(act))


async def _with_known_events(save: Endpoint, call: Call) -> Response:
    """Reject metrics on events that were never seen, unless the body allows unknown events."""
    requested = metric_events(call.body.get("metrics")) | metric_events(call.body.get("metrics_secondary"))
    if requested and call.body.get("allow_unknown_events") is not True:
        names = ", ".join(map(literal, sorted(requested)))
        sql = f"SELECT name FROM posthog.event_definitions WHERE name IN ({names})"
        known: set[Any] = {row[0] for row in await call.services.events.rows(call.project_id, sql)}
        if missing := sorted(requested - known):
            raise invalid(
                f"Event(s) {', '.join(map(repr, missing))} not found. No events with these names have been ingested "
                "by this project. Correct the names, or send allow_unknown_events=true for events that are to come."
            )
    return await save(call)


_STEPS: dict[str, _Step] = {
    "launch": _launch,
    "pause": _pause,
    "resume": _resume,
    "end": _end,
    "ship_variant": _ship_variant,
    "archive": _archive,
    "unarchive": _unarchive,
    "reset": _reset,
}
ROUTES = (
    *(
        Route(route.method, route.path, partial(_with_known_events, route.endpoint))
        if route.method in {"POST", "PATCH", "PUT"}
        else route
        for route in routes(EXPERIMENTS)
    ),
    *(
        Route("POST", f"projects/{{project_id}}/experiments/{{id}}/{name}", partial(_take, step))
        for name, step in _STEPS.items()
    ),
)
