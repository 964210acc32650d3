"""Requests that are repeated, requests that are not, and the outcome that the caller gets."""

import logging
import socket
from dataclasses import replace

import anyio
import pytest

from maton_posthog.gateway.budget import Ledger
from maton_posthog.gateway.errors import Refused
from maton_posthog.gateway.http.request import Request

from .conftest import Clock, Opener, Waits, inside
from .fake_gateway import Behaviour, FakeGateway, Peer, Received, drop, half, hang_up, posthog, reply
from .requests_sent import BODY, BUSY, PATH, READ, WRITE, error_of, send

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("behaviour", [drop, hang_up, half(BODY), BUSY, reply(502, b""), reply(504, b"")])
async def test_a_read_is_retried_after_a_transient_fault(
    fake: FakeGateway, gateway: Opener, behaviour: Behaviour
) -> None:
    fake.answers(behaviour, behaviour, reply(200, BODY))
    assert await send(gateway()) == BODY
    assert len(fake.received) == 3


@pytest.mark.parametrize("behaviour", [drop, hang_up, half(BODY), BUSY])
async def test_a_read_is_tried_at_most_three_times(fake: FakeGateway, gateway: Opener, behaviour: Behaviour) -> None:
    fake.answers(behaviour)
    error = await error_of(gateway())
    assert (error.code, error.outcome, error.retryable) == ("unavailable", None, True)
    assert len(fake.received) == 3


@pytest.mark.parametrize("part", [tenth / 10 for tenth in range(10)])
async def test_a_body_cut_anywhere_never_counts_as_complete(fake: FakeGateway, gateway: Opener, part: float) -> None:
    fake.answers(half(BODY, part))
    client = gateway()
    assert (await error_of(client)).code == "unavailable"
    assert (await error_of(client, WRITE)).code == "outcome_unknown"
    assert [request.method for request in fake.received] == ["GET"] * 3 + ["POST"]


@pytest.mark.parametrize("behaviour", [drop, hang_up, half(BODY, 0.9), BUSY, reply(500, b""), reply(502, b"")])
async def test_a_write_whose_response_is_lost_is_sent_once_with_an_unknown_outcome(
    fake: FakeGateway, gateway: Opener, behaviour: Behaviour
) -> None:
    fake.answers(behaviour, reply(201, {"id": 1}))
    error = await error_of(gateway(), WRITE)
    assert (error.code, error.outcome, error.retryable) == ("outcome_unknown", "unknown", False)
    assert len(fake.received) == 1


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_a_request_that_never_left_is_retried_and_not_sent(
    gateway: Opener, waits: Waits, unused_tcp_port: int, request_: Request
) -> None:
    client = gateway(gateway_urls=(f"http://127.0.0.1:{unused_tcp_port}",))
    error = await error_of(client, request_)
    assert (error.code, error.outcome, error.retryable) == ("unavailable", "not_sent", True)
    assert str(unused_tcp_port) in error.message
    assert "MATON_GATEWAY_URL" in str(error.hint)
    assert len(waits) == 2


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


async def test_a_write_that_was_throttled_is_sent_again(fake: FakeGateway, gateway: Opener, waits: Waits) -> None:
    clock = Clock()
    fake.answers(reply(429, posthog("Request was throttled."), retry_after="1"), reply(201, {"id": 1}))
    assert await send(gateway(ledger=Ledger(clock=clock, sleep=clock.sleep)), WRITE) == {"id": 1}
    assert waits == [1.0]


@pytest.mark.parametrize(
    ("header", "retry_after_s", "tries"),
    [("3600", 3600.0, 1), ("21", 21.0, 1), ("abc", None, 3), ("-5", None, 3), (None, None, 3)],
)
async def test_a_retry_after_is_respected_or_reported(
    fake: FakeGateway, gateway: Opener, header: str | None, retry_after_s: float | None, tries: int
) -> None:
    headers = {} if header is None else {"retry_after": header}
    fake.answers(reply(429, {"message": "slow down"}, **headers))
    error = await error_of(gateway())
    assert (error.code, error.source, error.retry_after_s) == ("rate_limited", "maton", retry_after_s)
    assert len(fake.received) == tries


async def test_a_wait_beyond_the_deadline_is_reported_at_once(fake: FakeGateway, gateway: Opener, waits: Waits) -> None:
    fake.answers(reply(429, posthog("throttled"), retry_after="15"))
    client = gateway()
    error = await error_of(client)
    assert (error.retry_after_s, waits, len(fake.received)) == (15.0, [], 1)
    assert inside(client)._quota.take(error)
    assert inside(client)._quota._left == 495, "a repeat that was not made costs nothing"


async def test_while_a_429_closes_the_gate_nothing_else_is_sent(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(reply(429, posthog("throttled"), retry_after="600"))
    client = gateway()
    await error_of(client)
    error = await error_of(client)
    assert isinstance(error, Refused)
    assert (error.code, error.source, error.outcome) == ("rate_limited", "local", "not_sent")
    assert len(fake.received) == 1


async def test_no_request_is_sent_earlier_than_a_429_allowed(fake: FakeGateway, gateway: Opener) -> None:
    clock = Clock()
    moments: list[float] = []
    throttled = reply(429, posthog("throttled"), retry_after="2")

    async def noting(request: Received, peer: Peer) -> None:
        moments.append(clock.now)
        await (throttled if len(moments) == 1 else reply(200, {}))(request, peer)

    fake.answers(noting)
    client = gateway(ledger=Ledger(clock=clock, sleep=clock.sleep))
    async with anyio.create_task_group() as group:
        group.start_soon(send, client)
        await fake.until(lambda: len(moments) == 1)
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            group.start_soon(send, client)
    assert moments[0] == 1000.0
    assert [moment for moment in moments[1:] if moment < 1002.0] == []
    assert len(moments) == 7


async def test_an_outage_does_not_cause_a_storm_of_retries(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(BUSY)
    client = gateway()

    async def call() -> None:
        assert (await error_of(client)).code == "unavailable"

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(call)
    assert 200 < len(fake.received) <= 200 * 1.1 + 500 / 14


async def test_connections_that_the_server_closed_while_idle_are_not_noticed(
    fake: FakeGateway, gateway: Opener, waits: Waits
) -> None:
    fake.answers(reply(200, BODY))
    client = gateway()
    for _ in range(100):
        assert await send(client) == BODY
        fake.close_idle()
        await fake.until(lambda: fake.open == 0)
    assert len(fake.received) == 100
    assert waits == []


async def test_a_repeat_is_one_log_line_without_query_or_body(
    fake: FakeGateway, gateway: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "maton_posthog")
    fake.answers(BUSY, reply(200, {}))
    await send(gateway(), replace(READ, query={"search": "ann@example.com"}))
    [line] = [record.getMessage() for record in caplog.records if record.name.startswith("maton_posthog")]
    assert line == f"GET {PATH}: unavailable; trying again in 0.0 s"
