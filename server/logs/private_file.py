"""Files that only the user of this process can read. Loads nothing heavy."""

import os
import stat
import sys
from pathlib import Path


def open_private(path: Path) -> int:
    """Open a file to append to, which only this user can read. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
    if sys.platform != "win32" and stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return descriptor
