"""The undo of every soft delete."""

from collections.abc import Mapping
from typing import Any

from ..gateway.call import Call
from ..schemas.restore import Restorable, RestoreDeleted, RestoredView
from .operation import Effect, Operation, Result, show

PATHS: Mapping[Restorable, str] = {
    "flag": "/api/projects/{project_id}/feature_flags/{id}/",
    "dashboard": "/api/projects/{project_id}/dashboards/{id}/",
    "insight": "/api/projects/{project_id}/insights/{id}/",
    "cohort": "/api/projects/{project_id}/cohorts/{id}/",
    "action": "/api/projects/{project_id}/actions/{id}/",
    "annotation": "/api/projects/{project_id}/annotations/{id}/",
    "experiment": "/api/projects/{project_id}/experiments/{id}/",
}


async def _restore_deleted(api: Call, args: RestoreDeleted) -> Result:
    answer = await api.restore(PATHS[args.resource], id=args.id)
    return {"restored": args.resource, **show(RestoredView, answer)}


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="restore_deleted",
        about="Bring back a deleted flag, dashboard, insight, cohort, action, annotation or experiment. "
        "Delete tools give the exact call as undo.",
        toolset=None,
        effect=Effect.UPDATE,
        input=RestoreDeleted,
        run=_restore_deleted,
    ),
)
