"""One try on the wire: send, read the whole response, and record whether anything left this process."""

from typing import Any

import anyio
import httpcore2

from .responses import UpstreamResponse, read_bounded

CLOSE_TIMEOUT_S = 1.0


class Departure:
    """Records whether the first byte of a request was written. Before that nothing can have happened upstream.

    `__call__` is the trace hook of the HTTP library, which reports each step of a request; the CONNECT request for a
    proxy tunnel does not count. It also closes the socket of a cancelled TLS handshake, which the library leaves to the
    garbage collector.
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


async def exchange(pool: httpcore2.AsyncConnectionPool, prepared: httpcore2.Request) -> UpstreamResponse:
    """Send a request and read the whole response. On cancellation, close the connection."""
    response = await pool.handle_async_request(prepared)
    headers = {name.lower(): value.decode("latin-1").strip() for name, value in response.headers}
    try:
        read = await read_bounded(response.aiter_stream(), headers.get(b"content-encoding", "").lower())
    finally:
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await response.aclose()
    return UpstreamResponse(
        response.status,
        read if isinstance(read, list) else (),
        request_id=_plain(headers.get(b"x-request-id")),
        retry_after=headers.get(b"retry-after"),
        fault=None if isinstance(read, list) else read,
    )


def _plain(request_id: str | None) -> str | None:
    """Return a correlation id as it is shown and logged; None for anything but a short plain word."""
    plain = request_id and len(request_id) <= 100 and request_id.isascii() and request_id.replace("-", "").isalnum()
    return request_id if plain else None
