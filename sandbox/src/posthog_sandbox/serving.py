"""The sandbox's HTTP server: uvicorn on a given socket, stopped by a signal or the end of standard input."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .admin.faults import DISCONNECT
from .http.local import LocalOnly

GRACE_S = 1
"""Seconds that pending responses get after a stop was requested."""
DEADLINE_S = 2.5
"""Seconds after which the process exits even if something still blocks, such as a query in the engine."""


class _Protocol(H11Protocol):
    """HTTP/1.1 with a scope extension, `DISCONNECT`, that lets the application cut the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner: ASGIApp = self.app

        async def cuttable(scope: Scope, receive: Receive, send: Send) -> None:
            extensions: dict[str, object] = {**(scope.get("extensions") or {}), DISCONNECT: self.transport.abort}
            await inner({**scope, "extensions": extensions}, receive, send)

        self.app = cuttable


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to `watch_for_end`; uvicorn would raise them again after a clean shutdown."""
        yield


def watch_for_end(stop: asyncio.Event, *, exit_on_eof: bool) -> None:
    """Set `stop` on SIGINT, SIGTERM and, with `exit_on_eof`, the end of standard input.

    Call it before the address is printed: readers of the address can stop the process.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if exit_on_eof:
        threading.Thread(target=_watch_input, args=(loop, stop), name="end of input", daemon=True).start()


async def serve(
    app: ASGIApp, listener: socket.socket, stop: asyncio.Event, *, at_deadline: Callable[[], object]
) -> None:
    """Serve until `stop` is set, then give pending responses `GRACE_S` seconds.

    When the process has to exit with a thread that still blocks, `at_deadline` cleans up in its place.
    """
    config = uvicorn.Config(
        LocalOnly(app),
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)

    async def end() -> None:
        await stop.wait()
        _leave_in_time(at_deadline)
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve(sockets=[listener])
    finally:
        ending.cancel()


def _watch_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):  # the loop is closed, so the process is already exiting
        loop.call_soon_threadsafe(stop.set)


def _leave_in_time(at_deadline: Callable[[], object]) -> None:
    def leave() -> None:
        at_deadline()
        os._exit(0)

    watch = threading.Timer(DEADLINE_S, leave)
    watch.daemon = True
    watch.start()
