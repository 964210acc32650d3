"""Request bodies: limited in size, and parsed as strictly as PostHog's database requires."""

import json
import math
from typing import Any, Never

from starlette.requests import Request

from ..errors import ApiError, invalid, malformed, posthog_error
from ..values import Row, as_object

MAX_BODY_BYTES = 20 * 1024**2


async def read_json(request: Request) -> Any:
    """Read and parse the JSON of a body, None for an empty one. Raises ApiError 400, 413."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise ApiError(413, {"detail": "Request body exceeded the maximum size."})
        parts.append(part)
    raw = b"".join(parts)
    return parse_json(raw) if raw.strip() else None


def parse_json(raw: bytes) -> Any:
    """Parse strict JSON: no NaN, no number beyond a double, no lone surrogates. Raises ApiError 400."""
    try:
        value = json.loads(raw, parse_constant=_reject, parse_float=_finite)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise malformed() from None
    return value


async def read_object(request: Request) -> Row:
    """Read the JSON object of a PostHog request; an empty body is an empty object. Raises ApiError 400, 413, 415."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    value = await read_json(request)
    if value is None:
        return {}
    if kind != "application/json":
        raise posthog_error(
            415, "invalid_request", "unsupported_media_type", f'Unsupported media type "{kind}" in request.'
        )
    found = as_object(value)
    if found is None:
        raise invalid(f"Invalid data. Expected a dictionary, but got {type(value).__name__}.")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _reject(digits)


def _reject(constant: str) -> Never:
    raise ValueError(constant)
