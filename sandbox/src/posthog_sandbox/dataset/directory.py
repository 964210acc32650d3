"""The directory that a dataset lives in: one owner at a time, and a manifest that is written last."""

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

from .generate import Parameters

SCHEMA_VERSION = 1
"""Raise it when the tables or the generated values change: kept directories of another version are made again."""

_DATABASE, _MANIFEST, _LOCK = "clickhouse", "dataset.json", "dataset.lock"
_TEMPORARY = "maton-posthog-sandbox-"
_YOUNG_S = 60
"""A temporary directory that was just made is nobody's to remove, locked or not."""
_BYTES_PER_EVENT = 600
"""What is needed while ClickHouse merges; about 200 remain."""
_BYTES_AT_LEAST = 50 * 1024**2


class DatasetError(Exception):
    """The dataset cannot be made or opened. The text names the remedy."""


class DatasetBusyError(DatasetError):
    """Another process, or another dataset of this process, holds the directory."""


@dataclass(frozen=True, slots=True)
class DatasetDirectory:
    """A locked directory; `database` is where ClickHouse keeps its files."""

    path: Path

    @property
    def database(self) -> Path:
        """ClickHouse's own directory."""
        return self.path / _DATABASE

    def holds(self, parameters: Parameters) -> bool:
        """Whether a complete dataset made with these parameters is there."""
        try:
            is_made = json.loads((self.path / _MANIFEST).read_text()) == _manifest(parameters)
        except (OSError, ValueError):
            return False
        # ClickHouse does not open what a copy made of its symbolic links.
        return is_made and (self.database / "metadata" / "posthog").is_symlink()

    def free_megabytes(self) -> int:
        """Free space on its disk."""
        with _disk_errors(self.path):
            return shutil.disk_usage(self.path).free // 1024**2

    def clear(self, parameters: Parameters) -> None:
        """Remove another or a half-made dataset. Raises DatasetError when the disk lacks room for the new one."""
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
                "Free some space, choose another directory, or ask for fewer events."
            )

    def complete(self, parameters: Parameters) -> None:
        """Say that the dataset is complete: the last step, atomic."""
        draft = self.path / f"{_MANIFEST}.new"
        with _disk_errors(self.path):
            with draft.open("w") as file:
                json.dump(_manifest(parameters), file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path / _MANIFEST)


def claim(path: Path | None, resources: ExitStack) -> DatasetDirectory:
    """Lock a directory (made when missing) until `resources` are closed; without `path` a temporary one, removed then.

    Before a temporary one is made, those that killed processes left behind are removed.
    Raises DatasetBusyError when another process holds it, DatasetError when it cannot be used.
    """
    temporary = path is None
    if path is None:
        _remove_abandoned(Path(tempfile.gettempdir()))
        made = tempfile.TemporaryDirectory(prefix=_TEMPORARY, ignore_cleanup_errors=True)
        path = Path(resources.enter_context(made))
    with _disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        if (path / _DATABASE).exists() and not (path / _LOCK).exists():
            raise DatasetError(
                f"{path / _DATABASE} was not made by the sandbox and is left alone. Choose another directory."
            )
        resources.enter_context(_locked(path, temporary=temporary))
    return DatasetDirectory(path.resolve())


@contextmanager
def _disk_errors(path: Path) -> Generator[None]:
    """Turn an OSError of the directory into a DatasetError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DatasetError(
                f"The disk that holds {path} is full. Free some space or choose another directory."
            ) from error
        raise DatasetError(f"The directory {path} cannot be used: {error.strerror or error}.") from error


@contextmanager
def _locked(path: Path, *, temporary: bool) -> Generator[None]:
    """A temporary directory gets its lock file only once that is locked, so that nobody takes it for abandoned."""
    if sys.platform == "win32":
        raise DatasetError("The sandbox does not run on Windows; use WSL or Linux.")
    import fcntl  # not there on Windows

    lock = path / _LOCK
    with (path / f"{_LOCK}.new" if temporary else lock).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip()
            raise DatasetBusyError(
                f"The sandbox directory {path} is in use{f' by process {owner}' if owner else ''}. "
                "End that process, or choose another directory."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        if temporary:
            Path(file.name).rename(lock)
        yield


def _remove_abandoned(parent: Path) -> None:
    """Remove the temporary datasets of this user that no process holds: their owners were killed."""
    if sys.platform == "win32":
        return
    import fcntl  # not there on Windows

    for path in parent.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):  # held by its owner, not ours, or being removed by another
            seen = path.lstat()
            if seen.st_uid != os.getuid():
                continue
            descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.utime(descriptor)  # the age is by the file system's clock, which need not be the machine's
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
    }
