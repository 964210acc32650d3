"""`maton-posthog-mcp serve`: the MCP server on stdin and stdout, or over HTTP."""

import gc
import logging
import os
import socket
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..leaving import leave_in_time, on_signals
from ..settings import Settings, SettingsError, choices_of, flag_of, load, metavar_of, variable_of
from ..wire import claim
from . import collector_paused, fail, reject_arguments

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from ..runtime import Runtime

_logger = logging.getLogger(__name__)


def _option(field: str, flag: str) -> click.Option:
    """Return the command-line option of a setting."""
    about = str(Settings.model_fields[field].description).replace("`", "")
    variable = variable_of(field)
    switch = Settings.model_fields[field].annotation is bool
    if variable:
        about = f"{about} [{variable}{'=1' if switch else ''}]"
    if switch:
        return click.Option([flag, field], is_flag=True, default=None, help=about)
    if choices := choices_of(field):
        return click.Option([flag, field], type=click.Choice(choices), help=about)
    several = isinstance(Settings.model_fields[field].default, tuple)
    return click.Option([flag, field], metavar=metavar_of(field), multiple=several, help=about)


OPTIONS = tuple(_option(field, flag) for field in Settings.model_fields if (flag := flag_of(field)))


@click.command("serve", params=list(OPTIONS), context_settings={"allow_extra_args": True})
@click.pass_context
def command(ctx: click.Context, **flags: Any) -> None:
    """Serve MCP, by default on stdin and stdout.

    Environment variables are in brackets; a flag takes precedence over its variable. MATON_API_KEY (your Maton key) and
    MATON_POSTHOG_TOKEN (the token that HTTP clients must send) have no flag.
    """
    reject_arguments(ctx)
    # Before anything else is imported that could print.
    wire = _claim_wire() if flags["transport"] in (None, "stdio") else None
    with collector_paused():
        settings = _settings(flags)
        import anyio

        from ..app import build
        from ..runtime import Runtime

        runtime = Runtime(settings)
        if wire is not None:
            work = partial(_serve_stdio, build(runtime), runtime, *wire)
        else:
            work = partial(_serve_http, build(runtime), runtime, _listen(settings))
        gc.freeze()
    anyio.run(work)


def _claim_wire() -> tuple[int, int]:
    try:
        if os.isatty(0):
            click.echo("Serving MCP on stdin and stdout, to be started by an MCP host; see --help.", err=True)
        return claim()
    except OSError:
        fail("stdin or stdout is closed; an MCP host starts this command with both.")


def _listen(settings: Settings) -> socket.socket:
    from ..transports import PortError, listen

    try:
        return listen(settings.host, settings.port)
    except PortError as error:
        fail(str(error))


def _settings(flags: Mapping[str, Any]) -> Settings:
    from .. import log

    try:
        settings = load(**flags)
    except SettingsError as error:
        fail(str(error))
    log.configure(settings.log_level, as_json=settings.log_json, secrets=settings.secrets)
    if settings.overruled_by_sandbox:
        _logger.warning("--sandbox ignores %s.", ", ".join(settings.overruled_by_sandbox))
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
                runtime.start()
                await stdio.serve(server, source, sink, at_end=leave_in_time)
            finally:
                with anyio.CancelScope(shield=True):
                    await runtime.aclose()


async def _serve_http(server: "Server[Any]", runtime: "Runtime", listener: socket.socket) -> None:
    from .. import transports

    try:
        runtime.start()
        await transports.serve(server, runtime.settings, listener, at_end=leave_in_time)
    finally:
        await runtime.aclose()
