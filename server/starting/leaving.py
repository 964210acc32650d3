"""Shutdown in time: hosts stop a server by end of input, SIGINT or SIGTERM, and kill one that takes too long."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

DEADLINE_S = 4.5
"""The process exits after this time even if something blocks: a DNS lookup cannot be cancelled, for example."""
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def quietly_on_signals() -> None:
    """Exit on a signal without a traceback, after everything that is open has been closed."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)


def at_once_on_signals() -> None:
    """Exit at once on a signal that arrives while the process loads, or after all work is done.

    An exception instead could reach code that prints it or mistakes it for a different error.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit_at_once)


def _exit_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


@contextmanager
def on_signals(stop: Callable[[], object]) -> Generator[None]:
    """Call `stop` in the running loop on SIGINT, SIGTERM or SIGHUP."""
    import asyncio

    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(_number: int, _frame: FrameType | None) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stop)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        with _woken_by_signals(loop):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _woken_by_signals(loop: "asyncio.AbstractEventLoop") -> Generator[None]:
    """Wake the loop on every signal, so that its handler runs.

    Python runs handlers when the main thread runs: a signal that arrives just before the loop waits, or that the kernel
    delivers to another thread, would be handled at the next event only. The loop of Windows does this already.
    """
    if sys.platform == "win32":
        yield
        return
    import socket

    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)

        def awake() -> None:
            near.recv(4096)  # signal handlers run between instructions of Python, and uvloop's loop has none

        loop.add_reader(near, awake)
        before = signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(near)


def leave_in_time(seconds: float = DEADLINE_S) -> None:
    """Give the process `seconds` to close its resources; then it exits with code 0."""
    watch = threading.Timer(seconds, os._exit, (0,))
    watch.daemon = True
    watch.start()
