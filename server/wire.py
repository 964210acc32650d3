"""Standard input and output as lines of bytes, so that neither the event loop nor the exit waits for a pipe.

A read of standard input cannot be cancelled: a thread that is joined at exit would keep the process alive until the
client closes its end. So daemon threads make the blocking calls, on raw descriptors without the locks of buffered
files.
"""

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

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


class LineReader:
    """Lines from a descriptor. The other side has to wait while they are not consumed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._arrived: asyncio.Queue[InputLine | EOFError] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)

    async def __aiter__(self) -> AsyncIterator[InputLine]:
        """Yield the lines until the end of the input. Can be iterated once."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="line reader", daemon=True).start()
        while not isinstance(line := await self._arrived.get(), EOFError):
            self._room.release()
            yield line

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        # A closed loop raises RuntimeError: nothing waits for lines any more.
        with suppress(RuntimeError):
            for line in split_lines(self._descriptor):
                self._room.acquire()
                loop.call_soon_threadsafe(self._arrived.put_nowait, line)
            loop.call_soon_threadsafe(self._arrived.put_nowait, EOFError())


class LineWriter:
    """Writes lines to a descriptor, one at a time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="line writer", daemon=True).start()

    async def write(self, line: bytes) -> None:
        """Write the line and a newline. Raises OSError when the other end is closed."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put((line + b"\n", written))
        await written

    def _write(self) -> None:
        with suppress(RuntimeError):
            while True:
                data, written = self._waiting.get()
                failure = _write_all(self._descriptor, data)
                written.get_loop().call_soon_threadsafe(_settle, written, failure)


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


def _settle(written: asyncio.Future[None], failure: OSError | None) -> None:
    if written.done():  # its caller was cancelled
        return
    if failure is None:
        written.set_result(None)
    else:
        written.set_exception(failure)
