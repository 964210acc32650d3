"""Complete datasets in the user's cache directory, copied from there instead of generated again.

An entry is written under another name and then renamed, so it is complete or absent. It is never changed after that,
and can be removed at any time: a dataset that cannot be copied is generated.
"""

import hashlib
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from .directory import SCHEMA_VERSION
from .generate import Parameters

VARIABLE = "POSTHOG_SANDBOX_CACHE"
OFF = "off"
ENTRIES = 6
"""The number of entries kept; of more the least recently used ones are removed."""
BYTES = 500_000_000
"""The total size of the entries kept."""
EVENTS_AT_LEAST = 2_000
"""Smaller datasets are generated as fast as they are copied."""

_DRAFT = "draft-"
_ABANDONED_S = 3600
"""Age in seconds after which a draft is one of a killed process."""
_log = logging.getLogger(__name__)


def cache_directory(environment: Mapping[str, str], home: Path) -> Path | None:
    """Return the directory of the cache; None when the user turned it off."""
    if chosen := environment.get(VARIABLE):
        return None if chosen == OFF else Path(chosen).expanduser()
    xdg = Path(environment.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():
        return xdg / "posthog-sandbox"
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "posthog-sandbox"


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache in this directory, shared by all processes of the user."""

    path: Path

    def restore(self, parameters: Parameters, database: Path) -> bool:
        """Copy the dataset to `database`, a path that does not exist. Return whether the cache had it."""
        entry = self._entry(parameters)
        if entry is None or not entry.is_dir():
            return False
        try:
            shutil.copytree(entry, database, symlinks=True)
            os.utime(entry)
        except OSError:  # shutil.Error too: removed by another process, or the disk is full
            shutil.rmtree(database, ignore_errors=True)
            return False
        return True

    def discard(self, parameters: Parameters) -> None:
        """Remove a dataset that turned out to be unusable."""
        if entry := self._entry(parameters):
            self._remove(entry)

    def keep(self, parameters: Parameters, database: Path) -> None:
        """Add the dataset of `database`, which nothing is written to any more, and remove old ones."""
        entry = self._entry(parameters)
        if entry is None:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _size(database) > BYTES:
                return
            with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=self.path, ignore_cleanup_errors=True) as draft:
                shutil.copytree(database, Path(draft) / entry.name, symlinks=True)
                with suppress(OSError):  # another process has added it
                    (Path(draft) / entry.name).rename(entry)
            self._tidy(entry)
        except OSError as error:
            reason = error.strerror or "files could not be copied"
            _log.warning("The data are not cached: %s cannot be used (%s).", self.path, reason)

    def _entry(self, parameters: Parameters) -> Path | None:
        """Return the path of the dataset's entry; None for a dataset that is not cached."""
        if parameters.events < EVENTS_AT_LEAST:
            return None
        versions = f"{SCHEMA_VERSION}-{metadata.version('chdb-core')}-{generator_digest()}"
        kind = "" if parameters.hostile else "-plain"
        return self.path / f"{versions}-{parameters.events}-{parameters.seed}-{parameters.today}{kind}"

    def _tidy(self, newest: Path) -> None:
        """Remove the least recently used entries beyond the limits, and what killed processes left behind."""
        ages: list[tuple[float, Path]] = []
        for path in self.path.iterdir():
            with suppress(OSError):  # removed by another process
                ages.append((path.stat().st_mtime, path))
        entries: list[Path] = []
        for changed, path in sorted(ages, reverse=True):
            if not path.name.startswith(_DRAFT):
                entries.append(path)
            elif changed < time.time() - _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)
        for path in _beyond([newest, *(path for path in entries if path != newest)]):
            self._remove(path)

    def _remove(self, entry: Path) -> None:
        """Remove an entry; renamed first, so that no process finds a half of it."""
        with suppress(OSError), tempfile.TemporaryDirectory(prefix=_DRAFT, dir=self.path) as draft:
            entry.rename(Path(draft) / entry.name)


@cache
def generator_digest(folder: Path = Path(__file__).parent) -> str:
    """Return a digest of the code that generates datasets: its version stays the same while somebody changes it."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _beyond(entries: Iterable[Path]) -> list[Path]:
    """Return the entries that exceed the limits of number and size."""
    room, beyond = BYTES, list[Path]()
    for number, path in enumerate(entries, 1):
        room -= _size(path)
        if number > ENTRIES or room < 0:
            beyond.append(path)
    return beyond


def _size(path: Path) -> int:
    return sum(found.lstat().st_size for found in path.rglob("*") if not found.is_dir())
