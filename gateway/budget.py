"""Courtesy budgets: how many requests of each class were sent, and whether the next one waits, goes, or is refused.

Classes and rates are those that Maton's PostHog guide states; the 10 requests a second are Maton's own limit per key.
PostHog's source suggests that its limits do not bind OAuth traffic, so by default a spent budget is only told; what
the server says wins.
"""

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Literal

import anyio

from .errors import Advice, Refused

type Policy = Literal["adaptive", "strict", "off"]

PATIENCE_S = 2.0
"""Waits up to this long are waited out."""
LONGEST_PAUSE_S = 3600.0
"""A Retry-After is believed this far."""
_TICK_S = 0.001
_MOST_ACCOUNTS = 64


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
    Budget.ANALYTICS: "Until then use what needs neither insights, persons nor recordings.",
}


class _Window:
    """At most `limit` requests in any `seconds`. Only the newest `limit` moments matter, so no more are kept."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.sent: deque[float] = deque(maxlen=limit)

    def wait(self, now: float) -> float:
        """Seconds until one more request fits; 0 if it fits now."""
        while self.sent and self.sent[0] + self.seconds <= now:
            self.sent.popleft()
        return self.sent[0] + self.seconds - now if len(self.sent) == self.limit else 0.0


class _Account:
    """What was sent with one key over one connection."""

    def __init__(self, limits: Mapping[Budget, Limits]) -> None:
        self.windows = {budget: tuple(_Window(*window) for window in windows) for budget, windows in limits.items()}
        self.turns = {budget: anyio.Lock(fast_acquire=True) for budget in limits}
        self.closed_until: dict[Budget, float] = {}


def account(connection: str | None) -> str:
    """Return the ledger's key: there is one API key for each gateway, so the connection tells accounts apart."""
    return connection or "default"


class Ledger:
    """Counts requests per key and connection; a request is counted in all its windows or in none.

    `pace` is Maton's limit in requests a second (None: no pacing), shared by all connections of the key. Requests of
    a class go in the order in which they came, and so do those that wait for the pace.
    """

    def __init__(
        self,
        policy: Policy = "adaptive",
        pace: int | None = None,
        *,
        limits: Mapping[Budget, Limits] = LIMITS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._policy: Policy = policy
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._pace = _Window(pace, 1.0) if pace else None
        self._pacing = anyio.Lock(fast_acquire=True)
        self._closed_until = clock()
        self._accounts: dict[str, _Account] = {}

    def spend_now(self, account: str, budget: Budget) -> bool:
        """Count one request if nobody waits and it may go at once: nearly always so, and then no task has to switch.

        Raises Refused like `spend`.
        """
        books = self._books(account)
        now = self._clock()
        if books.turns[budget].locked() or self._pacing.locked() or (self._pace and self._pace.wait(now) > 0):
            return False
        if self._wait(books, budget, now + PATIENCE_S) > 0:
            return False
        self._count(books, budget)
        return True

    async def spend(self, account: str, budget: Budget) -> None:
        """Count one request, waiting up to 2 s for room. Cancelled while waiting, it has counted nothing.

        Raises Refused (`budget_spent`) under the strict policy when the wait is longer, and (`rate_limited`) under
        every policy while a 429 of the server closes the class.
        """
        books = self._books(account)
        give_up = self._clock() + PATIENCE_S
        async with books.turns[budget]:
            while True:
                while (wait := self._wait(books, budget, give_up)) > 0:
                    await self._sleep(max(wait, _TICK_S))
                if self._pace is None:
                    return self._count(books, budget)
                async with self._pacing:
                    while (wait := self._pace.wait(self._clock())) > 0:
                        await self._sleep(max(wait, _TICK_S))
                    # Meanwhile a 429 may have closed the class.
                    if self._wait(books, budget, give_up) <= 0:
                        return self._count(books, budget)

    def close(self, account: str, budget: Budget | None, seconds: float) -> None:
        """A 429 said to wait: no request of this class until then; of no class and connection if `budget` is None.

        After an hour one goes out to ask again, whatever was said.
        """
        until = self._clock() + min(seconds, LONGEST_PAUSE_S)
        if budget is None:
            self._closed_until = max(self._closed_until, until)
        else:
            closed = self._books(account).closed_until
            closed[budget] = max(closed.get(budget, until), until)

    def state(self, account: str, budget: Budget) -> dict[str, Any]:
        """`{"class", "used", "limit", "resets_in_s"}` of the window with the least room; `used` stops at the limit."""
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
            "resets_in_s": math.ceil(resets),
        }

    def _books(self, account: str) -> _Account:
        """The account, now the newest; of very many, the one that was used longest ago is forgotten."""
        found = self._accounts.pop(account, None) or _Account(self._limits)
        self._accounts[account] = found
        if len(self._accounts) > _MOST_ACCOUNTS:
            del self._accounts[next(iter(self._accounts))]
        return found

    def _wait(self, books: _Account, budget: Budget, give_up: float) -> float:
        """Seconds to wait before this class may send, if that is before `give_up`; else 0, or a refusal."""
        now = self._clock()
        closed = max(self._closed_until, books.closed_until.get(budget, now)) - now
        if now + closed > give_up:
            raise _closed(budget, closed)
        wait = max((window.wait(now) for window in books.windows[budget]), default=0.0)
        if self._policy == "off":
            wait = 0.0
        elif now + wait > give_up:
            if self._policy == "strict":
                raise _spent(budget, wait)
            wait = 0.0
        return max(wait, closed, 0.0)

    def _count(self, books: _Account, budget: Budget) -> None:
        now = self._clock()
        for window in books.windows[budget]:
            window.sent.append(now)
        if self._pace:
            self._pace.sent.append(now)


def _spent(budget: Budget, wait: float) -> Refused:
    return Refused(
        "budget_spent",
        f"The {budget} budget of this server is spent.",
        f"Wait {math.ceil(wait)} s. {_INSTEAD.get(budget, 'Then call again.')}",
        advice=Advice.USE_HOGQL if budget is Budget.ANALYTICS else None,
        retryable=True,
        retry_after_s=math.ceil(wait),
    )


def _closed(budget: Budget, wait: float) -> Refused:
    return Refused(
        "rate_limited",
        f"The server asked to pause {budget} requests; nothing was sent.",
        f"Wait {math.ceil(wait)} s, then call again. {_INSTEAD.get(budget, '')}".strip(),
        advice=Advice.USE_HOGQL if budget is Budget.ANALYTICS else None,
        retryable=True,
        retry_after_s=math.ceil(wait),
    )
