"""`posthog-sandbox`: listen at once, print the address on the first line, then generate the data."""

import argparse
import asyncio
import gc
import importlib.util
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .admin.clock import SettableClock
from .collector import without_collector
from .maton.keys import KEY, KEYS
from .storage.store import Store
from .values import Clock

if TYPE_CHECKING:
    from .dataset import Opening, Parameters, Story

_USAGE_ERROR = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox and return the exit code: 0 after a clean stop, 2 with one line on stderr when it cannot run."""
    options = _parser().parse_args(arguments)
    if sys.platform == "win32":
        return _fail(
            "the sandbox does not run on Windows (chdb has no Windows wheel); use WSL, or a real MATON_API_KEY."
        )
    if missing := [name for name in ("chdb", "hogql_parser_rs") if importlib.util.find_spec(name) is None]:
        return _fail(f"{' and '.join(missing)} not installed; reinstall posthog-sandbox (a download of about 265 MB).")
    from .http.loopback import bind, is_loopback

    if not is_loopback(options.host):
        return _fail(
            f"--host {options.host} is not a loopback address; the sandbox has a public key, so use 127.0.0.1."
        )

    try:
        listener = bind(options.host, options.port)
    except OSError as error:
        reason = error.strerror or str(error)
        return _fail(f"cannot listen on {options.host} port {options.port} ({reason}); choose another --port, or 0.")
    with listener, _held_signals(), ExitStack() as held:
        return _serve(options, listener, held)


def _serve(options: argparse.Namespace, listener: socket.socket, held: ExitStack) -> int:
    """Lock the directory before anything in it is changed, then serve until stopped."""
    from .dataset import DatasetError, Opening, cache_directory, claim

    stop = asyncio.Event()
    try:
        directory = None if options.dir is None else claim(options.dir, held)
    except DatasetError as error:
        return _fail(f"--dir: {error}")
    cache = cache_directory(os.environ, Path.home()) if directory is None else None
    parameters = _parameters(options, cache)
    report = _progress(stop.is_set, as_json=options.json)
    # ClickHouse is loaded while this thread loads the application, which takes as long.
    opening = Opening(parameters, directory, cache, report)
    held.callback(opening.close)
    held.callback(stop.set)
    _load_application()
    clock = SettableClock(_now)
    try:
        store = _filled_store(None if directory is None else directory.path, clock, parameters.story, _url(listener))
    except (OSError, sqlite3.Error) as error:
        return _fail(f"{options.dir}: {error}; free some space on the disk or choose another --dir.")
    return asyncio.run(_run(options, listener, store, clock, stop, opening))


def _load_application() -> None:
    """Load the modules of `_filled_store` and `_run`. They stay, so a search for reference cycles finds none."""
    with without_collector():
        for name in ("app", "examples", "serving"):
            import_module(f"{__package__}.{name}")
    gc.freeze()


def _parameters(options: argparse.Namespace, cache: Path | None) -> "Parameters":
    """Return the parameters of the data. A day that was not chosen can take the calendar of data in the cache."""
    from .dataset import Cache, Parameters, newest_today

    today: date = options.today or newest_today(_now())
    parameters = Parameters(options.events, options.seed, today, not options.no_hostile)
    return parameters if options.today or cache is None else Cache(cache).with_calendar(parameters)


def _filled_store(directory: Path | None, clock: Clock, story: "Story", url: str) -> Store:
    from .examples import fill

    store = Store(None if directory is None else directory / "rows.sqlite", clock)
    try:
        fill(store, story, url)
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def _held_signals() -> Generator[None]:
    """Hold back signals that stop the process, so that they find something to stop and leave no files behind."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _now() -> datetime:
    return datetime.now(UTC)


async def _run(
    options: argparse.Namespace,
    listener: socket.socket,
    store: Store,
    clock: SettableClock,
    stop: asyncio.Event,
    opening: "Opening",
) -> int:
    from .app import create_app
    from .dataset import DatasetError, remove_own_temporary
    from .examples import refill
    from .serving import serve, watch_for_end
    from .storage.events import EventSource

    watch_for_end(stop, exit_on_eof=options.exit_on_eof)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        if not stop.is_set():
            failures.append(error)
            stop.set()

    url = _url(listener)
    events = EventSource(opening.finish)
    first_rows = partial(refill, store, opening.parameters.story, url)
    app = create_app(
        store,
        events,
        clock,
        lambda: url,
        failed,
        refill=first_rows,
        rate=options.rate,
        faithful_links=options.faithful_links,
    )
    _announce(url, as_json=options.json)
    await serve(app, listener, stop, at_deadline=remove_own_temporary)
    if not failures:
        return 0
    if isinstance(failures[0], DatasetError):
        return _fail(str(failures[0]))
    return _fail(f"cannot generate the events: {failures[0]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_program(),
        description="Emulate the Maton gateway and PostHog on this machine, with synthetic data and real HogQL.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--events", type=_events, default=100_000, help="number of events to generate (default: %(default)s)"
    )
    parser.add_argument("--today", type=date.fromisoformat, help="last day of the data, YYYY-MM-DD (default: today)")
    parser.add_argument("--seed", type=int, default=42, help="seed of the synthetic data (default: %(default)s)")
    parser.add_argument("--dir", type=Path, help="keep the data in this directory (default: a temporary directory)")
    parser.add_argument("--no-hostile", action="store_true", help="leave out hostile values such as injected prompts")
    parser.add_argument(
        "--rate",
        type=_rate,
        default=0,
        help="requests per second before a 429; Maton's limit is 10 (default: no limit)",
    )
    parser.add_argument(
        "--faithful-links",
        action="store_true",
        help="let the links of pages name PostHog's host, as PostHog's do (default: the sandbox's own)",
    )
    parser.add_argument("--json", action="store_true", help="print the first line and the progress as JSON")
    parser.add_argument("--exit-on-eof", action="store_true", help="exit when standard input is closed")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return port


def _events(text: str) -> int:
    events = int(text)
    if events < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return events


def _rate(text: str) -> int:
    rate = int(text)
    if not 0 <= rate <= 1_000_000:
        raise argparse.ArgumentTypeError("must be between 0 and 1000000 (0 means no limit)")
    return rate


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _announce(url: str, *, as_json: bool) -> None:
    if as_json:
        line = json.dumps({"gateway_url": url, "control_url": url, "key": KEY, "web_url": f"{url}/"})
    else:
        line = (
            f"gateway {url}  control {url}\n"
            f"Key: sandbox. Overview page: {url}/\n"
            f"This MCP server:    MATON_API_KEY=sandbox maton-posthog-mcp --gateway-url {url} --control-url {url}\n"
            f"Any PostHog client: host {url}/posthog, personal API key: sandbox\n"
            f"By hand:            curl -H 'Authorization: Bearer sandbox' {url}/posthog/api/projects/@current/\n"
            f"Keys with limits:   {', '.join(key.name for key in KEYS[1:])}\n"
            "All data is synthetic. Press Ctrl+C to stop."
        )
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _StoppedError(Exception):
    """Shutdown was requested while the data were being generated."""


def _progress(stopped: Callable[[], bool], *, as_json: bool) -> Callable[[float, str], None]:
    """Return a function that reports progress on stderr and aborts the generation once `stopped` returns true."""

    def report(fraction: float, message: str) -> None:
        if stopped():
            raise _StoppedError
        line = (
            json.dumps({"progress": round(fraction, 3), "message": message})
            if as_json
            else f"{fraction:4.0%} {message}"
        )
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    return report


def _fail(reason: str) -> int:
    sys.stderr.write(f"{_program()}: {reason}\n")
    return _USAGE_ERROR


def _program() -> str:
    """Return the command as the user typed it: a console script, a subcommand of another program, or the module."""
    name = Path(sys.argv[0]).name
    return "python -m posthog_sandbox" if name == "__main__.py" else name


if __name__ == "__main__":
    sys.exit(main())
