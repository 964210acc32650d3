"""A server as a host starts it, spoken to in bare lines: the client's own cost stays out of the ratios."""

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
"""A process that is not done by then is ended, so that a benchmark never hangs."""
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


class Process:
    """`python -m <module> <arguments>`, in this environment without the server's own settings but `variables`."""

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

    def end(self) -> None:
        """Ask it to end, so that it removes what it made, and wait for that."""
        self._process.terminate()
        self._process.wait()

    def write(self, *messages: Mapping[str, Any]) -> None:
        """Send JSON-RPC messages in one go."""
        assert self._process.stdin
        self._process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        self._process.stdin.flush()

    def read_line(self) -> bytes:
        """The next line. Raises RuntimeError when there is none."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended, or took more than {self._longest_s:.0f} s")
        return line

    def answer(self) -> dict[str, Any]:
        """The next answer to a request. Raises RuntimeError when it is an error."""
        while "id" not in (message := json.loads(self.read_line())):
            pass
        if "result" not in message or message["result"].get("isError"):
            raise RuntimeError(f"{self._module} answered {message}")
        return message["result"]

    def list_tools_at_once(self) -> None:
        """Initialize and list the tools without waiting in between, and wait for the list."""
        self.write(
            request(0, "initialize", INITIALIZE),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            request(1, "tools/list", {}),
        )
        while "tools" not in self.answer():
            pass

    def call(self, tool: str, arguments: Mapping[str, Any], *, at_once: int = 1) -> None:
        """Call the tool so many times at the same time, and wait for all answers."""
        params = {"name": tool, "arguments": arguments}
        self.write(*(request(number, "tools/call", params) for number in range(2, 2 + at_once)))
        for _ in range(at_once):
            self.answer()


def request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
