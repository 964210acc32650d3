"""The servers that clients connect to: the sandbox, the server over HTTP, and what the server left in records."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from .environments import ROOT

EVENTS = 2000
START_S = 60.0
LEAVE_S = 8.0
"""Time for a server to exit after its client has gone."""
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
SERVER = (sys.executable, "-m", "maton_posthog.server", "--log-json")
_SANDBOX = ("-P", "-m", "posthog_sandbox", "--json", "--exit-on-eof", "--port", "0", "--events", str(EVENTS))


@contextmanager
def sandbox() -> Generator[Mapping[str, str]]:
    """Run a sandbox with few events, and yield the variables with which the server uses it."""
    command = [sys.executable, *_SANDBOX]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            addresses = json.loads(cast("IO[str]", process.stdout).readline())
            for line in cast("IO[str]", process.stderr):
                if json.loads(line).get("progress") == 1:
                    break
            threading.Thread(
                target=deque, args=(process.stderr, 0), daemon=True
            ).start()  # it must not wait for a reader
            yield {
                "MATON_API_KEY": addresses["key"],
                "MATON_GATEWAY_URL": addresses["gateway_url"],
                "MATON_CONTROL_URL": addresses["control_url"],
            }
        finally:
            cast("IO[str]", process.stdin).close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LEAVE_S)
            process.kill()


def tapped(records: Path, server: Sequence[str] = SERVER) -> list[str]:
    """Return the command that starts a recorded server."""
    return [sys.executable, "-I", "-S", str(ROOT / "hosts" / "tap.py"), str(records), *server]


@dataclass(slots=True)
class HttpServer:
    """The server over Streamable HTTP, and what is wrong with it once it has ended."""

    url: str = ""
    faults: list[str] = field(default_factory=list[str])


@contextmanager
def http_server(variables: Mapping[str, str], server: Sequence[str] = SERVER) -> Generator[HttpServer]:
    """Run the server on a free port. At the end it gets SIGTERM and must exit in time, with a clean log."""
    lines: list[str] = []
    listening = threading.Event()
    served = HttpServer()
    with subprocess.Popen(
        [*server, "--transport", "http", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    ) as process:

        def read() -> None:
            for line in cast("IO[str]", process.stderr):
                lines.append(line)
                if "Serving MCP at " in line:
                    served.url = json.loads(line)["message"].rpartition(" ")[2]
                    listening.set()
            listening.set()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            listening.wait(START_S)
            if not served.url:
                raise RuntimeError(f"the HTTP server did not start: {' '.join(lines).strip()}")
            yield served
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                status = process.wait(LEAVE_S)
                if status not in (0, -signal.SIGTERM):
                    served.faults.append(f"the server exited with {status} after SIGTERM")
            except subprocess.TimeoutExpired:
                served.faults.append(f"the server was still running {LEAVE_S:.0f} s after SIGTERM")
                process.kill()
            reader.join(LEAVE_S)
            if printed := cast("IO[str]", process.stdout).read():
                served.faults.append(f"the server printed on stdout: {printed[:200]}")
            served.faults.extend(log_faults("".join(lines)))


@dataclass(frozen=True, slots=True)
class Left:
    """What is wrong with the recorded servers, and how the client ended them."""

    starts: int
    faults: tuple[str, ...]
    endings: tuple[str, ...]
    protocol: str
    """The protocol versions that were agreed on."""


def left(records: Path) -> Left:
    """Wait until the recorded servers have ended, end those that have not, and return what they left."""
    deadline = time.monotonic() + LEAVE_S
    faults: list[str] = []
    endings: set[str] = set()
    versions: set[str] = set()
    folders = sorted(records.iterdir())
    for folder in folders:
        events = [json.loads(line)["event"] for line in _lines(folder / "events")]
        while is_running(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        if is_running(folder):
            _kill(events)
            faults.append(f"a server was still running {LEAVE_S:.0f} s after the client had gone")
            continue
        events = [json.loads(line)["event"] for line in _lines(folder / "events")]
        ending = next((event for event in events if event.startswith(("SIG", "stdin"))), "killed")
        endings.add(ending)
        if ending == "stdin closed" and events[-1] != "exited 0":
            faults.append(f"the server {events[-1]} after its stdin was closed")
        if not events or not events[0].startswith("started"):
            faults.append("the server did not start")
        requests, output = (_text(folder / name) for name in ("stdin", "stdout"))
        faults.extend(output_faults(output))
        versions.update(agreed(requests, output))
        faults.extend(log_faults(_text(folder / "stderr")))
    return Left(len(folders), tuple(dict.fromkeys(faults)), tuple(sorted(endings)), ", ".join(sorted(versions)))


def is_running(folder: Path) -> bool:
    """Return whether a recorded server, or the tap around it, is running."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _kill(events: Sequence[str]) -> None:
    for event in events:
        if event.startswith("started "):
            with suppress(ProcessLookupError):  # its tap holds the lock, and ends now
                os.kill(int(event.split()[1]), signal.SIGKILL)


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def output_faults(output: str) -> Iterator[str]:
    """Yield each line of stdout that is no JSON-RPC message."""
    for line in output.splitlines():
        if _message(line).get("jsonrpc") != "2.0":
            yield f"stdout has a line that is no message: {line[:200]}"


def log_faults(log: str) -> Iterator[str]:
    """Yield each line of the log that is no record, or one of a warning or an error."""
    for line in log.splitlines():
        if _message(line).get("level") not in ("debug", "info"):
            yield f"stderr has: {line[:300]}"


def agreed(requests: str, output: str) -> Iterator[str]:
    """Yield the protocol version of each exchange: that of `initialize`, or the one that each request names."""
    for line in output.splitlines():
        if version := _part(_message(line), "result").get("protocolVersion"):
            yield version
    for line in requests.splitlines():
        request = _message(line)
        version = _part(_part(request, "params"), "_meta").get(VERSION_KEY)
        if version and request.get("method") != "server/discover":
            yield version


def _part(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = message.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, dict) else {}


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")


def _message(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
