"""Experiments. Each has a feature flag: PostHog creates it, or reuses the flag with that key and its variants."""

from collections.abc import Mapping, Sequence
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
from ..operation import Effect, Operation, Result, Toolset, listing, read, show
from ..operation.dates import instants, midnights
from ..operation.editing import Change, Editing, plain_arguments
from ..operation.pages import PagedRows
from ..operation.undoing import removal
from ..operation.writing import create, deleting, updating
from .stored import SPECIAL, STORED, changed_fields, fields_back, with_links, without_empty_plan

EXPERIMENTS = "/api/projects/{project_id}/experiments/"
EXPERIMENT = "/api/projects/{project_id}/experiments/{experiment_id}/"
_DATES = ("start_date", "end_date")
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
        "metrics_secondary": args.secondary_metrics,
        "saved_metrics_ids": [each.as_link() for each in args.saved_metrics] if args.saved_metrics else None,
        "running_time_calculation": args.running_time_calculation,
        "type": args.type,
    }
    body = {name: value for name, value in body.items() if value is not None}
    reused = await _flag_exists(api, args.feature_flag_key)
    undo = removal(EXPERIMENTS)
    shown = await create(api, args, EXPERIMENTS, body, ExperimentView, what="experiment", undo=undo)
    if args.dry_run:
        return {**shown, **({} if reused is None else {"flag": "would be reused" if reused else "would be created"})}
    if shown["status"] == "draft":
        shown["note"] = _DRAFT
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


async def _find(api: Call, args: UpdateExperiment | DeleteExperiment) -> dict[str, Any]:
    return with_links(await api.get(EXPERIMENT, experiment_id=args.experiment_id))


async def _store(api: Call, change: Change) -> dict[str, Any]:
    return with_links(await api.patch(EXPERIMENT, change.body, experiment_id=change.before["id"]))


def _body(api: Call, args: UpdateExperiment, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    return args.given(leave_out=SPECIAL) | changed_fields(args, stored) | instants(api, args, *_DATES)


def _back(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    special = fields_back(before, after, names)
    return {**plain_arguments(before, after, [name for name in names if name not in STORED]), **special}


async def _reasons(_: Call, change: Change) -> Sequence[str]:
    """Return what a change means for the people in the experiment."""
    experiment = read(ExperimentRow, change.before)
    running = experiment.start_date is not None and experiment.end_date is None
    starts, ends = change.body.get("start_date"), change.body.get("end_date")
    reasons: list[str] = []
    if starts and experiment.start_date is None:
        reasons.append("It starts the experiment, turns its flag on, and assigns variants to people.")
    elif "start_date" in change.body and not starts:
        reasons.append("It makes a running experiment a draft again.")
    if ends and running:
        reasons.append("It ends the running experiment.")
    elif "end_date" in change.body and not ends:
        reasons.append("It resumes the experiment.")
    if running and ("deleted" in change.body or change.body.get("archived")):
        reasons.append("The experiment is running.")
    return reasons


_EDITING: Editing[Any] = Editing(
    what="experiment",
    path=EXPERIMENT,
    gives=ExperimentView,
    target="experiment_id",
    find=_find,
    store=_store,
    meant=without_empty_plan,
    body=_body,
    back=_back,
    reasons=_reasons,
    notes=lambda _, args, __, after: (
        *midnights(args, after, *_DATES),
        *([_DRAFT] if read(ExperimentRow, after).status == "draft" else ()),
    ),
)


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
    updating(
        UpdateExperiment,
        _EDITING,
        name="update_experiment",
        about="Change, launch (start_date), end (end_date) or archive an experiment.",
        toolset=Toolset.EXPERIMENTS,
    ),
    deleting(
        DeleteExperiment,
        _EDITING,
        ExperimentState,
        name="delete_experiment",
        about="Delete an experiment; its flag stays. restore_deleted brings it back.",
        toolset=Toolset.EXPERIMENTS,
    ),
)
