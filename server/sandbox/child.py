"""The sandbox process of `--sandbox`: start it, read its output, end it.

`python -m posthog_sandbox` prints its URLs as the first line of stdout and its progress on stderr. It exits when its
stdin is closed, so it cannot outlive this process, however this process ends.
"""

import asyncio
import importlib.util
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self, cast

import anyio

from ...gateway.paths import check_base_url
from ...schemas.text import excerpt
from ...tools.processes import child_environment

START_S = 30.0
"""It prints its URLs before it creates its data, but loading the engine takes seconds on a slow disk."""
END_S = 2.5
"""Time to exit after its stdin is closed."""
TERMINATE_S = 0.5
"""Time to exit after SIGTERM, before it is killed."""
MODULE = "posthog_sandbox"
COMMAND = (sys.executable, "-P", "-m", MODULE, "--json", "--exit-on-eof", "--port", "0")
"""`-P`: modules in the working directory must not shadow installed ones."""

MISSING = (
    "the sandbox does not run on Windows; use WSL, or a real MATON_API_KEY."
    if sys.platform == "win32"
    else "the sandbox is not installed: pip install 'maton-posthog-mcp[sandbox]' (about 265 MB to download)."
)

_logger = logging.getLogger(__name__)


def installed() -> bool:
    """Return whether the distribution with the sandbox is there."""
    return importlib.util.find_spec(MODULE) is not None


class SandboxError(Exception):
    """The sandbox did not start. The message is one line with the reason, from its own output where there is one."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URLs of a sandbox and the key that it accepts."""

    gateway_url: str
    control_url: str
    key: str

    @classmethod
    def read(cls, line: str) -> Self:
        """Parse the first line that the process prints. Raises SandboxError."""
        try:
            fields = json.loads(line)
            return cls(
                gateway_url=check_base_url(fields["gateway_url"], "gateway_url"),
                control_url=check_base_url(fields["control_url"], "control_url"),
                key=str(fields["key"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SandboxError(f"its first line has no URLs: {line}") from None


class Sandbox:
    """A running sandbox. Created by `start`; `aclose` ends it."""

    def __init__(self, process: Process, addresses: Addresses, output: "_Output") -> None:
        self.addresses = addresses
        self._process = process
        self._output = output

    @classmethod
    async def start(cls, command: Sequence[str] = COMMAND) -> Self:
        """Start the process and wait for its URLs. Raises SandboxError after ending the process."""
        if command is COMMAND and not installed():
            raise SandboxError(MISSING)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=child_environment()
            )
        except OSError as error:
            raise SandboxError(f"cannot run {command[0]} ({error.strerror})") from error
        output = _Output(process)
        try:
            with anyio.fail_after(START_S):
                first = await output.first_line()
                if first is None:
                    raise SandboxError(await output.last_words())
            addresses = Addresses.read(first)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await _end(process, output)
            if isinstance(error, TimeoutError):
                raise SandboxError(f"it printed no URL within {START_S:.0f} seconds") from None
            raise
        where = {"url": addresses.gateway_url, "pid": process.pid}
        _logger.info("The sandbox is running in a separate process, with synthetic data.", extra={"fields": where})
        return cls(process, addresses, output)

    @property
    def ready(self) -> anyio.Event:
        """Set once the events exist; requests that need them wait until then."""
        return self._output.ready

    @property
    def news(self) -> str:
        """The progress of the events, as a sentence."""
        return f"The sandbox is creating its synthetic events ({self._output.fraction:.0%})."

    @property
    def running(self) -> bool:
        """Return whether the process is running, as far as the event loop knows."""
        return self._process.returncode is None

    async def last_words(self) -> str:
        """Wait for the end of the process. Return its last line on stderr, or its exit code without one."""
        return await self._output.last_words()

    async def aclose(self) -> None:
        """End the process and wait until it is gone."""
        await _end(self._process, self._output)


class _Output:
    """Reads the output of the process, so that the process never waits for a reader."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._stdout = cast("asyncio.StreamReader", process.stdout)
        self._last_line = ""
        self.ready = anyio.Event()
        self.fraction = 0.0
        self._errors = asyncio.create_task(self._log(cast("asyncio.StreamReader", process.stderr)))
        self._rest: asyncio.Task[None] | None = None

    async def first_line(self) -> str | None:
        """Return the first line of stdout; None when stdout ended without one."""
        line = await anext(_lines(self._stdout), None)
        self._rest = asyncio.create_task(self._log(self._stdout))
        return line

    async def last_words(self) -> str:
        """Wait for the end of the process. Return its last line on stderr, or its exit code without one."""
        code = await self._process.wait()
        await self._errors
        return self._last_line or f"exit code {code}"

    async def close(self) -> None:
        """Stop reading."""
        tasks = [task for task in (self._errors, self._rest) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _log(self, stream: asyncio.StreamReader) -> None:
        async for line in _lines(stream):
            message, progress = _read_progress(line)
            if progress is None:
                self._last_line = message
                _logger.info("sandbox: %s", message)
            else:
                self.fraction = progress
                if progress >= 1:
                    self.ready.set()
                _logger.debug("sandbox: %s", message, extra={"fields": {"progress": progress}})


async def _end(process: Process, output: _Output) -> None:
    cast("asyncio.StreamWriter", process.stdin).close()
    for seconds, give_up in ((END_S, process.terminate), (TERMINATE_S, process.kill)):
        with anyio.move_on_after(seconds):
            await process.wait()
            break
        with suppress(ProcessLookupError):
            give_up()
    await process.wait()
    await output.close()


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of a stream. Lines over the stream's limit are dropped."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield excerpt(line.decode(errors="replace"))


def _read_progress(line: str) -> tuple[str, float | None]:
    """Return message and fraction of `{"progress": 0.42, "message": "…"}`; any other line without a fraction."""
    with suppress(ValueError, TypeError, KeyError):
        fields = json.loads(line)
        return str(fields["message"]), float(fields["progress"])
    return line, None
