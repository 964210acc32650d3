import json
from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.errors import Rejected
from maton_posthog.schemas.connections import ManageConnection
from maton_posthog.tools.connections import OPERATIONS

from .posthog.fake import FakeCall, connection, run

pytestmark = pytest.mark.anyio

(MANAGE,) = OPERATIONS
OLD, NEW = "0b6f7a52-6f0e-4d0e-9d59-3c1e5d0c1a11", "7d9c2f34-1c3a-4e0b-8a56-0a7d7f4b2c22"


def account(answers: dict[str, Any], **options: Any) -> FakeCall:
    return FakeCall(answers, project=None, **options)


def listed(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"connections": list(rows)}


async def test_list_shows_active_connections_oldest_first_without_their_urls() -> None:
    newer = connection(connection_id=NEW) | {"creation_time": "2026-02-01T10:00:00Z"}
    api = account({"GET /connections": listed(newer, connection(connection_id=OLD), connection("FAILED"))})
    shown = await run(MANAGE, api, action="list")
    assert api.last.query == {"app": "posthog", "status": "ACTIVE"}
    assert [row["connection_id"] for row in shown["connections"]] == [OLD, NEW]
    assert shown["count"] == 2
    assert shown["default"] == OLD
    assert "session_token" not in json.dumps(shown)


async def test_the_connection_from_the_settings_is_the_default() -> None:
    api = account({"GET /connections": listed(connection(), connection(connection_id=NEW))}, connection=NEW)
    assert (await run(MANAGE, api, action="list"))["default"] == NEW


async def test_an_empty_list_suggests_the_next_step() -> None:
    api = account({"GET /connections": listed()})
    shown = await run(MANAGE, api, action="list", status="PENDING")
    assert shown["connections"] == []
    assert "create" in shown["note"]


@pytest.mark.parametrize("thin", [True, False])
async def test_create_returns_the_url_to_open_and_forgets_cached_connections(thin: bool) -> None:
    pending = connection("PENDING", NEW)
    made = {"id": NEW, "status": "PENDING"} if thin else pending
    api = account({"POST /connections": made, "GET /connections/{connection_id}": {"connection": pending}})
    shown = await run(MANAGE, api, action="create")
    assert api.sent[0].body == {"app": "posthog"}
    assert shown["connection_id"] == NEW
    assert shown["url"] == "https://connect.maton.ai/?session_token=EXAMPLE"
    assert "open the url" in shown["next_step"]
    assert api.forgot == 1


@pytest.mark.parametrize(("status", "shows_url"), [("PENDING", True), ("ACTIVE", False), ("FAILED", False)])
async def test_get_shows_the_url_only_of_a_pending_connection(status: str, shows_url: bool) -> None:
    api = account({"GET /connections/{connection_id}": {"connection": connection(status)}})
    shown = await run(MANAGE, api, action="get", connection_id=OLD)
    assert shown["status"] == status
    assert ("session_token" in json.dumps(shown)) is shows_url


async def test_delete_reports_its_effect_and_forgets_cached_connections() -> None:
    api = account({"DELETE /connections/{connection_id}": None})
    shown = await run(MANAGE, api, action="delete", connection_id=OLD)
    assert api.last.path == f"/connections/{OLD}"
    assert shown["deleted"] is True
    assert "impossible" in shown["undo"]
    assert api.forgot == 1


async def test_a_rejected_delete_is_not_reported_as_done() -> None:
    api = account({"DELETE /connections/{connection_id}": Rejected("connection_not_found", "unknown")})
    with pytest.raises(Rejected):
        await run(MANAGE, api, action="delete", connection_id=OLD)
    assert api.forgot == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"action": "get"}, "action get needs `connection_id`"),
        ({"action": "delete"}, "action delete needs `connection_id`"),
        ({"action": "list", "connection_id": OLD}, "not with list"),
        ({"action": "create", "connection_id": OLD}, "not with create"),
        ({"action": "get", "connection_id": OLD, "status": "ACTIVE"}, "status"),
        ({"action": "get", "connection_id": "../slack"}, "pattern"),
        ({"action": "reconnect"}, "'list', 'create', 'get' or 'delete'"),
        ({}, "Field required"),
    ],
)
def test_an_action_with_missing_or_wrong_arguments_is_rejected(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ManageConnection.model_validate(arguments)
