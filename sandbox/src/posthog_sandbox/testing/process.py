"""The sandbox's process: it is started, its output is read, and it exits with its owner."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

SILENCE_S = 120.0
"""Seconds without output after which a starting process is considered dead."""
END_S = 10.0
"""Seconds for the exit after its standard input is closed, and again after SIGTERM."""
_DYING_S = 1.0
"""Seconds between the loss of a process's connections and its exit."""
_ROOT = Path(__file__).parents[2]
_SETTINGS = ("MATON_", "POSTHOG_")
_CACHE = "POSTHOG_SANDBOX_CACHE"


class SandboxError(Exception):
    """The sandbox did not start, or its process has ended."""


class SandboxProcess:
    """A running `python -m posthog_sandbox`.

    It watches its standard input, a pipe. When this process exits, the pipe closes and the sandbox exits too.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._popen = start_process(("--json", "--exit-on-eof", *arguments), _environment())
        self._input = cast("IO[str]", self._popen.stdin)
        self._output = cast("IO[str]", self._popen.stdout)
        self._news = threading.Condition()
        self._lines = 0
        self._ended = False
        self._ready = False
        self._addresses: dict[str, Any] = {}
        self._last_line = ""
        self._reader = threading.Thread(target=self._read, name="output of the sandbox", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._popen.pid

    def has_ended(self) -> bool:
        """Return whether the process has exited or is about to."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_DYING_S)
        return self._popen.returncode is not None

    def wait_until_ready(self) -> dict[str, Any]:
        """Wait until the events are ready; return the addresses and the key. Raises SandboxError."""
        with self._news:
            while not self._ready:
                before = self._lines
                if self._ended:
                    raise SandboxError(f"The sandbox did not start: {self.last_words()}")
                if not self._news.wait(SILENCE_S) and self._lines == before:
                    raise SandboxError(f"The sandbox did not start: no output for {SILENCE_S:.0f} seconds.")
            return self._addresses

    def last_words(self) -> str:
        """Return the last line that the process wrote, or its exit code if it wrote none."""
        return self._last_line or f"exit code {self._popen.wait()}"

    def end(self) -> None:
        """Stop the process; return when it has exited and its pipes are closed."""
        with suppress(OSError):
            self._input.close()
        for give_up in (self._popen.terminate, self._popen.kill):
            try:
                self._popen.wait(END_S)
                break
            except subprocess.TimeoutExpired:
                give_up()
        self._popen.wait()
        self._reader.join()
        self._output.close()

    def _read(self) -> None:
        for line in self._output:
            with self._news:
                self._lines += 1
                self._note(line.strip())
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _note(self, line: str) -> None:
        message = _as_message(line)
        if "gateway_url" in message:
            self._addresses = message
        elif "progress" in message:
            self._ready = self._ready or message["progress"] >= 1
        elif line:
            self._last_line = line


def start_process(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start the command with pipes for its input and its output."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "posthog_sandbox", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",
        errors="replace",
    )


def _as_message(line: str) -> dict[str, Any]:
    with suppress(ValueError):
        message: object = json.loads(line)
        if isinstance(message, dict):
            return cast("dict[str, Any]", message)
    return {}


def _environment() -> dict[str, str]:
    """Return this environment without keys and settings; add the source path if the sandbox is not installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS) or name == _CACHE}
    if _ROOT.name in ("site-packages", "dist-packages"):
        return kept
    return {**kept, "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [kept.get("PYTHONPATH")])])}
