"""Objects created from an experiment: a copy of it, and the cohort of its exposed persons."""

import uuid
from copy import deepcopy
from functools import partial

from anyio import to_thread
from starlette.responses import Response

from ...errors import invalid
from ...http.fields import Field, checked, text
from ...http.resource import Change, add_row, of_project, reach
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.store import Rows
from ...values import Row, objects
from ..cohorts.resource import COHORTS, calculate
from ..flags.rules import flag_variants
from .flags import experiment_flag
from .resource import EXPERIMENTS

_COPIED = (
    "description",
    "type",
    "parameters",
    "filters",
    "secondary_metrics",
    "metrics",
    "metrics_secondary",
    "stats_config",
    "scheduling_config",
    "exposure_criteria",
    "running_time_calculation",
)
_COPYING = (
    Field("feature_flag_key", text(blank=False), null=True),
    Field("name", text(400, blank=False), null=True),
)


def _copy(call: Call) -> Row:
    """Create a draft copy of the experiment, on the same flag unless `feature_flag_key` names another."""
    given = checked(_COPYING, call.body, partial=True)
    with call.services.store.transaction() as rows:
        experiment = reach(EXPERIMENTS, rows, call)
        flag = experiment_flag(rows, experiment)
        key = given.get("feature_flag_key") or (flag or {}).get("key")
        if key is None:
            raise invalid("Experiment does not have a feature flag linked.")
        values = {name: deepcopy(experiment[name]) for name in _COPIED}
        for metrics in ("metrics", "metrics_secondary"):
            values[metrics] = [{**metric, "uuid": str(uuid.uuid4())} for metric in objects(values[metrics])]
        values["saved_metrics_ids"] = deepcopy(experiment.get("_saved_metrics") or [])
        values |= {"feature_flag_key": key, "name": given.get("name") or _free_name(rows, experiment)}
        row = add_row(EXPERIMENTS, Change(rows, call.project_id, values, values, None))
        return EXPERIMENTS.show(rows, row)


def _free_name(rows: Rows, experiment: Row) -> str:
    others = of_project(rows, "experiments", experiment["_project"])
    taken = {row["name"] for row in others if not row["deleted"]}
    name = wanted = f"{experiment['name']} (Copy)"
    number = 1
    while name in taken:
        number += 1
        name = f"{wanted} {number}"
    return name


async def _duplicate(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_copy, call), 201)


def _exposed(rows: Rows, experiment: Row) -> Row:
    """Return a new cohort of persons who got a variant since the experiment started. Raises ApiError 400."""
    flag = experiment_flag(rows, experiment)
    if flag is None:
        raise invalid("Experiment does not have a feature flag")
    if experiment["start_date"] is None:
        raise invalid("Experiment does not have a start date")
    if experiment["exposure_cohort"] is not None:
        raise invalid("Experiment already has an exposure cohort")
    keys = [variant["key"] for variant in flag_variants(flag["filters"])]
    called: Row = {
        "type": "behavioral",
        "value": "performed_event",
        "key": "$feature_flag_called",
        "negation": False,
        "event_type": "events",
        "event_filters": [{"key": f"$feature/{flag['key']}", "value": keys, "operator": "exact", "type": "event"}],
        "explicit_datetime": experiment["start_date"],
    }
    return {
        "name": f'Users exposed to experiment "{experiment["name"]}"',
        "is_static": False,
        "filters": {"properties": {"type": "OR", "values": [{"type": "OR", "values": [called]}]}},
    }


def _make_cohort(call: Call) -> Row:
    with call.services.store.transaction() as rows:
        experiment = reach(EXPERIMENTS, rows, call)
        values = _exposed(rows, experiment)
        cohort = add_row(COHORTS, Change(rows, call.project_id, values, values, None))
        rows.save("experiments", {**experiment, "exposure_cohort": cohort["id"], "updated_at": rows.now})
        return COHORTS.show(rows, cohort)


async def _expose(call: Call) -> Response:
    """Create the cohort and start its calculation in the background."""
    cohort = await to_thread.run_sync(_make_cohort, call)
    call.services.spawn(partial(calculate, call.services, cohort["id"]))
    return json_response({"cohort": cohort}, 201)


_ITEM = "projects/{project_id}/experiments/{id}"
ROUTES = (
    Route("POST", f"{_ITEM}/duplicate", _duplicate),
    Route("POST", f"{_ITEM}/create_exposure_cohort_for_experiment", _expose),
)
