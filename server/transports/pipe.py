"""One connection on stdin and stdout: plain calls take the short way, all other lines go to the SDK in their order.

The SDK is loaded for the first line that needs it, in a thread. Lines that only prepare it are held until then.
"""

import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from ..runtime import Runtime
from ..starting.opening import Cancellation, PassedLine, PlainCall, Taken
from .short_way import ShortWay
from .wire import LineWriter

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

LAST_ANSWERS_S = 1.0
"""Time for calls to finish after the client closed its end: `printf … | maton-posthog-mcp` gets its responses."""
_FLUSH_S = 1.0
_MOST_HELD = 32
_AHEAD = 32
"""Lines that wait while the SDK is being loaded."""

_logger = logging.getLogger(__name__)


async def serve(
    runtime: Runtime,
    lines: AsyncIterable[Taken],
    writer: LineWriter,
    *,
    at_end: Callable[[], object] = lambda: None,
) -> None:
    """Serve the client until it closes its end or stops reading.

    `at_end` is called after the client closed its end, before calls in progress are cancelled. Cancellation ends the
    function at once.
    """
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, writer, tasks)
            with closing(_Sdk(runtime, writer, tasks)) as sdk:
                short = ShortWay(runtime, writer, tasks)
                async for item in lines:
                    await _pass(item, short, sdk)
                at_end()
                sdk.end()
                await short.finish(LAST_ANSWERS_S)
                await sdk.finished()
                tasks.cancel_scope.cancel()
    finally:
        with anyio.move_on_after(_FLUSH_S, shield=True):
            await writer.flush()


async def _pass(item: Taken, short: ShortWay, sdk: "_Sdk") -> None:
    match item:
        case PlainCall(line, replayed=replayed):
            if replayed is not None:
                await sdk.take(PassedLine(replayed, can_wait=True))
            if not short.start(item):
                await sdk.take(PassedLine(line))
        case Cancellation(line, number):
            if not short.cancel(number) and sdk.is_started:
                await sdk.take(PassedLine(line))
        case PassedLine():
            await sdk.take(item)


async def _watch(writer: LineWriter, tasks: TaskGroup) -> None:
    await writer.broken()
    _logger.info("The client stopped reading.")
    tasks.cancel_scope.cancel()


class _Sdk:
    """The SDK's side of a connection: not started before the first line that needs it."""

    def __init__(self, runtime: Runtime, writer: LineWriter, tasks: TaskGroup) -> None:
        self._runtime = runtime
        self._writer = writer
        self._tasks = tasks
        self._held: list[PassedLine] = []
        self._lines, self._waiting = anyio.create_memory_object_stream[PassedLine](_AHEAD)
        self._has_all = False
        self._ended = anyio.Event()
        self.is_started = False
        """Whether lines were passed to it."""

    async def take(self, item: PassedLine) -> None:
        """Pass a line on, or hold it."""
        if item.line is not None and not item.line.strip():
            return
        if not self.is_started:
            self._held.append(item)
            if item.can_wait and len(self._held) < _MOST_HELD:
                return
            self.is_started = True
            self._tasks.start_soon(self._serve)
        else:
            await self._lines.send(item)

    def end(self) -> None:
        """Tell it that there are no more lines."""
        self._has_all = True
        self._lines.close()

    def close(self) -> None:
        """Release what is held for it."""
        self._lines.close()
        self._waiting.close()

    async def finished(self) -> None:
        """Wait until it has answered what it can; stdio.serve limits the time."""
        if self.is_started:
            await self._ended.wait()

    async def _serve(self) -> None:
        from . import stdio

        server = await anyio.to_thread.run_sync(_load, self._runtime)
        await stdio.serve(server, self._all_lines(), self._writer)
        self._ended.set()
        if not self._has_all:  # the client stopped reading
            self._tasks.cancel_scope.cancel()

    async def _all_lines(self) -> AsyncIterator[PassedLine]:
        for item in self._held:
            yield item
        async with self._waiting:
            async for item in self._waiting:
                yield item


def _load(runtime: Runtime) -> "Server[Any]":
    """Import the SDK and return the server."""
    with runtime.loading():
        from .. import app

        return app.build(runtime)
