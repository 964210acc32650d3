"""The requests that are understood without the SDK: those with nothing unusual in them.

The rules are those of the MCP specification 2025-11-25 (lifecycle) and 2026-07-28 (discovery). This module loads
nothing heavy.
"""

import json
from collections.abc import Mapping
from typing import Any

from ...schemas.json import as_object, is_object

LONGEST = 16_384
"""Longer lines are left to the SDK."""
REPLAYED = "maton-posthog-mcp:replayed:"
"""Prefix of the ids under which answered requests are passed on."""
_META = "io.modelcontextprotocol/"
_VERSION = f"{_META}protocolVersion"
_CAPABILITIES = f"{_META}clientCapabilities"
_CLIENT = f"{_META}clientInfo"
_ENVELOPE = frozenset((_VERSION, _CAPABILITIES, _CLIENT))
_PROGRESS = "progressToken"
_NESTED = ("sampling", "elicitation", "tasks")
"""Capabilities that are objects in objects, such as `{"form": {}}`."""
_EXTENDED = ("experimental", "extensions")
"""Capabilities whose objects are not described by the specification."""


def message_in(line: bytes | None) -> dict[str, Any] | None:
    """Return the JSON-RPC request or notification in a line; None for anything else."""
    if line is None or len(line) > LONGEST:
        return None
    try:
        message: object = json.loads(line.decode())  # of bytes, it would take UTF-16 too
    except (ValueError, RecursionError):
        return None
    return message if is_object(message) and isinstance(message.get("method"), str) else None


def is_plain(request: Mapping[str, Any]) -> bool:
    """Return whether the JSON-RPC fields of a request are as usual."""
    number = request["id"]
    if isinstance(number, str):
        known = number.isascii() and number.isprintable() and len(number) <= 200 and not number.startswith(REPLAYED)
    else:
        known = isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**53
    fields = {"jsonrpc", "id", "method", "params"}
    return (
        known and request.get("jsonrpc") == "2.0" and request.keys() <= fields and is_object(request.get("params", {}))
    )


def envelope_version(request: Mapping[str, Any]) -> object:
    """Return the protocol version that a request of the era without a handshake carries."""
    return as_object(request.get("params", {}).get("_meta")).get(_VERSION)


def can_ask(capabilities: Mapping[str, Any]) -> bool:
    """Return whether a client with these capabilities can ask its user."""
    return capabilities.get("elicitation") is not None


def envelope_asks(params: Mapping[str, Any]) -> bool:
    """Return whether the client of a request with an envelope can ask its user."""
    return can_ask(as_object(as_object(params.get("_meta")).get(_CAPABILITIES)))


def is_plain_envelope(params: Mapping[str, Any]) -> bool:
    """Return whether a request without arguments carries what every request of that era has to carry."""
    return len(params) == 1 and params["_meta"].keys() <= {*_ENVELOPE, _PROGRESS} and _is_envelope(params["_meta"])


def _is_envelope(meta: Mapping[str, Any]) -> bool:
    return (
        _CAPABILITIES in meta
        and _are_plain_capabilities(meta[_CAPABILITIES])
        and (_CLIENT not in meta or _is_plain_client(meta[_CLIENT]))
        and _is_token(meta.get(_PROGRESS, ""))
    )


def is_plain_handshake(params: Mapping[str, Any]) -> bool:
    """Return whether these are the parameters of `initialize` as the specification writes them."""
    return (
        set(params) == {"protocolVersion", "capabilities", "clientInfo"}
        and isinstance(params["protocolVersion"], str)
        and _are_plain_capabilities(params["capabilities"])
        and _is_plain_client(params["clientInfo"])
    )


def _are_plain_capabilities(value: object) -> bool:
    """Return whether these are capabilities as the specification writes them: objects, and `listChanged` for roots."""
    if not is_object(value) or not value.keys() <= {*_NESTED, *_EXTENDED, "roots"}:
        return False
    roots: object = value.get("roots", {})
    return (
        is_object(roots)
        and roots.keys() <= {"listChanged"}
        and isinstance(roots.get("listChanged", False), bool)
        and all(_is_nested(value.get(name, {})) for name in _NESTED)
        and all(_is_object_of_objects(value.get(name, {})) for name in _EXTENDED)
    )


def _is_nested(value: object) -> bool:
    return is_object(value) and all(map(_is_nested, value.values()))


def _is_object_of_objects(value: object) -> bool:
    return is_object(value) and all(map(is_object, value.values()))


def _is_plain_client(value: object) -> bool:
    return (
        is_object(value)
        and {"name", "version"} <= value.keys() <= {"name", "version", "title", "description"}
        and all(isinstance(each, str) for each in value.values())
    )


def has_no_arguments(params: object) -> bool:
    """Return whether a request has no arguments beyond a progress token."""
    given = as_object(params)
    meta: object = given.get("_meta", {})
    return (
        given.keys() <= {"_meta"}
        and is_object(meta)
        and meta.keys() <= {_PROGRESS}
        and _is_token(meta.get(_PROGRESS, ""))
    )


def is_plain_call(params: Mapping[str, Any], *, has_envelope: bool) -> bool:
    """Return whether these are the parameters of tools/call, with nothing in `_meta` but a progress token and fields of
    other vendors.
    """
    meta: object = params.get("_meta", {})
    return (
        params.keys() <= {"name", "arguments", "_meta"}
        and isinstance(params.get("name"), str)
        and is_object(params.get("arguments", {}))
        and is_object(meta)
        and {key for key in meta if key.startswith(_META)} <= (_ENVELOPE if has_envelope else frozenset[str]())
        and (not has_envelope or _is_envelope(meta))
        and _is_token(meta.get(_PROGRESS, ""))
    )


def progress_token(params: Mapping[str, Any]) -> str | int | None:
    """Return the progress token of a plain call."""
    return as_object(params.get("_meta")).get(_PROGRESS)


def cancelled_request(message: Mapping[str, Any]) -> str | int | None:
    """Return the id of the request that a notification cancels; None for other messages."""
    if message["method"] != "notifications/cancelled" or "id" in message or message.get("jsonrpc") != "2.0":
        return None
    number: object = as_object(message.get("params")).get("requestId")
    return number if isinstance(number, str | int) and not isinstance(number, bool) else None


def _is_token(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
