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
    monkeypatch.setattr(suites, "PARTS", {})
    monkeypatch.setattr(suites, "LONGEST", ())
    monkeypatch.setattr(suites, "run", run)
    code: int = suites.main(arguments)
    shown = capsys.readouterr()
    assert code == (1 if failed else 0)
    assert shown.out == "\nsandbox/tests\nfirst\nsandbox is done\n"
    assert shown.err == (f"Failed: {failed}\n" if failed else "")


@IN_REPOSITORY
def test_the_parts_of_a_suite_leave_no_test_out_and_run_none_twice(suites: ModuleType) -> None:
    for folder, parts in suites.PARTS.items():
        runs = {one.tests: one for one in suites.in_parts([folder])}
        rest = runs.pop("tests")
        assert {name: one.arguments[-1] for name, one in runs.items()} == {part: part for part in parts}
        assert rest.arguments[-len(parts) :] == [f"--ignore={part}" for part in parts]
        assert all((ROOT / folder / part).is_dir() for part in parts)


@IN_REPOSITORY
def test_the_long_parts_start_first(suites: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "PARTS", {"one": ["tests/a"], "other": ["tests/b"]})
    monkeypatch.setattr(suites, "LONGEST", ("other/tests", "one/tests/a"))
    names = [one.name for one in suites.in_parts(["one", "other", "small"])]
    assert names == ["other/tests", "one/tests/a", "one/tests", "other/tests/b", "small/tests"]


@IN_REPOSITORY
def test_only_parts_that_run_have_a_place_in_the_order(suites: ModuleType) -> None:
    assert {*suites.LONGEST} <= {one.name for one in suites.in_parts(suites.FOLDERS)}


@IN_REPOSITORY
def test_suites_run_in_parts_unless_arguments_are_given(suites: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, ...]] = []

    def run(folder: str, given: list[str], *, live: bool) -> "subprocess.CompletedProcess[str]":
        started.append((folder, *given))
        return subprocess.CompletedProcess(given, 0, "")

    monkeypatch.setattr(suites, "FOLDERS", ("sandbox",))
    monkeypatch.setattr(suites, "PARTS", {"sandbox": ["tests/api"]})
    monkeypatch.setattr(suites, "run", run)
    suites.main([])
    apart = ("sandbox", "-p", "no:cacheprovider")
    assert sorted(started) == [(*apart, "--ignore=tests/api"), (*apart, "tests/api")]
    started.clear()
    suites.main(["--cov"])
    assert started == [("sandbox", "--cov")]


@IN_REPOSITORY
def test_a_failed_part_is_named(
    suites: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: str, given: list[str], *, live: bool) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(given, int("tests/api" in given), "" if live else "done\n")

    monkeypatch.setattr(suites, "FOLDERS", ("sandbox",))
    monkeypatch.setattr(suites, "PARTS", {"sandbox": ["tests/api"]})
    monkeypatch.setattr(suites, "LONGEST", ("sandbox/tests",))
    monkeypatch.setattr(suites, "run", run)
    assert suites.main([]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("\nsandbox/tests/api\ndone\n", "Failed: sandbox/tests/api\n")


@IN_REPOSITORY
def test_python_writes_bytecode_during_a_run(suites: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}

    def run(command: list[str], *, env: dict[str, str], **_: object) -> "subprocess.CompletedProcess[str]":
        given.update(env)
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setattr(subprocess, "run", run)
    suites.run(".", [], live=False)
    assert "PYTHONDONTWRITEBYTECODE" not in given
    assert given["KEPT"] == "1"


@IN_REPOSITORY
def test_the_output_of_pytest_is_shown_to_its_last_line() -> None:
    names = "test_rows_are_read_in_order_only or test_a_link_keeps_repeated_parameters"
    tests = ("tests/schemas/test_rows.py", "sandbox/tests/test_values.py")
    command = [sys.executable, str(PATH), "-q", "-k", names, *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 passed") == 2
