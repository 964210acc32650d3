"""`maton-posthog-mcp serve`: the MCP server on stdin and stdout, or over HTTP."""

import gc
import logging
import os
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..leaving import leave_in_time, on_signals, quietly_on_signals
from ..wire import claim
from . import fail, refuse_arguments

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from ..runtime import Runtime
    from ..settings import Settings

_logger = logging.getLogger(__name__)


@click.command("serve", context_settings={"allow_extra_args": True})
@click.option("--connection", "connection_id", metavar="ID", help="Default connection. [MATON_CONNECTION_ID]")
@click.option(
    "--project", "project_id", metavar="ID", help="Only this project; others are refused. [POSTHOG_PROJECT_ID]"
)
@click.option("--read-only", is_flag=True, default=None, help="No tool that writes. [MATON_POSTHOG_READ_ONLY=1]")
@click.option("--toolsets", metavar="AREAS", help="Only these areas, such as flags,query. [MATON_POSTHOG_TOOLSETS]")
@click.option("--sandbox", is_flag=True, default=None, help="Synthetic data on this machine; needs no key.")
@click.option(
    "--transport",
    type=click.Choice(["stdio", "sse", "http"]),
    help="Default stdio. The other two start one HTTP server with /mcp, /sse and /healthz.",
)
@click.option(
    "--host", metavar="ADDRESS", help="Default 127.0.0.1. Others need MATON_POSTHOG_TOKEN and --allowed-host."
)
@click.option("--port", metavar="N", help="Default 8000; 0 takes a free one.")
@click.option("--allowed-host", "allowed_hosts", metavar="NAME", multiple=True, help="Host that clients may use.")
@click.option("--gateway-url", metavar="URL", help="Maton's data plane. [MATON_GATEWAY_URL]")
@click.option("--control-url", metavar="URL", help="Maton's control plane. [MATON_CONTROL_URL]")
@click.option(
    "--budgets",
    type=click.Choice(["adaptive", "strict", "off"]),
    help="What a spent request budget means. [MATON_POSTHOG_BUDGETS]",
)
@click.option("--pace", metavar="N", help="Requests a second towards Maton; 0 for no limit. [MATON_POSTHOG_PACE]")
@click.option("--structured", is_flag=True, default=None, help="Also structuredContent. [MATON_POSTHOG_STRUCTURED=1]")
@click.option("--export-dir", metavar="PATH", help="Let results be written there as files. [MATON_POSTHOG_EXPORT_DIR]")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Of the log on stderr. [MATON_POSTHOG_LOG]",
)
@click.option("--log-json", is_flag=True, default=None, help="One JSON object a line.")
@click.pass_context
def command(ctx: click.Context, **flags: Any) -> None:
    """Serve MCP, by default on stdin and stdout.

    Environment variables stand in brackets; a flag wins over its variable. MATON_API_KEY (your Maton key) and
    MATON_POSTHOG_TOKEN (what HTTP clients must send) have no flag.
    """
    refuse_arguments(ctx)
    quietly_on_signals()
    # Before anything is imported that might print.
    wire = _claim_wire() if flags["transport"] in (None, "stdio") else None
    with _collector_paused():
        settings = _settings({**flags, "allowed_hosts": flags["allowed_hosts"] or None})
        import anyio

        from ..app import build
        from ..runtime import Runtime

        runtime = Runtime(settings)
        if wire is not None:
            work = partial(_serve_stdio, build(runtime), runtime, *wire)
        else:
            work = partial(_serve_http, build(runtime), runtime, _listen(settings))
    anyio.run(work)


def _claim_wire() -> tuple[int, int]:
    try:
        if os.isatty(0):
            click.echo("Serving MCP on stdin and stdout, for an MCP host to start; --help says more.", err=True)
        return claim()
    except OSError:
        fail("stdin or stdout is closed; an MCP host starts this command with both.")


def _listen(settings: "Settings") -> socket.socket:
    from ..transports import PortError, listen

    try:
        return listen(settings.host, settings.port)
    except PortError as error:
        fail(str(error))


@contextmanager
def _collector_paused() -> Generator[None]:
    """Load without garbage collection, and leave out of it what was loaded: it stays for good. A fifth of the start."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _settings(flags: Mapping[str, Any]) -> "Settings":
    from .. import log
    from ..settings import SettingsError, load

    try:
        settings = load(**flags)
    except SettingsError as error:
        fail(str(error))
    log.configure(settings.log_level, as_json=settings.log_json, secrets=settings.secrets)
    if settings.overruled_by_sandbox:
        _logger.warning("--sandbox wins: %s not used.", ", ".join(settings.overruled_by_sandbox))
    return settings


async def _serve_stdio(server: "Server[Any]", runtime: "Runtime", source: int, sink: int) -> None:
    import anyio

    from .. import stdio

    with anyio.CancelScope() as scope:

        def stop() -> None:
            leave_in_time()
            scope.cancel()

        with on_signals(stop):
            try:
                await stdio.serve(server, source, sink, at_end=leave_in_time)
            finally:
                with anyio.CancelScope(shield=True):
                    await runtime.aclose()


async def _serve_http(server: "Server[Any]", runtime: "Runtime", listener: socket.socket) -> None:
    from .. import transports

    try:
        await transports.serve(server, runtime.settings, listener, at_end=leave_in_time)
    finally:
        await runtime.aclose()
