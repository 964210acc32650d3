"""The start of the server: the client has its first answers while the SDK is still being imported."""

import os
import socket
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..settings import DECLARATIONS, Settings, SettingsFault, check_effect, load
from ..transports.wire import LineReader, LineWriter, claim
from .collector import uncollected
from .leaving import at_once_on_signals, leave_in_time, on_signals, quietly_on_signals
from .listening import LoadingResponder, PortError, listen
from .opening import Opening, Taken
from .ready import ReadyResults

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from ..runtime import Runtime


class StartError(OSError):
    """The server cannot start. The message is one line that names the reason and the remedy."""


def plain_flags(arguments: Sequence[str]) -> dict[str, Any] | None:
    """Return the flags of `serve` by setting; None for a command line that the whole parser has to explain."""
    rest = list(arguments[1:] if arguments[:1] == ["serve"] else arguments)
    names = {one.flag: name for name, one in DECLARATIONS.items() if one.flag}
    flags: dict[str, Any] = {}
    while rest:
        flag, given, value = rest.pop(0).partition("=")
        if flag not in names:
            return None
        name, declaration = names[flag], DECLARATIONS[names[flag]]
        if declaration.is_switch:
            if given:
                return None
            flags[name] = True
            continue
        if not given:
            if not rest:
                return None
            value = rest.pop(0)
        flags[name] = (*flags.get(name, ()), value) if declaration.several else value
    return flags


def run(flags: Mapping[str, Any]) -> None:
    """Serve with the settings of the environment and of flags. Raises SettingsError and StartError.

    A host shows the output of a server that ends at once nowhere, but it shows errors of calls. So on stdio a server
    whose settings have a fault keeps running and reports it with every call.
    """
    try:
        settings = load(**flags)
        check_effect(settings, flags)
    except SettingsFault as fault:
        if flags.get("transport") not in (None, "stdio") or os.isatty(0):
            raise
        start(Settings(fault=str(fault)))
        raise
    start(settings)


def start(settings: Settings) -> None:
    """Serve MCP on stdin and stdout or over HTTP, until the client or a signal ends it. Raises StartError."""
    at_once_on_signals()  # nothing has to be closed yet, and native code that is loading would report an exception
    if settings.transport == "stdio":
        connection = _connect(settings)  # before anything else is imported that could print
        with _importing(settings):
            from ..runtime import Runtime
            from ..transports import pipe

            work = partial(_serve_stdio, pipe.serve, Runtime(settings, loading=uncollected), connection)
    else:
        listener = _listen(settings)
        responder = LoadingResponder(listener)
        try:
            with _importing(settings):
                work = partial(_serve_http, *_loaded(settings), listener)
        finally:
            responder.stop()
    import anyio

    anyio.run(_complete, work, backend_options={"use_uvloop": find_spec("uvloop") is not None})


async def _complete(work: Callable[[], Awaitable[None]]) -> None:
    from ..logs.stderr import finish

    try:
        await work()
    finally:
        finish()
        at_once_on_signals()


@contextmanager
def _importing(settings: Settings) -> Generator[None]:
    with uncollected(), redirect_stdout(sys.stderr):
        _configure_log(settings)
        yield


type Wire = tuple[LineReader[Taken], LineWriter]


def _connect(settings: Settings) -> Wire:
    """Begin to read requests and to answer those whose result is ready."""
    try:
        if os.isatty(0):
            sys.stderr.write("Serving MCP on stdin and stdout, to be started by an MCP host; see --help.\n")
        source, sink = claim()
    except OSError:
        raise StartError("stdin or stdout is closed; an MCP host starts this command with both.") from None
    writer = LineWriter(sink)
    is_traced = "opentelemetry.sdk" in sys.modules  # started by `opentelemetry-instrument`: the SDK makes the spans
    opening = Opening(ReadyResults(settings), writer.send, short=not is_traced)
    return LineReader(source, opening.take), writer


def _configure_log(settings: Settings) -> None:
    import logging

    from ..logs.stderr import configure

    configure(settings.log_level, as_json=settings.log_json, secrets=settings.secrets)
    if settings.fault:
        logging.getLogger(__name__).error("Every call is rejected: %s", settings.fault)
    if settings.overruled_by_sandbox:
        logging.getLogger(__name__).warning("--sandbox ignores %s.", ", ".join(settings.overruled_by_sandbox))


def _loaded(settings: Settings) -> "tuple[Server[Any], Runtime]":
    """Import the SDK, and load the operations too: the first call would have to wait for them."""
    from ..app import build
    from ..runtime import Runtime

    runtime = Runtime(settings)
    runtime.load()
    return build(runtime), runtime


def _listen(settings: Settings) -> socket.socket:
    try:
        return listen(settings.host, settings.port)
    except PortError as error:
        raise StartError(str(error)) from None


async def _serve_stdio(serve: Callable[..., Awaitable[None]], runtime: "Runtime", connection: Wire) -> None:
    """Serve until the client leaves. The SDK and the tools are loaded when they are needed first."""
    import anyio

    with anyio.CancelScope() as scope:

        def stop() -> None:
            leave_in_time()
            scope.cancel()

        with on_signals(stop):
            try:
                runtime.start()
                await serve(runtime, *connection, at_end=leave_in_time)
            finally:
                with anyio.CancelScope(shield=True):
                    await runtime.aclose()


async def _serve_http(server: "Server[Any]", runtime: "Runtime", listener: socket.socket) -> None:
    from ..transports import http as transports

    quietly_on_signals()
    try:
        runtime.start()
        await transports.serve(server, runtime.settings, listener, at_end=leave_in_time)
    finally:
        await runtime.aclose()
