"""Asking a person before a change: by elicitation in both protocol eras, and else by a confirmation."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult

from maton_posthog.gateway.approval import Proposal
from maton_posthog.gateway.directory import utc_now
from maton_posthog.gateway.errors import Refused
from maton_posthog.server.app import build
from maton_posthog.server.asking import approval
from maton_posthog.server.asking.approval import LIFETIME_S, Approval, Decision, Tokens
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import SettingsError, load
from maton_posthog.tools.operations import OPERATIONS

from ...gateway.fake_gateway import CONNECTION, Behaviour, FakeGateway, Peer, Received, raw, reply
from ...tools.posthog.fake import connection
from ..test_every_operation import ARGUMENTS, CANARY, ERAS, Era, documented, key_set, methods, text_of, upstream

pytestmark = pytest.mark.anyio

DELETE = ("delete_flag", {"flag": 42})
DELETE_CONNECTION = {"action": "delete", "connection_id": CONNECTION}
WRITES = [each for each in OPERATIONS if each.effect.writes]
EVERY_WRITE = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.name)


class Person:
    """A person at the client, who gives one answer to all questions."""

    def __init__(self, action: Any, content: dict[str, Any] | None = None) -> None:
        self.action = action
        self.content = content
        self.asked: list[str] = []

    async def answer(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        del context
        self.asked.append(params.message)
        return ElicitResult(action=self.action, content=self.content)


@asynccontextmanager
async def served(
    era: Era = "auto", person: Person | None = None, now: Callable[[], datetime] = utc_now, **flags: Any
) -> AsyncGenerator[tuple[Client, FakeGateway]]:
    """Yield a client with or without a person, of a server with the usual settings."""
    async with FakeGateway() as fake:
        fake.answers(documented)
        with key_set():
            runtime = Runtime(load(gateway_url=fake.url, control_url=fake.url, **flags), now=now)
        callback = person.answer if person else None
        try:
            async with Client(build(runtime), mode=era, elicitation_callback=callback) as client:
                yield client, fake
        finally:
            await runtime.aclose()


def with_name(name: str) -> Behaviour:
    """Respond as documented, with a flag of this key."""

    async def respond(request: Received, peer: Peer) -> None:
        found = upstream(request)
        await peer.send(raw(200, json.dumps({**found, "key": name} if "key" in found else found).encode()))

    return respond


async def called(client: Client, tool: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    return json.loads(text_of(await client.call_tool(tool, {**arguments, **more})))


def writes(fake: FakeGateway) -> list[str]:
    return [
        f"{request.method} {request.path}"
        for request in fake.received
        if request.method != "GET" and not request.path.endswith(("/query/", "/user_blast_radius/"))
    ]


@ERAS
async def test_a_client_that_cannot_ask_gets_the_change_and_a_confirmation(era: Era) -> None:
    async with served(era) as (client, fake):
        error = (await called(client, *DELETE))["error"]
        assert (error["code"], error["outcome"]) == ("confirmation_required", "not_sent")
        assert error["message"].startswith("The flag is on")
        assert error["change"]["difference"] == {"deleted": {"before": False, "after": True}}
        assert writes(fake) == []
        done = await called(client, *DELETE, confirmation=error["confirmation"])
        assert done["deleted"] is True
        assert len(writes(fake)) == 1


@ERAS
async def test_a_person_who_agrees_lets_exactly_one_change_through(era: Era) -> None:
    person = Person("accept")
    async with served(era, person) as (client, fake):
        done = await called(client, *DELETE)
        assert done["deleted"] is True
        assert len(writes(fake)) == 1
    (question,) = person.asked
    assert question.startswith('delete_flag: Delete feature flag "my-feature-flag" (42).\nThe flag is on')
    assert "- deleted: false → true" in question


@ERAS
@pytest.mark.parametrize(
    "person",
    [Person("decline"), Person("cancel"), Person("accept", {"confirm": False})],
    ids=["decline", "cancel", "no"],
)
async def test_a_person_who_does_not_agree_stops_the_change(era: Era, person: Person) -> None:
    async with served(era, person) as (client, fake):
        error = (await called(client, *DELETE))["error"]
        assert (error["code"], error["outcome"]) == ("confirmation_required", "not_sent")
        assert "confirmation" not in error, "the model must not go around the person"
        assert writes(fake) == []


async def test_a_client_that_can_ask_gets_no_confirmation_to_use_instead() -> None:
    person = Person("decline")
    async with served() as (client, _):
        token = (await called(client, *DELETE))["error"]["confirmation"]
    async with served(person=person) as (client, fake):
        await called(client, *DELETE, confirmation=token)
        assert writes(fake) == []
    assert person.asked


async def test_a_confirmation_counts_once() -> None:
    async with served() as (client, fake):
        token = (await called(client, *DELETE))["error"]["confirmation"]
        await called(client, *DELETE, confirmation=token)
        error = (await called(client, *DELETE, confirmation=token))["error"]
        assert "it was used before" in error["message"]
        assert error["confirmation"] != token
        assert len(writes(fake)) == 1


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("update_flag", {"flag": 42, "active": False}),
    ("delete_flag", {"flag": 42, "project_id": 7}),
    ("delete_dashboard", {"dashboard_id": 9}),
]


@pytest.mark.parametrize(("tool", "arguments"), OTHERS)
async def test_a_confirmation_is_for_one_change_of_one_object_in_one_project(
    tool: str, arguments: dict[str, Any]
) -> None:
    async with served() as (client, fake):
        token = (await called(client, *DELETE))["error"]["confirmation"]
        error = (await called(client, tool, arguments, confirmation=token))["error"]
        assert error["code"] in ("confirmation_required", "bad_upstream_response")
        assert writes(fake) == []


async def test_a_confirmation_of_one_rollout_does_not_allow_another() -> None:
    async with served() as (client, fake):
        first = {"flag": 42, "rollout_percentage": 10}
        token = (await called(client, "update_flag", first))["error"]["confirmation"]
        error = (await called(client, "update_flag", {**first, "rollout_percentage": 90}, confirmation=token))["error"]
        assert "belongs to another change" in error["message"]
        assert writes(fake) == []


async def test_a_confirmation_of_one_connection_does_not_delete_another() -> None:
    async with served() as (client, fake):
        token = (await called(client, "manage_connection", DELETE_CONNECTION))["error"]["confirmation"]
        other = {"action": "delete", "connection_id": "11111111-6f0e-4d0e-9d59-3c1e5d0c1a11"}
        error = (await called(client, "manage_connection", other, confirmation=token))["error"]
        assert error["code"] == "confirmation_required"
        assert writes(fake) == []


async def test_a_confirmation_counts_for_now_at_a_later_time() -> None:
    launch = ("update_survey", {"survey_id": "0190bbbb-0000-7000-8000-000000000002", "start_date": "now"})
    moments = iter(datetime(2026, 11, 23, 12, minute, tzinfo=UTC) for minute in range(60))
    async with served(now=lambda: next(moments)) as (client, fake):
        token = (await called(client, *launch))["error"]["confirmation"]
        assert "error" not in await called(client, *launch, confirmation=token)
        assert len(writes(fake)) == 1


@ERAS
async def test_a_question_passes_the_door(era: Era) -> None:
    person = Person("decline")
    async with served(era, person) as (client, fake):
        fake.answers(with_name(f"x {CANARY} \u202e{chr(0xE0041)}y"))
        await called(client, *DELETE)
    (question,) = person.asked
    assert CANARY not in question
    assert question.isprintable() or set(question) & {"\u202e", chr(0xE0041)} == set()


@pytest.mark.parametrize(
    "token",
    ["", "confirm_", "x", "confirm_AAAA", "confirm_" + "A" * 70, "confirm_" + "f39" * 23 + "f", "\u202e", "a" * 10_000],
)
async def test_a_made_up_confirmation_allows_nothing(token: str) -> None:
    async with served() as (client, fake):
        error = (await called(client, *DELETE, confirmation=token))["error"]
        assert error["code"] == "confirmation_required"
        assert writes(fake) == []


def test_a_confirmation_expires_and_is_bound_to_the_process() -> None:
    now = 1000.0
    tokens = Tokens(lambda: now)
    early, late = tokens.issue(b"change"), tokens.issue(b"change")
    assert tokens.redeem(early, b"other") is not None
    assert Tokens(lambda: now).redeem(early, b"change") is not None
    now += LIFETIME_S - 1
    assert tokens.redeem(early, b"change") is None
    now += 2
    assert tokens.redeem(late, b"change") == "it has expired"


def test_used_confirmations_are_remembered_until_they_expire_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "_MOST_USED", 2)
    now = 1000.0
    tokens = Tokens(lambda: now)
    issued = [tokens.issue(b"change") for _ in range(3)]
    assert [tokens.redeem(each, b"change") for each in issued[:2]] == [None, None]
    assert "too many" in (tokens.redeem(issued[2], b"change") or "")
    assert tokens.redeem(issued[0], b"change") == "it was used before"
    now += LIFETIME_S + 1
    assert tokens.redeem(tokens.issue(b"change"), b"change") is None


FLAG = Proposal(title="Update", path="/flags/42/", body={"active": True}, reasons=("On.",), difference={}, version="1")
HERE = ("connection", 7)


def approval_of(
    tokens: Tokens, tool: str = "update_flag", *, confirmation: str | None = None, ask: approval.Ask | None = None
) -> Approval:
    asked = approval.Asked(tool, {"flag": 42}, confirmation)
    return Approval(tokens, "auto", asked, ask=ask, clean=str)


async def confirmation_of(proposal: Proposal, tokens: Tokens) -> str:
    with pytest.raises(Refused) as caught:
        await approval_of(tokens)(proposal, HERE)
    return caught.value.details["confirmation"]


async def test_a_confirmation_is_bound_to_tool_place_and_state() -> None:
    tokens = Tokens()
    others = [
        ("delete_flag", FLAG, HERE),
        ("update_flag", FLAG, ("connection", 8)),
        ("update_flag", FLAG, ("other", 7)),
        ("update_flag", replace(FLAG, version="2"), HERE),
        ("update_flag", replace(FLAG, path="/flags/43/"), HERE),
    ]
    for tool, proposal, place in others:
        token = await confirmation_of(FLAG, tokens)
        with pytest.raises(Refused, match="belongs to another change"):
            await approval_of(tokens, tool, confirmation=token)(proposal, place)
        assert await approval_of(tokens, confirmation=token)(FLAG, HERE) == 0.0


async def test_an_answer_to_another_question_does_not_count() -> None:
    tokens = Tokens()
    others = await confirmation_of(replace(FLAG, version="2"), tokens)
    mine = await confirmation_of(FLAG, tokens)

    async def ask(_: str, __: str) -> Decision:
        return Decision(True, state=states.pop())

    states = [mine, others]
    approve = approval_of(tokens, ask=ask)
    with pytest.raises(Refused, match="does not count"):
        await approve(FLAG, HERE)
    assert await approve(FLAG, HERE) == 0.0


@EVERY_WRITE
@pytest.mark.parametrize("can_ask", [False, True])
async def test_always_asks_before_every_write_and_refuses_without_a_person(operation: Any, can_ask: bool) -> None:
    person = Person("decline") if can_ask else None
    given = DELETE_CONNECTION if operation.name == "manage_connection" else ARGUMENTS[operation.name]
    async with served(person=person, confirm="always") as (client, fake):
        error = (await called(client, operation.name, given))["error"]
        assert error["code"] == "confirmation_required"
        assert "confirmation" not in error
        assert writes(fake) == []
    assert person is None or len(person.asked) == 1


@EVERY_WRITE
async def test_a_dry_run_sends_nothing_but_reads_and_needs_no_agreement(operation: Any) -> None:
    given = DELETE_CONNECTION if operation.name == "manage_connection" else ARGUMENTS[operation.name]
    async with served(confirm="always") as (client, fake):
        fake.on("GET", f"/connections/{CONNECTION}", reply(200, {"connection": connection()}))
        shown = await called(client, operation.name, given, dry_run=True)
        assert shown["dry_run"] is True, shown
        assert shown["would_send"] is not None
        assert methods(fake) == set()


async def test_the_mode_can_differ_by_tool() -> None:
    async with served(confirm="never,update_flag=always") as (client, fake):
        assert (await called(client, *DELETE))["deleted"] is True
        assert "error" in await called(client, "update_flag", {"flag": 42, "name": "x"})
        assert len(writes(fake)) == 1


@pytest.mark.parametrize("value", ["", "sometimes", "auto,x=always", "delete_flag=perhaps", "delete_flags=always"])
def test_a_mode_that_does_not_exist_is_rejected_at_the_start(value: str) -> None:
    with pytest.raises(SettingsError, match=r"MATON_POSTHOG_CONFIRM \(--confirm\)"):
        load(confirm=value)


async def test_excluded_tools_are_neither_listed_nor_callable() -> None:
    async with served(exclude_tools="delete_flag, list_persons") as (client, fake):
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names.isdisjoint({"delete_flag", "list_persons"})
        assert "get_person" in names
        error = (await called(client, *DELETE))["error"]
        assert error["code"] == "toolset_off"
        assert "--exclude-tools" in error["hint"]
        assert fake.received == []
    with pytest.raises(SettingsError, match="did you mean delete_flag"):
        load(exclude_tools="delete_flags")


REASONS: list[tuple[str, dict[str, Any], bool]] = [
    ("update_flag", {"flag": 42, "name": "x"}, False),
    ("update_flag", {"flag": 42, "tags": ["x"]}, False),
    ("update_flag", {"flag": 42, "rollout_percentage": 1}, True),
    ("update_flag", {"flag": 42, "active": False}, True),
    ("update_flag", {"flag": 42, "key": "other"}, True),
    ("update_survey", {"survey_id": "0190bbbb-0000-7000-8000-000000000002", "name": "x"}, False),
    ("update_survey", {"survey_id": "0190bbbb-0000-7000-8000-000000000002", "start_date": "now"}, True),
    ("update_experiment", {"experiment_id": 11, "description": "x"}, False),
    ("update_experiment", {"experiment_id": 11, "start_date": "now"}, True),
    ("update_dashboard", {"dashboard_id": 9, "name": "x"}, False),
    ("delete_dashboard", {"dashboard_id": 9}, True),
    ("delete_annotation", {"annotation_id": 5}, False),
    ("create_annotation", {"content": "x"}, False),
    ("create_annotation", {"content": "x", "scope": "organization"}, True),
    ("create_flag", {"key": "x", "rollout_percentage": 10}, False),
    ("create_dashboard", {"name": "x"}, False),
    ("restore_deleted", {"resource": "dashboard", "id": 9}, False),
    ("restore_deleted", {"resource": "flag", "id": 42}, True),
]


@pytest.mark.parametrize(("tool", "arguments", "asks"), REASONS, ids=lambda value: str(value)[:50])
async def test_only_changes_that_others_notice_need_agreement(tool: str, arguments: dict[str, Any], asks: bool) -> None:
    async with served() as (client, fake):
        shown = await called(client, tool, arguments)
        if asks:
            assert shown["error"]["code"] == "confirmation_required"
            assert writes(fake) == []
        else:
            assert "error" not in shown
            assert len(writes(fake)) == 1
