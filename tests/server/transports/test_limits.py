"""What clients without a token, or without an end, can take from the HTTP server."""

import asyncio
import gc
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest
import uvicorn

from maton_posthog.server.settings import load
from maton_posthog.server.transports import connections, guesses
from maton_posthog.server.transports import http as transports
from tests.server.processes import DEADLINE_S, INITIALIZE, HttpServer

from .test_doorkeeper import ALLOWED, Listening, client_of, opened

pytestmark = pytest.mark.anyio
HALF_A_HEAD = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


@asynccontextmanager
async def listening(most: int, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[int]:
    """Serve on a local port, with a limit on the number of connections."""
    monkeypatch.setattr(connections, "most_connections", lambda: most)
    app = transports.http_app(Listening().server, load(transport="http"))
    served = uvicorn.Server(
        uvicorn.Config(app, http=connections.LimitedProtocol, lifespan="on", log_config=None, timeout_keep_alive=60)
    )
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        running = asyncio.create_task(served.serve(sockets=[listener]))
        with anyio.fail_after(DEADLINE_S):
            while not served.started:
                await anyio.lowlevel.checkpoint()
        try:
            yield listener.getsockname()[1]
        finally:
            served.should_exit = True
            await running


async def connected(port: int, data: bytes = HALF_A_HEAD) -> anyio.abc.SocketStream:
    stream = await anyio.connect_tcp("127.0.0.1", port)
    await stream.send(data)
    return stream


async def closed(stream: anyio.abc.SocketStream) -> bool:
    """Wait until the server closes a connection without a response."""
    with anyio.fail_after(DEADLINE_S):
        try:
            return await stream.receive() == b""
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True


async def health(port: int) -> int:
    async with httpx2.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code


@pytest.mark.parametrize("data", [b"", HALF_A_HEAD, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + HALF_A_HEAD])
async def test_a_head_that_does_not_end_closes_its_connection(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.05)
    async with listening(100, monkeypatch) as port, await connected(port, data or b"P") as stream:
        if data.startswith(b"GET"):
            assert b" 200 " in await stream.receive()
            await stream.send(b"later: ")
        assert await closed(stream)


async def test_half_open_connections_make_room_for_whole_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 10 * DEADLINE_S)  # so that nothing else closes them
    async with listening(20, monkeypatch) as port:
        idle = [await connected(port) for _ in range(60)]
        assert await health(port) == 200
        for stream in idle[:40]:
            assert await closed(stream)
        for stream in idle:
            await stream.aclose()


async def test_a_request_in_progress_is_not_closed_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    started, finish = anyio.Event(), anyio.Event()

    async def slow(_: object) -> transports.Response:
        started.set()
        await finish.wait()
        return transports.PlainTextResponse("done")

    monkeypatch.setattr(transports, "_healthy", slow)
    async with listening(5, monkeypatch) as port:
        busy = await connected(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await started.wait()
        idle = [await connected(port) for _ in range(20)]
        for stream in idle[:15]:
            assert await closed(stream)
        finish.set()
        assert b" 200 " in await busy.receive()
        for stream in (busy, *idle):
            await stream.aclose()


def test_the_budget_leaves_descriptors_for_everything_else() -> None:
    assert 50 <= connections.most_connections() <= connections.MAX_CONNECTIONS


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "BODY_S", 0.05)
    async with listening(20, monkeypatch) as port:
        head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
        async with await connected(port, head) as stream:
            with anyio.fail_after(DEADLINE_S):
                assert b" 408 " in await stream.receive()


def named(session: str) -> dict[str, str]:
    return {**HttpServer.headers(session), **ALLOWED}


async def listed(client: httpx2.AsyncClient, session: str) -> int:
    answer = await client.post("/mcp", headers=named(session), content=HttpServer.request("tools/list"))
    return answer.status_code


async def test_the_longest_idle_session_makes_room_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "MAX_SESSIONS", 3)
    async with client_of(Listening().server, monkeypatch) as client:
        first, second, third = [(await opened(client)).headers["mcp-session-id"] for _ in range(3)]
        assert await listed(client, first) == 200
        fourth = await opened(client)
        assert fourth.status_code == 200
        seen = [await listed(client, session) for session in (first, second, third, fourth.headers["mcp-session-id"])]
        assert seen == [200, 404, 200, 200]
        for _ in range(20):
            assert (await opened(client)).status_code == 200


async def test_a_session_in_use_is_not_ended_and_a_full_server_says_when_to_try_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transports, "MAX_SESSIONS", 1)
    async with listening(50, monkeypatch) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        initialize = HttpServer.request("initialize", INITIALIZE)
        answer = await client.post("/mcp", headers=HttpServer.headers(), content=initialize)
        session = answer.headers["mcp-session-id"]
        async with client.stream("GET", "/mcp", headers=named(session)) as stream:
            assert stream.status_code == 200
            full = await client.post("/mcp", headers=HttpServer.headers(), content=initialize)
            assert (full.status_code, bool(full.headers["retry-after"])) == (503, True)
            assert await listed(client, session) == 200
        with anyio.fail_after(DEADLINE_S):
            while (await client.post("/mcp", headers=HttpServer.headers(), content=initialize)).status_code != 200:
                await anyio.lowlevel.checkpoint()
        assert await listed(client, session) == 404


@pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")  # the SDK leaves them when it is cancelled
async def test_the_longest_idle_stream_makes_room_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "MAX_STREAMS", 2)
    request = b"GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def stream(port: int) -> tuple[anyio.abc.SocketStream, str]:
        opened = await connected(port, request)
        text = b""
        while b"session_id=" not in text or not text.rstrip(b"\r\n0123456789abcdef").endswith(b"session_id="):
            text += await opened.receive()
        return opened, text.decode().partition("session_id=")[2].split()[0]

    async with listening(50, monkeypatch) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        first, identifier = await stream(port)
        second, _ = await stream(port)
        body = HttpServer.request("ping")
        used = await client.post(f"/messages/?session_id={identifier}", headers=HttpServer.headers(), content=body)
        assert used.status_code == 202
        third, _ = await stream(port)
        with anyio.fail_after(DEADLINE_S):
            ended = b"\r\n"
            while not ended.endswith(b"\r\n0\r\n\r\n"):  # the last chunk; that of a ping ends with a time
                ended += await second.receive()
        again = await client.post(f"/messages/?session_id={identifier}", headers=HttpServer.headers(), content=body)
        assert again.status_code == 202
        for each in (first, second, third):
            await each.aclose()
    gc.collect()


async def test_wrong_tokens_of_one_peer_take_no_place_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MOST_PEERS", 3)
    waiting = anyio.Event()

    async def wait(_: float) -> None:
        await waiting.wait()

    slowed = guesses.Guesses(wait)
    answers: list[bool] = []

    async def guess(address: str) -> None:
        answers.append(await slowed.slow_down(address))

    async with anyio.create_task_group() as tasks:
        for number in range(guesses.MOST_WAITING):
            tasks.start_soon(guess, f"2001:db8::{number:x}")
        tasks.start_soon(guess, "192.0.2.1")
        tasks.start_soon(guess, "192.0.2.2")
        await anyio.wait_all_tasks_blocked()
        assert answers == []
        tasks.start_soon(guess, "2001:db8::ffff")
        tasks.start_soon(guess, "192.0.2.3")
        await anyio.wait_all_tasks_blocked()
        assert answers == [False, False], "those of a full peer, and of one peer too many, do not wait"
        waiting.set()
    assert answers[2:] == [True] * (guesses.MOST_WAITING + 2)
    assert await slowed.slow_down("192.0.2.3")


@pytest.mark.parametrize(
    ("address", "peer"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"), ("", "")],
)
def test_a_peer_is_an_address_or_a_network(address: str, peer: str) -> None:
    assert guesses.peer_of(address) == peer


async def test_wrong_tokens_wait_few_at_a_time_and_the_right_one_never(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = anyio.Event()
    waits = 0

    async def wait(_: float) -> None:
        nonlocal waits
        waits += 1
        await waiting.wait()

    monkeypatch.setattr(transports, "Guesses", lambda: guesses.Guesses(wait))
    answers: list[int] = []
    async with client_of(Listening().server, monkeypatch) as client, anyio.create_task_group() as tasks:

        async def guess(number: int) -> None:
            wrong = {"Authorization": f"Bearer wrong-{number}"}
            answers.append((await client.get("/sse", headers=wrong)).status_code)

        for number in range(100):
            tasks.start_soon(guess, number)
        with anyio.fail_after(DEADLINE_S):
            while len(answers) < 100 - guesses.MOST_WAITING:
                await anyio.lowlevel.checkpoint()
        assert set(answers) == {429}
        assert waits == guesses.MOST_WAITING
        assert (await opened(client)).status_code == 200
        waiting.set()
    assert answers.count(401) == guesses.MOST_WAITING
