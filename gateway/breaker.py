"""A circuit breaker: a host that failed many times in a row gets no requests for a while, then one to try it."""

import math
import time
from collections.abc import Callable

from .errors import Failed
from .waits import human

FAILURES = 10
"""Failures in a row, without a response in between, after which a host counts as down."""
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0


class Breaker:
    """The breaker of one host."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._open_until = -math.inf
        self._is_probing = False

    def permit(self, host: str, setting: str) -> None:
        """Let a request through. Raises Failed (`unavailable`) while the host, chosen by a setting, counts as down."""
        if self._failures < FAILURES:
            return
        wait = self._open_until - self._clock()
        if wait <= 0 and not self._is_probing:
            self._is_probing = True
            return
        wait = max(wait, 1.0)
        raise Failed(
            "unavailable",
            f"{host} failed {self._failures} times in a row; nothing was sent.",
            f"Wait {human(wait)}, then call again; check the network, any proxy, and {setting}.",
            outcome="not_sent",
            retryable=True,
            retry_after_s=math.ceil(wait),
        )

    def succeeded(self) -> None:
        """Record a response, of any kind."""
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._is_probing = False

    def failed(self) -> None:
        """Record that the host could not be reached, or that its gateway failed."""
        self._failures += 1
        if self._is_probing:
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._is_probing = False
        if self._failures >= FAILURES:
            self._open_until = self._clock() + self._pause_s

    def gave_up(self) -> None:
        """Record that a request ended without showing whether the host is up."""
        self._is_probing = False
