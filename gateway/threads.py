"""Threads for work on large responses, so that the event loop goes on serving other calls."""

import threading
import time
from collections.abc import Callable

import anyio
import anyio.to_thread

LARGE_BYTES = 200_000
"""Responses above this are parsed and rendered in a thread; for smaller ones the thread would cost more."""
_MOST = 2
_PAUSE_S = 0.0001

type Pause = Callable[[], None]
"""Called between steps of at most about a millisecond, which keep other threads from running."""


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

        def pause() -> None:
            if abandoned.is_set():
                raise _Abandoned
            time.sleep(_PAUSE_S)

        try:
            with anyio.fail_after(max(0.0, deadline - time.monotonic())):
                return await anyio.to_thread.run_sync(work, pause, limiter=self._limiter, abandon_on_cancel=True)
        finally:
            abandoned.set()
