"""The owner of the sandbox process: starts it, listens to what it says, ends it.

`python -m posthog_sandbox` prints its addresses as the first line of stdout, tells its progress on stderr, and
ends when its stdin does, so that it cannot outlive this process however this process ends.
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

from ..gateway.paths import check_base_url
from ..schemas.text import excerpt
from ..tools.processes import child_environment

START_S = 30.0
"""It prints its addresses before it makes its data, but loading the engine takes seconds on a slow disk."""
END_S = 2.5
"""For ending by itself once its stdin is closed."""
TERMINATE_S = 0.5
"""For ending on SIGTERM, before it is killed."""
MODULE = "posthog_sandbox"
COMMAND = (sys.executable, "-P", "-m", MODULE, "--json", "--exit-on-eof", "--port", "0")
"""`-P`: modules in the working directory must not take the place of real ones."""

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
    """The sandbox did not start; one line that says why, in its own words where it had any."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a sandbox listens, and the key it accepts."""

    gateway_url: str
    control_url: str
    key: str

    @classmethod
    def read(cls, line: str) -> Self:
        """From the first line that the process prints. Raises SandboxError when it is something else."""
        try:
            said = json.loads(line)
            return cls(
                gateway_url=check_base_url(said["gateway_url"], "gateway_url"),
                control_url=check_base_url(said["control_url"], "control_url"),
                key=str(said["key"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SandboxError(f"its first line is not an address: {line}") from None


class Sandbox:
    """A running sandbox. Made by `start`; `aclose` ends it."""

    def __init__(self, process: Process, addresses: Addresses, ears: "_Ears") -> None:
        self.addresses = addresses
        self._process = process
        self._ears = ears

    @classmethod
    async def start(cls, command: Sequence[str] = COMMAND) -> Self:
        """Start the process and wait for its addresses. Raises SandboxError; then nothing is left running."""
        if command is COMMAND and not installed():
            raise SandboxError(MISSING)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=child_environment()
            )
        except OSError as error:
            raise SandboxError(f"{command[0]} could not be run ({error.strerror})") from error
        ears = _Ears(process)
        try:
            with anyio.fail_after(START_S):
                first = await ears.first_line()
                if first is None:
                    raise SandboxError(await ears.last_words())
            addresses = Addresses.read(first)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await _end(process, ears)
            if isinstance(error, TimeoutError):
                raise SandboxError(f"it gave no address within {START_S:.0f} seconds") from None
            raise
        where = {"url": addresses.gateway_url, "pid": process.pid}
        _logger.info("The sandbox runs: synthetic data, in a process of its own.", extra={"fields": where})
        return cls(process, addresses, ears)

    @property
    def running(self) -> bool:
        """Whether the process still runs, as far as the event loop knows."""
        return self._process.returncode is None

    async def last_words(self) -> str:
        """After its end: the last line that the process wrote to stderr, else its exit code."""
        return await self._ears.last_words()

    async def aclose(self) -> None:
        """End the process; returns when it is gone."""
        await _end(self._process, self._ears)


class _Ears:
    """Reads what the process writes, so that it never waits for a reader."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._stdout = cast("asyncio.StreamReader", process.stdout)
        self._last_line = ""
        self._errors = asyncio.create_task(self._hear(cast("asyncio.StreamReader", process.stderr)))
        self._rest: asyncio.Task[None] | None = None

    async def first_line(self) -> str | None:
        """The first line of stdout, None when it ended without one."""
        line = await anext(_lines(self._stdout), None)
        self._rest = asyncio.create_task(self._hear(self._stdout))
        return line

    async def last_words(self) -> str:
        code = await self._process.wait()
        await self._errors
        return self._last_line or f"exit code {code}"

    async def close(self) -> None:
        tasks = [task for task in (self._errors, self._rest) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, stream: asyncio.StreamReader) -> None:
        async for line in _lines(stream):
            message, progress = _read_progress(line)
            if progress is None:
                self._last_line = message
                _logger.info("sandbox: %s", message)
            else:
                _logger.debug("sandbox: %s", message, extra={"fields": {"progress": progress}})


async def _end(process: Process, ears: _Ears) -> None:
    cast("asyncio.StreamWriter", process.stdin).close()
    for seconds, give_up in ((END_S, process.terminate), (TERMINATE_S, process.kill)):
        with anyio.move_on_after(seconds):
            await process.wait()
            break
        with suppress(ProcessLookupError):
            give_up()
    await process.wait()
    await ears.close()


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of a stream; one that is longer than the stream's limit is dropped."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield excerpt(line.decode(errors="replace"))


def _read_progress(line: str) -> tuple[str, float | None]:
    """`{"progress": 0.42, "message": "…"}` as message and fraction; any other line as it is."""
    with suppress(ValueError, TypeError, KeyError):
        said = json.loads(line)
        return str(said["message"]), float(said["progress"])
    return line, None
