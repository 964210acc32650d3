"""Feature flags. PostHog replaces `filters` whole, so updates read the flag first."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError, Refused
from ...schemas.base import OF_THE_CALL
from ...schemas.base.shown import Whole
from ...schemas.experiments.objects import ExperimentRow
from ...schemas.flags import CreateFlag, DeleteFlag, FlagRow, FlagState, FlagView, GetFlag, ListFlags, UpdateFlag
from ...schemas.json import as_list, as_object, as_objects
from ..operation import Effect, Operation, Result, Toolset, read, show, show_page
from ..operation.editing import Change, Editing, plain_arguments, tags_of
from ..operation.undoing import removal
from ..operation.writing import create, deleting, updating
from .filters import changed_filters, filters_back, groups_of
from .finding import FLAG, FLAGS, find_flag, find_to_change
from .people import evidence, reach_of, what_a_person_gets
from .targeting import with_typed_groups

_EXPERIMENT = "/api/projects/{project_id}/experiments/{experiment_id}/"
_MOST_EXPERIMENTS = 3


async def _list_flags(api: Call, args: ListFlags) -> Result:
    query = args.model_dump(mode="json", exclude=set(OF_THE_CALL), exclude_none=True)
    found = await api.get(FLAGS, query)
    shown = await api.apart(lambda: show_page(FlagRow, found, args, under="flags"))
    if args.active != "STALE":
        return shown
    known, note = await evidence(api, as_objects(as_object(found).get("results")))
    rows = [{**row, **known.get(row["key"], {})} for row in shown["flags"]]
    return {**shown, "flags": rows, **({"note": note} if note else {})}


async def _get_flag(api: Call, args: GetFlag) -> Result:
    found = await find_flag(api, args.flag)
    shown = show(Whole if args.full else FlagView, found)
    if args.person is None:
        return shown
    if api.privacy.aggregate_only:
        raise Refused(
            "invalid_argument",
            "`person`: what one person gets is not shown on this server (--aggregate-only).",
            "Leave `person` out.",
        )
    return {**shown, "person": await what_a_person_gets(api, read(FlagRow, found).key, args.person)}


async def _create_flag(api: Call, args: CreateFlag) -> Result:
    if args.copy_from is not None:
        return await _copy_flag(api, args, args.copy_from)
    filters = args.filters or {"groups": [{"properties": [], "rollout_percentage": args.rollout_percentage}]}
    if args.variants:
        variants = [variant.model_dump(exclude_none=True) for variant in args.variants]
        filters = {**filters, "multivariate": {"variants": variants}}
    fields = {"name": args.name, "active": args.active, "filters": with_typed_groups(filters), "tags": args.tags}
    return await _create(api, args, fields | {"ensure_experience_continuity": args.ensure_experience_continuity})


async def _copy_flag(api: Call, args: CreateFlag, project: int) -> Result:
    """Create the flag as it is in another project. Raises Refused if it depends on what only that project has."""
    there = api.counted_as(Budget.CRUD)
    await there.aim(args.connection_id, project)
    found = read(FlagView, await find_flag(there, args.key))
    filters = as_object(found.filters)
    conditions = [each for group in groups_of(filters) for each in as_objects(group.get("properties"))]
    if found.has_encrypted_payloads or any(each.get("type") in ("cohort", "flag") for each in conditions):
        raise Refused(
            "invalid_argument",
            "`copy_from`: the flag uses cohorts, other flags or encrypted payloads, which only its project has.",
            "Create the flag with `filters` for this project.",
        )
    active = args.active if "active" in args.model_fields_set else False
    fields = {"name": args.name or found.name, "active": active, "filters": filters, "tags": args.tags or found.tags}
    kept = args.ensure_experience_continuity
    fields["ensure_experience_continuity"] = found.ensure_experience_continuity if kept is None else kept
    return {**await _create(api, args, fields), "copied_from": project}


async def _create(api: Call, args: CreateFlag, fields: Mapping[str, Any]) -> dict[str, Any]:
    body = {"key": args.key, **fields, "_should_create_usage_dashboard": args.create_usage_dashboard}
    body = {name: value for name, value in body.items() if value is not None}
    undo = removal(FLAGS, "flag")
    return await create(
        api,
        args,
        FLAGS,
        body,
        FlagView,
        what="feature flag",
        undo=undo,
        count=lambda: reach_of(api, (), fields["filters"]),
    )


def _body(_: Call, args: UpdateFlag, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    filters = changed_filters(args, stored)
    return args.fields() | tags_of(args, stored) | ({} if filters is None else {"filters": filters})


def _back(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    back = dict(plain_arguments(before, after, [name for name in names if name != "filters"]))
    if "filters" in names:
        back["filters"] = filters_back(as_object(before.get("filters")), as_object(after.get("filters")))
    return back


def _basis(change: Change) -> Mapping[str, Any]:
    """Return the version that the change is based on, so that PostHog returns 409 on conflicting changes."""
    if change.before.get("version") is None:
        return {}
    original = {name: change.before.get(name) for name in change.body}
    return {"version": change.before["version"], "original_flag": original}


async def _reasons(api: Call, change: Change) -> Sequence[str]:
    """Return what a change means for the people who get the flag."""
    names = change.body.keys()
    was_on, stays_on = change.before.get("active"), change.after.get("active")
    reasons: list[str] = []
    if was_on and ("deleted" in names or not stays_on):
        reasons.append("The flag is on: this turns it off for everybody who gets it.")
    elif stays_on and not was_on:
        reasons.append("It turns the flag on.")
    elif was_on and "key" in names:
        reasons.append("The flag is on, and code asks for it by its old key.")
    elif was_on and not names.isdisjoint(("filters", "ensure_experience_continuity")):
        reasons.append("The flag is on: this changes who gets it, or what they get.")
    numbers = as_list(change.before.get("experiment_set"))
    states = [await _state_of(api, number) for number in numbers[:_MOST_EXPERIMENTS]]
    if "running" in states:
        reasons.append("A running experiment uses the flag.")
    elif None in states or len(numbers) > _MOST_EXPERIMENTS:
        reasons.append("Experiments use the flag, and not all of them could be read.")
    return reasons


async def _state_of(api: Call, experiment: object) -> str | None:
    """Return whether an experiment is `running` or not (""); None when this connection cannot read experiments."""
    try:
        found = read(ExperimentRow, await api.get(_EXPERIMENT, experiment_id=experiment))
    except GatewayError as error:
        if error.code not in ("not_found", "permission_denied"):
            raise
        return "" if error.code == "not_found" else None
    return "running" if found.start_date is not None and found.end_date is None else ""


async def _affects(api: Call, change: Change) -> Sequence[Mapping[str, Any]]:
    """Return how many persons match the release conditions that differ."""
    if "filters" not in change.body:
        return ()
    return await reach_of(api, groups_of(as_object(change.before.get("filters"))), change.after["filters"])


async def _find(api: Call, args: UpdateFlag | DeleteFlag) -> Any:
    return await find_to_change(api, args.flag)


_EDITING: Editing[Any] = Editing(
    what="feature flag",
    path=FLAG,
    gives=FlagView,
    target="flag",
    find=_find,
    body=_body,
    back=_back,
    basis=_basis,
    reasons=_reasons,
    affects=_affects,
)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_flags",
        about="List feature flags, newest first, or search keys and descriptions. active STALE adds evidence.",
        toolset=Toolset.FLAGS,
        effect=Effect.READ,
        input=ListFlags,
        run=_list_flags,
    ),
    Operation(
        name="get_flag",
        about="Show one feature flag: release conditions (filters.groups), variants and payloads.",
        toolset=Toolset.FLAGS,
        effect=Effect.READ,
        input=GetFlag,
        run=_get_flag,
    ),
    Operation(
        name="create_flag",
        about="Create a feature flag. Set rollout_percentage for all users, or filters for targeting.",
        toolset=Toolset.FLAGS,
        effect=Effect.CREATE,
        input=CreateFlag,
        run=_create_flag,
    ),
    updating(
        UpdateFlag,
        _EDITING,
        name="update_flag",
        about="Change a feature flag: turn it on or off, or change its rollout or targeting. Takes effect immediately.",
        toolset=Toolset.FLAGS,
    ),
    deleting(
        DeleteFlag,
        _EDITING,
        FlagState,
        name="delete_flag",
        about="Delete a feature flag, which turns it off immediately. "
        "Undo with restore_deleted until its key is reused.",
        toolset=Toolset.FLAGS,
    ),
)
