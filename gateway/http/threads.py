"""Threads for work on large responses, so that the event loop can serve other calls meanwhile."""

import gc
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio
import anyio.to_thread

LARGE_BYTES = 200_000
"""Responses above this are parsed and rendered in a thread; for smaller ones the thread would cost more."""
_MOST = 2
_UNCOLLECTED_S = 10.0
"""Longest time without garbage collection while there is always some work."""
_BETWEEN_PAUSES_S, _PAUSE_S = 0.001, 0.0001

type Pause = Callable[[], None]
"""Called between steps of at most about a millisecond. Without pauses the event loop would get its turn every 5 ms."""


class _Abandoned(Exception):
    """Nothing waits for this work any more."""


class Threads:
    """At most two threads at a time.

    There is no garbage collection during their work: it makes many objects, which are no garbage, and each collection
    would look at all of them while the event loop waits.
    """

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_MOST)
        self._running = 0
        self._collects = False
        self._since = 0.0

    async def run[T](self, work: Callable[[Pause], T], deadline: float) -> T:
        """Return the result of the work. Raises TimeoutError at `deadline`, a `time.monotonic()` value; the work then
        ends at its next pause.
        """
        abandoned = threading.Event()
        paused = 0.0

        def pause() -> None:
            nonlocal paused
            if abandoned.is_set():
                raise _Abandoned
            if time.monotonic() - paused >= _BETWEEN_PAUSES_S:
                time.sleep(_PAUSE_S)
                paused = time.monotonic()

        try:
            with anyio.fail_after(max(0.0, deadline - time.monotonic())), self._uncollected():
                return await anyio.to_thread.run_sync(work, pause, limiter=self._limiter, abandon_on_cancel=True)
        finally:
            abandoned.set()

    @contextmanager
    def _uncollected(self) -> Generator[None]:
        """Pause the garbage collection until no work is left, but not for long."""
        if not self._running:
            self._collects, self._since = gc.isenabled(), time.monotonic()
            gc.disable()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._collects and (not self._running or time.monotonic() - self._since > _UNCOLLECTED_S):
                gc.enable()
