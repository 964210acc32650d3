"""Undoing soft deletes."""

from typing import Any

from ..gateway.call import Call
from ..schemas.restore import RESTORABLE, RestoreDeleted, RestoredView
from .operation import Effect, Operation, Result, show

PATHS = {name: f"/api/projects/{{project_id}}/{resource}/{{id}}/" for resource, name in RESTORABLE.items()}
*_NAMES, _LAST_NAME = PATHS


async def _restore_deleted(api: Call, args: RestoreDeleted) -> Result:
    answer = await api.restore(PATHS[args.resource], id=args.id)
    return {"restored": args.resource, **show(RestoredView, answer)}


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="restore_deleted",
        about=f"Restore a deleted {', '.join(_NAMES)} or {_LAST_NAME}. Delete tools return the exact call as undo.",
        toolset=None,
        effect=Effect.UPDATE,
        input=RestoreDeleted,
        run=_restore_deleted,
    ),
)
