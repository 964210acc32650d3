"""One try on the wire: send, read the whole answer, and know whether anything left this process."""

from typing import Any

import anyio
import httpx2

from .answers import Answer, read_bounded

CLOSE_TIMEOUT_S = 1.0


class Departure:
    """Whether the request began to be written to its server. Until then nothing can have happened there.

    `__call__` is the trace hook of the HTTP library, which reports each step of a request; the CONNECT that asks a
    proxy for a tunnel does not count. It also closes the socket of a TLS handshake that was cancelled: the library
    leaves it to the garbage collector.
    """

    def __init__(self) -> None:
        self.left = False
        self._socket: Any = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            self.left = info["request"].method != b"CONNECT"
        elif event == "connection.connect_tcp.complete":
            self._socket = info["return_value"]
        elif event.endswith(".start_tls.failed") and self._socket is not None:
            with anyio.CancelScope(shield=True):
                await self._socket.aclose()


async def exchange(http: httpx2.AsyncClient, prepared: httpx2.Request) -> Answer:
    """Send, and read the whole answer. Cancelled, it closes the connection: the answer would come to nobody."""
    response = await http.send(prepared, stream=True)
    try:
        encoding = response.headers.get("content-encoding", "").strip().lower()
        read = await read_bounded(response.aiter_raw(), encoding)
    finally:
        if not response.is_closed:
            with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await response.aclose()
    headers = response.headers
    return Answer(
        response.status_code,
        read if isinstance(read, bytes) else b"",
        request_id=_plain(headers.get("x-request-id")),
        retry_after=headers.get("retry-after"),
        fault=None if isinstance(read, bytes) else read,
    )


def _plain(request_id: str | None) -> str | None:
    """A correlation id as it is shown and logged: anything else than a short plain word is dropped."""
    plain = request_id and len(request_id) <= 100 and request_id.isascii() and request_id.replace("-", "").isalnum()
    return request_id if plain else None
