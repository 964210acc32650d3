"""Half an hour of clients that read, write, cancel and die, over faults: nothing is lost, doubled, leaked or stalled.

    SOAK_MINUTES=2 python -m bench.soak

Twenty clients call one server over HTTP, ten have a server on stdio each, which is killed now and then; one more has a
sandbox that is killed. Every note that is written has its own text, so that the notes that are stored at the end show
what became of each write. Exit code 1 when one of the checks fails. Linux only.
"""

import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from posthog_sandbox import Sandbox

from .process import INITIALIZE, ROOT, request

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
OVER_HTTP, ON_STDIO = 20, 10
GROWTH = 0.05
"""Most difference of the server's memory between the second and the last third."""
STALL_S = 0.25
"""Longest time of `/healthz` that is the server's: without the waits for a processor."""
CALL_S = 90.0
FAULTS: tuple[Mapping[str, Any], ...] = (
    {"status": 503},
    {"status": 500, "body": {"detail": "no"}},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"body": "<html>Sign in</html>"},
    {"body_bytes": 3_000_000},
    {"delay_s": 2.0},
    {"drop": "before"},
    {"drop": "after"},
    {"drop": "half"},
)
READS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("list_flags", {}),
    ("list_annotations", {"limit": 100}),
    ("get_current_user", {}),
    ("query_trends", {"events": ["$pageview"]}),
    ("run_hogql", {"query": "select event, count() from events group by event"}),
    ("run_hogql", {"query": "select * from events limit 2000", "limit": 2000}),
    ("get_flag", {"flag": "no-such-flag"}),
)


class Gone(Exception):
    """The call has no response: it was cancelled, or its server was killed."""


@dataclass(slots=True)
class Notes:
    """What clients know of their writes, and how their calls ended."""

    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    """By the text of the note: applied, not_sent or unknown."""
    calls: Counter[str] = field(default_factory=Counter[str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, end: str) -> None:
        with self.lock:
            self.calls[end] += 1

    def keep(self, text: str, outcome: str) -> None:
        with self.lock:
            self.outcomes[text] = outcome


class Peer(Protocol):
    """A server as one client sees it."""

    def call(self, tool: str, arguments: Mapping[str, Any], *, gives_up: bool) -> dict[str, Any]:
        """Return the result object. Raises Gone."""
        ...

    def close(self) -> None: ...


class Server:
    """A server process whose log is dropped."""

    def __init__(self, gateway_url: str | None, audit: Path, *arguments: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MATON_", "POSTHOG_"))}
        urls = {"MATON_API_KEY": "sandbox", "MATON_GATEWAY_URL": gateway_url, "MATON_CONTROL_URL": gateway_url}
        given = {name: value for name, value in urls.items() if gateway_url and value}
        source = ["--audit-log", str(audit), *([] if gateway_url else ["--sandbox"])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "maton_posthog.server", "serve", *source, "--budgets", "off", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={**inherited, **given},
        )

    @property
    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6

    def end(self, number: int = signal.SIGTERM) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        self.process.communicate()


class HttpPeer:
    """A client over HTTP that gives up a call by closing its connection."""

    def __init__(self, port: int) -> None:
        self._port = port

    def call(self, tool: str, arguments: Mapping[str, Any], *, gives_up: bool) -> dict[str, Any]:
        version = "2026-07-28"
        prefix = "io.modelcontextprotocol/"
        client = {"name": "soak", "version": "1"}
        meta = {"protocolVersion": version, "clientInfo": client, "clientCapabilities": {}}
        named = {prefix + name: value for name, value in meta.items()}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": version,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        body = json.dumps(request(1, "tools/call", {"name": tool, "arguments": arguments, "_meta": named}))
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=0.05 if gives_up else CALL_S)
        try:
            connection.request("POST", "/mcp", body, headers)
            response = connection.getresponse()
            text = response.read().decode()
            if response.status != http.HTTPStatus.OK:
                return {"error": {"code": f"http {response.status}", "outcome": "not_sent"}}
        except (OSError, http.client.HTTPException) as error:
            raise Gone from error
        finally:
            connection.close()
        if not text:
            raise Gone
        data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
        return _result(json.loads(data[-1] if data else text))

    def close(self) -> None:
        """Close nothing: each call has its connection."""


class StdioPeer:
    """A client with its own server, which it kills now and then."""

    def __init__(self, start: Callable[[], Server]) -> None:
        self._start = start
        self._server: Server | None = None
        self._number = 0

    @property
    def pid(self) -> int | None:
        return self._server.process.pid if self._server else None

    def call(self, tool: str, arguments: Mapping[str, Any], *, gives_up: bool) -> dict[str, Any]:
        try:
            server = self._server or self._started()
            self._number += 1
            self._write(server, request(self._number, "tools/call", {"name": tool, "arguments": arguments}))
            if gives_up and random.random() < 0.3:
                time.sleep(random.random() / 5)
                self.close(signal.SIGKILL)
                raise Gone
            if gives_up:
                cancelled = {"requestId": self._number}
                self._write(server, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled})
                raise Gone
            return _result(self._read(server))
        except OSError as error:
            self.close(signal.SIGKILL)
            raise Gone from error

    def close(self, number: int = signal.SIGTERM) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.end(number)

    def _started(self) -> Server:
        self._server = server = self._start()
        self._write(server, request(0, "initialize", INITIALIZE))
        self._read(server, 0)
        self._write(server, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        return server

    def _write(self, server: Server, message: Mapping[str, Any]) -> None:
        assert server.process.stdin
        server.process.stdin.write(json.dumps(message).encode() + b"\n")
        server.process.stdin.flush()

    def _read(self, server: Server, number: int | None = None) -> dict[str, Any]:
        """Return the response to the latest request; those to cancelled ones can come before it."""
        wanted = self._number if number is None else number
        assert server.process.stdout
        for line in server.process.stdout:
            message = json.loads(line)
            if message.get("id") == wanted:
                return message
        raise OSError("the server ended")


def _result(message: Mapping[str, Any]) -> dict[str, Any]:
    if "result" not in message:
        return {"error": {"code": f"protocol {message.get('error', {}).get('code')}", "outcome": "unknown"}}
    return json.loads(message["result"]["content"][0]["text"])


def client(number: int, peer: Peer, notes: Notes, until: float, *, keeps: bool) -> None:
    """Call random tools until the end."""
    chosen = random.Random(number)
    written = 0
    while time.monotonic() < until:
        gives_up = chosen.random() < 0.08
        writes = chosen.random() < 0.3
        text = f"soak {number} {written}"
        tool, arguments = ("create_annotation", {"content": text}) if writes else chosen.choice(READS)
        written += writes
        try:
            error = peer.call(tool, arguments, gives_up=gives_up).get("error")
            outcome = "applied" if error is None else error.get("outcome") or "unknown"
            notes.count("ok" if error is None else error["code"])
        except Gone:
            outcome = "unknown"
            notes.count("gone")
        if writes and keeps:
            notes.keep(text, outcome)
        time.sleep(chosen.random() / 5)
    peer.close()


def faults(sandbox: Sandbox, until: float) -> None:
    """Let requests fail for a moment, again and again."""
    chosen = random.Random(0)
    while time.monotonic() < until:
        sandbox.add_fault(**chosen.choice(FAULTS), times=chosen.randrange(1, 6))
        time.sleep(chosen.uniform(0.5, 3))
        sandbox.clear_faults()
        time.sleep(chosen.uniform(0.5, 3))
    sandbox.clear_faults()


def killed_sandboxes(peer: StdioPeer, until: float) -> None:
    """Kill the sandbox of a server, which has to start another one."""
    while time.monotonic() < until:
        time.sleep(min(20.0, max(until - time.monotonic(), 0)))
        found = subprocess.run(
            ["pgrep", "-P", str(peer.pid or 0), "-f", "posthog_sandbox"], check=False, capture_output=True, text=True
        )
        for pid in found.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def stored_notes(url: str) -> list[dict[str, Any]]:
    """Return the notes of the soak that are stored."""
    address = http.client.HTTPConnection(url.removeprefix("http://"), timeout=CALL_S)
    found: list[dict[str, Any]] = []
    while True:
        path = f"/posthog/api/projects/@current/annotations/?limit=100&offset={len(found)}"
        address.request("GET", path, headers={"Authorization": "Bearer sandbox"})
        page = json.loads(address.getresponse().read())
        found += page["results"]
        if not page["next"]:
            return [each for each in found if str(each.get("content")).startswith("soak ")]


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of all audit logs; a killed server can leave half of one."""
    found: list[dict[str, Any]] = []
    for path in folder.glob("shared*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return found


def checked(notes: Notes, stored: list[dict[str, Any]], audit: list[dict[str, Any]]) -> list[tuple[str, int, bool]]:
    """Return what the writes show: a text, a number, and whether it is as it has to be."""
    texts = Counter(str(each["content"]) for each in stored)
    ids = {each["id"] for each in stored}
    said = Counter(notes.outcomes.values())
    sending = {each["id"] for each in audit if each["event"] == "sending"}
    settled = {each["id"]: each for each in audit if each["event"] == "settled"}
    lost = sum(1 for text, outcome in notes.outcomes.items() if outcome == "applied" and text not in texts)
    ghosts = sum(1 for text, outcome in notes.outcomes.items() if outcome in ("not_sent", "rejected") and text in texts)
    applied = {each.get("stored_id") for each in settled.values() if each["outcome"] == "applied"}
    return [
        ("writes", len(notes.outcomes), bool(notes.outcomes)),
        ("of them applied", said["applied"], said["applied"] > 0),
        ("of them unknown or cancelled", said["unknown"], True),
        ("stored", len(stored), True),
        ("reported as applied and not stored", lost, lost == 0),
        ("reported as not sent and stored", ghosts, ghosts == 0),
        ("stored twice", sum(1 for count in texts.values() if count > 1), max(texts.values(), default=0) <= 1),
        ("applied in the audit log and not stored", len(applied - ids), applied <= ids),
        ("stored without a line in the audit log", max(len(stored) - len(sending), 0), len(stored) <= len(sending)),
        ("lines after a write without one before", len(settled.keys() - sending), settled.keys() <= sending),
    ]


def measured(memory: list[float], times: list[tuple[float, float]]) -> list[tuple[str, float, bool]]:
    """Return what the server over HTTP shows: its memory, and its stalls. `times` are those of `bench.health`."""
    whole, held = zip(*times, strict=True)
    third = max(len(memory) // 3, 1)
    middle, last = (statistics.median(part) for part in (memory[third : 2 * third] or memory, memory[-third:]))
    return [
        ("memory in the second third, MB", round(middle, 1), True),
        ("memory in the last third, MB", round(last, 1), abs(last - middle) <= GROWTH * middle),
        ("longest /healthz, ms", round(1000 * max(whole)), True),
        ("/healthz, 99%, ms", round(1000 * statistics.quantiles(whole, n=100)[-1]), True),
        ("longest without waits for a processor, ms", round(1000 * max(held)), max(held) <= STALL_S),
    ]


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port: int) -> None:
    """Wait until the server over HTTP has loaded and answers calls."""
    while True:
        with suppress(Gone):
            if "error" not in HttpPeer(port).call("get_current_user", {}, gives_up=False):
                return
        time.sleep(0.2)


def soak(folder: Path, minutes: float) -> bool:
    """Run all clients and print the table. Return whether everything is as it has to be."""
    notes, memory, port = Notes(), list[float](), free_port()
    with Sandbox(events=20_000) as sandbox:
        server = Server(sandbox.url, folder / "shared-http.jsonl", "--transport", "http", "--port", str(port))
        wait_for(port)
        until = time.monotonic() + 60 * minutes
        peers: list[Peer] = [HttpPeer(port) for _ in range(OVER_HTTP)]
        for number in range(ON_STDIO):
            audit = folder / f"shared-{number}.jsonl"
            peers.append(StdioPeer(lambda audit=audit: Server(sandbox.url, audit)))
        own = StdioPeer(lambda: Server(None, folder / "own.jsonl"))
        work: list[tuple[Callable[..., None], tuple[Any, ...], dict[str, Any]]] = [
            *((client, (number, peer, notes, until), {"keeps": True}) for number, peer in enumerate(peers)),
            (client, (len(peers), own, notes, until), {"keeps": False}),
            (killed_sandboxes, (own, until), {}),
            (faults, (sandbox, until), {}),
        ]
        health = [sys.executable, "-m", "bench.health", str(port), str(server.process.pid), str(60 * minutes)]
        probe = subprocess.Popen(health, stdout=subprocess.PIPE, cwd=ROOT)
        threads = [threading.Thread(target=target, args=given, kwargs=more) for target, given, more in work]
        threading.excepthook = lambda given: notes.count(f"fault of the soak: {given.exc_value!r}")
        for thread in threads:
            thread.start()
        while time.monotonic() < until:
            memory.append(server.memory_mb)
            time.sleep(1)
        for thread in threads:
            thread.join()
        times = json.loads(probe.communicate()[0])
        server.end()
        broken = sum(count for end, count in notes.calls.items() if end.startswith("fault of the soak"))
        rows: list[tuple[str, float, bool]] = [("faults of the soak", broken, not broken)]
        rows += [*checked(notes, stored_notes(sandbox.url), lines(folder)), *measured(memory, times)]
    for text, value, is_right in rows:
        print(f"{text:<45} {value:>10}  {'' if is_right else 'WRONG'}")
    print(f"calls: {', '.join(f'{end} {count}' for end, count in notes.calls.most_common())}")
    return all(is_right for _, _, is_right in rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if soak(Path(folder), MINUTES) else 1)
