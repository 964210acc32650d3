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


class Probe:
    """The one request that tries a host."""


class Breaker:
    """The breaker of one host."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause_s = FIRST_PAUSE_S
        self._open_until = -math.inf
        self._probe: Probe | None = None

    def permit(self, host: str, setting: str) -> "Probe | None":
        """Let a request through; one that tries a host gets a Probe, with which its end is recorded.

        Raises Failed (`unavailable`) while the host, chosen by a setting, counts as down.
        """
        if self._failures < FAILURES:
            return None
        wait = self._open_until - self._clock()
        if wait <= 0 and self._probe is None:
            self._probe = Probe()
            return self._probe
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
        self._probe = None

    def failed(self, probe: "Probe | None" = None) -> None:
        """Record that the host could not be reached, or that its gateway failed.

        A request that began before the host counted as down can fail late: it must not let another one through.
        """
        self._failures += 1
        if self._probe is not None:
            if probe is not self._probe:
                return
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._probe = None
        if self._failures >= FAILURES:
            self._open_until = self._clock() + self._pause_s

    def gave_up(self, probe: "Probe | None" = None) -> None:
        """Record that a request ended without showing whether the host is up."""
        if probe is self._probe:
            self._probe = None
