"""Requests with an invalid id, for which the SDK sends no error."""

import json
import re
from typing import Any

from ...schemas.json import is_object

INVALID_REQUEST = -32600
WRONG_ID = "The id of a request must be a string or an integer."
_MAY_BE_WRONG = re.compile(rb'"id"\s*:\s*(?!"|-?[0-9]+\s*[,}])')


def has_wrong_id(text: bytes) -> bool:
    """Return whether this is a request whose id is no string and no integer.

    The SDK takes such a message for a notification, which gets no response (MCP 2025-11-25, Base Protocol, Requests).
    """
    if not _MAY_BE_WRONG.search(text):
        return False
    try:
        message: object = json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    if not is_object(message) or "method" not in message or "id" not in message:
        return False
    number: object = message["id"]
    return isinstance(number, bool) or not isinstance(number, str | int)


def wrong_id_error() -> dict[str, Any]:
    """Return the response to a request whose id cannot be repeated."""
    return {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": WRONG_ID}}
