"""What a mutation is, and how one is tried."""

import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

from .trial import Verdict, run

ROOT = Path(__file__).resolve().parents[2]
_NEWER_S = 1000
"""A changed file is made this much newer, so that no compiled file of it is used."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One protection removed: `old` occurs once in the file and becomes `new`; then each of `tests` has to fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    threat: str = field(default="")
    """The beginning of the threat in the table of SECURITY.md."""


def mutation(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """Return a mutation that no threat is named for yet."""
    return Mutation(name, file, old, new, tests)


def against(threat: str, *mutations: Mutation) -> tuple[Mutation, ...]:
    """Return the mutations of the protections against a threat."""
    return tuple(replace(each, threat=threat) for each in mutations)


def copy_tree(target: Path) -> None:
    """Copy the working tree: all files that Git knows or would add, and links as links."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            copy.symlink_to(source.readlink())
        elif source.is_file():
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)


def tried(each: Mutation, tree: Path) -> Verdict:
    """Return how the tests of a mutation end in a copy of the tree, which is afterwards as it was before."""
    path = tree / each.file
    before, stamp = path.read_bytes(), path.stat().st_mtime
    path.write_bytes(before.decode().replace(each.old, each.new, 1).encode())
    os.utime(path, (stamp + _NEWER_S, stamp + _NEWER_S))
    try:
        verdicts = {run(test, tree) for test in each.tests}
    finally:
        path.write_bytes(before)
        os.utime(path, (stamp, stamp))
    worst: tuple[Verdict, ...] = ("survived", "timed out", "broken")
    for verdict in worst:
        if verdict in verdicts:
            return verdict
    return "killed"
