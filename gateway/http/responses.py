"""Responses: read up to a limit, decoded, and parsed strictly."""

import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio.lowlevel

from ..errors import Code, Failed
from .parsing import parse_strictly, parse_with_rows

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Largest response that is read, after decompression."""
ACCEPT_ENCODING = "gzip"
_GZIP = zlib.MAX_WBITS + 16
_STEP_BYTES = 1024 * 1024
"""What is decompressed before other calls get their turn: less than a millisecond's work."""

_AGAIN = "Try again. If this persists, the problem is on Maton's or PostHog's side."
LOOK_FIRST = "Do not repeat it before you have looked with the matching get or list tool."
"""The hint for a write whose outcome is unknown."""

type Fault = Literal["too_large", "badly_encoded"]


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """One HTTP response, read to its end. With a `fault`, the body could not be read and is empty."""

    status: int
    parts: Sequence[bytes]
    """The body as it arrived: a large one is joined where it is parsed, away from the event loop."""
    request_id: str | None = None
    retry_after: str | None = None
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        """Return whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def size(self) -> int:
        """Return the length of the body."""
        return sum(map(len, self.parts))

    @property
    def body(self) -> bytes:
        """Return the whole body."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


async def read_bounded(chunks: AsyncIterator[bytes], encoding: str, limit: int = MAX_BODY_BYTES) -> list[bytes] | Fault:
    """Return the whole decoded body in parts.

    At most `limit` bytes are kept in memory, whatever the compression ratio.
    """
    unpack = zlib.decompressobj(_GZIP) if encoding in ("gzip", "x-gzip") else None
    if unpack is None and encoding not in ("", "identity"):
        return "badly_encoded"
    parts: list[bytes] = []
    size = 0
    empty = True
    async for chunk in chunks:
        if unpack is None:
            parts.append(chunk)
            size += len(chunk)
        else:
            try:
                while chunk and size <= limit:
                    parts.append(unpack.decompress(chunk, min(_STEP_BYTES, limit + 1 - size)))
                    size += len(parts[-1])
                    if chunk := unpack.unconsumed_tail:
                        await anyio.lowlevel.checkpoint()
            except zlib.error:
                return "badly_encoded"
        if size > limit:
            return "too_large"
        if unpack is not None and unpack.unused_data:
            return "badly_encoded"
        empty = False
    complete = unpack is None or unpack.eof or empty
    return parts if complete else "badly_encoded"


def parse(
    response: UpstreamResponse, *, writes: bool, rows: bool = False, pause: Callable[[], None] = lambda: None
) -> Any:
    """Return the JSON value of a successful response; None for an empty body. With `rows`, the rows of a query stay
    text (`Rows`); `pause` is called between blocks of them.

    Raises Failed (`bad_upstream_response`) for anything but strict JSON: NaN and infinite numbers, lone surrogates,
    nesting beyond 200 levels and integers of thousands of digits are rejected, so that results are always valid JSON.
    Raises Failed (`response_too_large`) too. The outcome of a write is then `unknown`: a login page comes with 200
    as well, and in that case nothing was changed.
    """
    if response.fault == "too_large":
        size = f"The response is larger than {MAX_BODY_BYTES // 1024**2} MiB."
        narrower = "Request less: a smaller limit, fewer columns, a shorter time range."
        raise _unusable(response, writes, "response_too_large", size, narrower)
    if response.fault == "badly_encoded":
        message = "The response does not match its Content-Encoding."
        raise _unusable(response, writes, "bad_upstream_response", message, _AGAIN)
    body = response.body
    if not body or body.isspace():
        return None
    try:
        return parse_with_rows(body, pause) if rows else parse_strictly(body)
    except ValueError:
        message = f"The response ({response.status}) is not valid JSON."
        raise _unusable(response, writes, "bad_upstream_response", message, _AGAIN) from None


def _unusable(response: UpstreamResponse, writes: bool, code: Code, message: str, hint: str) -> Failed:
    """Return the error for a 2xx response that cannot be read. A write may have been applied."""
    return Failed(
        code,
        message,
        LOOK_FIRST if writes else hint,
        source="maton",
        outcome="unknown" if writes else None,
        status=response.status,
        request_id=response.request_id,
    )
