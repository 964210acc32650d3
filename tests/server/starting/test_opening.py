"""The opening of a connection: with ready answers a client gets the same messages as from the SDK alone."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maton_posthog.server.app import build
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.server.starting.opening import Opening, PassedLine
from maton_posthog.server.starting.ready import LISTS, MODERN, ReadyResults
from maton_posthog.server.transports import stdio
from tests.oracle import examples
from tests.server.processes import COMMAND, INITIALIZE, ServerProcess, environment
from tests.snapshots.ready import META, Sink, line

pytestmark = pytest.mark.anyio
HANDSHAKE: dict[str, Any] = {"method": "initialize", "params": INITIALIZE}
INITIALIZED = {"method": "notifications/initialized"}
DISCOVER: dict[str, Any] = {"method": "server/discover", "params": {"_meta": META}}
CALL: dict[str, Any] = {"method": "tools/call", "params": {"name": "list_flags", "arguments": {"limit": 0}}}
ENVELOPES: list[Any] = [
    META,
    {**META, "progressToken": 7},
    {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"},
    {**META, "io.modelcontextprotocol/clientInfo": {"name": 5}},
    {**META, "io.modelcontextprotocol/clientCapabilities": []},
    {"io.modelcontextprotocol/protocolVersion": MODERN},
    {"progressToken": "a"},
    {"progressToken": True},
    {},
    None,
    3,
]
PARAMS: list[Any] = [
    *({"_meta": meta} for meta in ENVELOPES),
    {"cursor": "x"},
    {"cursor": None},
    {},
    [],
    "x",
    None,
    INITIALIZE,
    {**INITIALIZE, "protocolVersion": "2024-11-05"},
    {**INITIALIZE, "protocolVersion": "1999-01-01"},
    {**INITIALIZE, "protocolVersion": 5},
    {**INITIALIZE, "capabilities": {"roots": {"listChanged": True}, "sampling": {}, "elicitation": {"form": {}}}},
    {**INITIALIZE, "capabilities": {"roots": 5}},
    {**INITIALIZE, "capabilities": {"experimental": {"x": {"y": 1}}}},
    {**INITIALIZE, "capabilities": {"unknown": 1}},
    {**INITIALIZE, "clientInfo": {"name": "x"}},
    {**INITIALIZE, "clientInfo": {"name": "x", "version": "1", "icons": []}},
]
METHODS = ["initialize", "ping", "notifications/initialized", "notifications/cancelled", "nothing/like", *LISTS]
ABSENT = "absent"


def request(method: str, params: Any) -> dict[str, Any]:
    return {"method": method} if params == ABSENT else {"method": method, "params": params}


REQUESTS = st.builds(request, st.sampled_from(METHODS), st.sampled_from([*PARAMS, ABSENT]))


async def responses(requests: Sequence[Mapping[str, Any]], *, ready: bool) -> list[bytes]:
    """Return what a client gets for these messages, ordered by id; notifications have no id."""
    runtime, sink = Runtime(load()), Sink()
    opening = Opening(ReadyResults(runtime.settings), sink.send)

    async def lines() -> AsyncIterator[PassedLine]:
        for number, request in enumerate(requests):
            sent = (
                json.dumps({"jsonrpc": "2.0", **request}).encode()
                if request["method"].startswith("notifications/")
                else line(request, number)
            )
            passed = opening.take(sent) if ready else PassedLine(sent)
            if passed is not None:
                assert isinstance(passed, PassedLine)
                yield passed

    try:
        await stdio.serve(build(runtime), lines(), sink)
    finally:
        await runtime.aclose()
    return sorted(sink.lines, key=lambda written: str(json.loads(written).get("id")))


@given(st.lists(REQUESTS, max_size=5), st.booleans())
@settings(max_examples=examples(30, 600))
async def test_a_client_gets_the_same_messages_as_from_the_sdk_alone(
    requests: list[dict[str, Any]], greets: bool
) -> None:
    opened = [HANDSHAKE, INITIALIZED, *requests] if greets else requests
    assert await responses(opened, ready=True) == await responses(opened, ready=False)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_line_in_another_encoding_is_left_to_the_sdk(encoding: str) -> None:
    opening = Opening(ReadyResults(load()), (answers := list[bytes]()).append)
    sent = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode(encoding)
    assert opening.take(sent) == PassedLine(sent)
    assert answers == []


@pytest.mark.parametrize(
    "asked",
    [
        DISCOVER,
        {"method": "server/discover", "params": {"_meta": ENVELOPES[2]}},
        {"method": "server/discover", "params": {"_meta": ENVELOPES[5]}},
        {"method": "server/discover"},
    ],
    ids=["plain", "another version", "half an envelope", "no envelope"],
)
async def test_discovery_gets_the_sdks_answer_and_decides_no_era(asked: dict[str, Any]) -> None:
    (alone,) = await responses([asked], ready=False)
    discovered, initialized, listed = await responses([asked, HANDSHAKE, {"method": "tools/list"}], ready=True)
    assert discovered == alone
    assert json.loads(initialized)["result"]["protocolVersion"] == INITIALIZE["protocolVersion"]
    assert json.loads(listed)["result"]["tools"]
    modern = {"method": "tools/list", "params": {"_meta": META}}
    assert json.loads((await responses([asked, modern], ready=True))[1])["result"]["resultType"] == "complete"


def test_ten_requests_at_once_all_get_their_answer() -> None:
    methods = ["initialize", "tools/list", "ping", "tools/call", "prompts/list", "nothing/like", "tools/call"]
    given: dict[str, Any] = {"initialize": INITIALIZE, "tools/call": CALL["params"]}
    with ServerProcess(command=COMMAND) as server:
        for number, method in enumerate([*methods, "resources/list", "ping", "tools/list"]):
            server.send(method, given.get(method), number)
            if number == 0:
                server.send("notifications/initialized")
        answers = [server.receive() for _ in range(10)]
        server.close_input()
        assert server.exit_code() == 0
        assert len(server.lines) == 10
    assert sorted(answer["id"] for answer in answers) == list(range(10))
    assert [answer["id"] for answer in answers if "error" in answer] == [5]


def test_a_request_that_is_cancelled_while_the_server_loads_disturbs_no_other() -> None:
    with ServerProcess(command=COMMAND) as server:
        server.send("initialize", INITIALIZE, 1)
        server.send("notifications/initialized")
        server.send("tools/call", {"name": "get_project", "arguments": {}}, 2)
        server.send("notifications/cancelled", {"requestId": 2})
        server.send("tools/call", CALL["params"], 3)
        while server.receive()["id"] != 3:
            pass
        server.close_input()
        assert server.exit_code() == 0
        answered = [json.loads(written)["id"] for written in server.lines]
    assert answered.count(1) == answered.count(3) == 1


def test_a_client_that_closes_at_once_leaves_a_clean_exit() -> None:
    with ServerProcess(command=COMMAND) as server:
        server.close_input()
        assert server.exit_code() == 0
        assert server.lines == []
        assert "Traceback" not in "\n".join(server.errors)


HEAVY = ("pydantic", "mcp", "mcp_types", "anyio", "asyncio", "httpx2", "starlette", "uvicorn", "click", "jsonschema")


@pytest.mark.parametrize(
    ("program", "allowed"),
    [
        ("import maton_posthog.server.starting.process, maton_posthog.server.__main__", frozenset[str]()),
        ("import maton_posthog.server.settings as s; s.load(project_id='1', read_only='1')", frozenset[str]()),
        ("import sys; sys.argv[1:] = ['--version']; from maton_posthog.server.__main__ import main", {"click"}),
        ("import sys; sys.argv[1:] = ['serve', '--help']; from maton_posthog.server.__main__ import main", {"click"}),
    ],
    ids=["start", "settings", "--version", "--help"],
)
def test_the_start_loads_nothing_heavy(program: str, allowed: frozenset[str]) -> None:
    ending = (
        "\nimport sys\ntry:\n    main()\nexcept (NameError, SystemExit):\n    pass\n"
        f"sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + ending], capture_output=True, text=True, check=True, env=environment()
    )
    assert set(done.stderr.split()) <= allowed, done.stderr


async def test_a_client_that_discovers_and_then_initializes_connects_every_time() -> None:
    async def connect() -> None:
        with ServerProcess(command=COMMAND) as server:
            discovered = await anyio.to_thread.run_sync(server.ask, "server/discover", DISCOVER["params"], 1)
            assert discovered["result"]["supportedVersions"]
            await anyio.to_thread.run_sync(server.initialize)
            called = await anyio.to_thread.run_sync(server.ask, "tools/call", CALL["params"], 3)
            assert called["result"]["isError"]

    async with anyio.create_task_group() as tasks:
        for _ in range(examples(3, 20)):
            tasks.start_soon(connect)
