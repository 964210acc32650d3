"""Maton connections: the PostHog accounts that the gateway can act for."""

from typing import Any, Literal

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..schemas.connections import ConnectionView, ManageConnection, PendingConnection
from .operation import Effect, Operation, Reply, Result, Toolset, show

_AUTHORIZE = "Ask the user to open the url and authorize PostHog. Then use action get to check that it is ACTIVE."
_DELETED = (
    "The connection was deleted at Maton; nothing changed in PostHog. This cannot be undone. Action create makes a "
    "new connection, which the user has to authorize."
)


_EFFECTS = {"create": Effect.CREATE, "delete": Effect.DELETE}


async def _manage_connection(api: Call, args: ManageConnection) -> Result | Reply:
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
        shown["default"] = api.default_connection([row["connection_id"] for row in found])
    elif not found:
        shown["note"] = (
            f"There are no {status} connections. Create one with action create, or list other statuses with `status`."
        )
    return shown


async def _create(api: Call) -> Reply:
    """Create a connection. If Maton's response lacks the url, read it from the connection itself."""
    made = await api.control.create()
    api.forget_connections()
    if not made.get("url"):
        made = await api.control.get(made["connection_id"])
    return _pending(made)


def _one(connection: dict[str, Any]) -> Result | Reply:
    if connection.get("status") != "PENDING":
        return show(ConnectionView, connection)
    return _pending(connection)


def _pending(connection: dict[str, Any]) -> Reply:
    """Return a connection with the url that the user opens, which needs its session token."""
    return Reply({**show(PendingConnection, connection), "next_step": _AUTHORIZE}, revealed=("url",))


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="manage_connection",
        about="List, create, get or delete the PostHog connections of this Maton key. "
        "create returns a url that the user opens to authorize PostHog. Ask before creating or deleting.",
        toolset=Toolset.CONNECTIONS,
        effect=Effect.MANAGE,
        budget=Budget.CONTROL,
        input=ManageConnection,
        run=_manage_connection,
        effects=lambda args: _EFFECTS.get(args.action, Effect.READ),
    ),
)
