"""One test in a process of its own, forked from one that has loaded the libraries: they take most of a test's time."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Literal

type Verdict = Literal["killed", "survived", "timed out", "broken"]

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 300
"""The longest time of one test."""
_LIBRARIES = ["pytest", "hypothesis", "mcp", "mcp.server.lowlevel", "uvicorn", "starlette.applications", "httpx2"]
_OURS = ("tests", "maton_posthog", "hogql_lang", "posthog_sandbox")
_SUITES = ("hogql", "sandbox")
"""Folders of distributions whose tests run from there."""
_ENDED = 100
"""Added to the exit codes of pytest: 1 is that of a process that fails for another reason."""
_VERDICTS: Mapping[int, Verdict] = {_ENDED: "survived", _ENDED + 1: "killed"}


def run(test: str, tree: Path) -> Verdict:
    """Return how one test ends in a tree: killed if it fails."""
    child = _context().Process(target=_pytest, args=(test, tree))
    child.start()
    child.join(LIMIT_S)
    code = child.exitcode
    if child.pid is not None:
        with suppress(ProcessLookupError):  # what the test left behind
            os.killpg(child.pid, signal.SIGKILL)
    child.join()
    if code is None:
        return "timed out"
    return _VERDICTS.get(code, "broken")


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)
    return context


def _pytest(test: str, tree: Path) -> None:
    """Run one test and exit as pytest does. Everything is imported from the tree, also in processes of the test."""
    os.setsid()
    folder = next((name for name in _SUITES if test.startswith(f"{name}/")), ".")
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]
    ours = [str(tree / each) for each in (".dev", ".", "hogql/src", "sandbox/src")]
    sys.path[:] = [*ours, *(path for path in sys.path if not _is_of_the_checkout(path))]
    os.environ["PYTHONPATH"] = os.pathsep.join(ours)
    os.chdir(tree / folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    end = _End()
    with suppress(Exception):  # warnings that are raised after the tests have ended
        pytest.main([*options, test.removeprefix(f"{folder}/")], plugins=[end])
    os._exit(1 if end.code is None else _ENDED + end.code)


class _End:
    """How the tests ended."""

    def __init__(self) -> None:
        self.code: int | None = None

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Keep the exit status."""
        self.code = int(exitstatus)


def _is_of_the_checkout(path: str) -> bool:
    whole = Path(path).absolute()
    return whole.is_relative_to(ROOT) and not whole.is_relative_to(Path(sys.prefix))
