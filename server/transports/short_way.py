"""The short way of tools/call over stdio: from the line to `call_tool` and back to the line, without the SDK.

The messages are those that the SDK would send, byte by byte; a test sends the same requests both ways. The rules: a
cancelled call gets no response (of two with one id, the later one is cancelled), progress is sent to clients that gave
a token, and a call that the end of the connection cuts off gets an error.
"""

import logging
from collections.abc import Mapping
from typing import Any

import anyio
from anyio.abc import TaskGroup
from pydantic_core import from_json, to_json

from ...schemas.json import as_object
from ..calling import call_tool
from ..results.door import INTERNAL
from ..results.tool_result import ToolResult
from ..runtime import Runtime
from ..starting.opening import PlainCall
from ..starting.ready import MODERN, ReadyResults
from .wire import LineWriter

INTERNAL_ERROR = -32603
CONNECTION_CLOSED = -32000

_logger = logging.getLogger("maton_posthog.server")


class ShortWay:
    """The calls of one connection that are in progress on the short way."""

    def __init__(self, runtime: Runtime, writer: LineWriter, tasks: TaskGroup) -> None:
        self._runtime = runtime
        self._writer = writer
        self._tasks = tasks
        self._stamp = ReadyResults(runtime.settings).stamp
        self._running: dict[str | int, _InProgress] = {}
        self._loading = 0
        self._changed = anyio.Event()

    def start(self, call: PlainCall) -> bool:
        """Start a call; False if the SDK has to explain what is wrong with its line."""
        try:
            params: object = from_json(call.line)["params"]  # the SDK's parser, which is stricter than json
        except ValueError:
            return False
        given = as_object(params)
        running = _InProgress(call)
        self._running[_key(call.number)] = running
        self._tasks.start_soon(self._run, running, given["name"], as_object(given.get("arguments")))
        return True

    def cancel(self, number: str | int) -> bool:
        """Cancel a call; False if none has this id."""
        running = self._running.get(_key(number))
        if running is None:
            return False
        running.is_cancelled = True
        running.scope.cancel()
        return True

    async def finish(self, seconds: float) -> None:
        """Wait until all calls are answered: as long as tools are being loaded, and then for some seconds."""
        while self._loading:
            await self._next_change()
        with anyio.move_on_after(seconds):
            while self._running:
                await self._next_change()

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed = anyio.Event()

    async def _run(self, running: "_InProgress", name: str, arguments: Mapping[str, Any]) -> None:
        """Answer one call. Nothing is awaited between its end and its line, so it is answered or cancelled."""
        call = running.call
        try:
            with running.scope:
                line = await self._line(call, name, arguments)
                if not running.is_cancelled:
                    self._writer.send(line)
        except anyio.get_cancelled_exc_class():
            if not running.is_cancelled:
                self._writer.send(_error(call.number, CONNECTION_CLOSED, "Connection closed"))
            raise
        finally:
            if self._running.get(_key(call.number)) is running:
                del self._running[_key(call.number)]
            self._changed.set()

    async def _line(self, call: PlainCall, name: str, arguments: Mapping[str, Any]) -> bytes:
        """Return the line that answers a call."""

        async def report(seconds: float, news: str) -> None:
            if call.token is not None:
                progress = {"progressToken": call.token, "progress": seconds, "message": news}
                self._writer.send(to_json({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress}))

        try:
            self._loading += 1
            try:
                operation = await self._runtime.operation(name)
            finally:
                self._loading -= 1
                self._changed.set()
            result = await call_tool(self._runtime, operation, dict(arguments), report, patient=call.token is not None)
            return self._written(call, result)
        except Exception:
            _logger.exception("tools/call failed")
            return _error(call.number, INTERNAL_ERROR, INTERNAL)

    def _written(self, call: PlainCall, result: ToolResult) -> bytes:
        sent = self._runtime.door.json(result.as_sent(self._stamp if call.version == MODERN else None))
        return b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (to_json(call.number), sent)


class _InProgress:
    """A call in progress."""

    def __init__(self, call: PlainCall) -> None:
        self.call = call
        self.scope = anyio.CancelScope()
        self.is_cancelled = False
        """Whether the client cancelled it."""


def _error(number: str | int, code: int, message: str) -> bytes:
    return to_json({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}})


def _key(number: str | int) -> str | int:
    """Return an id as the SDK compares ids: "7" is 7."""
    try:
        return int(number)
    except ValueError:
        return number
