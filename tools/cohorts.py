"""Cohorts. PostHog counts persons in the background and misinterprets the deprecated `groups`."""

from typing import Any

from ..gateway.call import Call
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
from .operation import Effect, Operation, Result, Toolset, listing, route, show

COHORTS = "/api/projects/{project_id}/cohorts/"
COHORT = "/api/projects/{project_id}/cohorts/{cohort_id}/"
_COUNTING = "PostHog is still calculating this cohort. Call get_cohort again until is_calculating is false."


async def _create_cohort(api: Call, args: CreateCohort) -> Result:
    body = {"name": args.name, "description": args.description, "filters": args.definition()}
    return _counting(await api.post(COHORTS, {name: value for name, value in body.items() if value is not None}))


async def _update_cohort(api: Call, args: UpdateCohort) -> Result:
    return _counting(await api.patch(COHORT, args.given(), cohort_id=args.cohort_id))


def _counting(answer: object) -> dict[str, Any]:
    shown = show(CohortView, answer)
    return {**shown, "note": _COUNTING} if shown.get("is_calculating") else shown


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
    Operation(
        name="update_cohort",
        about="Change a cohort's name, description or filters.",
        toolset=Toolset.COHORTS,
        effect=Effect.UPDATE,
        input=UpdateCohort,
        run=_update_cohort,
    ),
    route(
        "SOFT_DELETE /api/projects/{project_id}/cohorts/{cohort_id}/",
        DeleteCohort,
        CohortState,
        name="delete_cohort",
        about="Delete a cohort that no active flag uses. Undo with restore_deleted.",
        toolset=Toolset.COHORTS,
    ),
)
