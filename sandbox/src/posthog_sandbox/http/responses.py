"""JSON answers."""

import json
from typing import Any

from starlette.responses import Response

from ..errors import ApiError


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer. Half surrogate pairs, which UTF-8 cannot hold, become question marks."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")


def error_answer(error: ApiError) -> Response:
    """The answer an ApiError stands for; without a body it has zero bytes and no content type."""
    response = Response(status_code=error.status) if error.body is None else answer(error.body, error.status)
    response.headers.update(error.headers)
    return response
