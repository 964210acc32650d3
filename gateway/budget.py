"""Client-side request budgets: count the requests of each class; send, delay or reject the next one.

Classes and rates come from Maton's PostHog guide; 10 requests per second is Maton's own limit per key. PostHog's source
suggests that its limits do not apply to OAuth traffic, so by default a spent budget is only reported. A 429 from
upstream always takes precedence.
"""

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Literal

import anyio

from .errors import Advice, Refused
from .waits import human

type Policy = Literal["adaptive", "strict", "off"]

PATIENCE_S = 2.0
"""Longest wait for room in a budget."""
LONGEST_PAUSE_S = 3600.0
"""Longest Retry-After that is respected."""
_TICK_S = 0.001
_MOST_ACCOUNTS = 64


class Budget(StrEnum):
    """The class in which a request is counted."""

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
    """At most `limit` requests in any `seconds`. Only the newest `limit` times are kept."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.sent: deque[float] = deque(maxlen=limit)

    def wait(self, now: float) -> float:
        """Return the seconds until one more request fits; 0 if it fits now."""
        while self.sent and self.sent[0] + self.seconds <= now:
            self.sent.popleft()
        return self.sent[0] + self.seconds - now if len(self.sent) == self.limit else 0.0


class _Account:
    """The requests that were sent with one key over one connection."""

    def __init__(self, limits: Mapping[Budget, Limits]) -> None:
        self.windows = {budget: tuple(_Window(*window) for window in windows) for budget, windows in limits.items()}
        self.turns = {budget: anyio.Lock(fast_acquire=True) for budget in limits}
        self.closed_until: dict[Budget, float] = {}


def account(connection: str | None) -> str:
    """Return the ledger's key: a gateway has one API key, so the connection alone distinguishes accounts."""
    return connection or "default"


class Ledger:
    """Counts requests per key and connection. A request is counted in all its windows or in none.

    A request that is not `counted` is a retry: only the pace and a 429 apply to it.

    `pace` is Maton's limit in requests per second (None: no limit), shared by all connections of the key. Requests of
    one class are sent in the order in which they arrive, as are requests that wait for the pace.
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

    def spend_now(self, account: str, budget: Budget, *, counted: bool = True) -> bool:
        """Count one request and return True when it can be sent without waiting, which needs no task switch.

        Raises Refused, see `spend`.
        """
        books = self._books(account)
        now = self._clock()
        if books.turns[budget].locked() or self._pacing.locked() or (self._pace and self._pace.wait(now) > 0):
            return False
        if self._wait(books, budget, now + PATIENCE_S, counted=counted) > 0:
            return False
        self._count(books, budget, counted=counted)
        return True

    async def spend(self, account: str, budget: Budget, *, counted: bool = True) -> None:
        """Count one request after waiting up to 2 s for room. A call that is cancelled while it waits is not counted.

        Raises Refused (`budget_spent`) under the strict policy when the wait is longer, and (`rate_limited`) under
        every policy while a 429 from upstream closes the class.
        """
        books = self._books(account)
        give_up = self._clock() + PATIENCE_S
        async with books.turns[budget]:
            while True:
                while (wait := self._wait(books, budget, give_up, counted=counted)) > 0:
                    await self._sleep(max(wait, _TICK_S))
                if self._pace is None:
                    return self._count(books, budget, counted=counted)
                async with self._pacing:
                    while (wait := self._pace.wait(self._clock())) > 0:
                        await self._sleep(max(wait, _TICK_S))
                    # A 429 may have closed the class in the meantime.
                    if self._wait(books, budget, give_up, counted=counted) <= 0:
                        return self._count(books, budget, counted=counted)

    def close(self, account: str, budget: Budget | None, seconds: float) -> None:
        """Hold back requests of this class after a 429; of all classes and connections if `budget` is None.

        The pause is at most an hour, even for a longer Retry-After.
        """
        until = self._clock() + min(seconds, LONGEST_PAUSE_S)
        if budget is None:
            self._closed_until = max(self._closed_until, until)
        else:
            closed = self._books(account).closed_until
            closed[budget] = max(closed.get(budget, until), until)

    def state(self, account: str, budget: Budget) -> dict[str, Any]:
        """Return `{"class", "used", "limit", "resets_in_s"?}` of the window with the least room.

        `used` never exceeds the limit. When it resets matters once half of it is used.
        """
        now = self._clock()
        windows = self._books(account).windows[budget]
        for window in windows:
            window.wait(now)
        if not windows:
            return {"class": budget.value}
        tightest = min(windows, key=lambda window: window.limit - len(window.sent))
        shown = {"class": budget.value, "used": len(tightest.sent), "limit": tightest.limit}
        if 2 * len(tightest.sent) < tightest.limit:
            return shown
        return shown | {"resets_in_s": math.ceil(tightest.sent[0] + tightest.seconds - now)}

    def _books(self, account: str) -> _Account:
        """Return the account; over 64 accounts, drop the least recently used one."""
        found = self._accounts.pop(account, None) or _Account(self._limits)
        self._accounts[account] = found
        if len(self._accounts) > _MOST_ACCOUNTS:
            del self._accounts[next(iter(self._accounts))]
        return found

    def _wait(self, books: _Account, budget: Budget, give_up: float, *, counted: bool) -> float:
        """Return the seconds to wait before a request of this class can be sent.

        0 when the wait would end after `give_up` and the policy allows to send anyway. Raises Refused otherwise.
        """
        now = self._clock()
        closed = max(self._closed_until, books.closed_until.get(budget, now)) - now
        if now + closed > give_up:
            raise _closed(budget, closed)
        wait = max((window.wait(now) for window in books.windows[budget]), default=0.0)
        if self._policy == "off" or not counted:
            wait = 0.0
        elif now + wait > give_up:
            if self._policy == "strict":
                raise _spent(budget, wait)
            wait = 0.0
        return max(wait, closed, 0.0)

    def _count(self, books: _Account, budget: Budget, *, counted: bool) -> None:
        now = self._clock()
        for window in books.windows[budget] if counted else ():
            window.sent.append(now)
        if self._pace:
            self._pace.sent.append(now)


def _spent(budget: Budget, wait: float) -> Refused:
    return Refused(
        "budget_spent",
        f"This server's {budget} budget is spent.",
        f"Wait {human(wait)}. {_INSTEAD.get(budget, 'Then call again.')}",
        advice=Advice.USE_HOGQL if budget is Budget.ANALYTICS else None,
        retryable=True,
        retry_after_s=math.ceil(wait),
    )


def _closed(budget: Budget, wait: float) -> Refused:
    return Refused(
        "rate_limited",
        f"Upstream limits {budget} requests; nothing was sent.",
        f"Wait {human(wait)}, then call again. {_INSTEAD.get(budget, '')}".strip(),
        advice=Advice.USE_HOGQL if budget is Budget.ANALYTICS else None,
        retryable=True,
        retry_after_s=math.ceil(wait),
    )
