"""`maton-posthog-mcp serve`: the MCP server on stdin and stdout, or over HTTP."""

from typing import Any

import click

from ..settings import DECLARATIONS, SettingsError
from ..settings.declaration import Declaration
from ..starting.process import StartError, run
from . import fail, reject_arguments


def _option(field: str, declaration: Declaration) -> click.Option:
    """Return the command-line option of a setting."""
    about = declaration.about.replace("`", "")
    if declaration.variable:
        about = f"{about} [{declaration.variable}{'=1' if declaration.is_switch else ''}]"
    names = [str(declaration.flag), field]
    if declaration.is_switch:
        return click.Option(names, is_flag=True, default=None, help=about)
    if declaration.choices:
        return click.Option(names, type=click.Choice(declaration.choices), help=about)
    return click.Option(names, metavar=declaration.metavar, multiple=declaration.several, help=about)


OPTIONS = tuple(_option(field, one) for field, one in DECLARATIONS.items() if one.flag)


@click.command("serve", params=list(OPTIONS), context_settings={"allow_extra_args": True})
@click.pass_context
def command(ctx: click.Context, **flags: Any) -> None:
    """Serve MCP, by default on stdin and stdout.

    Environment variables are in brackets; a flag takes precedence over its variable. MATON_API_KEY (your Maton key) and
    MATON_POSTHOG_TOKEN (the token that HTTP clients must send) have no flag.
    """
    reject_arguments(ctx)
    try:
        run(flags)
    except (SettingsError, StartError) as error:
        fail(str(error))
