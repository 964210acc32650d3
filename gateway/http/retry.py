"""Retries: which requests are repeated, and after how long.

Reads get at most 3 tries. Writes are repeated only when nothing left this process, or after a 429. All calls share one
quota, as in botocore's standard mode, so that an outage does not cause a storm of retries.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from ..errors import GatewayError

MAX_TRIES = 3
LONGEST_WAIT_S = 20.0
"""A longer Retry-After is reported instead of waited out."""
LONGEST_S = 86_400.0
"""A longer Retry-After counts as one day."""


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None if absent or invalid."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - (now or datetime.now(UTC))).total_seconds()), LONGEST_S)


def repeatable(error: GatewayError, writes: bool) -> bool:
    """Return whether the failed request can be sent again.

    That is when it never left or got a 429; for a read also when it was lost or got a 502, 503 or 504.
    """
    if not error.retryable or (error.retry_after_s or 0.0) > LONGEST_WAIT_S:
        return False
    if error.code == "rate_limited" or error.outcome == "not_sent":
        return True
    return not writes and error.status in (None, 502, 503, 504)


@dataclass(slots=True)
class RetryQuota:
    """A quota of retries for all calls: a retry takes 14 tokens (5 after a 429), a success gives 1 back."""

    capacity: int = 500
    _left: int = field(default=500, init=False)

    def __post_init__(self) -> None:
        self._left = self.capacity

    def take(self, error: GatewayError) -> bool:
        """Take the tokens for one more retry after this error. Return whether they were left."""
        cost = 5 if error.code == "rate_limited" else 14
        if self._left < cost:
            return False
        self._left -= cost
        return True

    def give_back(self) -> None:
        """Give one token back, after a request succeeded."""
        self._left = min(self.capacity, self._left + 1)


@dataclass(slots=True)
class Backoff:
    """Waits before a retry: full jitter over 0.5 s, 1 s, …; never shorter than the server's Retry-After."""

    random: Random = field(default_factory=Random)

    def wait(self, tries: int, retry_after_s: float | None) -> float:
        """Return the seconds to wait after `tries` failed tries (1 or more)."""
        jitter = self.random.uniform(0, min(0.5 * 2 ** (tries - 1), 5.0))
        return jitter if retry_after_s is None else retry_after_s + jitter * 0.1
