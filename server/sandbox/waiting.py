"""Calls that come while the sandbox starts or creates its events: they wait with progress, or fail soon without.

Hosts give up on a call after as little as five seconds, but not on one that reports progress.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio

from ...gateway.errors import Failed
from ...gateway.queries.background import Progress

PATIENCE_S = 3.0
"""Time that a call without progress waits, from its start."""
REPORT_EVERY_S = 1.0
RETRY_AFTER_S = 2.0


class Waiting:
    """How long one call waits for the sandbox, and what it reports meanwhile."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._started = time.monotonic()

    async def until[T](self, work: Callable[[], Awaitable[T]], ready: anyio.Event, news: Callable[[], str]) -> T:
        """Return the result of `work`, which cannot end before `ready` is set.

        Raises Failed (`unavailable`) without progress when that takes longer than the call's patience.
        """
        with anyio.CancelScope() as scope:
            watch = asyncio.create_task(self._watch(ready, news, scope))
            try:
                return await work()
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
        raise Failed(
            "unavailable",
            f"{news()} This call needs its data.",
            f"Call again in {RETRY_AFTER_S:.0f} seconds.",
            source="local",
            outcome="not_sent",
            retryable=True,
            retry_after_s=RETRY_AFTER_S,
        )

    async def _watch(self, ready: anyio.Event, news: Callable[[], str], scope: anyio.CancelScope) -> None:
        if self._progress is None:
            with anyio.move_on_after(max(0.0, PATIENCE_S - self._elapsed)):
                await ready.wait()
            if not ready.is_set():
                scope.cancel()
            return
        while not ready.is_set():
            with anyio.move_on_after(REPORT_EVERY_S):
                await ready.wait()
            if not ready.is_set():
                with suppress(Exception):  # the client's end: the call itself finds out
                    await self._progress(round(self._elapsed, 3), news())

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started


def rising(progress: Progress) -> Progress:
    """Return a progress without reports that do not rise, which MCP forbids: a query reports by its own clock."""
    reported = 0.0

    async def report(seconds: float, news: str) -> None:
        nonlocal reported
        if seconds > reported:
            reported = seconds
            await progress(seconds, news)

    return report
