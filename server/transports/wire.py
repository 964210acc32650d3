"""Standard input and output as lines of bytes, so that neither the event loop nor the exit waits for a pipe.

A read of standard input cannot be cancelled: a thread that is joined at exit would keep the process alive until the
client closes its end. So daemon threads make the blocking calls, on raw descriptors without the locks of buffered
files.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

LONGEST_LINE = 4 * 1024 * 1024
"""Longest message in bytes; the HTTP transports have the same limit."""
_AHEAD = 32
_CHUNK = 65536

type InputLine = bytes | None
"""A line without its newline; None for a line that was too long."""


def claim() -> tuple[int, int]:
    """Take over the process's standard input and output. Return the descriptors to read from and to write to.

    From here on, anything else that this process or a child writes to standard output goes to stderr, and other readers
    of standard input find its end. Raises OSError when one of them is closed.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(nothing, 1)
    os.close(nothing)
    return source, sink


class LineReader[T]:
    """Lines from a descriptor, read by a thread from the start on. The other side has to wait while they pile up.

    `take` is called in that thread with each line; what it returns is passed on, unless it is None.
    """

    def __init__(self, descriptor: int, take: Callable[[InputLine], T | None]) -> None:
        self._descriptor = descriptor
        self._take = take
        self._passed: deque[T | EOFError] = deque()
        self._room = threading.Semaphore(_AHEAD)
        self._wake: Callable[[], object] | None = None
        self._is_awake = True
        """Whether the loop will look for lines anyway, so that it needs no further wake-up."""
        threading.Thread(target=self._read, name="line reader", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield what is passed on until the end of the input. Can be iterated once."""
        import asyncio

        arrived = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, arrived.set)
        while True:
            arrived.clear()
            self._is_awake = False  # before the look: a line that is added later wakes the loop again
            while self._passed:
                item = self._passed.popleft()
                if isinstance(item, EOFError):
                    return
                self._room.release()
                yield item
            await arrived.wait()

    def _read(self) -> None:
        # A closed loop raises RuntimeError: nothing waits for lines any more.
        with suppress(RuntimeError):
            for line in split_lines(self._descriptor):
                item = self._take(line)
                if item is not None:
                    self._room.acquire()
                    self._pass(item)
            self._pass(EOFError())

    def _pass(self, item: T | EOFError) -> None:
        self._passed.append(item)
        if self._wake is not None and not self._is_awake:
            self._is_awake = True
            self._wake()


class LineWriter:
    """Writes lines to a descriptor, one at a time, in a thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: queue.SimpleQueue[tuple[bytes, asyncio.Future[None] | None]] = queue.SimpleQueue()
        self._is_broken = False
        self._wake: Callable[[], object] | None = None
        threading.Thread(target=self._write, name="line writer", daemon=True).start()

    def send(self, line: bytes) -> None:
        """Write the line and a newline, soon and without telling whether the other end is there. From any thread."""
        self._waiting.put((line + b"\n", None))

    async def write(self, line: bytes) -> None:
        """Write the line and a newline. Raises OSError when the other end is closed."""
        await self._written(line + b"\n")

    async def flush(self) -> None:
        """Wait until everything is written, or the other end was found closed."""
        await self._written(b"")

    async def broken(self) -> None:
        """Wait until the other end is closed, which is noticed at the next line for it."""
        import asyncio

        noticed = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, noticed.set)
        if not self._is_broken:
            await noticed.wait()

    async def _written(self, data: bytes) -> None:
        import asyncio

        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put((data, written))
        await written

    def _write(self) -> None:
        with suppress(RuntimeError):
            while True:
                batch = self._next_batch()
                failure = _write_all(self._descriptor, b"".join([data for data, _ in batch]))
                if failure is not None:
                    self._is_broken = True
                    if self._wake is not None:
                        self._wake()
                for _, written in batch:
                    if written is not None:
                        written.get_loop().call_soon_threadsafe(_settle, written, failure)

    def _next_batch(self) -> list[tuple[bytes, "asyncio.Future[None] | None"]]:
        """Return the lines that wait, at least one: a write of many costs as much as a write of one."""
        batch = [self._waiting.get()]
        size = len(batch[0][0])
        with suppress(queue.Empty):
            while size < _CHUNK:
                batch.append(self._waiting.get_nowait())
                size += len(batch[-1][0])
        return batch


def split_lines(descriptor: int, longest: int = LONGEST_LINE) -> Iterator[InputLine]:
    """Yield the lines of a descriptor, blocking. The last one can lack its newline. A read error ends the input."""
    line = bytearray()
    too_long = False
    while chunk := _read_some(descriptor):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line += end
            yield None if too_long or len(line) > longest else bytes(line)
            line.clear()
            too_long = False
        line += rest
        if len(line) > longest:
            too_long = True
            line.clear()
    if line or too_long:
        yield None if too_long else bytes(line)


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""


def _write_all(descriptor: int, data: bytes) -> OSError | None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        return error
    return None


def _settle(written: "asyncio.Future[None]", failure: OSError | None) -> None:
    if written.done():  # its caller was cancelled
        return
    if failure is None:
        written.set_result(None)
    else:
        written.set_exception(failure)
