"""`make test`: which suites run, with which arguments, and what counts as a failure."""

import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

from ..snapshots.files import ROOT

PATH = ROOT / ".ci" / "suites.py"


@pytest.fixture
def suites() -> ModuleType:
    spec = importlib.util.spec_from_file_location("suites", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


IN_REPOSITORY = pytest.mark.skipif(not (ROOT / "sandbox").is_dir(), reason="an sdist has one suite")


@IN_REPOSITORY
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {".": [], "sandbox": []}),
        (["-k", "tools"], {".": ["-k", "tools"], "sandbox": ["-k", "tools"]}),
        (["-q", "tests/repository/test_floors.py"], {".": ["-q", "tests/repository/test_floors.py"]}),
        (["sandbox/tests/test_app.py::test_it", "-x"], {"sandbox": ["tests/test_app.py::test_it", "-x"]}),
        (["tests/tools", "sandbox/tests/api"], {".": ["tests/tools"], "sandbox": ["tests/api"]}),
        (["-k", "tests/nothing"], {".": ["-k", "tests/nothing"], "sandbox": ["-k", "tests/nothing"]}),
    ],
)
def test_arguments_reach_the_suites_that_they_are_for(
    suites: ModuleType, arguments: list[str], expected: dict[str, list[str]]
) -> None:
    assert suites.divide(arguments, [".", "sandbox"]) == expected


@IN_REPOSITORY
@pytest.mark.parametrize(
    ("codes", "arguments", "failed"),
    [
        ({".": 0, "sandbox": 0}, [], ""),
        ({".": 1, "sandbox": 0}, [], "./tests"),
        ({".": 0, "sandbox": 2}, [], "sandbox/tests"),
        ({".": 0, "sandbox": 5}, ["-k", "flags"], ""),
        ({".": 0, "sandbox": 5}, [], "sandbox/tests"),
    ],
)
def test_every_failed_suite_is_named_and_every_output_is_whole(
    suites: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    codes: dict[str, int],
    arguments: list[str],
    failed: str,
) -> None:
    def run(folder: str, given: list[str], *, live: bool) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(given, codes[folder], None if live else f"first\n{folder} is done\n")

    monkeypatch.setattr(suites, "FOLDERS", tuple(codes))
    monkeypatch.setattr(suites, "run", run)
    code: int = suites.main(arguments)
    shown = capsys.readouterr()
    assert code == (1 if failed else 0)
    assert shown.out == "\nsandbox/tests\nfirst\nsandbox is done\n"
    assert shown.err == (f"Failed: {failed}\n" if failed else "")


@IN_REPOSITORY
def test_the_output_of_pytest_is_shown_to_its_last_line() -> None:
    command = [sys.executable, str(PATH), "-q", "-k", "test_importing_the_package", "tests/test_embedding.py"]
    both = [*command, "sandbox/tests/testing/test_sandbox.py"]
    done = subprocess.run(both, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 passed") == 2
