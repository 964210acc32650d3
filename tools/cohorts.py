"""Cohorts. PostHog counts persons in the background, and reads the deprecated `groups` otherwise than they say."""

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
_COUNTING = "PostHog is still calculating who is in it: get_cohort shows the count once is_calculating is false."


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
        about="List cohorts (groups of persons), newest first, with the number of persons in each.",
        toolset=Toolset.COHORTS,
    ),
    route(
        "GET /api/projects/{project_id}/cohorts/{cohort_id}/",
        GetCohort,
        CohortView,
        name="get_cohort",
        about="Show one cohort: who is in it (filters), how many, whether it is being calculated.",
        toolset=Toolset.COHORTS,
    ),
    Operation(
        name="create_cohort",
        about="Create a cohort: persons who performed an event or have a property. Calculated in the background.",
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
        about="Delete a cohort that no active flag uses; restore_deleted brings it back.",
        toolset=Toolset.COHORTS,
    ),
)
