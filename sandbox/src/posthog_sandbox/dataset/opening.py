"""Open a dataset: reuse what a directory holds, or generate it."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path

from ..storage.engine import Engine, EngineError
from .directory import DatasetBusyError, DatasetDirectory, DatasetError, claim
from .generate import Parameters
from .loading import load

_OUT_OF_DISK = ("NOT_ENOUGH_SPACE", "INSERT_LOST_ROWS")


def open_dataset(
    directory: Path | DatasetDirectory | None,
    *,
    events: int = 100_000,
    seed: int = 42,
    today: date,
    hostile: bool = True,
    progress: Callable[[float, str], None] = lambda _fraction, _message: None,
) -> Engine:
    """The dataset of these parameters in an open engine. Blocking: 4 s for 100,000 events, 0.5 s for a kept directory.

    `directory` None makes a temporary one, removed when the engine is closed. A kept directory with the same parameters
    is opened as it is; anything else that the sandbox left there, and what cannot be opened, is made again. A
    DatasetDirectory stays claimed when the engine is closed. Exactly `events` events are made.
    `today` is the last day, filled from 00:00 to 06:00 UTC. `hostile` plants values as an attacker would send them.
    `progress` is called with a fraction from 0 to 1 and a message, at least every 5 %.

    Raises DatasetBusyError (directory in use), DatasetError (disk full, unusable directory) and EngineMissingError
    (chdb not installed).
    """
    if events < 1:
        raise ValueError("A dataset has one event at least.")
    parameters = Parameters(events=events, seed=seed, today=today, hostile=hostile)
    with ExitStack() as resources:
        claimed = directory if isinstance(directory, DatasetDirectory) else claim(directory, resources)
        engine = _open(claimed, parameters, progress)
        engine.call_on_close(resources.pop_all().close)
        return engine


def _open(directory: DatasetDirectory, parameters: Parameters, progress: Callable[[float, str], None]) -> Engine:
    if directory.holds(parameters):
        # What cannot be opened is made again: the same events.
        with suppress(EngineError):
            engine = _start(directory)
            progress(1.0, f"{parameters.events:,} events ready")
            return engine
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
                    "Free some space, choose another directory, or ask for fewer events."
                ) from error
            raise
        directory.complete(parameters)
        on_failure.pop_all()
    return engine


def _start(directory: DatasetDirectory) -> Engine:
    try:
        return Engine(directory.database)
    except EngineError as error:
        if "already initialized" in error.message:
            raise DatasetBusyError("This process has another sandbox dataset open; close it first.") from error
        raise
