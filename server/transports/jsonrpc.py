"""Requests that the SDK does not reject itself: with an invalid id, or with too many values."""

import json
import re
from typing import Any

from ...schemas.json import is_object

INVALID_REQUEST = -32600
WRONG_ID = "The id of a request must be a string or an integer."
MOST_VALUES = 60_000
"""Most values in one request: the SDK reads them on the event loop, and makes several copies."""
_MAY_BE_WRONG = re.compile(rb'"id"\s*:\s*(?!"|-?[0-9]+\s*[,}])')


def has_too_many_values(text: bytes) -> bool:
    """Return whether a request has more values than MOST_VALUES. Commas in texts do not count."""
    if text.count(b",") <= MOST_VALUES:
        return False
    unescaped = text.replace(rb"\\", b"").replace(rb"\"", b"")
    return b"".join(unescaped.split(b'"')[::2]).count(b",") > MOST_VALUES


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
