"""The sandbox's HTTP server: uvicorn on a socket of ours, ended by signals or the end of standard input."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .admin.faults import DISCONNECT

GRACE_S = 1
"""Seconds that answers in progress get when the process is asked to end."""
DEADLINE_S = 2.5
"""After this the process ends whatever still blocks, a query in the engine, say."""


class _Protocol(H11Protocol):
    """HTTP/1.1 whose application can cut the connection: the extension `DISCONNECT` of its scope."""

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
        """Leave signals to `serve`: uvicorn would raise them again after its clean end."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError, as for a busy port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without it, an answer in two writes waits
    # 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except BaseException:
        listener.close()
        raise
    return listener


def watch_for_end(stop: asyncio.Event, *, exit_on_eof: bool) -> None:
    """Have `stop` set by SIGINT, SIGTERM and, if `exit_on_eof`, the end of standard input. Before the address is told:
    who knows it may end the process."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if exit_on_eof:
        threading.Thread(target=_watch_input, args=(loop, stop), name="end of input", daemon=True).start()


async def serve(app: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; what is in progress then gets a moment."""
    config = uvicorn.Config(
        app,
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
        _leave_in_time()
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
    with suppress(RuntimeError):  # the loop is closed: the process is ending anyway
        loop.call_soon_threadsafe(stop.set)


def _leave_in_time() -> None:
    watch = threading.Timer(DEADLINE_S, os._exit, (0,))
    watch.daemon = True
    watch.start()
