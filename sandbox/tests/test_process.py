"""The sandbox as a real process on a real socket: its first line, its exit, and broken connections."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from .forked import ForkedSandbox

DATA = ("--events", "500", "--today", "2026-11-23")
COMMAND = (sys.executable, "-P", "-m", "posthog_sandbox", *DATA)
NOON = {"now": "2026-11-23T12:00:00Z"}
"""The last day of these data, for `/sandbox/clock`: relative dates count back from it."""
PATIENCE_S = 60


class Process:
    """A running sandbox; its output is collected, so that it never blocks on a full pipe."""

    def __init__(self, popen: "subprocess.Popen[str] | ForkedSandbox") -> None:
        self.popen = popen
        self.errors: list[str] = []
        self.ready = threading.Event()
        assert popen.stdout is not None
        self.first_line = popen.stdout.readline()
        self._ears = threading.Thread(target=self._hear, daemon=True)
        self._ears.start()

    def _hear(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.errors.append(line)
            if "ready" in line:
                self.ready.set()

    def ended(self) -> int:
        """Wait for the exit and return the exit code."""
        code = self.popen.wait(PATIENCE_S)
        self._ears.join(PATIENCE_S)
        return code

    def client(self) -> httpx2.Client:
        """Return a client of the gateway with the key."""
        url = json.loads(self.first_line)["gateway_url"]
        return httpx2.Client(base_url=url, headers={"Authorization": "Bearer sandbox"}, timeout=PATIENCE_S)


@contextmanager
def running(
    *arguments: str, stdin: int = subprocess.PIPE, command: Sequence[str] | None = None, **environment: str
) -> Generator[Process]:
    """Yield a sandbox that is killed if it is still running at the end.

    The sandbox is forked, which is the fastest, unless the test is about how it starts and gives a command.
    """
    given = {**os.environ, **environment}
    pipe = subprocess.PIPE
    with handled(
        ForkedSandbox([*DATA, *arguments], given, stdin=stdin)
        if command is None
        else subprocess.Popen([*command, *arguments], stdin=stdin, stdout=pipe, stderr=pipe, text=True, env=given)
    ) as process:
        yield process


@contextmanager
def handled(popen: "subprocess.Popen[str] | ForkedSandbox") -> Generator[Process]:
    """Yield a sandbox that was started, and kill it if it is still running at the end."""
    with popen:
        process = Process(popen)
        try:
            yield process
        finally:
            popen.kill()
            if popen.stdin is not None:
                popen.stdin.close()
            process.ended()  # what it still wrote is read before its pipes are closed


def failed(*arguments: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines on stderr of a sandbox that does not start."""
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return ended.returncode, ended.stderr.splitlines()


def test_the_first_line_has_the_address_and_rows_are_served_while_events_are_generated() -> None:
    with running("--json", command=COMMAND) as process:
        addresses = json.loads(process.first_line)
        with process.client() as client:
            project = client.get("/posthog/api/projects/@current/").json()
            query = {"query": {"kind": "HogQLQuery", "query": "select count() from events"}}
            counted = client.post("/posthog/api/projects/1/query/", json=query).json()

    assert addresses["gateway_url"] == addresses["control_url"]
    assert addresses["key"] == "sandbox"
    assert project["name"] == "Sandbox (synthetic data)"
    assert counted["results"] == [[500]]


def test_progress_is_reported_on_stderr_as_json_lines() -> None:
    with running("--json") as process:
        assert process.ready.wait(PATIENCE_S)
        lines = [json.loads(line) for line in process.errors]

    assert [line["progress"] for line in lines] == sorted(line["progress"] for line in lines)
    assert lines[-1]["progress"] == 1


def test_without_json_the_first_line_shows_the_urls() -> None:
    with running() as process:
        assert process.first_line.startswith("gateway http://127.0.0.1:")
        assert "control http://127.0.0.1:" in process.first_line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_nothing_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    with running("--json", command=COMMAND, TMPDIR=str(tmp_path)) as process:
        assert process.ready.wait(PATIENCE_S)
        process.popen.send_signal(number)
        assert process.ended() == 0

    assert list(tmp_path.glob("maton-posthog*")) == []
    assert "Traceback" not in "".join(process.errors)


def test_a_signal_during_generation_stops_it_with_nothing_left_behind(tmp_path: Path) -> None:
    with running("--json", "--events", "3000000", TMPDIR=str(tmp_path)) as process:
        process.popen.send_signal(signal.SIGTERM)
        assert process.ended() == 0

    assert list(tmp_path.glob("maton-posthog*")) == []
    assert "Traceback" not in "".join(process.errors)


def test_a_signal_while_the_application_loads_stops_it_with_nothing_left_behind(tmp_path: Path) -> None:
    # The data are being opened at that time, in a directory that has to be removed.
    source = (
        "import os, pathlib, signal, threading, posthog_sandbox.__main__ as program\n"
        "def fill(*arguments):\n"
        "    while not any(pathlib.Path(os.environ['TMPDIR']).glob('maton-posthog*/dataset.lock')):\n"
        "        threading.Event().wait(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return whole(*arguments)\n"
        "whole, program._filled_store = program._filled_store, fill\n"
        "raise SystemExit(program.main())\n"
    )
    with running("--json", command=(sys.executable, "-P", "-c", source), TMPDIR=str(tmp_path)) as process:
        assert process.ended() == 0

    assert list(tmp_path.glob("maton-posthog*")) == []
    assert "Traceback" not in "".join(process.errors)


def test_a_store_that_cannot_be_filled_ends_it_with_nothing_left_behind(tmp_path: Path) -> None:
    source = (
        "import sqlite3, posthog_sandbox.__main__ as program\n"
        "def fill(*arguments): raise sqlite3.OperationalError('disk full')\n"
        "program._filled_store = fill\n"
        "raise SystemExit(program.main())\n"
    )
    with running("--json", command=(sys.executable, "-P", "-c", source), TMPDIR=str(tmp_path)) as process:
        assert process.ended() == 2

    assert list(tmp_path.glob("maton-posthog*")) == []
    assert len(process.errors) == 1


def test_the_second_day_starts_with_the_data_of_the_first_shifted(tmp_path: Path) -> None:
    first, second = ("2026-11-23T12:00:00+00:00", "2026-11-24T12:00:00+00:00")
    told = [lines_of_a_start_at(now, tmp_path) for now in (first, second, second)]

    assert any("Generated" in line for line in told[0])
    assert [line["message"] for line in map(json.loads, told[1])] == [
        "Shifting 2,000 cached events by 1 day",
        "2,000 events ready",
    ]
    assert [json.loads(line)["progress"] for line in told[2]] == [1]
    assert any("Generated" in line for line in lines_of_a_start_at(second, tmp_path, "--today", "2026-11-24"))


def lines_of_a_start_at(now: str, cache: Path, *arguments: str) -> list[str]:
    """Return what a sandbox without a chosen day reports on stderr when it starts at this time."""
    given = {**os.environ, "POSTHOG_SANDBOX_CACHE": str(cache)}
    options = ("--json", "--exit-on-eof", "--events", "2000", *arguments)
    with handled(ForkedSandbox(options, given, now=datetime.fromisoformat(now))) as process:
        assert process.ready.wait(PATIENCE_S)
        with process.client() as client:
            counted = client.post(
                "/posthog/api/projects/1/query/",
                json={"query": {"kind": "HogQLQuery", "query": "select count(), toDate(max(timestamp)) from events"}},
            ).json()
        assert process.popen.stdin is not None
        process.popen.stdin.close()
        assert process.ended() == 0
    assert counted["results"] == [[2000, now[:10]]]
    return process.errors


def test_an_exit_that_does_not_wait_for_a_blocked_thread_leaves_nothing_behind(tmp_path: Path) -> None:
    at_once = "from posthog_sandbox import serving; serving.DEADLINE_S = 0; from posthog_sandbox.__main__ import main; "
    command = (sys.executable, "-P", "-c", f"{at_once}raise SystemExit(main())", "--json", "--events", "3000000")
    with running(command=command, TMPDIR=str(tmp_path)) as process:
        eventually(lambda: any(tmp_path.glob("maton-posthog*")))
        process.popen.send_signal(signal.SIGTERM)
        assert process.ended() == 0

    assert list(tmp_path.glob("maton-posthog*")) == []


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_the_end_of_its_input_stops_it_on_request() -> None:
    with running("--json", "--exit-on-eof", command=COMMAND) as process:
        assert process.popen.stdin is not None
        process.popen.stdin.close()
        assert process.ended() == 0


def test_the_end_of_its_input_is_ignored_by_default() -> None:
    with running("--json", stdin=subprocess.DEVNULL) as process, process.client() as client:
        assert process.ready.wait(PATIENCE_S)
        assert client.get("/posthog/api/users/@me/").status_code == 200


def test_its_usage_names_the_command_that_was_typed() -> None:
    script = Path(sys.executable).with_name("posthog-sandbox")
    for command in ([sys.executable, "-m", "posthog_sandbox"], [str(script)]):
        shown = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        rejected = subprocess.run([*command, "--rate", "-1"], capture_output=True, text=True, check=False)
        typed = "posthog-sandbox" if len(command) == 1 else "python -m posthog_sandbox"
        assert shown.stdout.startswith(f"usage: {typed} [-h]")
        assert f"{typed}: error: argument --rate" in rejected.stderr


def test_a_busy_port_is_one_line_that_names_the_fix() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, lines = failed("--port", str(taken.getsockname()[1]))

    assert code == 2
    assert len(lines) == 1
    assert "--port" in lines[0]


def test_a_directory_in_use_is_reported_and_the_first_sandbox_keeps_running(tmp_path: Path) -> None:
    with running("--json", "--dir", str(tmp_path)) as process, process.client() as client:
        assert process.ready.wait(PATIENCE_S)
        code, lines = failed("--json", "--dir", str(tmp_path))
        assert client.get("/posthog/api/users/@me/").status_code == 200

    assert code == 2
    assert f"in use by process {process.popen.pid}" in lines[-1]


def test_a_directory_that_cannot_be_created_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, lines = failed("--dir", str(tmp_path / "file" / "inside"))

    assert code == 2
    assert len(lines) == 1
    assert "--dir" in lines[0]


def test_kept_rows_survive_a_restart(tmp_path: Path) -> None:
    for expected in (201, 400):
        with running("--json", "--dir", str(tmp_path)) as process, process.client() as client:
            body: dict[str, Any] = {"key": "kept", "filters": {"groups": [{}]}}
            assert client.post("/posthog/api/projects/1/feature_flags/", json=body).status_code == expected
            assert process.ready.wait(PATIENCE_S)
            process.popen.send_signal(signal.SIGTERM)
            assert process.ended() == 0


@pytest.fixture(scope="module")
def process() -> Generator[Process]:
    with running("--json") as started:
        yield started


def broken(client: httpx2.Client, drop: str, method: str, path: str, body: Any = None) -> httpx2.HTTPError:
    """Return the error of a request whose connection is cut."""
    rule = {"match": {"method": method, "path": "/posthog/*"}, "drop": drop, "times": 1}
    assert client.post("/sandbox/faults", json=[rule]).status_code == 200
    with pytest.raises(httpx2.TransportError) as met:
        client.request(method, path, json=body)
    return cast(httpx2.HTTPError, met.value)


def test_half_of_a_body_is_an_incomplete_read(process: Process) -> None:
    with process.client() as client:
        error = broken(client, "half", "GET", "/posthog/api/projects/1/feature_flags/")

    assert isinstance(error, httpx2.ReadError | httpx2.RemoteProtocolError)


@pytest.mark.parametrize(("drop", "stored"), [("before", 0), ("after", 1), ("half", 1)])
def test_a_write_with_a_lost_response_may_have_happened(process: Process, drop: str, stored: int) -> None:
    with process.client() as client:
        broken(client, drop, "POST", "/posthog/api/projects/1/actions/", {"name": f"Lost {drop}"})
        found = client.get("/posthog/api/projects/1/actions/", params={"search": f"Lost {drop}"}).json()

    assert found["count"] == stored
