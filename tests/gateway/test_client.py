"""The client against real sockets that misbehave."""

import asyncio
import json
import random
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest

from maton_posthog.gateway import client as client_module
from maton_posthog.gateway.budget import Budget, Ledger
from maton_posthog.gateway.errors import Failed, GatewayError, Rejected
from maton_posthog.gateway.http.request import Request
from maton_posthog.schemas.json.rows import Rows

from .conftest import Clock, Opener, inside
from .fake_gateway import (
    CANARY,
    CONNECTION,
    Behaviour,
    FakeGateway,
    after,
    bomb,
    drip,
    drop,
    gzipped,
    half,
    hang,
    posthog,
    redirect,
    reply,
)
from .requests_sent import BODY, PATH, READ, WRITE, error_of, send

pytestmark = pytest.mark.anyio

WITHIN_S = 60.0
"""A deadline that only passes when time is skipped."""


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
async def test_a_response_is_read_to_its_end(fake: FakeGateway, gateway: Opener, behaviour: Behaviour) -> None:
    fake.answers(behaviour)
    assert await send(gateway()) == BODY


async def test_an_empty_204_is_nothing(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(reply(204, b""))
    assert await send(gateway(), WRITE) is None


def hanging(act: Callable[[], object]) -> Behaviour:
    return after(act, hang)


def dripping(act: Callable[[], object]) -> Behaviour:
    return drip({"id": 1}, half_way=act)


@pytest.mark.parametrize("slow", [hanging, dripping])
async def test_a_response_that_never_ends_is_given_up_at_the_deadline(
    fake: FakeGateway, gateway: Opener, skip: Callable[[float], None], slow: Callable[[Callable[[], object]], Behaviour]
) -> None:
    fake.answers(slow(partial(skip, WITHIN_S)))
    client = gateway()
    read = await error_of(client, within=WITHIN_S)
    assert (read.code, read.outcome, read.retryable) == ("timeout", None, False)
    assert re.fullmatch(r"No response within \d+(\.\d)? s\.", read.message)
    write = await error_of(client, WRITE, within=WITHIN_S)
    assert (write.code, write.outcome) == ("outcome_unknown", "unknown")
    assert len(fake.received) == 2
    await fake.until(lambda: fake.open == 0)


async def test_a_deadline_that_passes_while_connecting_means_that_nothing_was_sent(
    fake: FakeGateway, gateway: Opener, skip: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 2 * WITHIN_S)
    client = gateway(gateway_urls=(f"https://127.0.0.1:{fake.port}",))  # its TLS handshake gets no answer

    async def skip_once_connected() -> None:
        await fake.until(lambda: fake.connections == 1)
        skip(WITHIN_S)

    skipping = asyncio.create_task(skip_once_connected())
    error = await error_of(client, WRITE, within=WITHIN_S)
    await skipping
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


async def test_a_write_whose_success_cannot_be_read_is_unknown_and_sent_once(
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
        assert (error.code, error.outcome) == (code, "unknown")
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


async def test_an_absolute_next_url_is_never_requested(fake: FakeGateway, gateway: Opener) -> None:
    async with FakeGateway() as trap:
        page: Any = {"results": [], "next": f"{trap.url}/api/projects/1/feature_flags/?limit=1&offset=1"}
        fake.answers(reply(200, page, link=f"<{trap.url}/>; rel=next", content_location=trap.url))
        assert await send(gateway()) == page
        assert trap.connections == 0
    assert len(fake.received) == 1


async def test_cookies_of_a_response_are_not_sent_with_the_next_request(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(reply(200, {}, set_cookie="sessionid=of-somebody; Path=/; Max-Age=9999"))
    client = gateway()
    for _ in range(3):
        await send(client)
    assert all("cookie" not in request.headers for request in fake.received)


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
    await inside(client)._pools()
    before = asyncio.all_tasks()
    for number in range(200):
        with anyio.move_on_after(whims.choice([0.0, 0.0005, 0.001, 0.002, 0.004])):
            with suppress(GatewayError):
                await send(client, (READ, WRITE)[number % 2])
    assert all(connection.is_idle() for pool in inside(client)._http.all for connection in pool.connections)
    await client.aclose()
    await fake.until(lambda: fake.open == 0)
    # The fake gateway's tasks share this loop; each ends a few turns after its connection.
    while left := asyncio.all_tasks() - before:
        _, pending = await asyncio.wait(left, timeout=10)
        assert not pending


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
async def test_a_body_that_is_not_strict_json_is_rejected(
    fake: FakeGateway, gateway: Opener, body: dict[str, Any]
) -> None:
    client = gateway()
    error = await error_of(client, replace(WRITE, body=body))
    assert (error.code, error.outcome) == ("invalid_argument", "not_sent")
    assert fake.connections == 0
    assert client.ledger.state("default", Budget.CRUD)["used"] == 0


async def test_a_deeply_nested_body_is_rejected(fake: FakeGateway, gateway: Opener) -> None:
    body: dict[str, Any] = {}
    inner = body
    for _ in range(100_000):
        inner["a"] = inner = {}
    assert (await error_of(gateway(), replace(WRITE, body=body))).code == "invalid_argument"
    while body:  # a chain of this length must not be freed recursively
        body = body["a"]
    assert fake.connections == 0


async def test_half_a_surrogate_pair_in_a_query_is_rejected(fake: FakeGateway, gateway: Opener) -> None:
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


async def test_errors_of_lost_tries_do_not_contain_the_request(fake: FakeGateway, gateway: Opener) -> None:
    fake.answers(drop)
    error = await error_of(gateway(), WRITE)
    assert isinstance(error, Failed)
    assert isinstance(error.__cause__, Exception)
    assert CANARY not in json.dumps(error.as_json()) + repr(error) + repr(error.__cause__) + str(error.__cause__)


HOGQL = Request(method="POST", path="/api/projects/1/query/", writes=False, budget=Budget.QUERY, body={}, rows=True)


def many_rows(size: int) -> dict[str, Any]:
    return {"results": [[number, "x" * 90] for number in range(size // 100)], "columns": ["a", "b"]}


async def test_large_responses_are_parsed_in_another_thread_and_small_ones_in_this_one(
    fake: FakeGateway, gateway: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, threads, client = client_module.parse, list[bool](), gateway()

    def parse(*given: Any, **options: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return plain(*given, **options)

    monkeypatch.setattr(client_module, "parse", parse)
    for size in (100_000, 300_000):
        fake.answers(reply(200, many_rows(size)))
        assert await send(client) == many_rows(size)
        rows = await send(client, HOGQL)
        assert isinstance(rows["results"], Rows)
        assert list(rows["results"]) == many_rows(size)["results"]
    assert threads == [True, True, False, False]


async def test_the_deadline_covers_the_parsing_of_a_large_response(
    fake: FakeGateway, gateway: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def parse(*_: Any, pause: Callable[[], None], **__: Any) -> Any:
        try:
            while True:
                pause()
        finally:
            ended.set()

    monkeypatch.setattr(client_module, "parse", parse)
    fake.answers(reply(200, many_rows(300_000)))
    client = gateway()
    error = await error_of(client, HOGQL, within=0.5)
    assert (error.code, error.outcome) == ("timeout", None)
    assert await anyio.to_thread.run_sync(ended.wait, WITHIN_S), "its thread ends too"
    assert (await error_of(client, WRITE, within=0.5)).code == "outcome_unknown"


async def test_the_size_of_a_response_is_reported_as_it_is_after_decompression(
    fake: FakeGateway, gateway: Opener
) -> None:
    fake.answers(reply(200, gzipped(BODY), content_encoding="gzip"))
    sizes: list[int] = []
    await gateway().send(READ, float("inf"), lambda response: sizes.append(response.size))
    assert sizes == [len(json.dumps(BODY))]
