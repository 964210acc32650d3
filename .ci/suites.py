"""Run the tests of every distribution in this checkout, two suites at a time.

    python .ci/suites.py [arguments of pytest]

The output of the first suite is shown as it runs, that of the others in one piece afterwards. Paths among the arguments
are from the root of the repository and select the suites that hold them. With arguments, a suite in which no test is
selected has not failed.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = "."
FOLDERS = (PRODUCT, "sandbox", "hogql")
"""The longest suite first."""
AT_ONCE = 2
NO_TESTS = 5


def main(arguments: Sequence[str]) -> int:
    """Return 1 when a suite failed, else 0."""
    present = [folder for folder in FOLDERS if (ROOT / folder / "pyproject.toml").is_file()]
    suites = divide(arguments, present)
    failed: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {
            folder: pool.submit(run, folder, given, live=not place)
            for place, (folder, given) in enumerate(suites.items())
        }
        for folder, suite in running.items():
            done = suite.result()
            sys.stdout.write(f"\n{folder}/tests\n{done.stdout}" if done.stdout else "")
            sys.stdout.flush()
            if done.returncode and not (arguments and done.returncode == NO_TESTS):
                failed.append(f"{folder}/tests")
    if failed:
        sys.stderr.write(f"Failed: {', '.join(failed)}\n")
    return int(bool(failed))


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
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT / folder, check=False, encoding="utf-8", errors="replace", **streams)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
