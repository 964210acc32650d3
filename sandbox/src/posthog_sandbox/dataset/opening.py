"""Opening of a dataset: reuse the contents of a directory, or generate them."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path

from ..storage.engine import Engine, EngineError
from .cache import Cache
from .directory import DatasetBusyError, DatasetDirectory, DatasetError, claim
from .generate import Parameters
from .loading import load
from .tables import DATABASE, EVENTS

_OUT_OF_DISK = ("NOT_ENOUGH_SPACE", "INSERT_LOST_ROWS")


def open_dataset(
    directory: Path | DatasetDirectory | None,
    *,
    events: int = 100_000,
    seed: int = 42,
    today: date,
    hostile: bool = True,
    progress: Callable[[float, str], None] = lambda _fraction, _message: None,
    cache: Path | None = None,
) -> Engine:
    """Return an open engine with this dataset. Blocking: 3 s for 100,000 events, 0.5 s for a kept directory.

    Without `directory` the data is in a temporary one, removed when the engine is closed, and copied from or to the
    directory `cache` if there is one. A kept directory with equal
    parameters is reused; other sandbox data in it, or data that cannot be opened, is regenerated. A DatasetDirectory
    stays locked when the engine is closed. The number of events is exactly `events`. `today` is the last day, with
    events from 00:00 to 06:00 UTC. `hostile` adds values as an attacker would send them.
    `progress` is called with a fraction from 0 to 1 and a message, at least every 5 %.

    Raises DatasetBusyError (directory in use), DatasetError (disk full, unusable directory) and EngineMissingError
    (chdb not installed).
    """
    if events < 1:
        raise ValueError("`events` must be at least 1.")
    parameters = Parameters(events=events, seed=seed, today=today, hostile=hostile)
    with ExitStack() as resources:
        claimed = directory if isinstance(directory, DatasetDirectory) else claim(directory, resources)
        cached = Cache(cache) if cache and directory is None else None
        engine = _open(claimed, parameters, progress, cached)
        engine.call_on_close(resources.pop_all().close)
        return engine


def _open(
    directory: DatasetDirectory, parameters: Parameters, progress: Callable[[float, str], None], cache: Cache | None
) -> Engine:
    if directory.holds(parameters):
        # A database that cannot be opened is regenerated with the same events.
        with suppress(EngineError):
            return _ready(directory, parameters, progress)
    directory.clear(parameters)
    if cache and cache.restore(parameters, directory.database):
        with suppress(EngineError):
            return _ready(directory, parameters, progress)
        cache.discard(parameters)
        directory.clear(parameters)
    engine = _start(directory)
    with ExitStack() as on_failure:
        on_failure.callback(engine.close)
        try:
            load(engine, parameters, progress)
        except EngineError as error:
            if error.code_name in _OUT_OF_DISK:
                raise DatasetError(
                    f"The events could not be stored: {directory.free_megabytes():,} MB are free at {directory.path}. "
                    "Free some space, choose another directory, or reduce the number of events."
                ) from error
            raise
        directory.complete(parameters)
        if cache:
            cache.keep(parameters, directory.database)
        on_failure.pop_all()
    return engine


def _ready(directory: DatasetDirectory, parameters: Parameters, progress: Callable[[float, str], None]) -> Engine:
    """Open a complete dataset. Raises EngineError when ClickHouse cannot read it."""
    engine = _start(directory)
    with ExitStack() as on_failure:
        on_failure.callback(engine.close)
        # ClickHouse also opens a directory whose tables are missing.
        engine.select(f"SELECT throwIf(count() != {parameters.events}) FROM {DATABASE}.{EVENTS.name}")
        on_failure.pop_all()
    progress(1.0, f"{parameters.events:,} events ready")
    return engine


def _start(directory: DatasetDirectory) -> Engine:
    try:
        engine = Engine(directory.database)
    except EngineError as error:
        if "already initialized" in error.message:
            raise DatasetBusyError("This process has another sandbox dataset open; close it first.") from error
        raise
    # The rows never change, so that merges would only cost time, and files stay as they are while they are copied.
    engine.execute("SYSTEM STOP MERGES")
    return engine
