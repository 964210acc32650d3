"""Maton connections: the PostHog accounts that the gateway can act for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ..gateway.approval import Proposal
from ..gateway.budget import Budget
from ..gateway.call import Call
from ..schemas.connections import ConnectionView, ManageConnection, PendingConnection
from .operation import Effect, Operation, Reply, Result, Toolset, show
from .operation.undoing import no_undo
from .operation.writing import dry_run

_AUTHORIZE = "Ask the user to open the url and authorize PostHog. Then use action get to check that it is ACTIVE."
_FOR_GOOD = "A deleted connection cannot be restored; the user has to authorize a new one."
_DELETED = (
    "The connection was deleted at Maton; nothing changed in PostHog. Action create makes a new connection, which the "
    "user has to authorize."
)

_EFFECTS = {"create": Effect.CREATE, "delete": Effect.DELETE}


async def _manage_connection(api: Call, args: ManageConnection) -> Result | Reply:
    match args.action:
        case "list":
            return await _list(api, args.status or "ACTIVE")
        case "create":
            proposal = _proposal("Create a connection", {"app": "posthog"}, ())
            if args.dry_run:
                return await dry_run(proposal, {})
            await api.approve(proposal)
            return await _create(api)
        case "get":
            return _one(await api.control.get(str(args.connection_id)))
        case "delete":
            return await _delete(api, str(args.connection_id), only_show=args.dry_run)


async def _delete(api: Call, connection_id: str, *, only_show: bool) -> Result:
    proposal = _proposal(f"Delete the connection {connection_id}", {"connection_id": connection_id}, (_FOR_GOOD,))
    if only_show:
        return await dry_run(proposal, {"connection": show(ConnectionView, await api.control.get(connection_id))})
    await api.approve(proposal)
    await api.control.delete(connection_id)
    api.forget_connections()
    return {"connection_id": connection_id, "deleted": True, **no_undo(_DELETED)}


def _proposal(title: str, body: Mapping[str, Any], reasons: tuple[str, ...]) -> Proposal:
    path = "/".join(["/connections", *([body["connection_id"]] if "connection_id" in body else [])])
    return Proposal(title=title, path=path, body=body, reasons=reasons, difference={})


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
    reply = _pending(made)
    undo = {"tool": "manage_connection", "arguments": {"action": "delete", "connection_id": made["connection_id"]}}
    return replace(reply, result={**reply.result, "undo": undo})


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
