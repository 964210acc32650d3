"""Opening of a dataset: reuse the contents of a directory, or generate them."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path

from ..storage.engine import Engine, EngineError
from .cache import Cache
from .directory import DatasetBusyError, DatasetDirectory, DatasetError, claim
from .parameters import Parameters, ReportProgress
from .prepared.archive import Prepared, PreparedError, find
from .shifting import shift
from .tables import DATABASE, EVENTS

_log = logging.getLogger(__name__)
_OUT_OF_DISK = ("NOT_ENOUGH_SPACE", "INSERT_LOST_ROWS")


def open_dataset(
    directory: Path | DatasetDirectory | None,
    *,
    events: int = 100_000,
    seed: int = 42,
    today: date,
    hostile: bool = True,
    weekday: int | None = None,
    progress: ReportProgress = lambda _fraction, _message: None,
    cache: Path | None = None,
) -> Engine:
    """Return an open engine with this dataset. Blocking: 3 s for 100,000 events, 0.5 s for a kept directory.

    Without `directory` the data is in a temporary one, removed when the engine is closed, and copied from or to the
    directory `cache` if there is one, shifted if that has another day. A kept directory with equal
    parameters is reused; other sandbox data in it, or data that cannot be opened, is regenerated. A DatasetDirectory
    stays locked when the engine is closed. The number of events is exactly `events`. `today` is the last day, with
    events from 00:00 to 06:00 UTC. `hostile` adds values as an attacker would send them. `weekday` is the weekday that
    the calendar takes `today` for (see `tell`); equal arguments give equal rows, generated or shifted.
    `progress` is called with a fraction from 0 to 1 and a message, at least every 5 %.

    Raises DatasetBusyError (directory in use), DatasetError (disk full, unusable directory) and EngineMissingError
    (chdb not installed).
    """
    if events < 1:
        raise ValueError("`events` must be at least 1.")
    parameters = Parameters(events=events, seed=seed, today=today, hostile=hostile, weekday=weekday)
    return _opened(parameters, directory, cache, progress)


def _opened(
    parameters: Parameters, directory: Path | DatasetDirectory | None, cache: Path | None, progress: ReportProgress
) -> Engine:
    with ExitStack() as resources:
        claimed = directory if isinstance(directory, DatasetDirectory) else claim(directory, resources)
        cached = Cache(cache) if cache and directory is None else None
        engine = _open(claimed, parameters, progress, cached)
        engine.call_on_close(resources.pop_all().close)
        return engine


class Opening:
    """A dataset that a thread opens from now on."""

    def __init__(
        self, parameters: Parameters, directory: DatasetDirectory | None, cache: Path | None, progress: ReportProgress
    ) -> None:
        """Start the thread. `progress` is called from it, and from `finish` with the fraction 1."""
        self.parameters = parameters
        self._progress = progress
        self._may_work = threading.Event()
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-open")
        self._engine = pool.submit(_opened, parameters, directory, cache, self._report)
        pool.shutdown(wait=False)

    def finish(self) -> Engine:
        """Return the open engine. Raises the errors of `open_dataset`. Data are not generated before this call."""
        self._may_work.set()
        engine = self._engine.result()
        self._progress(1.0, f"{self.parameters.events:,} events ready")
        return engine

    def close(self) -> None:
        """Close the engine, once the thread has ended. It ends early if `progress` raises an exception."""
        self._may_work.set()
        with suppress(Exception):  # `finish` raises it
            self._engine.result().close()

    def _report(self, fraction: float, message: str) -> None:
        # Until the application is loaded, generating would only slow that down: both need the interpreter.
        self._may_work.wait()
        if fraction < 1:
            self._progress(fraction, message)


def _open(directory: DatasetDirectory, parameters: Parameters, progress: ReportProgress, cache: Cache | None) -> Engine:
    if directory.holds(parameters):
        # A database that cannot be opened is regenerated with the same events.
        with suppress(EngineError):
            return _ready(directory, parameters, progress)
    directory.clear(parameters)
    if cache and (engine := _restored(directory, parameters, progress, cache)):
        return engine
    from .loading import load  # with the generator, which a start from the cache does not need

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


def _restored(
    directory: DatasetDirectory, parameters: Parameters, progress: ReportProgress, cache: Cache
) -> Engine | None:
    """Open the dataset as the cache or the package has it; None if they do not have it, or it cannot be used.

    To move the prepared dataset takes less time than to shift a cached one.
    """
    prepared = find()
    if prepared and not prepared.fits(parameters):
        prepared = None
    if made_for := cache.restore(parameters, directory.database, other_days=prepared is None):
        with suppress(EngineError):
            return _copied(directory, parameters, progress, cache, made_for)
        cache.discard(parameters)
        directory.clear(parameters)
    if prepared:
        try:
            return _unpacked(directory, parameters, progress, cache, prepared)
        except (EngineError, PreparedError) as error:
            _log.warning("The prepared data are not used: %s", error)
        directory.clear(parameters)
    return None


def _unpacked(
    directory: DatasetDirectory, parameters: Parameters, progress: ReportProgress, cache: Cache, prepared: Prepared
) -> Engine:
    """Load the prepared dataset and keep it in the cache. Raises EngineError and PreparedError."""
    from .prepared.loading import load  # which a start from the cache does not need

    engine = _start(directory)
    with ExitStack() as on_failure:
        on_failure.callback(engine.close)
        load(engine, prepared, parameters.today)
        cache.keep(parameters, directory.database)
        on_failure.pop_all()
    progress(1.0, f"{parameters.events:,} events ready")
    return engine


def _copied(
    directory: DatasetDirectory,
    parameters: Parameters,
    progress: ReportProgress,
    cache: Cache,
    made_for: date,
) -> Engine:
    """Open a copied dataset and shift it to its day. Raises EngineError when ClickHouse cannot read or write it."""
    days = (parameters.today - made_for).days
    if not days:
        return _ready(directory, parameters, progress)
    progress(0.0, f"Shifting {parameters.events:,} cached events by {days} day{'' if abs(days) == 1 else 's'}")
    engine = _ready(directory, parameters)
    with ExitStack() as on_failure:
        on_failure.callback(engine.close)
        shift(engine, days)
        cache.keep(parameters, directory.database)
        on_failure.pop_all()
    progress(1.0, f"{parameters.events:,} events ready")
    return engine


def _ready(
    directory: DatasetDirectory,
    parameters: Parameters,
    progress: ReportProgress = lambda _fraction, _message: None,
) -> Engine:
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
