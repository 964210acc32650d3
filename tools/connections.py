"""Maton connections: which PostHog account the gateway speaks for."""

from typing import Any, Literal

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..schemas.connections import ConnectionView, ManageConnection, PendingConnection
from .operation import Effect, Operation, Result, Toolset, show

_AUTHORISE = "Have the user open the url and authorise PostHog; then action get says whether it is ACTIVE."
_DELETED = (
    "Removed at Maton; nothing was changed in PostHog. This cannot be undone: action create makes a new connection, "
    "which the user has to authorise."
)


async def _manage_connection(api: Call, args: ManageConnection) -> Result:
    match args.action:
        case "list":
            return await _list(api, args.status or "ACTIVE")
        case "create":
            return await _create(api)
        case "get":
            return _one(await api.control.get(str(args.connection_id)))
        case "delete":
            await api.control.delete(str(args.connection_id))
            api.forget_connections()
            return {"connection_id": args.connection_id, "deleted": True, "note": _DELETED}


async def _list(api: Call, status: Literal["ACTIVE", "PENDING", "FAILED"]) -> Result:
    found = [show(ConnectionView, row) for row in await api.control.list((status,))]
    shown: dict[str, Any] = {"status": status, "connections": found, "count": len(found)}
    if found and status == "ACTIVE":
        shown["default"] = api.connection or found[0]["connection_id"]
    elif not found:
        shown["note"] = "None. Action create makes one; list with status PENDING or FAILED shows unfinished ones."
    return shown


async def _create(api: Call) -> Result:
    """Maton may answer a thin object; then the url is read from the connection itself."""
    made = await api.control.create()
    api.forget_connections()
    if not made.get("url"):
        made = await api.control.get(made["connection_id"])
    return {**show(PendingConnection, made), "next_step": _AUTHORISE}


def _one(connection: dict[str, Any]) -> Result:
    if connection.get("status") != "PENDING":
        return show(ConnectionView, connection)
    return {**show(PendingConnection, connection), "next_step": _AUTHORISE}


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="manage_connection",
        about="List, create, get or delete the PostHog connections of this Maton key. "
        "create gives a url that the user opens to authorise PostHog; ask before creating or deleting.",
        toolset=Toolset.CONNECTIONS,
        effect=Effect.DELETE,
        budget=Budget.CONTROL,
        input=ManageConnection,
        run=_manage_connection,
    ),
)
