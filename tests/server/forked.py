"""Servers and sandboxes forked from a process that has loaded their modules, which takes longer than most tests.

A forked process is a separate one, with pipes, signals and an exit code like any other. How the server loads is tested
by those tests of the start and of the examples that run the command itself, and how the sandbox loads by its own tests.
The sandbox loads ClickHouse after the fork, because that starts threads.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from multiprocessing import get_context
from multiprocessing.reduction import DupFd
from typing import Any, Literal, cast

type Program = Literal["maton_posthog.server", "posthog_sandbox"]

LOADED = (
    "anyio._backends._asyncio",
    "maton_posthog.server.__main__",
    "maton_posthog.server.app",
    "maton_posthog.server.starting.process",
    "maton_posthog.server.transports.http",
    "maton_posthog.server.transports.stdio",
    "maton_posthog.tools.operations",
    "posthog_sandbox.__main__",
    "posthog_sandbox.app",
    "posthog_sandbox.dataset",
    "posthog_sandbox.examples",
    "posthog_sandbox.serving",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.h11_impl",
)


class ForkedProcess:
    """A running server or sandbox, with the attributes of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        program: Program = "maton_posthog.server",
        *,
        merged: bool = False,
    ) -> None:
        """Fork a process. With `merged` its stdout has its stderr too."""
        stdin, own_stdin = os.pipe()
        own_stdout, stdout = os.pipe()
        own_stderr, stderr = (None, stdout) if merged else os.pipe()
        inherited = (stdin, stdout, stderr)
        context = get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))  # counts when the first process is forked
        self._process = context.Process(target=_Serve(program, tuple(arguments), dict(environment), inherited))
        try:
            self._process.start()
        finally:
            for descriptor in {*inherited}:
                os.close(descriptor)
        self.stdin = os.fdopen(own_stdin, "wb")
        self.stdout = os.fdopen(own_stdout, "rb")
        self.stderr = None if own_stderr is None else os.fdopen(own_stderr, "rb")

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("maton-posthog-mcp", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class ForkedSandbox:
    """A running sandbox, with the attributes of `subprocess.Popen[str]` that `Sandbox` uses."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = ForkedProcess(arguments, environment, "posthog_sandbox", merged=True)
        self.stdin = TextIOWrapper(self._process.stdin, "utf-8")
        self.stdout = TextIOWrapper(self._process.stdout, "utf-8", "replace")
        self.pid = self._process.pid
        self.wait = self._process.wait
        self.terminate = self._process.terminate
        self.kill = self._process.kill

    @property
    def returncode(self) -> int | None:
        return self._process.poll()


class _Serve:
    """The work of the forked process: the command with these arguments, environment and standard streams."""

    def __init__(
        self,
        program: Program,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        streams: tuple[int, ...],
    ) -> None:
        self._program = program
        self._arguments = arguments
        self._environment = environment
        self._streams = streams

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_streams": tuple(DupFd(stream) for stream in self._streams)}

    def __call__(self) -> None:
        program = import_module(f"{self._program}.__main__")
        for number, stream in enumerate(cast("tuple[Any, ...]", self._streams)):
            descriptor: int = stream.detach()
            os.dup2(descriptor, number)
            os.close(descriptor)
        tempfile.tempdir = None
        os.environ.clear()
        os.environ.update(self._environment)
        sys.argv[1:] = self._arguments
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(program.main())
