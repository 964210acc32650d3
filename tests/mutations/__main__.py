"""Remove one protection after the other, and report those whose tests do not notice.

    python -m tests.mutations [--only NAME]

The checkout is never edited: the mutations are made in a copy, where the tests have to pass first. Exit code 1 if a
mutation survived, could not be tried, or if its old text is not found exactly once.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .everything import MUTATIONS
from .mutation import ROOT, Mutation, copy_tree, tried
from .trial import run


def main(arguments: Sequence[str]) -> int:
    """Return 0 if each mutation was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations")
    parser.add_argument("--only", metavar="NAME", help="mutations whose name contains this")
    options = parser.parse_args(arguments)
    chosen = [each for each in MUTATIONS if options.only is None or options.only in each.name]
    misplaced = [each.name for each in chosen if (ROOT / each.file).read_text("utf-8").count(each.old) != 1]
    for name in misplaced:
        _say(f"misplaced  {name}: its old text is not in the file exactly once")
    if misplaced or not chosen:
        return 1
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        failing = _failing(chosen, tree)
        missed = _missed([each for each in chosen if failing.isdisjoint(each.tests)], tree)
    return int(bool(failing or missed))


def _failing(chosen: Sequence[Mutation], tree: Path) -> frozenset[str]:
    """Return the tests that fail without any mutation, so that they show nothing."""
    tests = list(dict.fromkeys(test for each in chosen for test in each.tests))
    _say(f"{len(tests)} tests have to pass on unchanged code:")
    failing = {test: verdict for test in tests if (verdict := run(test, tree)) != "survived"}
    for test, verdict in failing.items():
        _say(f"{'failed' if verdict == 'killed' else verdict:<10} {test}")
    return frozenset(failing)


def _missed(chosen: Sequence[Mutation], tree: Path) -> list[str]:
    """Return the mutations that were not noticed."""
    missed: list[str] = []
    for number, each in enumerate(chosen, start=1):
        started = time.monotonic()
        verdict = tried(each, tree)
        _say(f"{verdict:<10} {number:>3}/{len(chosen)} {each.name} ({time.monotonic() - started:.0f} s)")
        if verdict != "killed":
            missed.append(each.name)
    _say(f"{len(chosen) - len(missed)} of {len(chosen)} mutations were noticed.")
    return missed


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
