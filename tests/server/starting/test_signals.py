"""The end of the process: exit code 0 within seconds in every state, with nothing left behind."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
from importlib.util import find_spec
from urllib.parse import urlsplit

import pytest

from maton_posthog.server.starting import leaving
from tests.server.processes import (
    COMMAND,
    DEADLINE_S,
    HttpServer,
    ServerProcess,
    eventually,
    silent_gateway,
)

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
LIST_FLAGS = {"name": "list_flags", "arguments": {"project_id": 1}}


WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None; from maton_posthog.server.__main__ import main; main()"


@SIGNALS
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(COMMAND, marks=pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")),
        (sys.executable, "-c", WITHOUT_UVLOOP),
    ],
    ids=["uvloop", "asyncio"],
)
def test_a_signal_ends_an_idle_server(number: signal.Signals, command: tuple[str, ...]) -> None:
    with ServerProcess(command=command) as server:
        server.initialize()
        server.process.send_signal(number)
        assert server.exit_code() == 0
        assert "Traceback" not in "\n".join(server.errors)


@SIGNALS
def test_a_signal_ends_a_server_in_the_middle_of_a_call(number: signal.Signals) -> None:
    with silent_gateway() as gateway, ServerProcess(MATON_API_KEY="k", MATON_GATEWAY_URL=gateway.url) as server:
        server.initialize()
        server.send("tools/call", LIST_FLAGS, 1)
        gateway.wait_for_request()
        server.process.send_signal(number)
        assert server.exit_code() == 0
        assert "Traceback" not in "\n".join(server.errors)


@SIGNALS
def test_a_signal_while_it_loads_ends_the_process_quietly(number: signal.Signals) -> None:
    with ServerProcess(command=(sys.executable, "-c", SIGNAL_WHILE_LOADING, str(int(number)))) as server:
        assert server.exit_code() == 0
        assert server.errors == []


SIGNAL_WHILE_LOADING = """
import os, sys
from maton_posthog.server import runtime
from maton_posthog.server.__main__ import main

number = int(sys.argv.pop())
runtime.Runtime = lambda settings, **_: os.kill(os.getpid(), number)
main()
"""


@SIGNALS
def test_a_signal_while_native_code_loads_is_no_error_of_that_code(number: signal.Signals) -> None:
    with ServerProcess(command=(sys.executable, "-c", SIGNAL_IN_NATIVE_CODE, str(int(number)))) as server:
        assert server.exit_code() == 0
        assert server.errors == []


SIGNAL_IN_NATIVE_CODE = """
import os, sys
from pydantic_core import SchemaValidator, core_schema
from maton_posthog.server import runtime
from maton_posthog.server.__main__ import main

number = int(sys.argv.pop())

class Word:
    def __hash__(self):
        os.kill(os.getpid(), number)
        return 1

runtime.Runtime = lambda settings, **_: SchemaValidator(core_schema.literal_schema([Word()]))
main()
"""


@SIGNALS
def test_a_signal_while_the_interpreter_shuts_down_prints_nothing(number: signal.Signals) -> None:
    with ServerProcess(command=(sys.executable, "-c", SIGNAL_WHILE_LEAVING, str(int(number)))) as server:
        server.initialize()
        server.close_input()
        assert server.exit_code() == 0
        assert server.errors == []


SIGNAL_WHILE_LEAVING = """
import os, sys, threading
from maton_posthog.server.__main__ import main

number = int(sys.argv.pop())

def send():
    threading.main_thread().join()
    os.kill(os.getpid(), number)

threading.Thread(target=send).start()
main()
"""


def test_a_signal_wakes_a_loop_that_it_does_not_interrupt() -> None:
    """A signal just before the loop waits, or to another thread, interrupts no system call."""
    main = threading.get_ident()

    def send_to_this_thread() -> None:
        while sys._current_frames()[main].f_code.co_name != "select":  # pyright: ignore[reportPrivateUsage]
            threading.Event().wait(0.001)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    async def stopped() -> None:
        stop = asyncio.Event()
        with leaving.on_signals(stop.set):
            sending = threading.Thread(target=send_to_this_thread)
            sending.start()
            await asyncio.wait_for(stop.wait(), DEADLINE_S)
            sending.join()

    asyncio.run(stopped())


def test_the_time_to_exit_is_shorter_than_the_timeout_of_hosts() -> None:
    hosts_wait_s = 5
    assert hosts_wait_s > leaving.DEADLINE_S


def test_work_that_cannot_be_cancelled_does_not_delay_the_exit() -> None:
    program = (
        "import threading, time; from maton_posthog.server.starting.leaving import leave_in_time; "
        "leave_in_time(0.1); threading.Thread(target=time.sleep, args=(600,)).start()"
    )
    run = subprocess.run([sys.executable, "-c", program], timeout=DEADLINE_S, check=False, capture_output=True)
    assert run.returncode == 0
    assert run.stderr == b""


@SIGNALS
def test_open_streams_and_calls_do_not_delay_the_exit_of_the_http_server(number: signal.Signals) -> None:
    with (
        silent_gateway() as gateway,
        HttpServer(MATON_API_KEY="k", MATON_GATEWAY_URL=gateway.url) as server,
        server.open_stream("GET", "/sse") as stream,
    ):
        assert b"event: endpoint" in stream.read_until(b"session_id=")
        session = server.open_session()
        with (
            server.open_stream("GET", "/mcp", {"Mcp-Session-Id": session, "Accept": "text/event-stream"}) as listening,
            server.open_stream("POST", "/mcp", server.headers(session), server.request("tools/call", LIST_FLAGS)),
        ):
            assert b"200 OK" in listening.read_until(b"\r\n\r\n")
            gateway.wait_for_request()
            server.process.send_signal(number)
            assert server.exit_code() == 0
            assert "Traceback" not in "\n".join(server.errors)


def test_the_second_signal_ends_an_http_server_that_waits_for_an_open_request() -> None:
    with (
        HttpServer(command=(sys.executable, "-c", WITHOUT_DEADLINES)) as server,
        server.open_stream(
            "POST", "/mcp", {**server.headers(), "Content-Length": "100", "Expect": "100-continue"}
        ) as open_,
    ):
        open_.read_until(b"100 Continue")  # the server has begun to read a body that never arrives
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: not listens(("127.0.0.1", server.port)), "the server to stop listening")
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0


WITHOUT_DEADLINES = """
from maton_posthog.server.transports import http as transports
from maton_posthog.server.__main__ import main
from maton_posthog.server.cli import serve

transports.LAST_ANSWERS_S = 3600
serve.leave_in_time = lambda: None
main()
"""


@pytest.mark.parametrize("how", ["EOF", "SIGINT", "SIGTERM"])
def test_the_sandbox_ends_with_the_server(how: str) -> None:
    with ServerProcess("--sandbox", "--log-json") as server:
        address = start_sandbox(server)
        if how == "EOF":
            server.close_input()
        else:
            server.process.send_signal(getattr(signal, how))
        assert server.exit_code() == 0
        assert not listens(address)
        assert "Traceback" not in "\n".join(server.errors)


def test_the_sandbox_ends_when_the_server_is_killed() -> None:
    with ServerProcess("--sandbox", "--log-json") as server:
        address = start_sandbox(server)
        server.process.kill()
        server.process.wait(DEADLINE_S)
        eventually(lambda: not listens(address), "the sandbox to end")


def start_sandbox(server: ServerProcess) -> tuple[str, int]:
    """Make calls until the sandbox answers one, and return its address."""
    server.initialize()
    eventually(
        lambda: not server.ask("tools/call", {"name": "get_project", "arguments": {}})["result"].get("isError"),
        "a response of the sandbox",
    )
    url: str = json.loads(server.wait_for_error_line("The sandbox is running"))["url"]
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    assert listens((address.hostname, address.port))
    return address.hostname, address.port


def listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=DEADLINE_S).close()
    except ConnectionRefusedError:
        return False
    return True
