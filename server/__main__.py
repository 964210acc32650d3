"""The command `maton-posthog-mcp`; also `python -m maton_posthog.server`. Old Pythons must be able to parse this."""

import sys


def main() -> None:
    """Run the command line; ends the process."""
    if sys.version_info < (3, 12):  # noqa: UP036 - started from a checkout, nothing else checks it
        found = ".".join(map(str, sys.version_info[:2]))
        sys.stderr.write("maton-posthog-mcp needs Python 3.12 or newer; this is " + found + ". Use python3.12.\n")
        sys.exit(2)

    from .settings import SettingsError
    from .starting.process import StartError, plain_flags
    from .starting.process import run as serve

    flags = plain_flags(sys.argv[1:])
    if flags is None:
        from .cli import run

        run()
    try:
        serve(flags)
    except (SettingsError, StartError) as error:
        sys.stderr.write("maton-posthog-mcp: " + " ".join(str(error).split()) + "\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
