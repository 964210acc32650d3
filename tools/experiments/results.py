"""Results of experiments: exposures, the numbers of each metric, and whether the experiment is conclusive.

They are insight queries (one for the exposures, one per metric), not HogQL queries.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import anyio

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError, Refused
from ...schemas.analytics.results import InsightAnswer
from ...schemas.experiments.results import ExperimentSource, ExposureAnswer, GetExperimentResults, MetricAnswer
from ...schemas.json import as_object
from ...schemas.text import named
from ..analytics.computing import computed_at, response_to, without_results
from ..operation import Effect, Operation, Result, Toolset, read
from .metrics import Metric, chosen, failed, metrics_of, reading_of
from .operations import EXPERIMENT
from .verdict import Shares, days_run, draft, notes, verdict

_NAME = "get_experiment_results"
_AT_ONCE = 3
"""Queries that PostHog runs for one key at the same time."""
_OLD_KINDS = ("ExperimentTrendsQuery", "ExperimentFunnelsQuery")


async def _get_experiment_results(api: Call, args: GetExperimentResults) -> Result:
    stored = await api.counted_as(Budget.CRUD).get(EXPERIMENT, experiment_id=args.experiment_id)
    experiment = read(ExperimentSource, stored)
    metrics = metrics_of(experiment)
    requested = chosen(metrics, args.metric)
    named = experiment.model_dump(mode="json", exclude_none=True, include=_NAMED)
    if experiment.start_date is None:
        return {"experiment": named, "verdict": draft()}
    exposures, answers = await _compute_all(api, experiment, requested, refresh=args.refresh)
    shares = Shares.read(exposures, experiment)
    relative = _is_relative(experiment)
    readings = [
        reading_of(metric, answer, relative=relative)
        if isinstance(answer, MetricAnswer)
        else failed(metric, _why(answer))
        for metric, answer in zip(requested, answers, strict=True)
    ]
    now = api.now()
    days = days_run(experiment.start_date, experiment.end_date, computed_at(exposures.last_refresh, now))
    known = api.project.has_test_accounts if api.project else None
    found_notes = [
        *notes(experiment, shares, readings, has_test_accounts=known),
        *_not_shown(metrics, requested),
    ]
    return {
        "experiment": {**named, "days_run": round(days, 1), "method": _method(experiment)},
        "exposures": shares.as_json(),
        "metrics": [reading.shown for reading in readings],
        "verdict": verdict(experiment, shares, readings, days),
        **({"notes": found_notes} if found_notes else {}),
        **_age([exposures, *(answer for answer in answers if isinstance(answer, MetricAnswer))], now),
    }


_NAMED = {"id", "name", "feature_flag_key", "status", "start_date", "end_date", "conclusion"}


async def _compute_all(
    api: Call, experiment: ExperimentSource, metrics: Sequence[Metric], *, refresh: bool
) -> tuple[ExposureAnswer, list[MetricAnswer | GatewayError]]:
    """Return the exposures, and the response or error for each metric. Raises GatewayError without exposures."""
    found: list[MetricAnswer | GatewayError] = [without_results()] * len(metrics)
    room = anyio.CapacityLimiter(_AT_ONCE)

    async def compute(at: int, metric: Metric) -> None:
        async with room:
            try:
                found[at] = await _metric(api, experiment.id, metric, refresh=refresh)
            except GatewayError as error:
                found[at] = error

    exposures = await _exposures(api, experiment, refresh=refresh)
    async with anyio.create_task_group() as tasks:
        for at, metric in enumerate(metrics):
            tasks.start_soon(compute, at, metric)
    return exposures, found


async def _exposures(api: Call, experiment: ExperimentSource, *, refresh: bool) -> ExposureAnswer:
    query = {
        "kind": "ExperimentExposureQuery",
        "experiment_id": experiment.id,
        "experiment_name": experiment.name or "",
        "feature_flag": experiment.feature_flag,
        "start_date": experiment.start_date,
        "end_date": experiment.end_date,
        "exposure_criteria": experiment.exposure_criteria,
        "holdout": experiment.holdout,
    }
    answer = await response_to(api, query, ExposureAnswer, tool=_NAME, refresh=refresh)
    if answer.total_exposures is None:
        raise without_results()
    return answer


async def _metric(api: Call, experiment_id: int, metric: Metric, *, refresh: bool) -> MetricAnswer:
    """Return the numbers. Raises GatewayError, as when PostHog has too few exposures to compute anything."""
    if metric.type in _OLD_KINDS:
        raise Refused(
            "invalid_argument", f"This metric is of an older kind ({metric.type}): only PostHog's page shows it."
        )
    query = {"kind": "ExperimentQuery", "experiment_id": experiment_id, "metric": metric.query}
    answer = await response_to(api, query, MetricAnswer, tool=_NAME, refresh=refresh)
    if answer.baseline is None:
        raise without_results()
    return answer


def _why(error: GatewayError) -> str:
    """Return why a metric has no numbers, in PostHog's words if it sent any."""
    return (error.upstream.detail if error.upstream else None) or error.message


def _method(experiment: ExperimentSource) -> str:
    method: object = (experiment.stats_config or {}).get("method")
    return "frequentist" if method == "frequentist" else "bayesian"


def _is_relative(experiment: ExperimentSource) -> bool:
    """Return whether intervals are of the relative difference, which is the default."""
    settings = as_object((experiment.stats_config or {}).get(_method(experiment)))
    return settings.get("difference_type") != "ABSOLUTE"


def _not_shown(metrics: Sequence[Metric], requested: Sequence[Metric]) -> list[str]:
    """Return the note that the verdict covers only some of the primary metrics."""
    primary = [metric for metric in metrics if metric.is_primary]
    left = [metric.name for metric in primary if metric not in requested]
    return (
        [f"The verdict leaves out primary metrics: {', '.join(map(named, left))}."]
        if left and len(left) < len(primary)
        else []
    )


def _age(answers: Sequence[InsightAnswer], now: datetime) -> dict[str, Any]:
    """Return `{"computed_at"}`, the oldest, when numbers come from PostHog's cache."""
    cached = [computed_at(answer.last_refresh, now) for answer in answers if answer.is_cached]
    return {"computed_at": min(cached).isoformat()} if cached else {}


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name=_NAME,
        about="Results of an A/B experiment: exposures, numbers per variant, and whether it is conclusive yet.",
        toolset=Toolset.EXPERIMENTS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=GetExperimentResults,
        run=_get_experiment_results,
    ),
)
