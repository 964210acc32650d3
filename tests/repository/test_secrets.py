"""Nothing in the repository is a key, and nothing in the product needs a network before its first call."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .test_floors import ROOT

KEY = re.compile(rb"ph[xsar]_[A-Za-z0-9]{30,}|eyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY")
"""Keys of PostHog, JSON web tokens and private keys."""
MADE = frozenset({".git", ".venv", ".hosts", ".hypothesis", "__pycache__", "node_modules", "dist", "build"})
LARGEST = 2_000_000


def files() -> Iterator[Path]:
    """Yield the files of the repository, without links and what is made from them."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in MADE and not name.endswith("_cache")]
        yield from (Path(folder) / name for name in names)


def test_no_file_contains_a_key() -> None:
    whole = [path for path in files() if path.is_file() and path.stat().st_size < LARGEST]
    assert len(whole) > 300
    assert [path for path in whole if KEY.search(path.read_bytes())] == []


def test_the_tools_are_listed_without_a_network() -> None:
    code = (
        "import socket\n"
        "def none(*_, **__): raise AssertionError('a socket')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.socket.bind = socket.getaddrinfo = none\n"
        "from maton_posthog.server.app import build\n"
        "from maton_posthog.server.runtime import Runtime\n"
        "from maton_posthog.server.settings import load\n"
        "runtime = Runtime(load())\n"
        "runtime.load()\n"
        "build(runtime)\n"
        "print(len(runtime.tools))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert int(done.stdout or 0) > 50, done.stderr
