"""Common behavior of all tools that write, seen by a client."""

import json
from typing import Any

import pytest

from maton_posthog.tools.operation import Operation
from maton_posthog.tools.operations import OPERATIONS

from ..gateway.fake_gateway import Behaviour, Peer, Received, gzipped, raw, reply
from .test_every_operation import ARGUMENTS, documented, served, text_of, upstream

pytestmark = pytest.mark.anyio

WRITES = pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.effect.writes],
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
"""Responses that Maton can send for a deleted connection, but PostHog never for a stored object."""


def is_write(request: Received) -> bool:
    return request.method != "GET" and not request.path.endswith("/query/")


MARKS = ("[redacted]", "phx_[redacted] or so", "cut… (900 characters)", "… (23 items)")


@WRITES
@pytest.mark.parametrize("mark", MARKS)
async def test_a_mark_of_redaction_or_cutting_is_never_stored(operation: Operation[Any], mark: str) -> None:
    arguments = ARGUMENTS[operation.name]
    texts = [name for name in ("name", "description", "content") if name in operation.input.model_fields]
    async with served() as (client, fake):
        for name in texts:
            result = await client.call_tool(operation.name, {**arguments, name: mark})
            error = json.loads(text_of(result))["error"]
            assert (error["code"], error["outcome"]) == ("invalid_argument", "not_sent")
            assert f"{name} contains" in error["message"]
        assert fake.received == []


NESTED: list[tuple[str, dict[str, Any], str]] = [
    ("update_flag", {"flag_id": 42, "filters": {"payloads": {"true": "[redacted]"}}}, "filters.payloads.true"),
    ("update_flag", {"flag_id": 42, "filters": {"payloads": {"[redacted]": "1"}}}, "filters.payloads"),
    ("update_flag", {"flag_id": 42, "filters": '{"payloads": {"true": "[redacted]"}}'}, "filters"),
    ("update_action", {"action_id": 3, "steps": [{"event": "a"}, {"event": "[redacted]"}]}, "steps.1.event"),
    ("update_action", {"action_id": 3, "steps": [r'{"event": "\u2026 (23 items)"}']}, "steps.0.event"),
    ("update_survey", {"survey_id": "1", "appearance": {"a": ["b", "… (23 items)"]}}, "appearance.a.1"),
    ("update_insight", {"insight_id": 31, "tags": ["[redacted]"]}, "tags.0"),
]


@pytest.mark.parametrize(("tool", "arguments", "place"), NESTED)
async def test_a_mark_is_found_at_any_depth(tool: str, arguments: dict[str, Any], place: str) -> None:
    async with served() as (client, fake):
        error = json.loads(text_of(await client.call_tool(tool, arguments)))["error"]
        assert fake.received == []
    assert f"{tool}: {place} contains" in error["message"]


async def test_a_mark_can_be_searched_for() -> None:
    async with served() as (client, _):
        assert not (await client.call_tool("list_flags", {"search": "[redacted]"})).is_error


@WRITES
async def test_a_write_is_applied_only_when_the_services_own_json_confirms_it(operation: Operation[Any]) -> None:
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
async def test_a_connection_is_deleted_when_maton_returns_nothing(form: str) -> None:
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


async def test_a_flood_of_unknown_names_is_rejected_before_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as (client, fake):
        await client.call_tool("list_flags", {})
        fake.received.clear()
        monkeypatch.setattr("maton_posthog.server.calling.invalid_arguments", None)
        result = await client.call_tool("list_flags", {f"x{number}": 1 for number in range(200)})
        assert fake.received == []
    assert "list_flags: x0 is not an argument; and at least" in json.loads(text_of(result))["error"]["message"]


@pytest.mark.parametrize(
    ("redact", "content", "can_be_undone"),
    [
        (True, "Deploy", True),
        (True, "Ask ann@example.com", False),
        (False, "Ask ann@example.com", True),
        (False, "phx_" + "a1B2" * 10, False),
        (False, "hid\u200bden", False),
    ],
)
async def test_an_undo_is_a_call_only_if_it_brings_back_what_was_stored(
    redact: bool, content: str, can_be_undone: bool
) -> None:
    async def edited(request: Received, peer: Peer) -> None:
        if "/annotations/" not in request.path:
            await documented(request, peer)
            return
        sent = json.loads(request.body) if request.method == "PATCH" else {"content": content}
        await peer.send(raw(200, json.dumps({**upstream(request), **sent}).encode()))

    async with served(redact=redact) as (client, fake):
        fake.answers(edited)
        arguments = {"annotation_id": ARGUMENTS["update_annotation"]["annotation_id"], "content": "Release"}
        shown = json.loads(text_of(await client.call_tool("update_annotation", arguments)))
    if can_be_undone:
        assert shown["undo"]["arguments"]["content"] == content
    else:
        assert "Undo it in PostHog" in shown["undo"]["impossible"]
