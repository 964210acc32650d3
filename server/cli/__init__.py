"""The command line: `serve` (the default), `sandbox` and `demo`. Each command is imported when it is used."""

import importlib
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import NoReturn

import click

DISTRIBUTION = "maton-posthog-mcp"
COMMANDS = ("serve", "sandbox", "demo")


class Commands(click.Group):
    """The sub-commands by name; options without a command belong to `serve`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from ..starting.collector import uncollected
        from ..starting.leaving import quietly_on_signals

        quietly_on_signals()
        # What an import prints must not reach stdout, which belongs to the protocol.
        with uncollected(), redirect_stdout(sys.stderr):
            return importlib.import_module(f".{cmd_name}", __name__).command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            # Without the word itself: it could be a key that somebody put on the command line.
            raise click.UsageError(f"Unknown command. Available commands: {', '.join(COMMANDS)}.")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command, `serve` runs, with its options: maton-posthog-mcp --sandbox",
)
@click.version_option(package_name=DISTRIBUTION, prog_name=DISTRIBUTION, message="%(prog)s %(version)s")
def commands() -> None:
    """Give LLM agents PostHog through the Maton gateway: an MCP server.

    The Maton key is read from the environment variable MATON_API_KEY, never from the command line.
    """


def reject_arguments(ctx: click.Context) -> None:
    """Raise UsageError for arguments of a command that has options only, without repeating them: one can be a key."""
    if ctx.args:
        raise click.UsageError(f"{ctx.info_name} accepts options only.")


def run(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process: code 0, or 2 after one line on stderr that names the remedy."""
    try:
        code = commands.main(args, prog_name=DISTRIBUTION, standalone_mode=False)
    except click.exceptions.Abort:
        fail("interrupted", code=130)
    except click.NoSuchOption as error:
        about_keys = " The key is read from MATON_API_KEY, never from the command line."
        fail(error.format_message() + (about_keys if "key" in error.option_name else ""))
    except click.ClickException as error:
        fail(error.format_message())
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str, *, code: int = 2) -> NoReturn:
    """Write one line to stderr and end the process."""
    click.echo(f"{DISTRIBUTION}: {' '.join(message.split())}", err=True)
    sys.exit(code)
