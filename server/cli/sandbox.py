"""`maton-posthog-mcp sandbox`: the stand-in for Maton and PostHog, in this process."""

import runpy
import sys

import click


@click.command("sandbox", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Serve synthetic PostHog data over HTTP on this machine; --help says more."""
    sys.argv = ["maton-posthog-mcp sandbox", *arguments]
    runpy.run_module("posthog_sandbox", run_name="__main__")
