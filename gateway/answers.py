"""Reading an answer: bounded, decoded, and strictly parsed."""

import math
import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic_core import from_json

from .errors import Code, Failed

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Largest answer that is read, after decompression."""
ACCEPT_ENCODING = "gzip"
_GZIP = zlib.MAX_WBITS + 16
# Only these may be infinite once they are floats: an exponent of three digits or more, or very many digits.
_HUGE_NUMBER = re.compile(rb"\d[eE]\+?\d{3,}\s*(?:[,\]}]|\Z)|\d{200}")

_AGAIN = "Try again; if it stays so, Maton or PostHog has a fault."
LOOK_FIRST = "Do not repeat it blindly: look with the matching get or list tool first."
"""The hint for a write whose outcome is unknown."""

type Fault = Literal["too_large", "badly_encoded"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end. With a `fault`, the body could not be read and is empty."""

    status: int
    body: bytes
    request_id: str | None = None
    retry_after: str | None = None
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


async def read_bounded(chunks: AsyncIterator[bytes], encoding: str, limit: int = MAX_BODY_BYTES) -> bytes | Fault:
    """The whole body after its Content-Encoding. No more than `limit` bytes are ever held, however well they were
    compressed.
    """
    unpack = zlib.decompressobj(_GZIP) if encoding in ("gzip", "x-gzip") else None
    if unpack is None and encoding not in ("", "identity"):
        return "badly_encoded"
    body = bytearray()
    empty = True
    async for chunk in chunks:
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, limit + 1 - len(body))
        except zlib.error:
            return "badly_encoded"
        if len(body) > limit:
            return "too_large"
        if unpack is not None and unpack.unused_data:
            return "badly_encoded"
        empty = False
    complete = unpack is None or unpack.eof or empty
    return bytes(body) if complete else "badly_encoded"


def parse(answer: Answer, *, writes: bool) -> Any:
    """The JSON value of a successful answer; None for an empty body.

    Raises Failed (`bad_upstream_response`) for anything but strict JSON: NaN and infinite numbers, lone surrogates,
    nesting beyond 200 levels and integers of thousands of digits are refused, so that what we print is always valid.
    Raises Failed (`response_too_large`) too. After a write the outcome is then `unknown`: a login page comes with
    200 as well, and then nothing was changed.
    """
    if answer.fault == "too_large":
        size = f"The answer is larger than {MAX_BODY_BYTES // 1024**2} MiB."
        narrower = "Ask for less: a smaller limit, fewer columns, a shorter time range."
        raise _unusable(answer, writes, "response_too_large", size, narrower)
    if answer.fault == "badly_encoded":
        raise _unusable(answer, writes, "bad_upstream_response", "The answer is not encoded as it says.", _AGAIN)
    if not answer.body.strip():
        return None
    try:
        return _strict(answer.body)
    except ValueError:
        message = f"The answer ({answer.status}) is not valid JSON."
        raise _unusable(answer, writes, "bad_upstream_response", message, _AGAIN) from None


def _unusable(answer: Answer, writes: bool, code: Code, message: str, hint: str) -> Failed:
    """The error for a success that cannot be read: a write may have been made or not."""
    return Failed(
        code,
        message,
        LOOK_FIRST if writes else hint,
        source="maton",
        outcome="unknown" if writes else None,
        status=answer.status,
        request_id=answer.request_id,
    )


def _strict(body: bytes) -> Any:
    value = from_json(body, allow_inf_nan=False)
    if _HUGE_NUMBER.search(body) and not _is_finite(value):
        raise ValueError("a number is infinite")
    return value


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, cast("dict[str, Any]", value).values()))
    return not isinstance(value, list) or all(map(_is_finite, cast("list[Any]", value)))
