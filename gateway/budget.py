"""Courtesy budgets: how many requests of each class were sent, and whether the next one waits, goes, or is refused.

Classes and rates are those that Maton's PostHog guide states; the 10 requests a second are Maton's own limit per key.
PostHog's source suggests that its limits do not bind OAuth traffic, so by default a spent budget is only told; what
the server says wins.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import anyio

from .errors import Refused

type Policy = Literal["adaptive", "strict", "off"]

PATIENCE_S = 2.0
"""Waits up to this long are waited out."""


class Budget(StrEnum):
    """The class that a request is counted in."""

    ANALYTICS = "analytics"
    QUERY = "query"
    CRUD = "crud"
    CONTROL = "control"
    """Maton's control plane: only the pace applies."""


type Limits = tuple[tuple[int, float], ...]
"""Windows as (requests, seconds)."""

LIMITS: dict[Budget, Limits] = {
    Budget.ANALYTICS: ((240, 60.0), (1200, 3600.0)),
    Budget.QUERY: ((120, 3600.0),),
    Budget.CRUD: ((480, 60.0), (4800, 3600.0)),
    Budget.CONTROL: (),
}
_INSTEAD = {
    Budget.QUERY: "Until then use what needs no query: insights, definitions, flags, persons.",
    Budget.ANALYTICS: "Until then use run_hogql, or what needs neither insights, persons nor recordings.",
}


@dataclass(slots=True)
class _Window:
    limit: int
    seconds: float
    sent: deque[float] = field(default_factory=deque[float])

    def wait(self, now: float) -> float:
        """Seconds until one more request fits; 0 if it fits now."""
        while self.sent and self.sent[0] <= now - self.seconds:
            self.sent.popleft()
        if len(self.sent) < self.limit:
            return 0.0
        return self.sent[len(self.sent) - self.limit] + self.seconds - now


@dataclass(slots=True)
class _Account:
    """What was sent with one key over one connection."""

    windows: dict[Budget, tuple[_Window, ...]]
    closed_until: dict[Budget, float] = field(default_factory=dict[Budget, float])


class Ledger:
    """Counts requests per key and connection; a request is counted in all its windows or in none.

    `pace` is Maton's limit in requests a second (None: no pacing), shared by all connections of the key.
    """

    def __init__(
        self,
        policy: Policy = "adaptive",
        pace: int | None = None,
        *,
        limits: dict[Budget, Limits] = LIMITS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._policy: Policy = policy
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._pace = _Window(pace, 1.0) if pace else None
        self._accounts: dict[str, _Account] = {}

    async def spend(self, account: str, budget: Budget) -> None:
        """Count one request, waiting up to 2 s for room. Cancelled while waiting, it has counted nothing.

        Raises Refused (`budget_spent`) under the strict policy when the wait is longer, and (`rate_limited`) under
        every policy while a 429 of the server closes the class.
        """
        give_up = self._clock() + PATIENCE_S
        while True:
            now = self._clock()
            closed = self._books(account).closed_until.get(budget, 0.0) - now
            if now + closed > give_up:
                raise _closed(budget, closed)
            wait = self._wait(account, budget, now)
            pause = self._pace.wait(now) if self._pace else 0.0
            if now + wait > give_up:
                if self._policy == "strict":
                    raise _spent(budget, wait)
                wait = 0.0
            if (pause := max(wait, pause, closed)) <= 0:
                self._count(account, budget, now)
                return
            await self._sleep(pause)

    def close(self, account: str, budget: Budget, seconds: float) -> None:
        """A 429 said to wait: no request of this class until then."""
        closed = self._books(account).closed_until
        closed[budget] = max(closed.get(budget, 0.0), self._clock() + seconds)

    def state(self, account: str, budget: Budget) -> dict[str, Any]:
        """`{"class", "used", "limit", "resets_in_s"}` of the window with the least room."""
        now = self._clock()
        windows = self._books(account).windows[budget]
        for window in windows:
            window.wait(now)
        if not windows:
            return {"class": budget.value}
        tightest = min(windows, key=lambda window: window.limit - len(window.sent))
        resets = tightest.sent[0] + tightest.seconds - now if tightest.sent else 0.0
        return {
            "class": budget.value,
            "used": len(tightest.sent),
            "limit": tightest.limit,
            "resets_in_s": max(0, round(resets)),
        }

    def _books(self, account: str) -> _Account:
        found = self._accounts.get(account)
        if found is None:
            windows = {
                budget: tuple(_Window(limit, seconds) for limit, seconds in windows)
                for budget, windows in self._limits.items()
            }
            found = self._accounts[account] = _Account(windows)
        return found

    def _wait(self, account: str, budget: Budget, now: float) -> float:
        if self._policy == "off":
            return 0.0
        return max((window.wait(now) for window in self._books(account).windows[budget]), default=0.0)

    def _count(self, account: str, budget: Budget, now: float) -> None:
        for window in self._books(account).windows[budget]:
            window.sent.append(now)
        if self._pace:
            self._pace.sent.append(now)


def _spent(budget: Budget, wait: float) -> Refused:
    return Refused(
        "budget_spent",
        f"The {budget} budget of this server is spent.",
        f"Wait {wait:.0f} s. {_INSTEAD.get(budget, 'Then call again.')}",
        retryable=True,
        retry_after_s=round(wait, 1),
    )


def _closed(budget: Budget, wait: float) -> Refused:
    return Refused(
        "rate_limited",
        f"The server asked to pause {budget} requests; nothing was sent.",
        f"Wait {wait:.0f} s, then call again. {_INSTEAD.get(budget, '')}".strip(),
        retryable=True,
        retry_after_s=round(wait, 1),
    )
