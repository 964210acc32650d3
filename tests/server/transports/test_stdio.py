"""MCP over stdin and stdout, with a real process."""

import json
import os
import shlex
import subprocess
import sys
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import INTERNAL_ERROR, JSONRPCResponse

from maton_posthog.server.transports.stdio import Malformed, encode, parse
from maton_posthog.server.transports.wire import LONGEST_LINE, InputLine, LineReader, LineWriter, split_lines
from tests.server.processes import COMMAND, DEADLINE_S, INITIALIZE, ServerProcess, environment, silent_gateway

pytestmark = pytest.mark.anyio
WRONG_IDS = (b"1.5", b"null", b"true", b"{}", b"[1]", b"1e3")


def test_piped_requests_get_responses_before_the_exit() -> None:
    with ServerProcess() as server:
        server.send("initialize", INITIALIZE, 1)
        server.send("notifications/initialized")
        server.send("tools/list", number=2)
        server.close_input()
        assert server.exit_code() == 0  # loading is part of it
        answers = {message["id"]: message for message in map(json.loads, server.lines)}
    assert answers[1]["result"]["serverInfo"]["name"] == "maton-posthog-mcp"
    assert answers[2]["result"]["tools"]


def test_the_newer_era_is_served_on_the_same_pipe() -> None:
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    with ServerProcess() as server:
        discovered = server.ask("server/discover", {"_meta": meta})["result"]
        listed = server.ask("tools/list", {"_meta": meta}, number=2)["result"]
        server.close_input()
        assert server.exit_code() == 0
    assert discovered["supportedVersions"] == ["2026-07-28"]
    assert listed["tools"]


@pytest.mark.parametrize(
    ("line", "code", "number"),
    [
        (b"not json", -32700, None),
        (b'{"jsonrpc":"2.0","id":7', -32700, None),
        (b"\xff\xfe", -32700, None),
        (b"[" * 200_000, -32700, None),
        (b"[]", -32600, None),
        (b"17", -32600, None),
        (b'{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, 7),
        *((b'{"jsonrpc":"2.0","id":%s,"method":"ping"}' % number, -32600, None) for number in WRONG_IDS),
    ],
)
def test_a_broken_line_gets_an_error_and_the_next_call_works(line: bytes, code: int, number: int | None) -> None:
    with ServerProcess() as server:
        server.initialize()
        server.write(line + b"\n\n")
        answer = server.receive()
        assert answer["error"]["code"] == code
        assert answer["id"] == number
        assert server.ask("ping", number=8)["result"] == {}


def test_a_message_that_is_too_long_is_rejected_and_the_next_call_works() -> None:
    with ServerProcess() as server:
        server.initialize()
        padding = b"x" * 1_000_000
        server.write(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"a":"')
        for _ in range(5):
            server.write(padding)
        server.write(b'"}}}\n')
        answer = server.receive()
        assert answer["error"] == {"code": -32600, "message": f"Message longer than {LONGEST_LINE} bytes."}
        assert server.ask("ping", number=2)["result"] == {}


NOISY = """
import os, subprocess, sys, warnings
from maton_posthog.server import app
from maton_posthog.server.__main__ import main

build = app.build

def noisy_build(runtime):
    print("stray")
    os.write(1, b"raw\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    warnings.warn("heed", stacklevel=1)
    print("late", end="")
    return build(runtime)

app.build = noisy_build
main()
"""


def test_stdout_has_only_the_protocol() -> None:
    command = (sys.executable, "-c", NOISY)
    with ServerProcess("--log-level", "debug", command=command, PYTHONWARNINGS="always") as server:
        server.initialize()
        server.ask("tools/call", {"name": "list_flags", "arguments": {}}, number=3)
        server.ask("prompts/get", {"name": "none"}, number=4)  # the SDK is loaded for it
        server.close_input()
        assert server.exit_code() == 0
        assert {json.loads(line)["jsonrpc"] for line in server.lines} == {"2.0"}
        said = "\n".join(server.errors)
    for noise in ("stray", "raw", "from a child", "heed", "late"):
        assert noise in said


def test_a_call_cut_off_by_the_end_of_input_leaves_no_traceback() -> None:
    with silent_gateway() as gateway, ServerProcess(MATON_API_KEY="k", MATON_GATEWAY_URL=gateway.url) as server:
        server.initialize()
        server.send("tools/call", {"name": "list_flags", "arguments": {"project_id": 1}}, 5)
        gateway.wait_for_request()
        server.close_input()
        assert server.exit_code() == 0
        assert "Traceback" not in "\n".join(server.errors)
        assert [json.loads(line)["id"] for line in server.lines][-1] == 5


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":2,"method":"nothing/like"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
        b"not json",
    ],
    ids=["ready answer", "answer of the SDK", "wrong id", "not JSON"],
)
def test_a_client_that_stops_reading_ends_the_server(line: bytes) -> None:
    with ServerProcess() as server:
        server.initialize()
        server.stop_reading()
        server.write(line + b"\n")
        assert server.exit_code() == 0
        assert "Traceback" not in "\n".join(server.errors)


@pytest.mark.skipif("FAKETIME" in os.environ, reason="libfaketime takes the closed descriptors")
def test_closed_standard_streams_are_one_line_and_exit_code_2() -> None:
    run = subprocess.run(
        f"{shlex.join(COMMAND)} 0<&- 1>&-",
        shell=True,
        stderr=subprocess.PIPE,
        env=environment(),
        timeout=DEADLINE_S,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.decode().count("\n") == 1
    assert b"stdin or stdout is closed" in run.stderr


def test_a_result_that_is_not_valid_utf8_becomes_an_error_with_its_id() -> None:
    written = json.loads(encode(JSONRPCResponse(jsonrpc="2.0", id=4, result={"text": "\ud800"})))
    assert written["id"] == 4
    assert written["error"]["code"] == INTERNAL_ERROR


@given(st.binary(max_size=300))
def test_parsing_never_raises(line: bytes) -> None:
    message = parse(line)
    if isinstance(message, Malformed):
        assert json.loads(encode(message.answer))["error"]["message"]


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=20), st.booleans())
def test_lines_are_written_and_read_unchanged(lines: list[bytes], ended: bool) -> None:
    source, sink = os.pipe()
    try:
        os.write(sink, b"\n".join(lines) + (b"\n" if ended and lines else b""))
        os.close(sink)
        longest = 20
        found = list(split_lines(source, longest))
    finally:
        os.close(source)
    if not ended and lines and not lines[-1]:
        lines = lines[:-1]  # an empty text after the last newline is not a line
    assert found == [line if len(line) <= longest else None for line in lines]


async def test_lines_wait_for_a_reader_that_is_slow() -> None:
    source, sink = os.pipe()
    sent = [b"%d" % number for number in range(500)]
    writer = threading.Thread(target=_write_and_close, args=(sink, b"\n".join(sent)))
    writer.start()
    received: list[InputLine] = []
    async for line in LineReader(source, lambda line: line):
        await anyio.lowlevel.checkpoint()
        received.append(line)
    writer.join()
    os.close(source)
    assert received == sent


async def test_written_lines_arrive_whole_and_in_order() -> None:
    source, sink = os.pipe()
    lines = [bytes([65 + number % 26]) * 20_000 for number in range(30)]
    collected: list[InputLine] = []
    reader = threading.Thread(target=lambda: collected.extend(split_lines(source)))
    reader.start()
    writer = LineWriter(sink)
    for line in lines:
        await writer.write(line)
    os.close(sink)
    reader.join()
    os.close(source)
    assert collected == lines


async def test_writing_to_a_closed_pipe_is_an_error() -> None:
    source, sink = os.pipe()
    os.close(source)
    with pytest.raises(BrokenPipeError):
        await LineWriter(sink).write(b"x")
    os.close(sink)


def _write_and_close(sink: int, data: bytes) -> None:
    with os.fdopen(sink, "wb") as pipe:
        pipe.write(data)
