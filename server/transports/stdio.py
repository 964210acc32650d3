"""MCP over standard input and output: one connection of newline-delimited JSON-RPC.

It replaces the SDK's `stdio_server`, whose reader thread keeps the process alive after SIGINT.
"""

import json
import logging
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)

from ...schemas.json import as_object
from ..starting.opening import PassedLine
from ..starting.plain import REPLAYED
from .jsonrpc import WRONG_ID, has_wrong_id
from .wire import LONGEST_LINE, InputLine, LineWriter

LAST_ANSWERS_S = 1.0
"""Time for calls to finish after the client closed its end: `printf … | maton-posthog-mcp` gets its responses."""

_logger = logging.getLogger(__name__)


async def serve(
    server: Server[Any],
    lines: AsyncIterable[PassedLine],
    writer: LineWriter,
    *,
    at_end: Callable[[], object] = lambda: None,
) -> None:
    """Serve the client until it closes its end or stops reading.

    `at_end` is called after the client closed its end, before calls in progress are cancelled. Cancellation ends the
    function at once.
    """
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception]()
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage]()
    connection = _Bridge(server, lines, writer, to_server, from_server)
    async with anyio.create_task_group() as tasks:

        async def send() -> None:
            await connection.send()
            tasks.cancel_scope.cancel()

        async def watch() -> None:
            await writer.broken()
            _logger.info("The client stopped reading.")
            tasks.cancel_scope.cancel()

        tasks.start_soon(send)
        tasks.start_soon(watch)
        tasks.start_soon(connection.receive, tasks, at_end)
        await server.run(incoming, outgoing, server.create_initialization_options())


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is not a JSON-RPC message, with the error for the client."""

    answer: JSONRPCError


def parse(line: InputLine) -> JSONRPCMessage | Malformed:
    """Return the message in a line; for other lines the error of JSON-RPC 2.0, section 5.1, with its id if any."""
    if line is None:
        return _malformed(None, INVALID_REQUEST, f"Message longer than {LONGEST_LINE} bytes.")
    if has_wrong_id(line):
        return _malformed(None, INVALID_REQUEST, WRONG_ID)
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        pass
    try:
        content: object = json.loads(line)
    except (ValueError, RecursionError):
        return _malformed(None, PARSE_ERROR, "Not JSON.")
    number: object = as_object(content).get("id")
    known = number if isinstance(number, int) and not isinstance(number, bool) else None
    return _malformed(known, INVALID_REQUEST, "Not a JSON-RPC 2.0 message.")


def _malformed(number: RequestId | None, code: int, message: str) -> Malformed:
    return Malformed(JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=code, message=message)))


class _Bridge:
    """Carries messages between the lines of the wire and the streams of the server."""

    def __init__(
        self,
        server: Server[Any],
        lines: AsyncIterable[PassedLine],
        writer: LineWriter,
        to_server: MemoryObjectSendStream[SessionMessage | Exception],
        from_server: MemoryObjectReceiveStream[SessionMessage],
    ) -> None:
        self._server = server
        self._lines = lines
        self._writer = writer
        self._to_server = to_server
        self._from_server = from_server
        self._unanswered: set[RequestId] = set()
        self._answered = anyio.Event()

    async def receive(self, tasks: TaskGroup, at_end: Callable[[], object]) -> None:
        """Pass every message to the server. At the end of the input, give calls in progress a moment to finish."""
        async with self._to_server:
            async for line, apart, _ in self._lines:
                if line is not None and not line.strip():
                    continue
                message = parse(line)
                if isinstance(message, Malformed):
                    await self._write(message.answer)
                    continue
                self._expect_answer(message)
                if apart:
                    tasks.start_soon(self._answer_apart, message)
                else:
                    await self._to_server.send(SessionMessage(message))
            at_end()
            with anyio.move_on_after(LAST_ANSWERS_S):
                while self._unanswered:
                    await self._answered.wait()
                    self._answered = anyio.Event()

    async def _answer_apart(self, message: JSONRPCMessage) -> None:
        """Answer a request as the only one of a connection, so that it does not decide the era of this one."""
        to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](1)
        outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](1)
        async with anyio.create_task_group() as tasks, to_server, from_server:
            tasks.start_soon(self._server.run, incoming, outgoing, self._server.create_initialization_options())
            await to_server.send(SessionMessage(message))
            async for item in from_server:
                await self._write(item.message)
                if isinstance(item.message, JSONRPCResponse | JSONRPCError):
                    break
            tasks.cancel_scope.cancel()

    async def send(self) -> None:
        """Write every message of the server until it has no more."""
        async with self._from_server:
            async for item in self._from_server:
                await self._write(item.message)
            await self._writer.flush()

    async def _write(self, message: JSONRPCMessage) -> None:
        number = message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None
        if not str(number).startswith(REPLAYED):
            with suppress(OSError):  # the client stopped reading: `LineWriter.broken` ends the connection
                await self._writer.write(encode(message))
        elif isinstance(message, JSONRPCError):
            _logger.error("A request that got its ready answer was rejected afterwards: %s", message.error.message)
        if number is not None:
            self._unanswered.discard(number)
            self._answered.set()

    def _expect_answer(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest):
            self._unanswered.add(message.id)
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            cancelled = (message.params or {}).get("requestId")
            if isinstance(cancelled, int | str):
                self._unanswered.discard(cancelled)


def encode(message: JSONRPCMessage) -> bytes:
    """Return a message as one line of JSON. One that is not valid UTF-8 becomes an error with the same id."""
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode()
    except ValueError:
        _logger.exception("A message cannot be written as JSON.")
    number = message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None
    return encode(_malformed(number, INTERNAL_ERROR, "The result cannot be written as JSON.").answer)
