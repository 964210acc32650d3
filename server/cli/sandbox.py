"""`maton-posthog-mcp sandbox`: the distribution `posthog-sandbox`, in this process."""

import runpy
import sys

import click

from ..sandbox.child import MISSING, MODULE, installed
from . import DISTRIBUTION, fail


@click.command("sandbox", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Serve synthetic PostHog data over HTTP on this machine; see `sandbox --help`."""
    if not installed():
        fail(MISSING)
    sys.argv = [f"{DISTRIBUTION} sandbox", *arguments]
    runpy.run_module(MODULE, run_name="__main__")
