"""Threads for work on large responses, so that the event loop can serve other calls meanwhile."""

import threading
import time
from collections.abc import Callable

import anyio
import anyio.to_thread

LARGE_BYTES = 200_000
"""Responses above this are parsed and rendered in a thread; for smaller ones the thread would cost more."""
_MOST = 2
_BETWEEN_PAUSES_S, _PAUSE_S = 0.001, 0.0001

type Pause = Callable[[], None]
"""Called between steps of at most about a millisecond. Without pauses the event loop would get its turn every 5 ms."""


class _Abandoned(Exception):
    """Nothing waits for this work any more."""


class Threads:
    """At most two threads at a time."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_MOST)

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
            with anyio.fail_after(max(0.0, deadline - time.monotonic())):
                return await anyio.to_thread.run_sync(work, pause, limiter=self._limiter, abandon_on_cancel=True)
        finally:
            abandoned.set()
