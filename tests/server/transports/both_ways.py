"""Requests of a client that go the short way and through the SDK, and the messages that each way sends."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio

from maton_posthog.server import app
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.server.starting.opening import Opening, PassedLine, Taken
from maton_posthog.server.starting.ready import MODERN, ReadyResults
from maton_posthog.server.transports import pipe, stdio
from tests.gateway.fake_gateway import FakeGateway
from tests.server.processes import DEADLINE_S, INITIALIZE
from tests.server.test_every_operation import documented, key_set
from tests.snapshots.ready import META, Sink

WAYS: tuple[str, ...] = ("short", "sdk")
ERAS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", MODERN)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CHANCE = re.compile(rb"[0-9a-f]{32}")
"""Ids of queries, which are drawn."""
_LEFT = re.compile(rb'(resets_in_s\\*":)\d+')
"""Seconds until a budget is whole again, which pass between two calls."""

type Message = Mapping[str, Any]
type Script = Callable[[Output], AsyncIterator[Message]]
"""Yields what a client sends; it can wait for what the server wrote."""


def opening(era: str) -> list[Message]:
    if era == MODERN:
        return []
    hello = {"method": "initialize", "id": "hello", "params": {**INITIALIZE, "protocolVersion": era}}
    return [hello, {"method": "notifications/initialized"}]


def call(number: int | str, name: str, arguments: Any, era: str, **fields: Any) -> Message:
    meta = {**(META if era == MODERN else {}), **fields}
    params = {"name": name, "arguments": arguments, **({"_meta": meta} if meta else {})}
    return {"method": "tools/call", "id": number, "params": params}


class Output(Sink):
    """Keeps what is written, and tells those who wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._noted = anyio.Event()

    def send(self, line: bytes) -> None:
        super().send(line)
        self._note()

    async def write(self, line: bytes) -> None:
        await super().write(line)
        self._note()

    def _note(self) -> None:
        self._noted.set()
        self._noted = anyio.Event()

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        with anyio.fail_after(DEADLINE_S):
            while not any(holds(json.loads(line)) for line in self.lines):
                await self._noted.wait()

    async def answer_to(self, number: object) -> None:
        await self.until(lambda message: message.get("id") == number)


def one_by_one(requests: Sequence[Message]) -> Script:
    async def script(sink: Output) -> AsyncIterator[Message]:
        for request in requests:
            yield request
            if "id" in request:
                await sink.answer_to(request["id"])

    return script


def at_once(requests: Sequence[Message]) -> Script:
    async def script(_: Output) -> AsyncIterator[Message]:
        for request in requests:
            yield request

    return script


async def messages(way: str, runtime: Runtime, script: Script) -> list[bytes]:
    """Return what a client gets."""
    sink = Output()
    opened = Opening(ReadyResults(runtime.settings), sink.send, short=True)

    async def lines() -> AsyncIterator[Taken]:
        async for request in script(sink):
            line = json.dumps({"jsonrpc": "2.0", **request}).encode()
            taken = opened.take(line) if way == "short" else PassedLine(line)
            if taken is not None:
                yield taken

    async def passed() -> AsyncIterator[PassedLine]:
        async for taken in lines():
            assert isinstance(taken, PassedLine)
            yield taken

    if way == "short":
        await pipe.serve(runtime, lines(), sink)
    else:
        await stdio.serve(app.build(runtime), passed(), sink)
    return [_LEFT.sub(rb"\g<1>0", CHANCE.sub(b"(drawn)", line)) for line in sink.lines]


@asynccontextmanager
async def runtimes(**flags: Any) -> AsyncGenerator[tuple[dict[str, Runtime], dict[str, FakeGateway]]]:
    """Yield a runtime for each way, each with its own gateway."""
    async with FakeGateway() as one, FakeGateway() as other:
        fakes = dict(zip(WAYS, (one, other), strict=True))
        for fake in fakes.values():
            fake.answers(documented)
        with key_set():
            made = {
                way: Runtime(
                    load(gateway_url=fake.url, control_url=fake.url, **{"confirm": "never", **flags}), now=lambda: NOW
                )
                for way, fake in fakes.items()
            }
        try:
            yield made, fakes
        finally:
            for runtime in made.values():
                await runtime.aclose()
