"""Servers forked from a process that has loaded the modules of the server, which takes longer than most tests.

A forked server is a separate process, with pipes, signals and an exit code like any other. How the server loads is
tested by those tests of the start and of the examples that run the command itself.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.reduction import DupFd
from typing import Any, cast

LOADED = (
    "anyio._backends._asyncio",
    "maton_posthog.server.__main__",
    "maton_posthog.server.app",
    "maton_posthog.server.starting.process",
    "maton_posthog.server.transports.http",
    "maton_posthog.server.transports.stdio",
    "maton_posthog.tools.operations",
)


class ForkedProcess:
    """A running server, with the attributes of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        stdin, own_stdin = os.pipe()
        own_stdout, stdout = os.pipe()
        own_stderr, stderr = os.pipe()
        inherited = (stdin, stdout, stderr)
        context = get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))  # counts when the first server is forked
        self._process = context.Process(target=_Serve(arguments, dict(environment), inherited))
        try:
            self._process.start()
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        self.stdin = os.fdopen(own_stdin, "wb")
        self.stdout = os.fdopen(own_stdout, "rb")
        self.stderr = os.fdopen(own_stderr, "rb")

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("maton-posthog-mcp", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class _Serve:
    """The work of the forked process: the command with these arguments, environment and standard streams."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], streams: tuple[int, ...]) -> None:
        self._arguments = arguments
        self._environment = environment
        self._streams = streams

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_streams": tuple(DupFd(stream) for stream in self._streams)}

    def __call__(self) -> None:
        from maton_posthog.server.__main__ import main

        for number, stream in enumerate(cast("tuple[Any, ...]", self._streams)):
            descriptor: int = stream.detach()
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(self._environment)
        sys.argv[1:] = self._arguments
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
