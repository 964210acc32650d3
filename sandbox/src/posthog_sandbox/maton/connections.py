"""Maton's control plane: connections that a person approves on a local page.

Endpoints: `GET /connections`, `POST /connections`, `GET /connections/{id}`, `DELETE /connections/{id}`; for people,
`/connect/{token}`.
"""

import hmac
import uuid
from collections.abc import Callable
from functools import partial

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as WebRoute

from ..errors import ApiError, maton_error, maton_invalid, maton_not_found
from ..http.paging import DEFAULT_LIMIT
from ..http.responses import error_response, json_response
from ..http.routing import Services
from ..identity import CONNECTION_ID
from ..pages.html import approve_page, page_headers
from ..storage.store import Rows, Store
from ..values import Clock, Row, as_object, integer_id, timestamp
from .keys import check_key

STATUSES = ("ACTIVE", "PENDING", "FAILED")
_APP = "posthog"


def check_connection(rows: Rows, wanted: str | None) -> None:
    """Raise ApiError 404 for an unknown `Maton-Connection`, 400 when no ACTIVE connection can be used."""
    if wanted is not None:
        connection = rows.get("connections", wanted)
        if connection is None:
            raise maton_not_found(f"Connection {wanted[:64]} not found")
        if connection["status"] == "FAILED":
            raise maton_error(500, "Failed to refresh the OAuth token of the connection.")
        if connection["status"] != "ACTIVE":
            raise maton_error(400, "The connection is not active. Open its url to authorise it.")
    elif not any(row["status"] == "ACTIVE" for row in rows.all("connections")):
        raise maton_error(400, "No active connection found for app posthog.")


def seed_connection(rows: Rows, now: str, base_url: str) -> None:
    """Add the connection that is ACTIVE from the start."""
    if rows.get("connections", CONNECTION_ID) is None:
        rows.insert("connections", 0, _new(CONNECTION_ID, "ACTIVE", now, base_url))


def move_connections(rows: Rows, base_url: str) -> None:
    """Point the approval URLs of kept connections at the current address."""
    for row in rows.all("connections"):
        rows.save("connections", {**row, "url": _page_url(base_url, row["_token"])})


def web_routes(services: Services, base_url: Callable[[], str]) -> list[WebRoute]:
    """Return the routes of the control plane and the approval page. `base_url` returns the sandbox's own address."""

    def guarded(act: Callable[[Store, Request, Row], Response]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            try:
                check_key(request.headers.get("authorization"))
                body = await _body(request)
                return await to_thread.run_sync(act, services.store, request, body)
            except ApiError as error:
                return error_response(error)

        return endpoint

    create = partial(_create, clock=services.clock, base_url=base_url)
    return [
        WebRoute("/connections", guarded(_list), methods=["GET"]),
        WebRoute("/connections", guarded(create), methods=["POST"]),
        WebRoute("/connections/{id}", guarded(_get), methods=["GET"]),
        WebRoute("/connections/{id}", guarded(_delete), methods=["DELETE"]),
        WebRoute("/sandbox/connections/{id}", guarded(_set_status), methods=["POST"]),
        WebRoute("/connect/{token}", partial(_approve, services), methods=["GET", "POST"]),
    ]


def _list(store: Store, request: Request, _body: Row) -> Response:
    params = request.query_params
    status, app = params.get("status"), params.get("app", _APP)
    if status is not None and status not in STATUSES:
        raise maton_invalid(["query", "status"], f"Input should be {', '.join(STATUSES)}")
    limit = integer_id(params.get("limit", "")) or DEFAULT_LIMIT
    with store.transaction() as rows:
        found = [
            _shown(row) for row in rows.all("connections") if status in (None, row["status"]) and row["app"] == app
        ]
    return json_response({"connections": found[:limit]})


def _create(store: Store, _request: Request, body: Row, *, clock: Clock, base_url: Callable[[], str]) -> Response:
    if body.get("app") != _APP:
        raise maton_invalid(["body", "app"], "The sandbox only connects posthog")
    with store.transaction() as rows:
        row = rows.insert("connections", 0, _new(str(uuid.uuid4()), "PENDING", timestamp(clock()), base_url()))
    shown = _shown(row)
    return json_response({name: shown[name] for name in ("connection_id", "status", "url", "app")})


def _get(store: Store, request: Request, _body: Row) -> Response:
    return json_response({"connection": _shown(_found(store, request))})


def _delete(store: Store, request: Request, _body: Row) -> Response:
    row = _found(store, request)
    with store.transaction() as rows:
        rows.remove("connections", row["id"])
    return json_response({})


def _set_status(store: Store, request: Request, body: Row) -> Response:
    """Set a connection's status, which clients of Maton cannot do: `{"status": "FAILED"}` simulates a revoked grant."""
    if body.get("status") not in STATUSES:
        raise maton_invalid(["body", "status"], f"Input should be {', '.join(STATUSES)}")
    row = _found(store, request)
    with store.transaction() as rows:
        rows.save("connections", {**row, "status": body["status"], "last_updated_time": rows.now})
    return json_response({"connection_id": row["id"], "status": body["status"]})


async def _approve(services: Services, request: Request) -> Response:
    """Serve the approval page; its button makes the connection ACTIVE."""
    approved = request.method == "POST"

    def act() -> str | None:
        with services.store.transaction() as rows:
            for row in rows.all("connections"):
                if hmac.compare_digest(str(row["_token"]), request.path_params["token"]):
                    if approved:
                        rows.save(
                            "connections", {**row, "status": "ACTIVE", "last_updated_time": timestamp(services.clock())}
                        )
                    return str(row["status"] if not approved else "ACTIVE")
        return None

    status = await to_thread.run_sync(act)
    return HTMLResponse(approve_page(status), 404 if status is None else 200, headers=page_headers())


def _found(store: Store, request: Request) -> Row:
    key = str(request.path_params["id"])
    with store.transaction() as rows:
        row = rows.get("connections", key)
    if row is None:
        raise maton_not_found(f"Connection {key[:64]} not found")
    return row


def _new(identity: str, status: str, now: str, base_url: str) -> Row:
    token = uuid.uuid4().hex
    return {
        "id": identity,
        "status": status,
        "creation_time": now,
        "last_updated_time": now,
        "url": _page_url(base_url, token),
        "app": _APP,
        "method": "OAUTH2",
        "metadata": {},
        "_token": token,
    }


def _page_url(base_url: str, token: str) -> str:
    return f"{base_url}/connect/{token}?session_token={token}"


def _shown(row: Row) -> Row:
    return {"connection_id": row["id"]} | {
        name: value for name, value in row.items() if name != "id" and not name.startswith("_")
    }


async def _body(request: Request) -> Row:
    if request.method != "POST":
        return {}
    try:
        return as_object(await request.json()) or {}
    except ValueError:
        raise maton_invalid(["body"], "JSON decode error") from None
