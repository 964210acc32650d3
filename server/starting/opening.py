"""The opening of a connection on stdin: what is answered without the SDK, and what is left to it.

Requests whose result is ready are answered here, and plain calls of tools are recognized, so that they take the short
way. Every other line is passed to the SDK, in order and unchanged. The SDK decides the protocol era of a connection by
its first request. If that request was understood here, one of its era is also passed on, under another id, and the
SDK's response is dropped. `server/discover` does not decide the era; the next request does. This module loads nothing
heavy.
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from ...schemas.json import is_object
from .plain import (
    REPLAYED,
    can_ask,
    cancelled_request,
    envelope_asks,
    envelope_version,
    has_no_arguments,
    is_plain,
    is_plain_call,
    is_plain_envelope,
    is_plain_handshake,
    message_in,
    progress_token,
)
from .ready import LISTS, MODERN, ReadyResults


class PassedLine(NamedTuple):
    """A line for the SDK.

    `apart`: it must not decide the era of the connection. `can_wait`: it only prepares the SDK for later lines, and no
    client expects a response.
    """

    line: bytes | None
    apart: bool = False
    can_wait: bool = False


class PlainCall(NamedTuple):
    """A call of a tool that does not need the SDK. `replayed` is what has to precede it if the line does go there."""

    line: bytes
    number: str | int
    version: str
    """The protocol version of the call."""
    token: str | int | None
    """The client's token for progress."""
    replayed: bytes | None = None


class Cancellation(NamedTuple):
    """A line that cancels a request."""

    line: bytes
    number: str | int


type Taken = PassedLine | PlainCall | Cancellation


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
    """The state of one connection. Its lines come from one thread. With `short`, plain calls are recognized."""

    def __init__(self, results: ReadyResults, answer: Callable[[bytes], object], *, short: bool = False) -> None:
        self._results = results
        self._answer = answer
        self._short = short
        self._asks = False
        """Whether the client of a connection with a handshake can ask its user."""
        self._era = Era.OPEN
        self._version = ""
        self._replayed = 0

    def take(self, line: bytes | None) -> Taken | None:
        """Answer a line, or return what to do with it; None if nothing is left to do.

        A line is None when it was too long.
        """
        request = message_in(line)
        if line is None or request is None:
            return PassedLine(line)
        if "id" not in request:
            return self._notification(line, request)
        if self._short and is_plain(request) and (call := self._call(line, request)) is not None:
            return call
        ready = self._ready(request) if is_plain(request) else None
        if ready is not None:
            number = json.dumps(request["id"])
            self._answer(f'{{"jsonrpc":"2.0","id":{number},"result":{ready}}}'.encode())
        if request["method"] == "server/discover" and self._era is Era.OPEN:
            return PassedLine(line, apart=True) if ready is None else None
        era = self._after(request) if ready is not None else self._era_of_sdk(request)
        if ready is None:
            self._era = era
            return PassedLine(line)
        if era is not self._era:
            self._era = era
            return PassedLine(self._replay(request), can_wait=True)
        return None

    def _notification(self, line: bytes, message: Mapping[str, Any]) -> Taken:
        number = cancelled_request(message) if self._short else None
        return PassedLine(line, can_wait=True) if number is None else Cancellation(line, number)

    def _call(self, line: bytes, request: Mapping[str, Any]) -> PlainCall | None:
        """Return a call that needs no SDK in the present state."""
        params = request.get("params")
        if request["method"] != "tools/call" or not is_object(params) or not self._results.offers(params.get("name")):
            return None
        asked = self._results.may_ask(params["name"])
        if self._era is Era.INITIALIZED and is_plain_call(params, has_envelope=False):
            return (
                None if asked and self._asks else PlainCall(line, request["id"], self._version, progress_token(params))
            )
        if self._era not in (Era.OPEN, Era.MODERN) or envelope_version(request) != MODERN:
            return None
        if not is_plain_call(params, has_envelope=True) or (asked and envelope_asks(params)):
            return None
        opens = self._era is Era.OPEN
        self._era = Era.MODERN
        same_era = {"jsonrpc": "2.0", "method": "tools/list", "params": {"_meta": params["_meta"]}}
        replayed = self._replay(same_era) if opens else None
        return PlainCall(line, request["id"], MODERN, progress_token(params), replayed)

    def _ready(self, request: Mapping[str, Any]) -> str | None:
        """Return the result of a request in the present state; None when the SDK has to answer."""
        method, params = request["method"], request.get("params")
        version = envelope_version(request)
        if version == MODERN and self._era in (Era.OPEN, Era.MODERN) and is_plain_envelope(request["params"]):
            if method == "server/discover":
                return self._results.discover()
            return self._results.list(MODERN, method) if method in LISTS else None
        if version is not None or self._era in (Era.MODERN, Era.OTHER):
            return None
        if method == "initialize" and self._era is not Era.INITIALIZED:
            plain = is_object(params) and is_plain_handshake(params)
            return self._results.initialize(self._negotiated(request)) if plain else None
        if not has_no_arguments(params):
            return None
        if method in LISTS and self._era is Era.INITIALIZED:
            return self._results.list(self._version, method)
        return "{}" if method == "ping" else None

    def _after(self, request: Mapping[str, Any]) -> Era:
        """Return the era after a request with a ready answer."""
        if request["method"] == "initialize":
            self._version = self._negotiated(request)
            self._asks = can_ask(request["params"]["capabilities"])
            return Era.INITIALIZED
        if self._era is Era.OPEN:
            return Era.MODERN if envelope_version(request) else Era.LEGACY
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
