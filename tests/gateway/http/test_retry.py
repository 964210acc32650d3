from datetime import UTC, datetime, timedelta
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.gateway.errors import Failed, Refused, Rejected
from maton_posthog.gateway.http.retry import LONGEST_WAIT_S, Backoff, RetryQuota, parse_retry_after, repeatable

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
THROTTLED = Rejected("rate_limited", "x", retryable=True)
BUSY = Failed("unavailable", "x", retryable=True, status=503)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        (" 2 ", 2.0),
        ("0", 0.0),
        ("3600", 3600.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tuesday, 24-Nov-26 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 12:00:30", 30.0),
        ("Tue, 24 Nov 2026 13:00:30 +0100", 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("9" * 400, 86_400.0),
        ("abc", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("٣", None),
        ("Tue, 99 Nov 2026 12:00:30 GMT", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(st.text(max_size=40) | st.text(alphabet="0123456789-+.,: ATueNovGM", max_size=40))
def test_any_retry_after_is_a_wait_or_nothing(header: str) -> None:
    wait = parse_retry_after(header, NOW)
    assert wait is None or wait >= 0


def test_a_date_is_compared_with_the_current_time() -> None:
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    wait = parse_retry_after(in_an_hour.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert wait is not None
    assert 3500 < wait <= 3600


def test_waits_are_spread_over_their_whole_range() -> None:
    backoff = Backoff(Random(7))
    first = [backoff.wait(1, None) for _ in range(1000)]
    second = [backoff.wait(2, None) for _ in range(1000)]
    late = [backoff.wait(9, None) for _ in range(1000)]
    assert min(first) < 0.02
    assert 0.48 < max(first) <= 0.5
    assert 0.2 < mean(first) < 0.3
    assert 0.9 < max(second) <= 1.0
    assert 4.5 < max(late) <= 5.0
    for start in range(10):
        part = [wait for wait in first if start / 20 <= wait < (start + 1) / 20]
        assert 50 < len(part) < 150


@given(st.integers(1, 9), st.floats(0, 3600), st.randoms(use_true_random=False))
def test_no_wait_is_shorter_than_retry_after(tries: int, retry_after: float, random: Random) -> None:
    assert retry_after <= Backoff(random).wait(tries, retry_after) <= retry_after + 0.5


def test_servers_with_the_same_retry_after_retry_at_different_times() -> None:
    backoff = Backoff(Random(7))
    waits = {backoff.wait(1, 30.0) for _ in range(100)}
    assert len(waits) > 90
    assert 30 <= min(waits) < 30.005
    assert 30.045 < max(waits) <= 30.05


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        (THROTTLED, True, True),
        (Rejected("rate_limited", "x", retryable=True, retry_after_s=LONGEST_WAIT_S), True, True),
        (Rejected("rate_limited", "x", retryable=True, retry_after_s=LONGEST_WAIT_S + 1), False, False),
        (Failed("unavailable", "never left", retryable=True, outcome="not_sent"), True, True),
        (Failed("unavailable", "lost on the way", retryable=True), True, False),
        (BUSY, True, False),
        (Failed("unavailable", "x", retryable=True, status=502), True, False),
        (Failed("unavailable", "x", retryable=True, status=504), True, False),
        (Failed("unavailable", "x", retryable=True, status=500), False, False),
        (Failed("timeout", "x", status=504), False, False),
        (Failed("outcome_unknown", "x", outcome="unknown"), False, False),
        (Rejected("not_found", "x", status=404), False, False),
        (Refused("read_only", "x"), False, False),
        (Failed("bad_upstream_response", "x", status=200), False, False),
    ],
)
def test_only_safe_requests_are_repeatable(error: Failed | Rejected | Refused, read: bool, write: bool) -> None:
    assert repeatable(error, writes=False) is read
    assert repeatable(error, writes=True) is write


def test_the_quota_allows_35_repeats_and_then_none() -> None:
    quota = RetryQuota()
    assert sum(quota.take(BUSY) for _ in range(200)) == 500 // 14
    assert sum(quota.take(THROTTLED) for _ in range(200)) == (500 % 14) // 5
    for _ in range(14):
        quota.give_back()
    assert quota.take(BUSY)
    assert not quota.take(BUSY)


def test_the_quota_never_exceeds_its_capacity() -> None:
    quota = RetryQuota(capacity=28)
    for _ in range(1000):
        quota.give_back()
    assert [quota.take(BUSY) for _ in range(3)] == [True, True, False]
