"""Wrong tokens are slowed: each waits, and only a few can wait at a time. The right one never waits."""

from collections.abc import Awaitable, Callable

import anyio

WAIT_S = 1.0
MOST_WAITING = 20


class Guesses:
    """The wrong tokens that wait for their response."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        self._sleep = sleep
        self._waiting = 0

    async def slow_down(self) -> bool:
        """Wait before a wrong token is rejected. Return False when too many wait already."""
        if self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1
        try:
            await self._sleep(WAIT_S)
        finally:
            self._waiting -= 1
        return True
