"""Run the tests of every distribution in this checkout, a few suites at a time.

    python .ci/suites.py [arguments of pytest]

The output of the first suite is shown as it runs, that of the others in one piece afterwards. Paths among the arguments
are from the root of the repository and select the suites that hold them. With arguments, a suite in which no test is
selected has not failed; without them the long suites run in parts.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = "."
FOLDERS = (PRODUCT, "sandbox", "hogql")
"""The longest suite first."""
PARTS: Mapping[str, Sequence[str]] = {
    PRODUCT: ["tests/server", "tests/tools", "tests/repository"],
    "sandbox": ["tests/insights"],
}
"""Folders of tests that run beside the rest of their suite, so that no long suite is left over at the end."""
LONGEST = (
    "./tests/server",
    "sandbox/tests",
    "./tests/tools",
    "sandbox/tests/insights",
    "./tests/repository",
    "./tests",
)
"""Runs by the time that they take. They start in this order and all others after them, so that the last ones are short
and the cores are busy until the end."""
AT_ONCE = 4
"""Twice the cores of a small machine, because tests wait for the processes that they start."""
NO_TESTS = 5


class Run(NamedTuple):
    """One run of pytest, in the folder of a distribution."""

    folder: str
    arguments: Sequence[str]
    tests: str = "tests"

    @property
    def name(self) -> str:
        """The folder of its tests."""
        return f"{self.folder}/{self.tests}"


def main(arguments: Sequence[str]) -> int:
    """Return 1 when a suite failed, else 0."""
    present = [folder for folder in FOLDERS if (ROOT / folder / "pyproject.toml").is_file()]
    suites = divide(arguments, present)
    runs = [Run(folder, given) for folder, given in suites.items()] if arguments else list(in_parts(present))
    failed: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(run, one.folder, one.arguments, live=not place) for place, one in enumerate(runs)]
        for one, result in zip(runs, running, strict=True):
            done = result.result()
            sys.stdout.write(f"\n{one.name}\n{done.stdout}" if done.stdout else "")
            sys.stdout.flush()
            if done.returncode and not (arguments and done.returncode == NO_TESTS):
                failed.append(one.name)
    if failed:
        sys.stderr.write(f"Failed: {', '.join(failed)}\n")
    return int(bool(failed))


def in_parts(folders: Sequence[str]) -> Iterator[Run]:
    """Yield the runs of whole suites, the longest first: of each suite the parts, and everything else."""
    runs = [run for folder in folders for run in runs_of(folder)]
    yield from sorted(runs, key=lambda run: LONGEST.index(run.name) if run.name in LONGEST else len(LONGEST))


def runs_of(folder: str) -> Iterator[Run]:
    """Yield the runs of a suite: its parts, and everything else."""
    parts = PARTS.get(folder, ())
    yield from (Run(folder, [*apart(folder), part], part) for part in parts)
    yield Run(folder, [*apart(folder), *(f"--ignore={part}" for part in parts)])


def apart(folder: str) -> Sequence[str]:
    """Return an argument for suites in parts: those that run at once would overwrite each other's failures."""
    return ["-p", "no:cacheprovider"] if folder in PARTS else []


def divide(arguments: Sequence[str], folders: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the suites to run, each with its arguments."""
    owners = {argument: owner(argument, folders) for argument in arguments if is_path(argument)}
    return {
        folder: [
            argument.removeprefix(f"{folder}/") if argument in owners else argument
            for argument in arguments
            if owners.get(argument, folder) == folder
        ]
        for folder in folders
        if not owners or folder in owners.values()
    }


def is_path(argument: str) -> bool:
    """Return whether an argument names a file or a folder: `tests/test_app.py::test_it`, and not a word after `-k`."""
    return "/" in argument and (ROOT / argument.partition("::")[0]).exists()


def owner(path: str, folders: Sequence[str]) -> str:
    """Return the folder of the distribution that a path belongs to."""
    return next((folder for folder in folders if path.startswith(f"{folder}/")), PRODUCT)


def run(folder: str, arguments: Sequence[str], *, live: bool) -> "subprocess.CompletedProcess[str]":
    """Run one suite; its output is in the result, or has been shown when `live`."""
    streams = {} if live else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    # Tests start a hundred processes of Python. Without bytecode each one compiles every module that it loads.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT / folder,
        env=environment,
        check=False,
        encoding="utf-8",
        errors="replace",
        **streams,
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
