"""Which files of the product one tool call enters, in the order of first entry."""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .snapshots import ROOT

SOURCES = ("server", "tools", "gateway", "schemas", "hogql")


class Trace:
    """The files entered so far, in order. Use it as a profile function."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self._known: dict[str, str | None] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code.co_name == "<module>":
            return
        if (name := self._name(frame)) is not None:
            self.files.setdefault(name)

    def _name(self, frame: FrameType) -> str | None:
        path = frame.f_code.co_filename
        if path not in self._known:
            self._known[path] = _inside(path)
        return self._known[path]


def _inside(path: str) -> str | None:
    resolved = Path(path).resolve()
    if not resolved.is_relative_to(ROOT):
        return None
    name = resolved.relative_to(ROOT).as_posix()
    return name if name.split("/")[0] in SOURCES else None


@contextmanager
def traced() -> Generator[Trace]:
    """Trace this thread and those that start meanwhile."""
    trace = Trace()
    before = sys.getprofile()
    threading.setprofile(trace)
    sys.setprofile(trace)
    try:
        yield trace
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
