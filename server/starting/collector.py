"""The garbage collector while modules are imported."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """Import without garbage collection, which would take a fifth of the time, and exempt what was made from it later.

    A full collection of all modules and models would stop the event loop for a tenth of a second.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
