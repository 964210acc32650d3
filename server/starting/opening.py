"""The opening of a connection on stdin: requests whose result is ready are answered without the SDK.

Every other line is passed to the SDK, in order and unchanged. The SDK decides the protocol era of a connection by its
first request. If that request was answered here, it is also passed on, under another id, and the SDK's response is
dropped. `server/discover` does not decide the era; the next request does. This module loads nothing heavy. The rules
are those of the MCP specification 2025-11-25 (lifecycle) and 2026-07-28 (discovery).
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from ...schemas.json import as_object, is_object
from .ready import LISTS, MODERN, ReadyResults

LONGEST = 16_384
"""Longer lines are left to the SDK: a request with a ready result is short."""
REPLAYED = "maton-posthog-mcp:replayed:"
"""Prefix of the ids under which answered requests are passed on."""
_META = "io.modelcontextprotocol/"
_VERSION = f"{_META}protocolVersion"
_CAPABILITIES = f"{_META}clientCapabilities"
_CLIENT = f"{_META}clientInfo"
_PROGRESS = "progressToken"
_NESTED = ("sampling", "elicitation", "tasks")
"""Capabilities that are objects in objects, such as `{"form": {}}`."""
_EXTENDED = ("experimental", "extensions")
"""Capabilities whose objects are not described by the specification."""


class PassedLine(NamedTuple):
    """A line for the SDK. `apart`: it must not decide the era of the connection."""

    line: bytes | None
    apart: bool = False


class Era(Enum):
    """The protocol era of the connection, as far as the requests so far decide it."""

    OPEN = "open"
    """Not decided yet."""
    LEGACY = "legacy"
    """A version with a handshake, before `initialize`."""
    INITIALIZED = "initialized"
    MODERN = "modern"
    OTHER = "other"
    """Decided by a request that only the SDK understood; the SDK answers all further ones."""


class Opening:
    """The state of one connection. Its lines come from one thread."""

    def __init__(self, results: ReadyResults, answer: Callable[[bytes], object]) -> None:
        self._results = results
        self._answer = answer
        self._era = Era.OPEN
        self._version = ""
        self._replayed = 0

    def take(self, line: bytes | None) -> PassedLine | None:
        """Answer a line, or return what to pass to the SDK; None if nothing is passed on.

        A line is None when it was too long.
        """
        request = _request(line)
        if request is None or "id" not in request:
            return PassedLine(line)
        ready = self._ready(request) if _is_plain(request) else None
        if ready is not None:
            number = json.dumps(request["id"])
            self._answer(f'{{"jsonrpc":"2.0","id":{number},"result":{ready}}}'.encode())
        if request["method"] == "server/discover" and self._era is Era.OPEN:
            return PassedLine(line, apart=True) if ready is None else None
        era = self._after(request) if ready is not None else self._era_of_sdk(request)
        if ready is None or era is not self._era:
            self._era = era
            return PassedLine(line if ready is None else self._replay(request))
        return None

    def _ready(self, request: Mapping[str, Any]) -> str | None:
        """Return the result of a request in the present state; None when the SDK has to answer."""
        method, params = request["method"], request.get("params")
        version = _envelope_version(request)
        if version == MODERN and self._era in (Era.OPEN, Era.MODERN) and _is_plain_envelope(request["params"]):
            if method == "server/discover":
                return self._results.discover()
            return self._results.list(MODERN, method) if method in LISTS else None
        if version is not None or self._era in (Era.MODERN, Era.OTHER):
            return None
        if method == "initialize" and self._era is not Era.INITIALIZED:
            plain = is_object(params) and _is_plain_handshake(params)
            return self._results.initialize(self._negotiated(request)) if plain else None
        if not _has_no_arguments(params):
            return None
        if method in LISTS and self._era is Era.INITIALIZED:
            return self._results.list(self._version, method)
        return "{}" if method == "ping" else None

    def _after(self, request: Mapping[str, Any]) -> Era:
        """Return the era after a request with a ready answer."""
        if request["method"] == "initialize":
            self._version = self._negotiated(request)
            return Era.INITIALIZED
        if self._era is Era.OPEN:
            return Era.MODERN if _envelope_version(request) else Era.LEGACY
        return self._era

    def _era_of_sdk(self, request: Mapping[str, Any]) -> Era:
        """Return the era after a request that the SDK answers."""
        return Era.OTHER if self._era is Era.OPEN or request["method"] == "initialize" else self._era

    def _replay(self, request: Mapping[str, Any]) -> bytes:
        self._replayed += 1
        return json.dumps({**request, "id": f"{REPLAYED}{self._replayed}"}).encode()

    def _negotiated(self, request: Mapping[str, Any]) -> str:
        asked = request["params"]["protocolVersion"]
        return asked if self._results.serves(asked) else self._results.latest


def _request(line: bytes | None) -> dict[str, Any] | None:
    """Return the JSON-RPC request or notification in a line; None for anything else."""
    if line is None or len(line) > LONGEST:
        return None
    try:
        message: object = json.loads(line.decode())  # of bytes, it would take UTF-16 too
    except (ValueError, RecursionError):
        return None
    return message if is_object(message) and isinstance(message.get("method"), str) else None


def _is_plain(request: Mapping[str, Any]) -> bool:
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


def _envelope_version(request: Mapping[str, Any]) -> object:
    return as_object(request.get("params", {}).get("_meta")).get(_VERSION)


def _is_plain_envelope(params: Mapping[str, Any]) -> bool:
    meta: Mapping[str, Any] = params["_meta"]
    return (
        len(params) == 1
        and meta.keys() <= {_VERSION, _CAPABILITIES, _CLIENT, _PROGRESS}
        and _CAPABILITIES in meta
        and _are_plain_capabilities(meta[_CAPABILITIES])
        and (_CLIENT not in meta or _is_plain_client(meta[_CLIENT]))
        and _is_token(meta.get(_PROGRESS, ""))
    )


def _is_plain_handshake(params: Mapping[str, Any]) -> bool:
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


def _has_no_arguments(params: object) -> bool:
    """Return whether a request has no arguments beyond a progress token."""
    given = as_object(params)
    meta: object = given.get("_meta", {})
    return (
        given.keys() <= {"_meta"}
        and is_object(meta)
        and meta.keys() <= {_PROGRESS}
        and _is_token(meta.get(_PROGRESS, ""))
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
