"""The files of the product that one tool call enters: all of them, and those on the way to each request."""

import asyncio
import inspect
import sys
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

from maton_posthog.gateway.http.exchange import exchange

from .snapshots.files import ROOT

SOURCES = ("server", "tools", "gateway", "schemas", "hogql")


class Trace:
    """The functions entered so far. Use it as a profile function."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        """The files, in the order of first entry."""
        self.ways: dict[tuple[str, ...], None] = {}
        """For each request: the files on the call stack when it was sent, the outermost first. The stack of a task
        begins with that of the code that started it.
        """
        self._started_by: dict[asyncio.Task[Any], tuple[str, ...]] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code.co_name == "<module>":
            return
        if (name := _inside(frame.f_code.co_filename)) is not None:
            self.files.setdefault(name)
        if frame.f_code is exchange.__code__:
            self.ways.setdefault(tuple(name for name, _ in groupby(self._stack(frame))))

    def start_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        """Start a task and record which one started it. Use it as a task factory."""
        task = asyncio.Task(work, loop=loop, **options)
        self._started_by[task] = self._stack(inspect.currentframe())
        return task

    def _stack(self, frame: FrameType | None) -> tuple[str, ...]:
        files: list[str] = []
        while frame is not None:
            if (name := _inside(frame.f_code.co_filename)) is not None:
                files.append(name)
            frame = frame.f_back
        task = asyncio.current_task()
        return (*(self._started_by.get(task, ()) if task else ()), *reversed(files))


@cache
def _inside(path: str) -> str | None:
    resolved = Path(path).resolve()
    if not resolved.is_relative_to(ROOT):
        return None
    name = resolved.relative_to(ROOT).as_posix()
    return name if name.split("/")[0] in SOURCES else None


@contextmanager
def traced() -> Generator[Trace]:
    """Trace this thread, threads started during the block, and the tasks of the running loop."""
    trace = Trace()
    loop = asyncio.get_running_loop()
    profile, factory = sys.getprofile(), loop.get_task_factory()
    loop.set_task_factory(trace.start_task)
    threading.setprofile(trace)
    sys.setprofile(trace)
    try:
        yield trace
    finally:
        sys.setprofile(profile)
        threading.setprofile(None)
        loop.set_task_factory(factory)
