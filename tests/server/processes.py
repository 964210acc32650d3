"""The server as a host starts it, in a real process with pipes."""

import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from .forked import ForkedProcess

DEADLINE_S = 120.0
"""The deadline of everything that a test waits for; a busy machine is slow, so it measures no promise of the server."""
EVERYWHERE = "0.0.0.0"  # noqa: S104 - to see that it is refused, or guarded
_LAST_READ = -1
"""The id of the request after whose response a client stops reading."""
COMMAND = (sys.executable, "-m", "maton_posthog.server")
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


def environment(**variables: str) -> dict[str, str]:
    """Return this environment with only the given settings of the server, and the cache of the test run."""
    kept = "POSTHOG_SANDBOX_CACHE"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MATON_", "POSTHOG_")) or k == kept}
    return {**inherited, **variables}


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until the condition is true; fail after a generous deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


class ServerProcess:
    """A server process whose output lines are collected as they come.

    It is forked, which is the fastest, unless the test is about how it starts and gives a command.
    """

    def __init__(self, *arguments: str, command: tuple[str, ...] | None = None, **variables: str) -> None:
        given = environment(**variables)
        if command is None:
            self.process: ForkedProcess | subprocess.Popen[bytes] = ForkedProcess(arguments, given)
        else:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen([*command, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=given)
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(DEADLINE_S)
                raise
        for reader in self._readers:
            reader.join(DEADLINE_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            if not pipe.closed:
                pipe.close()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method: str, params: Mapping[str, Any] | None = None, number: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        self.write(json.dumps(message if number is None else {**message, "id": number}).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        return self._messages.get(timeout=DEADLINE_S)

    def ask(self, method: str, params: Mapping[str, Any] | None = None, number: int = 1) -> dict[str, Any]:
        """Send a request and return its response; other messages are dropped."""
        self.send(method, params, number)
        while (answer := self.receive()).get("id") != number:
            pass
        return answer

    def initialize(self) -> dict[str, Any]:
        answer = self.ask("initialize", INITIALIZE, number=0)
        self.send("notifications/initialized")
        return answer

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def exit_code(self) -> int:
        code = self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        return code

    def wait_for_error_line(self, *parts: str) -> str:
        """Return the first line on stderr that contains all these texts."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [line for line in self.errors if all(part in line for part in parts)]
            return bool(found)

        eventually(look, f"a line on stderr with {parts}")
        return found[0]

    def stop_reading(self) -> None:
        """Close the client's end of stdout. What the server writes from now on finds no reader."""
        self.ask("ping", number=_LAST_READ)
        self._readers[0].join(DEADLINE_S)

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            message = json.loads(raw)
            self.lines.append(raw.decode())
            self._messages.put(message)
            if message.get("id") == _LAST_READ:
                self.process.stdout.close()
                return

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(raw.decode().rstrip("\n") for raw in self.process.stderr)


class Stream:
    """One HTTP exchange whose response is read as it arrives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def read_until(self, mark: bytes) -> bytes:
        """Return the text received so far, at least up to the mark."""
        while mark not in self._received:
            chunk = self._connection.recv(65536)
            assert chunk, f"the answer ended without {mark!r}: {self._received!r}"
            self._received += chunk
        return self._received

    def read_all(self) -> bytes:
        while chunk := self._connection.recv(65536):
            self._received += chunk
        return self._received


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def message(self) -> dict[str, Any]:
        """Return the JSON-RPC message in the body, which is JSON or the data of an event."""
        text = self.body.decode()
        data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
        return json.loads(data[-1] if data else text)


class HttpServer(ServerProcess):
    """The server on a free port of this machine, with a plain HTTP client."""

    def __init__(
        self,
        *arguments: str,
        host: str = "127.0.0.1",
        transport: str = "http",
        command: tuple[str, ...] | None = None,
        **variables: str,
    ) -> None:
        where = ("--transport", transport, "--host", host, "--port", "0", "--log-json")
        super().__init__("serve", *where, *arguments, command=command, **variables)
        self._host = host
        self.port = 0

    def __enter__(self) -> Self:
        said: str = json.loads(self.wait_for_error_line("Serving MCP at"))["message"]
        self.url = said.rpartition(" ")[2]
        self.port = urlsplit(self.url).port or 0
        return self

    def open_stream(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Stream:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)
        lines = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        if body:
            lines["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        return Stream(connection)

    def fetch(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body or None, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    @staticmethod
    def request(method: str, params: Mapping[str, Any] | None = None, number: int = 1) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}).encode()

    @staticmethod
    def headers(session: str | None = None, **more: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        common = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return {**common, **({"Mcp-Session-Id": session} if session else {}), **named}

    def open_session(self, **headers: str) -> str:
        """Open a session of the older era and return its id."""
        answer = self.fetch("POST", "/mcp", self.headers(**headers), self.request("initialize", INITIALIZE))
        assert answer.status == 200, answer
        return answer.headers["mcp-session-id"]


class SilentGateway:
    """A gateway that accepts requests and never responds, so that a call is in progress as long as a test needs."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []

    def wait_for_request(self) -> bytes:
        connection, _ = self._listener.accept()
        self._open.append(connection)
        connection.settimeout(DEADLINE_S)
        return connection.recv(65536)

    def close(self) -> None:
        for connection in (*self._open, self._listener):
            connection.close()


@contextmanager
def silent_gateway() -> Generator[SilentGateway]:
    gateway = SilentGateway()
    try:
        yield gateway
    finally:
        gateway.close()
