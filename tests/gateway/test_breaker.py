"""A host that fails again and again gets no requests for a while, then a single one."""

import time

import anyio
import pytest

from maton_posthog.gateway.breaker import FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker
from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.gateway.errors import Failed, GatewayError
from maton_posthog.gateway.http.request import Request

from .fake_gateway import Behaviour, FakeGateway, drop, reply

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


HOST = ("a.example.com", "MATON_CONTROL_URL")


def is_open(breaker: Breaker) -> bool:
    try:
        breaker.permit(*HOST)
    except Failed as failed:
        error = failed
    else:
        return False
    assert (error.code, error.outcome) == ("unavailable", "not_sent")
    assert error.retryable, "the same call can succeed later"
    assert "a.example.com failed" in error.message
    assert error.hint is not None
    assert error.hint.endswith("MATON_CONTROL_URL.")
    return True


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(Clock())
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed()
        assert not is_open(breaker)
        breaker.succeeded()
    for _ in range(FAILURES):
        breaker.failed()
    assert is_open(breaker)


def test_after_a_pause_one_request_tries_the_host() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed()
    pause = FIRST_PAUSE_S
    for _ in range(10):
        clock.now += pause - 0.1
        assert is_open(breaker)
        clock.now += 0.2
        probe = breaker.permit(*HOST)
        assert is_open(breaker)
        breaker.failed(probe)
        pause = min(2 * pause, LONGEST_PAUSE_S)
    clock.now += LONGEST_PAUSE_S
    breaker.gave_up(breaker.permit(*HOST))
    assert not is_open(breaker)
    breaker.succeeded()
    assert (is_open(breaker), is_open(breaker)) == (False, False)


def test_an_older_request_that_ends_late_lets_no_second_one_through() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed()
    clock.now += FIRST_PAUSE_S
    probe = breaker.permit(*HOST)
    for ends in (breaker.failed, breaker.gave_up):
        ends(None)
        clock.now += LONGEST_PAUSE_S
        assert is_open(breaker)
    breaker.failed(probe)
    clock.now += 2 * FIRST_PAUSE_S
    assert not is_open(breaker)


async def send(gateway: Gateway) -> GatewayError | None:
    request = Request(method="GET", path="/api/users/@me/", writes=False, budget=Budget.CRUD, tries=1)
    try:
        await gateway.send(request, time.monotonic() + 60)
    except GatewayError as error:
        return error
    return None


@pytest.mark.parametrize("down", [drop, reply(503, b""), reply(502, b"<html>")], ids=["drop", "503", "502"])
async def test_a_gateway_that_is_down_gets_no_more_requests(down: Behaviour) -> None:
    async with FakeGateway() as fake:
        gateway = Gateway(GatewayConfig(api_key="k", gateway_urls=(fake.url,), control_urls=(fake.url,)))
        fake.answers(down)
        errors = [await send(gateway) for _ in range(FAILURES + 5)]
        assert len(fake.received) == FAILURES
        assert all(error and error.outcome == "not_sent" and error.retry_after_s for error in errors[FAILURES:])
        await gateway.aclose()


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 504])
async def test_a_host_that_rejects_requests_is_not_down(status: int) -> None:
    async with FakeGateway() as fake:
        gateway = Gateway(GatewayConfig(api_key="k", gateway_urls=(fake.url,), control_urls=(fake.url,)))
        fake.answers(reply(status, {"detail": "No."}))
        for _ in range(FAILURES + 5):
            await send(gateway)
        assert len(fake.received) == FAILURES + 5
        await gateway.aclose()


async def test_a_retry_is_counted_once_in_the_budget() -> None:
    async with FakeGateway() as fake:

        async def at_once(_: float) -> None:
            await anyio.lowlevel.checkpoint()

        config = GatewayConfig(api_key="k", gateway_urls=(fake.url,), control_urls=(fake.url,))
        gateway = Gateway(config, sleep=at_once)
        fake.answers(reply(503, b""))
        request = Request(method="GET", path="/api/users/@me/", writes=False, budget=Budget.CRUD)
        with pytest.raises(Failed):
            await gateway.send(request, time.monotonic() + 60)
        assert len(fake.received) == 3
        assert gateway.ledger.state("default", Budget.CRUD)["used"] == 1
        await gateway.aclose()
