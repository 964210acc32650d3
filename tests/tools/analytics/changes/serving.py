"""Serves planted events as a sandbox: `python -m tests.tools.analytics.changes.serving SEED NUMBER...`."""

import asyncio
import random
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from posthog_sandbox.admin.clock import SettableClock
from posthog_sandbox.app import create_app
from posthog_sandbox.dataset import tell
from posthog_sandbox.dataset.tables import DATABASE, TABLES
from posthog_sandbox.examples import fill
from posthog_sandbox.serving import serve, watch_for_end
from posthog_sandbox.storage.engine import Engine
from posthog_sandbox.storage.events import EventSource
from posthog_sandbox.storage.store import Store

from .planting import NOW, cases, events_of, lines

_EVENTS = (
    "uuid", "event", "properties", "timestamp", "distinct_id", "created_at", "person_mode", "person_id",
    "person_created_at", "person_properties",
)  # fmt: skip
_PERSONS = ("id", "created_at", "properties", "is_identified", "last_seen_at", "name", "number")


def planted_engine(directory: Path, seed: int, numbers: Sequence[int]) -> Engine:
    """Return an engine with the events of some cases."""
    engine = Engine(directory)
    engine.execute(f"CREATE DATABASE {DATABASE}")
    for table in TABLES:
        engine.execute(table.create())
    chosen = [case for case in cases(seed) if case.number in numbers]
    planted = [event for case in chosen for event in events_of(case, seed)]
    events, persons, names = lines(planted, random.Random(seed))
    engine.insert(f"{DATABASE}.events", _EVENTS, events)
    engine.insert(f"{DATABASE}.persons", _PERSONS, persons)
    engine.insert(f"{DATABASE}.person_distinct_ids", ("distinct_id", "person_id"), names)
    engine.execute(
        f"INSERT INTO {DATABASE}.event_definitions SELECT event, min(timestamp), max(timestamp), count() "
        f"FROM {DATABASE}.events GROUP BY event"
    )
    return engine


async def _serve(engine: Engine) -> None:
    stop = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    clock = SettableClock(lambda: NOW)
    store = Store(None, clock)
    fill(store, tell(NOW.date()), url)
    watch_for_end(stop, exit_on_eof=True)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    app = create_app(store, EventSource(lambda: engine), clock, lambda: url)
    await serve(app, listener, stop, at_deadline=lambda: None)


def main() -> None:
    """Serve the cases until standard input ends."""
    seed, *numbers = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_serve(planted_engine(Path(directory) / "data", seed, numbers)))


if __name__ == "__main__":
    main()
