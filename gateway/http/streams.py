"""Network streams that spend less time than those of the HTTP library.

The library sends the head of a request and its body separately; here they leave together. Its pool looks at all idle
connections twice per request, to find those that the other side has closed. Its own look takes twenty times as long, so
that 32 calls at once would spend a third of their time on it.
"""

# ruff: noqa: ASYNC109 - the signatures are those of the library

import re
import select
import ssl
from collections.abc import Callable, Iterable
from typing import Any, cast

import httpcore2

_BEFORE_BODY = re.compile(rb"\r\ncontent-length: *[1-9]", re.IGNORECASE)
"""Found in the head of a request that has a body."""


_READ_BYTES = 262_144
"""As much as the event loop receives at once; the library reads a quarter of it."""


class Backend(httpcore2.AsyncNetworkBackend):
    """The network of asyncio."""

    def __init__(self) -> None:
        self._network: httpcore2.AsyncNetworkBackend = cast("Any", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connected stream."""
        return Stream(await self._network.connect_tcp(host, port, timeout, local_address, socket_options))


class Stream(httpcore2.AsyncNetworkStream):
    """A stream over a stream of the library."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket = stream.get_extra_info("socket")
        self._is_readable = _reader_of(self._socket)
        self._head = b""
        """The head of a request whose body has not arrived here."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max(max_bytes, _READ_BYTES), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._head:
            buffer, self._head = self._head + buffer, b""
        elif _BEFORE_BODY.search(buffer):
            self._head = buffer
            return
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return self._stream.get_extra_info(info)
        return self._socket.fileno() < 0 or self._is_readable()


def _reader_of(socket: Any) -> Callable[[], bool]:
    """Return a function that tells whether a socket has data or has ended."""
    if not hasattr(select, "poll"):  # Windows
        return lambda: bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return lambda: bool(poll.poll(0))
