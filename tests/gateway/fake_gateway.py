"""A fake of Maton: a raw socket server on loopback that records every byte of a request and misbehaves on demand.

async with FakeGateway() as fake:
    fake.answers(drop, reply(200, {"id": 1}))       # one behaviour a request; the last one stays
    fake.on("GET", "/connections", reply(200, {"connections": []}))
    fake.received[0].path
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

CANARY = "mtk_CANARY_7f3a9c2e"
"""The Maton key of the tests, which must never appear in output."""
CONNECTION = "0b6f7a52-6f0e-4d0e-9d59-3c1e5d0c1a11"
OTHER_CONNECTION = "7d9c2f34-1c3a-4e0b-8a56-0a7d7f4b2c22"


@dataclass(frozen=True, slots=True)
class Received:
    """One received request."""

    raw: bytes
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


class Peer:
    """The client's connection, which a behavior writes to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.keeps_alive = True

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.keeps_alive = False
        self.writer.close()

    def reset(self) -> None:
        self.keeps_alive = False
        self.writer.transport.abort()

    async def closed_by_client(self) -> None:
        while await self.reader.read(4096):
            pass


type Behaviour = Callable[[Received, Peer], Awaitable[None]]


class FakeGateway:
    """A server of both planes on one port; `url` is the base URL of each."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.connections = 0
        """Accepted so far."""
        self.open = 0
        """Still open."""
        self.changed = asyncio.Condition()
        self._script: list[Behaviour] = [reply(200, {"id": 1})]
        self._routes: dict[tuple[str, str], list[Behaviour]] = {}
        self._peers: set[Peer] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in list(self._peers):
            peer.reset()
        await self._server.wait_closed()

    def answers(self, *behaviours: Behaviour) -> None:
        """Set the behavior for the next requests; the last one repeats."""
        self._script = list(behaviours)

    def on(self, method: str, path: str, *behaviours: Behaviour) -> None:
        """Set the behavior for the next requests of one path."""
        self._routes[method, path] = list(behaviours)

    def of(self, method: str, path: str) -> list[Received]:
        """Return the requests of one path."""
        return [request for request in self.received if (request.method, request.path) == (method, path)]

    def close_idle(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for peer in self._peers:
            peer.close()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until the condition is true after a request or connection."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(holds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        peer = Peer(reader, writer)
        self._peers.add(peer)
        self.connections += 1
        self.open += 1
        try:
            await self._tell()
            while peer.keeps_alive and (request := await _read(reader)):
                self.received.append(request)
                await self._tell()
                await self._next(request)(request, peer)
        except (ConnectionError, asyncio.CancelledError):
            peer.reset()
        finally:
            writer.close()
            self.open -= 1
            self._peers.discard(peer)
            self._tasks.discard(task)
            await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _next(self, request: Received) -> Behaviour:
        script = self._routes.get((request.method, request.path), self._script)
        return script.pop(0) if len(script) > 1 else script[0]


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    try:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Received(head + body, method, target, headers, body)


def raw(status: int, body: bytes, **headers: str) -> bytes:
    """Send a complete HTTP/1.1 response. Header names have `_` instead of `-`."""
    fields = {"content_type": "application/json", "content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Told so\r\n{lines}\r\n".encode("latin-1") + body


def reply(status: int = 200, body: Any = None, **headers: str) -> Behaviour:
    """Send a response: JSON, or these bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def behave(_: Received, peer: Peer) -> None:
        await peer.send(raw(status, data, **headers))

    return behave


async def echo(request: Received, peer: Peer) -> None:
    """Return all request headers in the body, as debug pages of proxies do."""
    shown = {"id": 1, "name": "echo", "headers": dict(request.headers), "raw": request.raw.decode("latin-1")}
    await peer.send(raw(200, json.dumps(shown).encode()))


def echo_refusal(status: int, **headers: str) -> Behaviour:
    """Return all request headers in an error envelope."""

    async def behave(request: Received, peer: Peer) -> None:
        text = request.raw.decode("latin-1")
        body = {"type": "validation_error", "code": text, "detail": text, "attr": text, "message": text}
        await peer.send(raw(status, json.dumps(body).encode(), **headers))

    return behave


async def drop(_: Received, peer: Peer) -> None:
    """Reset the connection before a response."""
    peer.reset()


async def hang_up(_: Received, peer: Peer) -> None:
    """Close the connection properly before a response."""
    peer.close()


def half(body: Any, part: float = 0.5, status: int = 200) -> Behaviour:
    """Send the head and a part of the body, then close the connection."""
    whole = raw(status, json.dumps(body).encode())
    head = whole.index(b"\r\n\r\n") + 4

    async def behave(_: Received, peer: Peer) -> None:
        await peer.send(whole[: head + int((len(whole) - head) * part)])
        peer.close()

    return behave


async def hang(_: Received, peer: Peer) -> None:
    """Send nothing while the client stays connected."""
    await peer.closed_by_client()
    peer.close()


def after(act: Callable[[], object], behaviour: Behaviour) -> Behaviour:
    """Return a behavior that begins with this act after the request arrived."""

    async def behave(request: Received, peer: Peer) -> None:
        act()
        await behaviour(request, peer)

    return behave


def drip(body: Any, half_way: Callable[[], object] = lambda: None) -> Behaviour:
    """Send one byte at a time while the client stays connected, with this act in the middle."""
    data = raw(200, json.dumps(body).encode())

    async def behave(_: Received, peer: Peer) -> None:
        for place in range(len(data)):
            if place == len(data) // 2:
                half_way()
            await peer.send(data[place : place + 1])
            await asyncio.sleep(0.001)

    return behave


@cache
def bomb(size: int = 200_000_000) -> bytes:
    """Send a JSON text of `size` spaces, gzipped about 1000 to 1."""
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * 1_000_000
    parts = [packer.compress(b"["), *(packer.compress(block) for _ in range(size // len(block))), packer.compress(b"]")]
    return b"".join([*parts, packer.flush()])


def gzipped(body: Any) -> bytes:
    return gzip.compress(json.dumps(body).encode(), mtime=0)


def redirect(status: int, location: str) -> Behaviour:
    return reply(status, b"", location=location)


POSTHOG_ERROR = {"type": "invalid_request", "code": "not_found", "detail": "Not found.", "attr": None}


def posthog(detail: str, code: str = "invalid_input", attr: str | None = None, type_: str = "validation_error") -> Any:
    """Return an error in PostHog's envelope."""
    return {"type": type_, "code": code, "detail": detail, "attr": attr}


def maton_connection(connection_id: str = CONNECTION, status: str = "ACTIVE", created: str = "2026-01-05") -> Any:
    """Return a connection as Maton lists it."""
    return {
        "connection_id": connection_id,
        "status": status,
        "creation_time": f"{created}T10:00:00.000000Z",
        "last_updated_time": "2026-01-31T10:00:00.000000Z",
        "url": "https://connect.maton.ai/?session_token=EXAMPLE",
        "app": "posthog",
        "method": "OAUTH2",
        "metadata": {},
    }


LIST_CONNECTIONS = "/connections"
"""The request that precedes all others if no connection was named."""


def connections(*rows: Any) -> Behaviour:
    return reply(200, {"connections": list(rows)})
