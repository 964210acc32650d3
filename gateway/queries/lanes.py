"""Lanes: at most three queries of a project at a time. The others wait, and callers take turns."""

import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from ..errors import Refused

MOST_AT_ONCE = 3
"""PostHog runs three queries of a project at once, and rejects more with 429."""
REPORT_EVERY_S = 2.0

type ReportPlace = Callable[[int], Awaitable[None]]
"""Reports how many queries are ahead of one that waits."""


@dataclass(slots=True)
class _Lane:
    """The queries of one project."""

    running: int = 0
    waiting: OrderedDict[Hashable, deque[anyio.Event]] = field(
        default_factory=OrderedDict[Hashable, deque[anyio.Event]]
    )
    """Those that wait, by caller, in the order of the callers' turns."""

    def ahead_of(self, mine: anyio.Event, caller: Hashable) -> int:
        """Return how many queries start before one that waits."""
        own = list(self.waiting[caller]).index(mine)
        callers = list(self.waiting)
        first = callers.index(caller)
        rounds = (min(len(self.waiting[each]), own + (at < first)) for at, each in enumerate(callers) if each != caller)
        return own + sum(rounds)

    def next(self) -> anyio.Event | None:
        """Return the query whose turn it is, without it in the line; None when none waits."""
        if not self.waiting:
            return None
        caller, line = self.waiting.popitem(last=False)
        event = line.popleft()
        if line:
            self.waiting[caller] = line
        return event

    def leave(self, mine: anyio.Event, caller: Hashable) -> None:
        """Take a query out of the line."""
        line = self.waiting.get(caller)
        if line is not None and mine in line:
            line.remove(mine)
            if not line:
                del self.waiting[caller]


class Lanes:
    """The lanes of all projects."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane] = {}

    @asynccontextmanager
    async def turn(
        self, project: Hashable, caller: Hashable, deadline: float, report: ReportPlace | None = None
    ) -> AsyncGenerator[None]:
        """Wait for a turn, and hold it during the block. Raises Refused (`timeout`) at the deadline."""
        lane = self._lanes.setdefault(project, _Lane())
        if lane.running < MOST_AT_ONCE and not lane.waiting:
            lane.running += 1
        else:
            await self._wait(project, caller, deadline, report)
        try:
            yield
        finally:
            self._release(project, lane)

    @property
    def busy(self) -> frozenset[Hashable]:
        """The projects that have queries."""
        return frozenset(self._lanes)

    def _release(self, project: Hashable, lane: _Lane) -> None:
        if (event := lane.next()) is not None:
            event.set()  # the turn passes on
            return
        lane.running -= 1
        if not lane.running and self._lanes.get(project) is lane:
            del self._lanes[project]

    async def _wait(self, project: Hashable, caller: Hashable, deadline: float, report: ReportPlace | None) -> None:
        """Return with a turn. A query that is cancelled or late leaves the line, or passes its turn on."""
        lane, mine = self._lanes[project], anyio.Event()
        lane.waiting.setdefault(caller, deque()).append(mine)
        try:
            while not mine.is_set():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise Refused(
                        "timeout",
                        "Other queries of this project were running until the deadline; nothing was sent.",
                        "Send fewer queries at once.",
                        retryable=True,
                    )
                with anyio.move_on_after(min(left_s, REPORT_EVERY_S)):
                    await mine.wait()
                if report is not None and not mine.is_set():
                    await report(lane.ahead_of(mine, caller))
        except BaseException:
            if not mine.is_set():
                lane.leave(mine, caller)
            else:
                self._release(project, lane)
            raise


def waiting_text(ahead: int) -> str:
    """Return the progress of a query that waits for others."""
    return f"Waiting for {ahead + 1} other {'query' if ahead == 0 else 'queries'} of this project"
