"""Complete datasets in the user's cache directory, copied from there instead of generated again.

An entry is written under another name and then renamed, so it is complete or absent. It is never changed after that,
and can be removed at any time: a dataset that cannot be copied is generated. An entry of another day is copied too,
for the caller to shift; all entries of a dataset with the same calendar differ only by such a shift.
"""

import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from .digest import generator_digest
from .directory import SCHEMA_VERSION
from .parameters import Parameters
from .prepared.archive import find

VARIABLE = "POSTHOG_SANDBOX_CACHE"
OFF = "off"
ENTRIES = 6
"""The number of entries kept; of more the least recently used ones are removed."""
BYTES = 500_000_000
"""The total size of the entries kept."""
DAYS = 2
"""The number of days kept of a dataset with the same calendar: today, and one that is chosen again and again."""
EVENTS_AT_LEAST = 2_000
"""Smaller datasets are generated as fast as they are copied."""

_DRAFT = "draft-"
_PART = "all_"
"""Beginning of the directories of parts, in tables without partitions."""
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

    def with_calendar(self, parameters: Parameters) -> Parameters:
        """Return the parameters with the calendar of an entry, so that the dataset can be copied and shifted.

        The real weekdays are preferred, which give the same data as the generator; then the entry used last; then the
        prepared dataset. If there is none, the parameters are returned as they are.
        """
        entries = self._entries(parameters)
        if not entries:
            prepared = find()
            return prepared.with_calendar(parameters) if prepared else parameters
        if any(entry.calendar == parameters.calendar for entry in entries):
            return parameters
        return replace(parameters, weekday=entries[0].calendar)

    def restore(self, parameters: Parameters, database: Path, *, other_days: bool = True) -> date | None:
        """Copy the dataset to `database`, a path that does not exist. Return the last day of the copy.

        Its calendar is that of `parameters`, and its last day is theirs if the cache has that or `other_days` is false.
        Return None if the cache has no such dataset.
        """
        found = [entry for entry in self._entries(parameters) if entry.calendar == parameters.calendar]
        entries = [entry for entry in found if other_days or entry.today == parameters.today]
        for entry in sorted(entries, key=lambda entry: entry.today != parameters.today)[:1]:
            try:
                shutil.copytree(entry.path, database, symlinks=True, copy_function=_link)
                os.utime(entry.path)
            except OSError:  # shutil.Error too: removed by another process, or the disk is full
                shutil.rmtree(database, ignore_errors=True)
                return None
            return entry.today
        return None

    def discard(self, parameters: Parameters) -> None:
        """Remove a dataset that turned out to be unusable, with all its days."""
        for entry in self._entries(parameters):
            if entry.calendar == parameters.calendar:
                self._remove(entry.path)

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
                shutil.copytree(database, Path(draft) / entry.name, symlinks=True, copy_function=_link)
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
        versions = f"{SCHEMA_VERSION}-{_engine_version()}-{generator_digest()}"
        kind = "" if parameters.hostile else "-plain"
        dataset = f"{versions}-{parameters.events}-{parameters.seed}{kind}"
        return self.path / f"{dataset}@{parameters.calendar}@{parameters.today}"

    def _entries(self, parameters: Parameters) -> list["_CachedDay"]:
        """Return the entries of a dataset with all its days and calendars, the last used first."""
        wanted = self._entry(parameters)
        if wanted is None:
            return []
        name = wanted.name.split("@", 1)[0]
        found = [_CachedDay.read(path) for path in self._by_use() if path.name.startswith(f"{name}@")]
        return [entry for entry in found if entry is not None]

    def _by_use(self) -> list[Path]:
        """Return the entries and drafts, the last used first."""
        ages: list[tuple[float, Path]] = []
        with suppress(OSError):
            for path in self.path.iterdir():
                with suppress(OSError):  # removed by another process
                    ages.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(ages, reverse=True)]

    def _tidy(self, newest: Path) -> None:
        """Remove the least recently used entries beyond the limits, and what killed processes left behind."""
        entries: list[Path] = []
        for path in self._by_use():
            if not path.name.startswith(_DRAFT):
                entries.append(path)
            elif _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)
        for path in _beyond([newest, *(path for path in entries if path != newest)]):
            self._remove(path)

    def _remove(self, entry: Path) -> None:
        """Remove an entry; renamed first, so that no process finds a half of it."""
        with suppress(OSError), tempfile.TemporaryDirectory(prefix=_DRAFT, dir=self.path) as draft:
            entry.rename(Path(draft) / entry.name)


@dataclass(frozen=True, slots=True)
class _CachedDay:
    """A complete dataset; `calendar` is the weekday of its last day in its calendar."""

    path: Path
    calendar: int
    today: date

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Parse the name of an entry; None for any other file."""
        try:
            _, calendar, today = path.name.split("@")
            return cls(path, int(calendar), date.fromisoformat(today))
        except ValueError:
            return None


@cache
def _engine_version() -> str:
    """Return the version of chdb, read from the name of its metadata: a module that reads metadata is slow to load."""
    package = find_spec("chdb")
    for place in (package and package.submodule_search_locations) or ():
        named = [path.name for path in Path(place).parent.glob("chdb_core-*.dist-info")]
        if len(named) == 1:
            return named[0].removeprefix("chdb_core-").removesuffix(".dist-info")
    from importlib import metadata

    return metadata.version("chdb-core")


def _beyond(entries: Iterable[Path]) -> list[Path]:
    """Return the entries that exceed the limits of number and size."""
    room, beyond, days = BYTES, list[Path](), Counter[str]()
    for number, path in enumerate(entries, 1):
        dataset = path.name.rpartition("@")[0]
        days[dataset] += 1
        room -= _size(path)
        if number > ENTRIES or room < 0 or days[dataset] > DAYS:
            beyond.append(path)
    return beyond


def _is_abandoned(path: Path) -> bool:
    """Return whether a draft was left behind by a killed process."""
    try:
        return path.stat().st_mtime < time.time() - _ABANDONED_S
    except OSError:
        return False


def _link(source: str, target: str) -> None:
    """Copy a file of a database; a file of a part of a table, which ClickHouse never changes, without its contents."""
    if Path(source).parent.name.startswith(_PART):
        with suppress(OSError):  # on another disk, or no links there
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def _size(path: Path) -> int:
    return sum(found.lstat().st_size for found in path.rglob("*") if not found.is_dir())
