"""The directory of a dataset: one owner at a time, and a manifest that is written last."""

import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .parameters import Parameters

SCHEMA_VERSION = 1
"""Increment it when tables or generated values change; kept directories of other versions are then regenerated."""

_DATABASE, _MANIFEST, _LOCK = "clickhouse", "dataset.json", "dataset.lock"
_TEMPORARY = "maton-posthog-sandbox-"
_YOUNG_S = 60
"""Age in seconds up to which a temporary directory is never removed, even if unlocked."""
_BYTES_PER_EVENT = 600
"""Space needed while ClickHouse merges; about 200 bytes remain."""
_BYTES_AT_LEAST = 50 * 1024**2


class DatasetError(Exception):
    """The dataset cannot be generated or opened; the message names the fix."""


class DatasetBusyError(DatasetError):
    """The directory is in use by another process or by another dataset of this process."""


@dataclass(frozen=True, slots=True)
class DatasetDirectory:
    """A locked directory; `database` is where ClickHouse keeps its files."""

    path: Path

    @property
    def database(self) -> Path:
        """ClickHouse's own directory."""
        return self.path / _DATABASE

    def holds(self, parameters: Parameters) -> bool:
        """Return whether it has a complete dataset of these parameters."""
        try:
            is_made = json.loads((self.path / _MANIFEST).read_text()) == _manifest(parameters)
        except (OSError, ValueError):
            return False
        # ClickHouse cannot open a copy whose symbolic links were replaced by files.
        return is_made and (self.database / "metadata" / "posthog").is_symlink()

    def free_megabytes(self) -> int:
        """Return the free space on its disk in megabytes."""
        with _disk_errors(self.path):
            return shutil.disk_usage(self.path).free // 1024**2

    def clear(self, parameters: Parameters) -> None:
        """Remove a different or incomplete dataset. Raises DatasetError when the disk lacks space for the new one."""
        with _disk_errors(self.path):
            (self.path / _MANIFEST).unlink(missing_ok=True)
            if self.database.exists():
                shutil.rmtree(self.database)
        needed = (_BYTES_AT_LEAST + parameters.events * _BYTES_PER_EVENT) // 1024**2
        free = self.free_megabytes()
        if free < needed:
            raise DatasetError(
                f"{parameters.events:,} events need about {needed:,} MB of disk, "
                f"and {free:,} MB are free at {self.path}. "
                "Free some space, choose another directory, or reduce the number of events."
            )

    def complete(self, parameters: Parameters) -> None:
        """Mark the dataset as complete: the last step, atomic."""
        draft = self.path / f"{_MANIFEST}.new"
        with _disk_errors(self.path):
            with draft.open("w") as file:
                json.dump(_manifest(parameters), file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path / _MANIFEST)


def claim(path: Path | None, resources: ExitStack) -> DatasetDirectory:
    """Lock a directory, created if missing, until `resources` are closed; without `path` a temporary one.

    A temporary directory is removed at the end, and those left behind by killed processes are removed first. Raises
    DatasetBusyError when another process uses the directory, DatasetError when it is not usable.
    """
    temporary = path is None
    if path is None:
        _remove_abandoned(Path(tempfile.gettempdir()))
        made = tempfile.TemporaryDirectory(prefix=_own_prefix(), ignore_cleanup_errors=True)
        path = Path(resources.enter_context(made))
    with _disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        if (path / _DATABASE).exists() and not (path / _LOCK).exists():
            raise DatasetError(
                f"{path / _DATABASE} was not created by the sandbox, so it is left unchanged. Choose another directory."
            )
        resources.enter_context(_locked(path, temporary=temporary))
    return DatasetDirectory(path.resolve())


def remove_own_temporary() -> None:
    """Remove the temporary directories of this process, for an exit that does not wait for its blocked threads."""
    for path in Path(tempfile.gettempdir()).glob(f"{_own_prefix()}*"):
        for _ in range(3):  # the blocked threads may still be writing
            shutil.rmtree(path, ignore_errors=True)


def _own_prefix() -> str:
    return f"{_TEMPORARY}{os.getpid()}-"


@contextmanager
def _disk_errors(path: Path) -> Generator[None]:
    """Turn an OSError of the directory into a DatasetError that names the fix."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DatasetError(f"The disk of {path} is full. Free some space or choose another directory.") from error
        raise DatasetError(f"The directory {path} cannot be used: {error.strerror or error}.") from error


@contextmanager
def _locked(path: Path, *, temporary: bool) -> Generator[None]:
    """Lock a directory. A temporary one gets its lock file already locked, so that it never looks abandoned."""
    if sys.platform == "win32":
        raise DatasetError("The sandbox does not run on Windows; use WSL or Linux.")
    import fcntl  # not available on Windows

    lock = path / _LOCK
    with (path / f"{_LOCK}.new" if temporary else lock).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip()
            raise DatasetBusyError(
                f"The sandbox directory {path} is in use{f' by process {owner}' if owner else ''}. "
                "Stop that process or choose another directory."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        if temporary:
            Path(file.name).rename(lock)
        yield


def _remove_abandoned(parent: Path) -> None:
    """Remove this user's temporary datasets whose owners were killed."""
    if sys.platform == "win32":
        return
    import fcntl  # not available on Windows

    for path in parent.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):  # locked by its owner, another user's, or just being removed
            seen = path.lstat()
            if seen.st_uid != os.getuid():
                continue
            descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.utime(descriptor)  # the file system's clock can differ from the machine's
                if os.fstat(descriptor).st_mtime - seen.st_mtime >= _YOUNG_S:
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _manifest(parameters: Parameters) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "events": parameters.events,
        "seed": parameters.seed,
        "today": parameters.today.isoformat(),
        "hostile": parameters.hostile,
        **({} if parameters.calendar == parameters.today.weekday() else {"calendar": parameters.calendar}),
    }
