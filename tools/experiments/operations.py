"""Experiments. Each has a feature flag: PostHog creates it, or reuses the flag with that key and its variants."""

from typing import Any

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.base.shown import Whole
from ...schemas.experiments.objects import (
    CreateExperiment,
    DeleteExperiment,
    ExperimentRow,
    ExperimentState,
    ExperimentView,
    GetExperiment,
    ListExperiments,
    UpdateExperiment,
)
from ...schemas.flags import FlagRow, Variant
from ..operation import Effect, Operation, Result, Toolset, listing, route, show
from ..operation.pages import PagedRows

EXPERIMENTS = "/api/projects/{project_id}/experiments/"
EXPERIMENT = "/api/projects/{project_id}/experiments/{experiment_id}/"
FLAGS = "/api/projects/{project_id}/feature_flags/"
_DRAFT = "A draft: it starts when update_experiment sets start_date."
_OTHER_VARIANTS = "The flag already existed: its variants apply, not the requested ones."


async def _get_experiment(api: Call, args: GetExperiment) -> Result:
    return show(Whole if args.full else ExperimentView, await api.get(EXPERIMENT, experiment_id=args.experiment_id))


async def _create_experiment(api: Call, args: CreateExperiment) -> Result:
    variants = [variant.model_dump(exclude_none=True) for variant in args.variants or ()]
    body: dict[str, Any] = {
        "name": args.name,
        "feature_flag_key": args.feature_flag_key,
        "description": args.description,
        "parameters": {"feature_flag_variants": variants} if variants else None,
        "metrics": args.metrics,
        "type": args.type,
    }
    reused = await _flag_exists(api, args.feature_flag_key)
    answer = await api.post(EXPERIMENTS, {name: value for name, value in body.items() if value is not None})
    shown = _stored(answer)
    if reused is not None:
        shown["flag"] = "reused" if reused else "created"
    if args.variants and not _has(shown, args.variants):
        shown["note"] = " ".join([_OTHER_VARIANTS, shown.get("note", "")]).strip()
    return shown


async def _flag_exists(api: Call, key: str) -> bool | None:
    """Return whether a flag has this key; None when that is unknown, as for a connection that cannot read flags."""
    found = PagedRows(api, FLAGS, {"search": key})
    try:
        async for row in found:
            if show(FlagRow, row)["key"] == key:
                return True
    except GatewayError as error:
        if error.code != "permission_denied":
            raise
        return None
    return None if found.cut else False


def _has(shown: dict[str, Any], requested: list[Variant]) -> bool:
    stored = {variant["key"]: variant.get("rollout_percentage") for variant in shown.get("variants", ())}
    return stored == {variant.key: variant.rollout_percentage for variant in requested}


async def _update_experiment(api: Call, args: UpdateExperiment) -> Result:
    changes = args.given()
    for name, value in (("start_date", args.start_date), ("end_date", args.end_date)):
        if value is not None:
            changes[name] = api.moment(value)
    return _stored(await api.patch(EXPERIMENT, changes, experiment_id=args.experiment_id))


def _stored(answer: object) -> dict[str, Any]:
    shown = show(ExperimentView, answer)
    return {**shown, "note": _DRAFT} if shown["status"] == "draft" else shown


OPERATIONS: tuple[Operation[Any], ...] = (
    listing(
        "GET /api/projects/{project_id}/experiments/",
        ListExperiments,
        ExperimentRow,
        name="list_experiments",
        about="List A/B experiments with status, dates and flag key, newest first.",
        toolset=Toolset.EXPERIMENTS,
    ),
    Operation(
        name="create_experiment",
        about="Create an A/B experiment as a draft, with a feature flag of this key.",
        toolset=Toolset.EXPERIMENTS,
        effect=Effect.CREATE,
        input=CreateExperiment,
        run=_create_experiment,
    ),
    Operation(
        name="get_experiment",
        about="Show one experiment: variants, metrics, flag, status. Results: get_experiment_results.",
        toolset=Toolset.EXPERIMENTS,
        effect=Effect.READ,
        input=GetExperiment,
        run=_get_experiment,
    ),
    Operation(
        name="update_experiment",
        about="Change, launch (start_date), end (end_date) or archive an experiment.",
        toolset=Toolset.EXPERIMENTS,
        effect=Effect.UPDATE,
        input=UpdateExperiment,
        run=_update_experiment,
    ),
    route(
        "SOFT_DELETE /api/projects/{project_id}/experiments/{experiment_id}/",
        DeleteExperiment,
        ExperimentState,
        name="delete_experiment",
        about="Delete an experiment; its flag stays. restore_deleted brings it back.",
        toolset=Toolset.EXPERIMENTS,
    ),
)
