"""What every tool that writes has in common, seen by a client."""

import json
from typing import Any

import pytest

from maton_posthog.tools.operation import Operation
from maton_posthog.tools.operations import OPERATIONS

from ..gateway.fake_gateway import Behaviour, Peer, Received, gzipped, reply
from .test_every_operation import ARGUMENTS, documented, served, text_of

pytestmark = pytest.mark.anyio

WRITES = pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.effect.writes or "save_as" in ARGUMENTS.get(each.name, {})],
    ids=lambda operation: operation.name,
)
NOT_POSTHOG: dict[str, Behaviour] = {
    "a login page": reply(200, b"<html>Log in</html>", content_type="text/html"),
    "a list": reply(200, []),
    "a text": reply(200, "ok"),
    "a number": reply(200, 1),
    "badly encoded": reply(200, b"plain", content_encoding="gzip"),
    "half encoded": reply(200, gzipped({"id": 1})[:-4], content_encoding="gzip"),
    "too large": reply(200, b"[" + b" " * (16 * 1024 * 1024) + b"]"),
}
NOTHING: dict[str, Behaviour] = {
    "nothing": reply(204, b""),
    "an empty body": reply(200, b""),
    "null": reply(200, None),
    "an empty object": reply(200, {}),
    "a message": reply(200, {"message": "ok"}),
}
"""What Maton may well return for a connection that it deleted, but PostHog never for an object that it stored."""


def is_write(request: Received) -> bool:
    return request.method != "GET" and not request.path.endswith("/query/")


@WRITES
async def test_a_write_is_applied_only_when_the_service_says_so_in_its_own_json(operation: Operation[Any]) -> None:
    deletes_connection = operation.name == "manage_connection"
    async with served() as (client, fake):
        for form, behaviour in NOT_POSTHOG.items() if deletes_connection else (NOT_POSTHOG | NOTHING).items():

            async def odd(request: Received, peer: Peer, behaviour: Behaviour = behaviour) -> None:
                await (behaviour if is_write(request) else documented)(request, peer)

            fake.answers(odd)
            fake.received.clear()
            result = await client.call_tool(operation.name, ARGUMENTS[operation.name])
            assert sum(map(is_write, fake.received)) == 1, form
            assert result.is_error, form
            error = json.loads(text_of(result))["error"]
            assert (error["outcome"], error.get("retryable")) == ("unknown", None), form
            assert "Do not repeat it" in error["hint"], form


@pytest.mark.parametrize("form", NOTHING)
async def test_a_connection_is_deleted_when_maton_has_nothing_to_add(form: str) -> None:
    arguments = ARGUMENTS["manage_connection"]
    async with served() as (client, fake):
        fake.on("DELETE", f"/connections/{arguments['connection_id']}", NOTHING[form])
        result = await client.call_tool("manage_connection", arguments)
    assert json.loads(text_of(result))["deleted"] is True


@pytest.mark.parametrize("form", [*NOT_POSTHOG, *NOTHING])
async def test_a_connection_is_created_only_when_maton_returns_it(form: str) -> None:
    async with served() as (client, fake):
        fake.on("POST", "/connections", (NOT_POSTHOG | NOTHING)[form])
        result = await client.call_tool("manage_connection", {"action": "create"})
    error = json.loads(text_of(result))["error"]
    assert error["outcome"] == "unknown"
    assert "Do not repeat it" in error["hint"]
