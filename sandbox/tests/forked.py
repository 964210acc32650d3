"""Sandboxes forked from a process that has loaded their modules, which takes longer than most tests.

A forked sandbox is a separate process, with pipes, signals and an exit code like any other. ClickHouse is loaded after
the fork, because it starts threads. How a sandbox loads is tested by those tests of the start that run the command.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.reduction import DupFd
from typing import IO, Any, Self, cast

LOADED = (
    "anyio._backends._asyncio",
    "posthog_sandbox.__main__",
    "posthog_sandbox.app",
    "posthog_sandbox.dataset",
    "posthog_sandbox.examples",
    "posthog_sandbox.serving",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.h11_impl",
)


class ForkedSandbox:
    """A running sandbox, with the attributes of `subprocess.Popen[str]` that tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        now: datetime | None = None,
    ) -> None:
        """Fork a sandbox, for which it is a given time when it starts."""
        given_in, own_in = os.pipe()
        own_out, given_out = os.pipe()
        own_err, given_err = (None, given_out) if stderr == subprocess.STDOUT else os.pipe()
        inherited = (given_in, given_out, given_err)
        context = get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))  # counts when the first sandbox is forked
        self._process = context.Process(target=_Serve(arguments, environment, inherited, now))
        try:
            self._process.start()
        finally:
            for descriptor in {*inherited}:
                os.close(descriptor)
        self.stdin = _text(own_in, "w")
        self.stdout = _text(own_out, "r")
        self.stderr = None if own_err is None else _text(own_err, "r")
        if stdin == subprocess.DEVNULL:
            self.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        self.wait()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired("posthog-sandbox", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _text(descriptor: int, mode: str) -> IO[str]:
    return cast("IO[str]", os.fdopen(descriptor, mode, encoding="utf-8", errors="replace"))


class _Serve:
    """The work of the forked process: the command with these arguments, environment and standard streams."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        streams: tuple[int, ...],
        now: datetime | None,
    ) -> None:
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._streams = streams
        self._now = now

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_streams": tuple(DupFd(stream) for stream in self._streams)}

    def __call__(self) -> None:
        from posthog_sandbox import __main__ as program

        for number, stream in enumerate(cast("tuple[Any, ...]", self._streams)):
            descriptor: int = stream.detach()
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(self._environment)
        tempfile.tempdir = None
        sys.argv = [program.__file__, *self._arguments]
        if self._now:
            setattr(program, "_now", lambda: self._now)  # noqa: B010 - the name is private
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(program.main())
