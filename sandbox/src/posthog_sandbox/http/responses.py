"""JSON responses."""

import json
from typing import Any

from starlette.responses import Response

from ..errors import ApiError


def json_response(body: Any, status: int = 200) -> Response:
    """Return a JSON response; lone surrogates, which UTF-8 cannot encode, become question marks."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")


def error_response(error: ApiError) -> Response:
    """Return the response of an ApiError; without a body it is empty and has no content type."""
    response = Response(status_code=error.status) if error.body is None else json_response(error.body, error.status)
    response.headers.update(error.headers)
    return response
