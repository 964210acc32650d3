"""Remove one protection after the other, and report those whose tests do not notice.

    python -m tests.mutations [--only NAME] [--unchanged]

The checkout is never edited: the mutations are made in a copy. Exit code 1 if a mutation survived, could not be tried,
or if its old text is not found exactly once. `--unchanged` runs the tests of all mutations on unchanged code instead:
they have to pass there.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .everything import MUTATIONS
from .mutation import ROOT, Mutation, copy_tree, run, tried


def main(arguments: Sequence[str]) -> int:
    """Return 0 if each mutation was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations")
    parser.add_argument("--only", metavar="NAME", help="mutations whose name contains this")
    parser.add_argument("--unchanged", action="store_true", help="run their tests on unchanged code")
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
        return _unchanged(chosen, tree) if options.unchanged else _mutated(chosen, tree)


def _mutated(chosen: Sequence[Mutation], tree: Path) -> int:
    missed: list[str] = []
    for number, each in enumerate(chosen, start=1):
        started = time.monotonic()
        verdict = tried(each, tree)
        _say(f"{verdict:<10} {number:>3}/{len(chosen)} {each.name} ({time.monotonic() - started:.0f} s)")
        if verdict != "killed":
            missed.append(each.name)
    _say(f"{len(chosen) - len(missed)} of {len(chosen)} mutations were noticed.")
    return int(bool(missed))


def _unchanged(chosen: Sequence[Mutation], tree: Path) -> int:
    failed = 0
    for test in dict.fromkeys(test for each in chosen for test in each.tests):
        if (verdict := run(test, tree)) != "survived":
            failed += 1
            _say(f"{'failed' if verdict == 'killed' else verdict:<10} {test}")
    _say(f"{failed} tests fail on unchanged code.")
    return int(bool(failed))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
