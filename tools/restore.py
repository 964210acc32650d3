"""Undoing soft deletes."""

from typing import Any

from ..gateway.approval import Proposal
from ..gateway.call import Call
from ..schemas.restore import RESTORABLE, RestoreDeleted, RestoredView
from .operation import Effect, Operation, Result, show
from .operation.undoing import undo_call
from .operation.writing import check_identity, dry_run

PATHS = {name: f"/api/projects/{{project_id}}/{resource}/{{id}}/" for resource, name in RESTORABLE.items()}
_ON_AGAIN = "A flag that was on when it was deleted is on again at once."
*_NAMES, _LAST_NAME = PATHS


async def _restore_deleted(api: Call, args: RestoreDeleted) -> Result:
    path = PATHS[args.resource]
    proposal = Proposal(
        title=f"Restore the deleted {args.resource} {args.id}",
        path=path.replace("{id}", str(args.id)),
        body={"deleted": False},
        reasons=(_ON_AGAIN,) if args.resource == "flag" else (),
        difference={"deleted": {"before": True, "after": False}},
    )
    if args.dry_run:
        return await dry_run(proposal, {"id": args.id})
    await api.approve(proposal)
    answer = await api.restore(path, id=args.id)
    check_identity(args.id, answer)
    target = {"flag": "flag"}.get(args.resource, f"{args.resource}_id")
    undo = undo_call(api, f"delete_{args.resource}", {target: str(args.id)})
    return {"restored": args.resource, **show(RestoredView, answer), "changed": dict(proposal.difference), **undo}


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="restore_deleted",
        about="Restore a deleted object. Delete tools return the exact call as undo.",
        toolset=None,
        effect=Effect.UPDATE,
        input=RestoreDeleted,
        run=_restore_deleted,
    ),
)
