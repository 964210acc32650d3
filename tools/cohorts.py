"""Cohorts. PostHog counts persons in the background and misinterprets the deprecated `groups`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..gateway.call import Call
from ..gateway.errors import GatewayError
from ..schemas.cohorts import (
    CohortRow,
    CohortState,
    CohortView,
    CreateCohort,
    DeleteCohort,
    GetCohort,
    ListCohorts,
    UpdateCohort,
)
from ..schemas.json import as_list, as_object
from ..schemas.text import excerpt
from .operation import Effect, Operation, Result, Toolset, listing, route
from .operation.editing import Change, Editing
from .operation.pages import PagedRows
from .operation.undoing import removal
from .operation.writing import create, deleting, updating

COHORTS = "/api/projects/{project_id}/cohorts/"
_FLAGS = "/api/projects/{project_id}/feature_flags/"
_COUNTING = "PostHog is still calculating this cohort. Call get_cohort again until is_calculating is false."


async def _create_cohort(api: Call, args: CreateCohort) -> Result:
    body = {"name": args.name, "description": args.description, "filters": args.definition()}
    body = {name: value for name, value in body.items() if value is not None}
    made = await create(api, args, COHORTS, body, CohortView, what="cohort", undo=removal(COHORTS))
    return {**made, "note": _COUNTING} if made.get("is_calculating") else made


async def _flags_that_use(api: Call, change: Change) -> Sequence[str]:
    """Return why a cohort that flags use needs a second look: its deletion or new filters change who sees them."""
    if change.body.keys().isdisjoint({"deleted", "filters"}):
        return ()
    number = change.before["id"]
    rows = PagedRows(api, _FLAGS, {})
    try:
        keys = [str(as_object(row).get("key")) async for row in rows if _uses(as_object(row), number)]
    except GatewayError as error:
        if error.code != "permission_denied":
            raise
        return ("Flags can use this cohort, and this connection cannot read them.",)
    if keys:
        return (f"Flags use this cohort: {excerpt(', '.join(keys), 200)}.",)
    return ("There are more flags than were read, and one of them can use this cohort.",) if rows.cut else ()


def _uses(flag: Mapping[str, Any], cohort: object) -> bool:
    groups = [as_object(group) for group in as_list(as_object(flag.get("filters")).get("groups"))]
    conditions = [as_object(each) for group in groups for each in as_list(group.get("properties"))]
    return any(each.get("type") == "cohort" and str(each.get("value")) == str(cohort) for each in conditions)


_EDITING: Editing[Any] = Editing(
    what="cohort",
    path="/api/projects/{project_id}/cohorts/{cohort_id}/",
    gives=CohortView,
    target="cohort_id",
    reasons=_flags_that_use,
    notes=lambda _, __, ___, after: (_COUNTING,) if after.get("is_calculating") else (),
)


OPERATIONS: tuple[Operation[Any], ...] = (
    listing(
        "GET /api/projects/{project_id}/cohorts/",
        ListCohorts,
        CohortRow,
        name="list_cohorts",
        about="List cohorts (groups of persons), newest first, with their sizes. Use it to find a cohort_id.",
        toolset=Toolset.COHORTS,
    ),
    route(
        "GET /api/projects/{project_id}/cohorts/{cohort_id}/",
        GetCohort,
        CohortView,
        name="get_cohort",
        about="Show one cohort: its filters, number of persons and calculation status.",
        toolset=Toolset.COHORTS,
    ),
    Operation(
        name="create_cohort",
        about="Create a cohort of persons by events or properties. PostHog calculates it in the background.",
        toolset=Toolset.COHORTS,
        effect=Effect.CREATE,
        input=CreateCohort,
        run=_create_cohort,
    ),
    updating(
        UpdateCohort,
        _EDITING,
        name="update_cohort",
        about="Change a cohort's name, description or filters.",
        toolset=Toolset.COHORTS,
    ),
    deleting(
        DeleteCohort,
        _EDITING,
        CohortState,
        name="delete_cohort",
        about="Delete a cohort that no active flag uses. Undo with restore_deleted.",
        toolset=Toolset.COHORTS,
    ),
)
