"""Fault injection: rules that make chosen requests slow, wrong or broken, for tests of clients."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

import anyio
import anyio.lowlevel
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ApiError, maton_invalid
from ..http.responses import json_response
from ..values import Row, as_list, as_object

DISCONNECT = "sandbox.disconnect"
"""ASGI extension of the sandbox's server: a callable that cuts the connection."""

_LONGEST_S = 600
_MOST_BYTES = 2_000_000_000
_PIECE = 65_536

type Drop = Literal["before", "after", "half"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule. `path` is a glob over the whole path; the first rule that matches a request applies.

    `delay_s` is waited first. `drop` cuts the connection: `before` the request is handled, `after` it was handled, or
    after `half` of the body. `drip_s` sends the body byte by byte with this pause in between. With `status`, `body` or
    `body_bytes` (a JSON string of that many bytes) the request is not handled and this response is sent instead.
    """

    method: str | None = None
    path: str = "*"
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: Any = None
    body_bytes: int | None = None
    delay_s: float = 0.0
    drip_s: float = 0.0
    drop: Drop | None = None
    times: int | None = None

    def matches(self, method: str, path: str) -> bool:
        """Return whether the rule applies to this request."""
        return self.times != 0 and self.method in (None, method) and fnmatchcase(path, self.path)

    def response(self) -> Response | None:
        """Return the response that replaces PostHog's, if the rule has one."""
        if self.status is None and self.body is None and self.body_bytes is None:
            return None
        status = self.status or 200
        if self.body_bytes is not None:
            response = StreamingResponse(_text_of(self.body_bytes), status, media_type="application/json")
        elif isinstance(self.body, str):
            response = Response(self.body, status)
        else:
            response = Response(status_code=status) if self.body is None else json_response(self.body, status)
        response.headers.update(self.headers or {})
        return response

    def shown(self) -> Row:
        """Return the rule as JSON."""
        return {
            "match": {"method": self.method, "path": self.path},
            "status": self.status,
            "headers": self.headers,
            "body": self.body,
            "body_bytes": self.body_bytes,
            "delay_s": self.delay_s,
            "drip_s": self.drip_s,
            "drop": self.drop,
            "times": self.times,
        }


def read_faults(sent: object) -> list[Fault]:
    """Parse the rules of a JSON array `[{"match": {"method", "path"}, "status", ...}]`. Raises ApiError 422."""
    items = as_list(sent)
    if items is None:
        raise maton_invalid(["body"], "Expected a list of rules.")
    return [_read(as_object(item), number) for number, item in enumerate(items)]


def _read(rule: Row | None, number: int) -> Fault:
    known = {"match", "status", "headers", "body", "body_bytes", "delay_s", "drip_s", "drop", "times"}
    match = {} if rule is None else as_object(rule.get("match") or {})
    if rule is None or match is None or not rule.keys() <= known or not match.keys() <= {"method", "path"}:
        raise _wrong(
            number, f"A rule must be an object with only {', '.join(sorted(known))}; its match with only method, path."
        )
    status, times, drop, size = (rule.get(name) for name in ("status", "times", "drop", "body_bytes"))
    if status is not None and not (isinstance(status, int) and 200 <= status <= 599):
        raise _wrong(number, "`status` must be a number from 200 to 599.")
    if size is not None and not (isinstance(size, int) and 2 <= size <= _MOST_BYTES):
        raise _wrong(number, f"`body_bytes` must be a number from 2 to {_MOST_BYTES}.")
    if drop not in (None, "before", "after", "half"):
        raise _wrong(number, "`drop` must be before, after or half.")
    if times is not None and not (isinstance(times, int) and times > 0):
        raise _wrong(number, "`times` must be a positive number.")
    headers = as_object(rule.get("headers") or {})
    method, path = match.get("method"), match.get("path", "*")
    return Fault(
        method=None if method is None else str(method).upper(),
        path=str(path),
        status=status,
        headers=None if headers is None else {name: str(value) for name, value in headers.items()},
        body=rule.get("body"),
        body_bytes=size,
        delay_s=_seconds(rule, "delay_s", number),
        drip_s=_seconds(rule, "drip_s", number),
        drop=drop,
        times=times,
    )


def _seconds(rule: Row, name: str, number: int) -> float:
    value = rule.get(name, 0)
    if not isinstance(value, int | float) or not 0 <= value <= _LONGEST_S:
        raise _wrong(number, f"`{name}` must be a number of seconds from 0 to {_LONGEST_S}.")
    return float(value)


def _wrong(number: int, message: str) -> ApiError:
    return maton_invalid(["body", str(number)], message)


class Faults:
    """The active rules."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def set(self, rules: Sequence[Fault]) -> None:
        """Replace all rules."""
        self._rules = list(rules)

    def add(self, rules: Sequence[Fault]) -> None:
        """Append rules; those before them apply first."""
        self._rules += rules

    def shown(self) -> list[Row]:
        """Return the rules that can still apply, as JSON."""
        return [rule.shown() for rule in self._rules if rule.times != 0]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the rule for a request and count the use."""
        for place, rule in enumerate(self._rules):
            if rule.matches(method, path):
                if rule.times is not None:
                    self._rules[place] = replace(rule, times=rule.times - 1)
                return rule
        return None


class FaultyApp:
    """ASGI middleware that applies the rules."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_request = scope["type"] == "http" and not scope["path"].startswith("/sandbox/")
        fault = self._faults.take(scope["method"], scope["path"]) if is_request else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        await anyio.sleep(fault.delay_s)
        if fault.drop == "before":
            await _disconnect(scope)
            return
        inner = fault.response() or self._app
        if fault.drop is None and not fault.drip_s:
            await inner(scope, receive, send)
            return
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        await inner(scope, receive, keep)
        if fault.drop is None:
            await _drip(kept, fault.drip_s, send)
            return
        if fault.drop == "half":
            await _send_half(kept, send)
        await _disconnect(scope)


async def _send_half(messages: list[Message], send: Send) -> None:
    body = b"".join(message.get("body", b"") for message in messages)
    await send(messages[0])
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await anyio.sleep(0.05)  # let the first half be sent before the connection is cut


async def _drip(messages: list[Message], seconds: float, send: Send) -> None:
    body = b"".join(message.get("body", b"") for message in messages)
    await send(messages[0])
    for position in range(len(body)):
        await send({"type": "http.response.body", "body": body[position : position + 1], "more_body": True})
        await anyio.sleep(seconds)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _text_of(size: int) -> Iterator[bytes]:
    """Yield a JSON string of this many bytes in chunks."""
    yield b'"'
    for start in range(0, size - 2, _PIECE):
        yield b"x" * min(_PIECE, size - 2 - start)
    yield b'"'


async def _disconnect(scope: Scope) -> None:
    cut = scope.get("extensions", {}).get(DISCONNECT)
    if cut is None:
        raise ConnectionAbortedError("The connection was dropped by an injected fault.")
    cut()
    await anyio.lowlevel.checkpoint()
