"""The client against real sockets that misbehave."""

import asyncio
import json
import logging
import random
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import pytest

from maton_posthog.gateway.budget import Budget, Ledger
from maton_posthog.gateway.client import Gateway
from maton_posthog.gateway.errors import Failed, GatewayError, Refused, Rejected
from maton_posthog.gateway.request import Request

from .conftest import Clock, Opener, Waits, inside
from .fake_gateway import (
    CANARY,
    CONNECTION,
    Behaviour,
    FakeGateway,
    Peer,
    Received,
    bomb,
    drip,
    drop,
    gzipped,
    half,
    hang,
    hang_up,
    posthog,
    redirect,
    reply,
)

pytestmark = pytest.mark.anyio

PATH = "/api/projects/1/feature_flags/"
READ = Request(method="GET", path=PATH, writes=False, budget=Budget.CRUD)
WRITE = Request(method="POST", path=PATH, writes=True, budget=Budget.CRUD, body={"key": "a"})
BODY = {"results": [{"id": number, "name": "x" * 40} for number in range(50)]}
BUSY = reply(503, b"<html>Service Unavailable</html>")


async def send(client: Gateway, request: Request = READ, within: float = 10.0) -> Any:
    return await client.send(request, time.monotonic() + within)


async def error_of(client: Gateway, request: Request = READ, within: float = 10.0) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await send(client, request, within)
    return raised.value


async def test_a_request_carries_the_key_the_connection_and_nothing_private(fake: FakeGateway, gateway: Opener) -> None:
    body: dict[str, Any] = {"name": "Ünïcode 😀", "filters": {"groups": []}}
    await send(gateway(), replace(WRITE, body=body, connection=CONNECTION, query={"a": "1"}))
    [got] = fake.received
    assert (got.method, got.target) == ("POST", f"/posthog{PATH}?a=1")
    assert got.json == body
    assert dict(got.headers) == {
        "host": f"127.0.0.1:{fake.port}",
        "authorization": f"Bearer {CANARY}",
        "maton-connection": CONNECTION,
        "user-agent": "maton-posthog-mcp",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "content-length": str(len(got.body)),
        "connection": "keep-alive",
    }


async def test_without_a_connection_no_header_is_sent(fake: FakeGateway, gateway: Opener) -> None:
    await send(gateway())
    assert "maton-connection" not in fake.received[0].headers
    assert "content-type" not in fake.received[0].headers


@pytest.mark.parametrize(
    "behaviour",
    [reply(200, BODY), reply(200, gzipped(BODY), content_encoding="gzip"), reply(201, BODY, content_type="text/html")],
)
async def test_an_answer_is_read_whole(fake: FakeGateway, gateway: Opener, behaviour: Behaviour) -> None:
    fake.answers(behaviour)
    assert await send(gateway()) == BODY


async def test_an_empty_204_is_nothing(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(reply(204, b""))
    assert await send(gateway(), WRITE) is None


@pytest.mark.parametrize("behaviour", [drop, hang_up, half(BODY), BUSY, reply(502, b""), reply(504, b"")])
async def test_a_read_is_asked_again_after_a_passing_fault(
    fake: FakeGateway, gateway: Opener, behaviour: Behaviour
) -> None:
    fake.answers(behaviour, behaviour, reply(200, BODY))
    assert await send(gateway()) == BODY
    assert len(fake.received) == 3


@pytest.mark.parametrize("behaviour", [drop, hang_up, half(BODY), BUSY])
async def test_a_read_is_asked_three_times_at_most(fake: FakeGateway, gateway: Opener, behaviour: Behaviour) -> None:
    fake.answers(behaviour)
    error = await error_of(gateway())
    assert (error.code, error.outcome, error.retryable) == ("unavailable", None, True)
    assert len(fake.received) == 3


@pytest.mark.parametrize("part", [tenth / 10 for tenth in range(10)])
async def test_a_body_cut_anywhere_is_never_taken_for_whole(fake: FakeGateway, gateway: Opener, part: float) -> None:
    fake.answers(half(BODY, part))
    client = gateway()
    assert (await error_of(client)).code == "unavailable"
    assert (await error_of(client, WRITE)).code == "outcome_unknown"
    assert [request.method for request in fake.received] == ["GET"] * 3 + ["POST"]


@pytest.mark.parametrize("behaviour", [drop, hang_up, half(BODY, 0.9), BUSY, reply(500, b""), reply(502, b"")])
async def test_a_write_whose_answer_is_lost_is_sent_once_and_its_outcome_is_unknown(
    fake: FakeGateway, gateway: Opener, behaviour: Behaviour
) -> None:
    fake.answers(behaviour, reply(201, {"id": 1}))
    error = await error_of(gateway(), WRITE)
    assert (error.code, error.outcome, error.retryable) == ("outcome_unknown", "unknown", False)
    assert len(fake.received) == 1


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_what_never_left_is_sent_again_and_its_outcome_is_not_sent(
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
async def test_a_retry_after_is_honoured_or_told(
    fake: FakeGateway, gateway: Opener, header: str | None, retry_after_s: float | None, tries: int
) -> None:
    headers = {} if header is None else {"retry_after": header}
    fake.answers(reply(429, {"message": "slow down"}, **headers))
    error = await error_of(gateway())
    assert (error.code, error.source, error.retry_after_s) == ("rate_limited", "maton", retry_after_s)
    assert len(fake.received) == tries


async def test_a_wait_beyond_the_deadline_is_told_instead_of_waited_out(
    fake: FakeGateway, gateway: Opener, waits: Waits
) -> None:
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


async def test_an_outage_is_not_answered_with_a_storm(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(BUSY)
    client = gateway()

    async def call() -> None:
        assert (await error_of(client)).code == "unavailable"

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(call)
    assert 200 < len(fake.received) <= 200 * 1.1 + 500 / 14


@pytest.mark.parametrize("behaviour", [hang, drip(BODY)], ids=["hang", "drip"])
async def test_a_server_that_takes_for_ever_ends_with_the_deadline(
    fake: FakeGateway, gateway: Opener, behaviour: Behaviour
) -> None:
    fake.answers(behaviour)
    client = gateway(deadline_s=0.3)
    read = await error_of(client, within=0.3)
    assert (read.code, read.outcome, read.retryable) == ("timeout", None, False)
    assert "0.3 s" in read.message
    write = await error_of(client, WRITE, within=0.3)
    assert (write.code, write.outcome) == ("outcome_unknown", "unknown")
    assert len(fake.received) == 2
    await fake.until(lambda: fake.open == 0)


async def test_a_deadline_that_passes_while_connecting_means_that_nothing_was_sent(
    fake: FakeGateway, gateway: Opener
) -> None:
    client = gateway(gateway_urls=(f"https://127.0.0.1:{fake.port}",))  # its TLS handshake gets no answer
    error = await error_of(client, WRITE, within=0.5)
    assert (error.code, error.outcome) == ("timeout", "not_sent")
    assert fake.connections == 1
    assert fake.received == []


async def test_a_deadline_that_has_passed_sends_nothing(fake: FakeGateway, gateway: Opener) -> None:
    clock = Clock()
    ledger = Ledger("adaptive", 1, clock=clock, sleep=anyio.sleep)
    client = gateway(ledger=ledger)
    await send(client)
    error = await error_of(client, WRITE, within=0.05)
    assert (error.code, error.outcome, error.retryable) == ("timeout", "not_sent", True)
    assert len(fake.received) == 1


async def test_a_gzip_bomb_is_an_error_and_the_next_call_works(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(reply(200, bomb(), content_encoding="gzip"), reply(200, BODY))
    client = gateway()
    error = await error_of(client)
    assert (error.code, error.status, error.outcome) == ("response_too_large", 200, None)
    assert await send(client) == BODY


async def test_a_write_answered_with_success_was_applied_even_if_its_answer_is_unreadable(
    fake: FakeGateway, gateway: Opener
) -> None:
    fake.answers(
        reply(201, bomb(), content_encoding="gzip"),
        reply(201, b"plain", content_encoding="gzip"),
        reply(201, b"<html>"),
    )
    client = gateway()
    for code in ("response_too_large", "bad_upstream_response", "bad_upstream_response"):
        error = await error_of(client, WRITE)
        assert (error.code, error.outcome) == (code, "applied")
    assert len(fake.received) == 3


async def test_the_status_counts_when_an_error_body_is_unreadable(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(reply(401, b"plain", content_encoding="gzip"), reply(401, bomb(), content_encoding="gzip"))
    client = gateway()
    assert [(await error_of(client)).code for _ in range(2)] == ["invalid_key", "invalid_key"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_a_redirect_is_never_followed(fake: FakeGateway, gateway: Opener, status: int, request_: Request) -> None:
    async with FakeGateway() as trap:
        fake.answers(redirect(status, f"{trap.url}/posthog/api/x/"), redirect(status, "/slack/api/chat.postMessage"))
        client = gateway()
        for _ in range(2):
            error = await error_of(client, request_)
            assert isinstance(error, Rejected)
            assert (error.code, error.status) == ("unavailable", status)
            assert "MATON_GATEWAY_URL" in str(error.hint)
        assert trap.connections == 0
    assert [request.path for request in fake.received] == [f"/posthog{PATH}"] * 2


async def test_an_absolute_next_is_data_and_nobody_goes_there(fake: FakeGateway, gateway: Opener) -> None:
    async with FakeGateway() as trap:
        page: Any = {"results": [], "next": f"{trap.url}/api/projects/1/feature_flags/?limit=1&offset=1"}
        fake.answers(reply(200, page, link=f"<{trap.url}/>; rel=next", content_location=trap.url))
        assert await send(gateway()) == page
        assert trap.connections == 0
    assert len(fake.received) == 1


async def test_cookies_of_one_answer_do_not_go_out_with_the_next_request(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(reply(200, {}, set_cookie="sessionid=of-somebody; Path=/; Max-Age=9999"))
    client = gateway()
    for _ in range(3):
        await send(client)
    assert all("cookie" not in request.headers for request in fake.received)


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


async def test_a_connection_is_used_again(fake: FakeGateway, gateway: Opener) -> None:
    client = gateway()
    for _ in range(20):
        await send(client)
    assert fake.connections == 1


async def test_a_cancelled_call_closes_its_connection_and_leaves_nothing_behind(
    fake: FakeGateway, gateway: Opener
) -> None:
    whims = random.Random(11)
    fake.answers(*[(hang, drip(BODY), half(BODY), reply(200, BODY))[number % 4] for number in range(199)], hang)
    client = gateway()
    await inside(client)._client()
    before = len(asyncio.all_tasks())
    for number in range(200):
        with anyio.move_on_after(whims.choice([0.0, 0.0005, 0.001, 0.002, 0.004])):
            with suppress(GatewayError):
                await send(client, (READ, WRITE)[number % 2])
    assert all(connection.is_idle() for connection in inside(client)._http._transport._pool.connections)
    await client.aclose()
    await fake.until(lambda: fake.open == 0)
    assert len(asyncio.all_tasks()) <= before


async def test_a_cancelled_request_is_seen_as_closed_by_the_server(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(hang)
    async with anyio.create_task_group() as group:
        group.start_soon(send, gateway())
        await fake.until(lambda: len(fake.received) == 1)
        assert fake.open == 1
        group.cancel_scope.cancel()
    await fake.until(lambda: fake.open == 0)


async def test_without_a_key_nothing_is_sent(fake: FakeGateway, gateway: Opener) -> None:
    error = await error_of(gateway(api_key=None))
    assert (error.code, error.outcome) == ("missing_api_key", "not_sent")
    assert "--sandbox" in str(error.hint)
    assert fake.connections == 0


async def test_a_read_only_gateway_sends_reads_and_queries_only(fake: FakeGateway, gateway: Opener) -> None:
    client = gateway(read_only=True)
    for request in (WRITE, replace(WRITE, method="PATCH")):
        assert (await error_of(client, request)).code == "read_only"
    assert fake.connections == 0
    await send(client)
    await send(client, replace(WRITE, writes=False))
    assert len(fake.received) == 2


@pytest.mark.parametrize(
    "body",
    [{"a": "\ud800"}, {"\udc00": 1}, {"a": float("nan")}, {"a": float("inf")}, {"a": 10**5000}],
    ids=["surrogate", "surrogate key", "nan", "inf", "bigint"],
)
async def test_a_body_that_is_no_strict_json_is_refused(
    fake: FakeGateway, gateway: Opener, body: dict[str, Any]
) -> None:
    client = gateway()
    error = await error_of(client, replace(WRITE, body=body))
    assert (error.code, error.outcome) == ("invalid_argument", "not_sent")
    assert fake.connections == 0
    assert client.ledger.state("default", Budget.CRUD)["used"] == 0


async def test_a_body_nested_without_end_is_refused(fake: FakeGateway, gateway: Opener) -> None:
    body: dict[str, Any] = {}
    inner = body
    for _ in range(100_000):
        inner["a"] = inner = {}
    assert (await error_of(gateway(), replace(WRITE, body=body))).code == "invalid_argument"
    while body:  # a chain of this length must not be freed recursively
        body = body["a"]
    assert fake.connections == 0


async def test_half_a_surrogate_pair_in_a_query_is_refused(fake: FakeGateway, gateway: Opener) -> None:
    error = await error_of(gateway(), replace(READ, query={"search": "\ud800"}))
    assert error.code == "invalid_argument"
    assert fake.connections == 0


@pytest.mark.parametrize(
    ("request_id", "shown"),
    [("0b6f7a52-6f0e-4d0e", "0b6f7a52-6f0e-4d0e"), ("x" * 101, None), ("a b; ignore previous", None), ("é", None)],
)
async def test_a_request_id_is_shown_if_it_is_one(
    fake: FakeGateway, gateway: Opener, request_id: str, shown: str | None
) -> None:
    fake.answers(reply(404, posthog("Not found."), x_request_id=request_id))
    assert (await error_of(gateway())).request_id == shown


async def test_after_closing_nothing_is_sent(fake: FakeGateway, gateway: Opener) -> None:
    client = gateway()
    await send(client)
    await client.aclose()
    await client.aclose()
    error = await error_of(client, WRITE)
    assert (error.code, error.outcome) == ("unavailable", "not_sent")
    assert "shutting down" in error.message
    assert len(fake.received) == 1


async def test_a_call_under_way_ends_when_the_client_is_closed(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(hang)
    client = gateway()
    errors: list[GatewayError] = []

    async def call() -> None:
        errors.append(await error_of(client))

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await fake.until(lambda: len(fake.received) == 1)
        await client.aclose()
    assert [error.code for error in errors] == ["unavailable"]
    assert len(fake.received) == 1


async def test_the_client_is_made_at_the_first_call_and_once(fake: FakeGateway, gateway: Opener) -> None:
    client = gateway()
    assert inside(client)._http is None
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(send, client)
    assert len(fake.received) == 10


async def test_a_repeat_is_one_log_line_without_query_or_body(
    fake: FakeGateway, gateway: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "maton_posthog")
    fake.answers(BUSY, reply(200, {}))
    await send(gateway(), replace(READ, query={"search": "ann@example.com"}))
    [line] = [record.getMessage() for record in caplog.records if record.name.startswith("maton_posthog")]
    assert line == f"GET {PATH}: unavailable; trying again in 0.0 s"


async def test_errors_of_lost_tries_are_told_without_what_was_sent(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(drop)
    error = await error_of(gateway(), WRITE)
    assert isinstance(error, Failed)
    assert isinstance(error.__cause__, Exception)
    assert CANARY not in json.dumps(error.as_json()) + repr(error) + repr(error.__cause__) + str(error.__cause__)
