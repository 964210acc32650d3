"""Test controls: Maton's rate limit, PostHog's throttling by injected faults, and the clock."""

from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_sandbox.admin.clock import SettableClock
from posthog_sandbox.storage.engine import Engine

from .sandbox_client import FLAG, NOW, Serving, Shared, serving
from .shared_data import open_shared

pytestmark = pytest.mark.anyio

ME, CLOCK = "/posthog/api/users/@me/", "/sandbox/clock"


@pytest.fixture(scope="module")
def engine() -> Generator[Engine]:
    with open_shared(500) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


async def test_above_its_rate_the_gateway_sends_429_in_matons_envelope(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("posthog_sandbox.maton.rate.time.monotonic", lambda: now)
    async with serving(rate=3) as sandbox:
        responses = [await sandbox.send("GET", path) for path in (ME, "/connections", ME, ME, "/connections", "/")]
        now += 1.0
        later = await sandbox.send("GET", ME)

    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429, 200]
    assert responses[3].json() == {"error": {"message": "Rate limit exceeded: 3 requests per second.", "code": 429}}
    assert responses[3].headers["retry-after"] == "1"
    assert responses[3].headers["x-sandbox"] == "synthetic"
    assert later.status_code == 200


async def test_posthogs_throttling_has_responses_with_and_without_retry_after(sandbox: Serving) -> None:
    detail = "Request was throttled. Expected available in 43 seconds."
    body = {"type": "throttled_error", "code": "throttled", "detail": detail, "attr": None}
    rules = [
        {"match": {"path": "*/persons/"}, "status": 429, "body": body, "headers": {"Retry-After": 43}},
        {
            "match": {"path": "*/query/"},
            "status": 429,
            "body": {**body, "detail": "Exceeded maximum concurrency limit"},
        },
    ]
    await sandbox.send("POST", "/sandbox/faults", rules)
    persons = await sandbox.send("GET", "persons/")
    query = await sandbox.send("POST", "query/", {})

    assert (persons.status_code, persons.json(), persons.headers["retry-after"]) == (429, body, "43")
    assert (query.status_code, "retry-after" in query.headers) == (429, False)


async def test_rows_are_created_at_the_set_time(sandbox: Serving) -> None:
    shown = (await sandbox.send("POST", CLOCK, {"now": "2027-01-31T12:00:00+02:00"})).json()
    made = await sandbox.make("feature_flags/", {"key": "later", "filters": FLAG})
    moved = (await sandbox.send("POST", CLOCK, {"advance_s": 86400})).json()
    back = (await sandbox.send("DELETE", CLOCK)).json()

    assert shown == {"now": "2027-01-31T10:00:00Z", "is_set": True, "frozen": False}
    assert made["created_at"] == "2027-01-31T10:00:00Z"
    assert moved["now"] == "2027-02-01T10:00:00Z"
    assert back == await sandbox.get(CLOCK) == {"now": "2026-11-23T07:00:00Z", "is_set": False, "frozen": False}


async def test_queries_use_the_set_time(sandbox: Serving) -> None:
    await sandbox.send("POST", CLOCK, {"now": "2027-01-31T10:00:00Z"})
    response = await sandbox.query("select toYear(now())")

    assert response["results"] == [[2027]]
    assert response["last_refresh"].startswith("2027-01-31T10:00:00")


async def test_the_page_shows_active_settings(sandbox: Serving) -> None:
    await sandbox.send("POST", CLOCK, {"now": "2027-01-31T10:00:00Z"})
    await sandbox.send("POST", "/sandbox/faults", [{"status": 500, "match": {"path": "*/cohorts/"}}])
    page = (await sandbox.send("GET", "/")).text

    assert "set to 2027-01-31T10:00:00Z" in page
    assert "1 rule is active" in page


async def test_the_page_shows_queries_and_rejections_but_no_approval_link(sandbox: Serving) -> None:
    made = (await sandbox.send("POST", "/connections", {"app": "posthog"})).json()
    token = made["url"].rpartition("=")[2]
    await sandbox.http.get(f"/connect/{token}")
    await sandbox.send("POST", "query/", {"query": {"kind": "HogQLQuery", "query": "select <b> from events"}})
    page = (await sandbox.send("GET", "/")).text

    assert "select &lt;b&gt; from events → " in page
    assert token not in page
    assert "/connect/…" in page


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"frozen": True},
        {"now": "2027-01-31", "advance_s": 1},
        {"now": "tomorrow"},
        {"now": 5},
        {"now": "0001-01-01T00:00:00+14:00"},
        {"now": "9999-12-31T00:00:00Z"},
        {"advance_s": True},
        {"advance_s": 1e300},
        {"advance_s": "1"},
        {"now": "2027-01-31", "frozen": "yes"},
        {"now": "2027-01-31", "zone": "UTC"},
    ],
)
async def test_an_invalid_time_is_rejected(sandbox: Serving, body: Any) -> None:
    response = await sandbox.send("POST", CLOCK, body)

    assert response.status_code == 422
    assert (await sandbox.get(CLOCK))["is_set"] is False


@given(st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)), st.integers(0, 10**6))
def test_a_set_clock_continues_and_a_frozen_one_does_not(moment: datetime, seconds: int) -> None:
    real = NOW
    running, frozen = SettableClock(lambda: real), SettableClock(lambda: real)
    running.set(moment, frozen=False)
    frozen.set(moment, frozen=True)
    real += timedelta(seconds=seconds)

    assert running() == moment + timedelta(seconds=seconds)
    assert frozen() == moment
    running.reset()
    assert running() == real
