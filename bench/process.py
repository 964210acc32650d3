"""A server process, called with plain JSON lines so that a client's own cost stays out of the ratios."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[1]
LONGEST_S = 60.0
"""The time after which a process is killed, so that a benchmark never hangs."""
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


class Process:
    """A `python -m <module> <arguments>` process, with `variables` instead of the environment's server settings."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        longest_s: float = LONGEST_S,
        quiet: bool = False,
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MATON_", "POSTHOG_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            cwd=ROOT,
            env={**inherited, **(variables or {})},
        )
        self._module = module
        self._longest_s = longest_s
        self._watchdog = threading.Timer(longest_s, self._process.kill)
        self._watchdog.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._watchdog.cancel()
        self._process.communicate()

    @property
    def loop_cpu_s(self) -> float:
        """Seconds that the main thread, which runs the event loop, has computed. Linux only."""
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9

    @property
    def cpu_s(self) -> float:
        """Seconds that all threads have computed. Linux only."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    @property
    def memory_mb(self) -> float:
        """The memory of the process, in MB (10^6 bytes). Linux only."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6

    def end(self) -> None:
        """Terminate the process and wait for its cleanup."""
        self._process.terminate()
        self._process.wait()

    def write(self, *messages: Mapping[str, Any]) -> None:
        """Send JSON-RPC messages in one write."""
        assert self._process.stdin
        self._process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        self._process.stdin.flush()

    def read_line(self) -> bytes:
        """Return the next line. Raises RuntimeError if there is none."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} exited, or took more than {self._longest_s:.0f} s")
        return line

    def answer(self) -> dict[str, Any]:
        """Return the result of the next response. Raises RuntimeError if it is an error."""
        return self._response()["result"]

    def answered(self) -> int:
        """Return the id of the next response. Raises RuntimeError if it is an error."""
        return self._response()["id"]

    def _response(self) -> dict[str, Any]:
        while "id" not in (message := json.loads(self.read_line())):
            pass
        if "result" not in message or message["result"].get("isError"):
            raise RuntimeError(f"{self._module} returned {message}")
        return message

    def list_tools_at_once(self) -> None:
        """Send initialize and tools/list without waiting in between, then wait for the list."""
        self.write(
            request(0, "initialize", INITIALIZE),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            request(1, "tools/list", {}),
        )
        while "tools" not in self.answer():
            pass

    def call_at_once(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Send initialize and a call without waiting in between, then wait for both responses."""
        self.write(
            request(0, "initialize", INITIALIZE),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            request(1, "tools/call", {"name": tool, "arguments": arguments}),
        )
        self.answer()
        self.answer()

    def call(self, tool: str, arguments: Mapping[str, Any], *, at_once: int = 1) -> None:
        """Call the tool this many times concurrently, and wait for all responses."""
        params = {"name": tool, "arguments": arguments}
        self.write(*(request(number, "tools/call", params) for number in range(2, 2 + at_once)))
        for _ in range(at_once):
            self.answer()


def request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
