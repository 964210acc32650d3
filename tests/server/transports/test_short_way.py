"""The short way of tools/call: a client gets the same messages as from the SDK, byte by byte."""

import json
import logging
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from maton_posthog.gateway.queries.background import Progress
from maton_posthog.server import app
from maton_posthog.server.results.tool_result import ToolResult
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.server.starting.opening import Opening, PlainCall
from maton_posthog.server.starting.ready import MODERN, ReadyResults
from maton_posthog.server.transports import pipe, short_way, stdio
from maton_posthog.tools.operation import FileLink, Operation, Picture
from maton_posthog.tools.operations import OPERATIONS
from tests.gateway.fake_gateway import reply
from tests.oracle import WHOLE, crossed
from tests.server.processes import ServerProcess
from tests.server.test_every_operation import ARGUMENTS, documented

from .both_ways import CHANCE, ERAS, WAYS, Message, Output, at_once, call, messages, one_by_one, opening, runtimes

pytestmark = pytest.mark.anyio
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
PLACES = {operation.name: place for place, operation in enumerate(OPERATIONS)}


def forms(operation: Operation[Any], era: str) -> tuple[bool, ...]:
    """Return whether results have structured content: each tool in one form per era, the next tool the other way.

    With ORACLE_SEEDS, every tool has both forms in both eras.
    """
    return (False, True) if WHOLE else (bool(PLACES[operation.name] % 2) is (era == MODERN),)


def without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Runtime) -> None:
        raise AssertionError("the SDK was needed")

    monkeypatch.setattr(pipe, "_load", refuse)


@crossed(("operation", OPERATIONS), ("era", ("2025-11-25", MODERN)))
async def test_every_tool_sends_the_same_messages_and_requests(
    operation: Operation[Any], era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_sdk(monkeypatch)
    name, arguments = operation.name, ARGUMENTS.get(operation.name, {})
    requests = [
        *opening(era),
        call(1, name, arguments, era),
        call("two", name, {**arguments, "no_such_argument": 1}, era),
        call(3, name, arguments, era, progressToken="a", traceparent="00-x", other={"x": 1}),
    ]
    for structured in forms(operation, era):
        async with runtimes(structured=structured) as (made, fakes):
            short, sdk = [await messages(way, made[way], one_by_one(requests)) for way in WAYS]
            sent = [
                [(each.method, each.target, CHANCE.sub(b"", each.body)) for each in fakes[way].received] for way in WAYS
            ]
        assert short == sdk
        assert len(short) >= 3
        assert sent[0] == sent[1]


@EVERY
async def test_every_tool_sends_the_same_errors_when_posthog_refuses(
    operation: Operation[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_sdk(monkeypatch)
    async with runtimes() as (made, fakes):
        for fake in fakes.values():
            fake.answers(
                documented, documented, reply(403, {"detail": "No \u200b access.", "code": "permission_denied"})
            )
        requests = [*opening(ERAS[0]), call(1, operation.name, ARGUMENTS.get(operation.name, {}), ERAS[0])]
        short, sdk = [await messages(way, made[way], one_by_one(requests)) for way in WAYS]
    assert short == sdk


class Pausing:
    """A `call_tool` that reports progress; a call of `list_flags` goes on only when it is cancelled."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def __call__(
        self, _: Runtime, operation: Operation[Any], __: dict[str, Any], report: Progress, *, patient: bool, **___: Any
    ) -> ToolResult:
        await report(1.5, f"patient: {patient}")
        try:
            if operation.name == "list_flags":
                await anyio.sleep_forever()
            return ToolResult(
                "{}", (FileLink("file:///a", "a", "text/csv", 3), Picture(b"\x89PNG")), None, {"x": [None, 1]}
            )
        finally:
            self.ended.append(operation.name)


@pytest.mark.parametrize("era", ERAS)
async def test_progress_and_cancellation_are_the_same(era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(sink: Output) -> AsyncIterator[Message]:
        for request in opening(era):
            yield request
        yield call(7, "list_flags", {}, era, progressToken="p")
        await sink.until(lambda message: message.get("method") == "notifications/progress")
        yield call("eight", "list_flags", {}, era)
        yield call(9, "list_cohorts", {}, era, progressToken=0)
        await sink.answer_to(9)
        for cancelled in ("7", "eight", 9, 100, "7"):  # ids are compared as the SDK compares them
            yield {"method": "notifications/cancelled", "params": {"requestId": cancelled}}
        yield call(10, "list_cohorts", {}, era)
        await sink.answer_to(10)

    found: list[list[bytes]] = []
    for way in WAYS:
        pausing = Pausing()
        monkeypatch.setattr(app, "call_tool", pausing)
        monkeypatch.setattr(short_way, "call_tool", pausing)
        found.append(await messages(way, Runtime(load()), script))
        assert sorted(pausing.ended) == ["list_cohorts", "list_cohorts", "list_flags", "list_flags"]
    assert found[0] == found[1]
    answered = [json.loads(line).get("id") for line in found[0]]
    assert answered == [*(["hello"] if era != MODERN else []), None, None, 9, 10]


@pytest.mark.parametrize("era", ["2025-06-18", MODERN])
async def test_a_call_cut_off_by_the_end_of_input_gets_the_same_error(
    era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (pipe, stdio):
        monkeypatch.setattr(module, "LAST_ANSWERS_S", 0.01)
    found: list[list[bytes]] = []
    for way in WAYS:
        for module in (app, short_way):
            monkeypatch.setattr(module, "call_tool", Pausing())
        requests = [*opening(era), call(7, "list_flags", {}, era)]
        found.append(await messages(way, Runtime(load()), at_once(requests)))
    assert found[0] == found[1]
    assert b'"id":7,"error":{"code":-32000' in found[0][-1]


@pytest.mark.parametrize("era", ["2025-06-18", MODERN])
async def test_a_fault_of_this_server_gets_the_same_error(era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> ToolResult:
        raise RuntimeError("a secret detail")

    async def unwritable(*_: Any, **__: Any) -> ToolResult:
        return ToolResult("\ud800")

    for fault in (fail, unwritable):
        found: list[list[bytes]] = []
        for way in WAYS:
            for module in (app, short_way):
                monkeypatch.setattr(module, "call_tool", fault)
            found.append(
                await messages(way, Runtime(load()), one_by_one([*opening(era), call(7, "list_flags", {}, era)]))
            )
        assert found[0] == found[1]
        assert b"secret detail" not in found[0][-1]


async def test_writes_leave_the_same_audit_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "maton_posthog.audit")
    lines: list[list[str]] = []
    async with runtimes() as (made, _):
        for way in WAYS:
            caplog.clear()
            requests = [
                call(number, name, ARGUMENTS[name], MODERN) for number, name in enumerate(("create_flag", "get_flag"))
            ]
            await messages(way, made[way], one_by_one(requests))
            lines.append([re.sub(r"ms=\d+", "", each.getMessage()) for each in caplog.records if "audit" in each.name])
    assert lines[0] == lines[1]
    assert len(lines[0]) == 2


async def test_what_needs_the_sdk_goes_on_through_it_between_plain_calls() -> None:
    async with runtimes() as (made, _):
        requests = [
            *opening("2025-06-18"),
            call(1, "list_flags", {}, "2025-06-18"),
            {"method": "prompts/get", "id": 2, "params": {"name": "none such"}},
            {"method": "nothing/like", "id": 3},
            call(4, "list_flags", {}, "2025-06-18"),
            {"method": "resources/read", "id": 5, "params": {"uri": "posthog://project"}},
        ]
        short, sdk = [await messages(way, made[way], one_by_one(requests)) for way in WAYS]
    assert short == sdk


def test_only_calls_of_offered_tools_in_a_known_era_are_plain() -> None:
    read_only = load(read_only=True)
    cases: list[tuple[list[Message], bool]] = [
        ([*opening("2025-06-18"), call(1, "list_flags", {}, "2025-06-18")], True),
        ([call(1, "list_flags", {}, MODERN)], True),
        ([call(1, "list_flags", {}, "2025-06-18")], False),
        ([call(1, "create_flag", {}, MODERN)], False),
        ([{"method": "ping", "id": 0}, call(1, "list_flags", {}, "2025-06-18")], False),
    ]
    for requests, expected in cases:
        opened = Opening(ReadyResults(read_only), lambda _: None, short=True)
        taken = [opened.take(json.dumps({"jsonrpc": "2.0", **request}).encode()) for request in requests]
        assert isinstance(taken[-1], PlainCall) is expected, requests


SAYING = """
import atexit, sys
from maton_posthog.server.__main__ import main
atexit.register(lambda: sys.stderr.write(f"loaded: {sorted({'mcp', 'mcp_types', 'starlette'} & set(sys.modules))}\\n"))
%s
main()
"""


@pytest.mark.parametrize(
    ("before", "loaded"), [("", "[]"), ("sys.modules['opentelemetry.sdk'] = sys", "['mcp', 'mcp_types'")]
)
def test_a_process_loads_the_sdk_only_when_it_is_needed_or_its_spans_are_recorded(before: str, loaded: str) -> None:
    with ServerProcess(command=(sys.executable, "-c", SAYING % before)) as server:
        server.initialize()
        assert server.ask("tools/call", {"name": "list_flags", "arguments": {}}, number=3)["result"]["isError"]
        server.close_input()
        assert server.exit_code() == 0
        assert f"loaded: {loaded}" in "\n".join(server.errors)
