"""Equal lines of the log within some seconds: the first one is written, and then how many followed it."""

import copy
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

WINDOW_S = 10.0
MOST_KNOWN = 200
"""Different lines that are compared at a time."""

type _Same = tuple[str, int, str, str]


@dataclass(slots=True)
class _Repeated:
    record: logging.LogRecord
    until: float
    repeated: int = 0


class Merging(logging.StreamHandler[TextIO]):
    """A handler that merges equal records. `each` are loggers whose records are all written."""

    def __init__(self, stream: TextIO, each: frozenset[str], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._each = each
        self._clock = clock
        self._known: dict[_Same, _Repeated] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it; the caller holds the lock."""
        now = self._clock()
        self._write_due(now)
        key = _key(record)
        if record.name in self._each or record.exc_info or key is None:
            super().emit(record)
        elif (line := self._known.get(key)) is not None:
            line.repeated += 1
            self._write_later()
        else:
            if len(self._known) >= MOST_KNOWN:
                self._write_repeats(next(iter(self._known)))
            self._known[key] = _Repeated(record, now + WINDOW_S)
            super().emit(record)

    def finish(self) -> None:
        """Write what was only counted so far."""
        with self.lock or threading.RLock():
            if self._timer is not None:
                self._timer.cancel()
            self._write_due(float("inf"))

    def close(self) -> None:
        self.finish()
        super().close()

    def _write_due(self, now: float) -> None:
        for key in [key for key, line in self._known.items() if line.until <= now]:
            self._write_repeats(key)

    def _write_repeats(self, key: _Same) -> None:
        line = self._known.pop(key)
        if line.repeated:
            summary = copy.copy(line.record)
            times = "once more" if line.repeated == 1 else f"{line.repeated} times"
            summary.msg, summary.args = f"{line.record.getMessage()} (repeated {times})", None
            summary.created = time.time()
            super().emit(summary)

    def _write_later(self) -> None:
        """Write the repeats also when no other record comes."""
        if self._timer is None:
            self._timer = threading.Timer(WINDOW_S, self._on_timer)
            self._timer.daemon = True
            self._timer.start()

    def _on_timer(self) -> None:
        with self.lock or threading.RLock():
            self._timer = None
            self._write_due(self._clock())
            if any(line.repeated for line in self._known.values()):
                self._write_later()


def _key(record: logging.LogRecord) -> _Same | None:
    """Return what makes records equal; None for one that cannot be read, which is reported where it is written."""
    try:
        return record.name, record.levelno, record.getMessage(), str(getattr(record, "fields", ""))
    except Exception:  # as in logging: any argument can fail to be formatted
        return None
