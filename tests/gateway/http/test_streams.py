"""What leaves and arrives through the streams of the gateway, and how they notice that the other side has left."""

# ruff: noqa: ASYNC109 - the signatures are those of the library

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpcore2
import pytest

from maton_posthog.gateway.http.streams import Stream

pytestmark = pytest.mark.anyio

HEAD = b"POST /api/ HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n"


class Wire(httpcore2.AsyncNetworkStream):
    """The stream of the library under a stream: it records what is written and how much is read."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.written: list[bytes] = []
        self.wanted: list[int] = []

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.wanted.append(max_bytes)
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.written.append(buffer)

    async def aclose(self) -> None:
        self.end.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "Wire":
        return self

    def get_extra_info(self, info: str) -> Any:
        return self.end if info == "socket" else None


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets: ours and that of the other side."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def wire(pair: tuple[socket.socket, socket.socket]) -> Wire:
    return Wire(pair[0])


async def test_a_body_leaves_together_with_its_head(wire: Wire) -> None:
    stream = await Stream(wire).start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    for _ in range(2):
        await stream.write(HEAD)
        await stream.write(b'{"a":1}')
    assert wire.written == [HEAD + b'{"a":1}'] * 2


@pytest.mark.parametrize("head", [HEAD.replace(b"7", b"0"), b"GET /api/ HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_head_without_a_body_leaves_at_once(wire: Wire, head: bytes) -> None:
    await Stream(wire).write(head)
    assert wire.written == [head]


async def test_a_body_that_looks_like_a_head_leaves_with_its_head(wire: Wire) -> None:
    stream = Stream(wire)
    await stream.write(HEAD)
    await stream.write(HEAD)
    assert wire.written == [HEAD + HEAD]


async def test_more_is_read_at_once_than_the_library_requests(wire: Wire) -> None:
    await Stream(wire).read(65_536)
    assert wire.wanted == [262_144]


@pytest.mark.parametrize("ended", ["data", "end", "closed here"])
async def test_an_idle_stream_is_readable_when_there_is_data_or_an_end(
    wire: Wire, pair: tuple[socket.socket, socket.socket], ended: str
) -> None:
    stream = Stream(wire)
    assert not stream.get_extra_info("is_readable")
    match ended:
        case "data":
            pair[1].send(b"x")
        case "end":
            pair[1].close()
        case _:
            await stream.aclose()
    assert stream.get_extra_info("is_readable")
