"""The cache of generated datasets, shared by the processes of a user."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from posthog_sandbox.dataset import Cache, Parameters, cache_directory, open_dataset
from posthog_sandbox.dataset import cache as cache_module
from posthog_sandbox.dataset import opening as opening_module
from posthog_sandbox.storage.engine import Engine, EngineError

from ..oracle import SEEDS, examples

TODAY = date(2026, 11, 24)
TOMORROW = TODAY + timedelta(days=1)
EVENTS = 150
SMALLEST = 100
"""The number of events from which these tests cache."""
type Prepare = Callable[[Path], None]
ROWS = "SELECT count(), groupBitXor(cityHash64(tuple(*))) FROM posthog.events"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Return a function that makes a cache with the data of one sandbox, generated once for all tests."""
    made = tmp_path_factory.mktemp("prepared") / "cache"

    def copy(cache: Path) -> None:
        if not made.exists():
            opened(made)
        shutil.copytree(made, cache, symlinks=True, dirs_exist_ok=True)

    return copy


@pytest.fixture(autouse=True)
def smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "EVENTS_AT_LEAST", SMALLEST)


def opened(cache: Path, **changed: Any) -> tuple[list[float], list[list[Any]]]:
    """The steps of opening a dataset, and its events."""
    steps: list[float] = []
    wanted: dict[str, Any] = {"events": EVENTS, "today": TODAY, "cache": cache, **changed}
    directory = wanted.pop("directory", None)
    with open_dataset(directory, **wanted, progress=lambda fraction, _: steps.append(fraction)) as engine:
        return steps, engine.select(ROWS).rows


def entries(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_equal_data_are_copied_instead_of_generated(cache: Path) -> None:
    generated, rows = opened(cache)
    copied, again = opened(cache)

    assert len(generated) > 1
    assert copied == [1.0]
    assert again == rows


CHANGES: list[dict[str, Any]] = [
    {"seed": 43},
    {"hostile": False},
    {"events": EVENTS + 1},
    {"today": TODAY - timedelta(days=1)},
]


@pytest.mark.oracle
@pytest.mark.parametrize("changed", CHANGES[: examples(2, 4)])  # the others are those of a kept dataset in a sample
def test_other_data_are_generated_and_kept_too(cache: Path, changed: dict[str, Any], prepare: Prepare) -> None:
    prepare(cache)

    assert len(opened(cache, **changed)[0]) > 1
    assert opened(cache, **changed)[0] == opened(cache)[0] == [1.0]


@pytest.mark.oracle
@pytest.mark.parametrize("days", [1, -1, 7] if SEEDS else [1])
def test_data_of_another_day_are_shifted_instead_of_generated(
    cache: Path, monkeypatch: pytest.MonkeyPatch, days: int, prepare: Prepare
) -> None:
    later = {"today": TODAY + timedelta(days=days), "weekday": TODAY.weekday()}
    generated = opened(cache / "other", **later)
    prepare(cache)
    monkeypatch.setattr("posthog_sandbox.dataset.loading.load", never)

    assert opened(cache, **later) == ([0.0, 1.0], generated[1])
    assert opened(cache, **later) == ([1.0], generated[1])
    assert opened(cache)[0] == [1.0]


def test_a_day_that_was_not_chosen_takes_the_calendar_of_data_in_the_cache(cache: Path, prepare: Prepare) -> None:
    tomorrow = Parameters(EVENTS, 42, TODAY + timedelta(days=1))
    assert Cache(cache).with_calendar(tomorrow) == tomorrow

    prepare(cache)
    assert Cache(cache).with_calendar(tomorrow) == replace(tomorrow, weekday=TODAY.weekday())
    assert Cache(cache).with_calendar(replace(tomorrow, seed=43)).weekday is None
    assert Cache(cache).with_calendar(replace(tomorrow, hostile=False)).weekday is None

    opened(cache, today=TODAY + timedelta(days=8))
    assert Cache(cache).with_calendar(tomorrow) == tomorrow


def test_the_calendar_of_the_data_used_last_is_preferred(cache: Path) -> None:
    for days in (0, 1):
        opened(cache, today=TODAY + timedelta(days=days))
    for age, path in enumerate(sorted(cache.iterdir())):
        os.utime(path, (1_000 + age, 1_000 + age))
    opened(cache)

    after = Parameters(EVENTS, 42, TODAY + timedelta(days=2))
    assert Cache(cache).with_calendar(after).weekday == TODAY.weekday()


def test_days_before_the_last_two_are_removed(cache: Path) -> None:
    for days in range(3):
        opened(cache, today=TODAY + timedelta(days=days), weekday=TODAY.weekday())
        for path in cache.iterdir():
            os.utime(path, (1_000 + days, 1_000 + days))
    opened(cache, seed=43)

    kept = [name.rpartition("@")[2] for name in entries(cache) if "-43@" not in name]
    assert kept == [f"{TODAY + timedelta(days=days)}" for days in (1, 2)]


def test_a_shift_that_fails_leaves_no_entry_and_the_data_are_generated(
    cache: Path, monkeypatch: pytest.MonkeyPatch, prepare: Prepare
) -> None:
    later = {"today": TODAY + timedelta(days=1), "weekday": TODAY.weekday()}
    generated = opened(cache / "other", **later)
    prepare(cache)

    def fail(engine: Engine, _days: int) -> None:
        engine.execute("DROP TABLE posthog.persons SYNC")
        raise EngineError("NOT_ENOUGH_SPACE", "Cannot reserve 1.00 MiB.")

    monkeypatch.setattr(opening_module, "shift", fail)
    assert opened(cache, **later)[1] == generated[1]
    assert opened(cache, **later) == ([1.0], generated[1])


def test_a_process_killed_while_it_shifts_leaves_nothing_that_is_used(
    cache: Path, tmp_path: Path, prepare: Prepare
) -> None:
    prepare(cache)
    before = entries(cache)
    code = (
        "import os, sys; from datetime import date; from pathlib import Path\n"
        "from posthog_sandbox.dataset import cache, opening\n"
        f"cache.EVENTS_AT_LEAST = {SMALLEST}\n"
        "def copy(source, target, *rest, **options):\n"
        "    if '/draft-' in str(target):\n"
        "        (target / 'metadata').mkdir(parents=True)\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return whole(source, target, *rest, **options)\n"
        "whole, cache.shutil.copytree = cache.shutil.copytree, copy\n"
        f"tomorrow = date.fromisoformat('{TOMORROW}')\n"
        f"options = dict(events={EVENTS}, weekday={TODAY.weekday()}, cache=Path(sys.argv[1]))\n"
        "opening.open_dataset(None, today=tomorrow, **options)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(cache)], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False
    )

    assert killed.returncode == -9
    assert [name for name in entries(cache) if not name.startswith("draft-")] == before
    assert opened(cache, today=TOMORROW, weekday=TODAY.weekday())[0] == [0.0, 1.0]


def never(*_: object) -> None:
    raise AssertionError("These data must not be generated.")


def test_a_changed_generator_has_another_digest(tmp_path: Path) -> None:
    source, copied = Path(cache_module.__file__).parent, tmp_path / "dataset"
    shutil.copytree(source, copied)
    same = cache_module.generator_digest.__wrapped__(copied)
    assert same == cache_module.generator_digest()

    for name in ("journeys.py", "prepared/native.py"):
        (copied / name).write_text("# changed", "utf-8")
        changed = cache_module.generator_digest.__wrapped__(copied)
        assert changed != same
        same = changed


def test_data_of_another_version_are_generated(cache: Path, monkeypatch: pytest.MonkeyPatch, prepare: Prepare) -> None:
    prepare(cache)
    monkeypatch.setattr(cache_module, "SCHEMA_VERSION", cache_module.SCHEMA_VERSION + 1)

    assert len(opened(cache)[0]) > 1


def test_a_running_sandbox_does_not_change_what_is_cached(cache: Path, prepare: Prepare) -> None:
    prepare(cache)
    with open_dataset(None, events=EVENTS, today=TODAY, cache=cache) as engine:
        engine.execute("TRUNCATE TABLE posthog.events")
        assert engine.select("SELECT count() FROM posthog.events").rows == [[0]]

    assert opened(cache)[1][0][0] == EVENTS


def test_a_damaged_entry_is_generated_again_and_replaced(cache: Path) -> None:
    _, rows = opened(cache)
    (entry,) = cache.iterdir()
    shutil.rmtree(entry / "metadata")
    (entry / "metadata").write_text("damaged")

    generated, again = opened(cache)

    assert len(generated) > 1
    assert again == rows
    assert opened(cache) == ([1.0], rows)


def test_a_directory_that_is_given_is_neither_copied_nor_cached(cache: Path, tmp_path: Path) -> None:
    opened(cache, directory=tmp_path / "kept")
    assert not cache.exists()

    opened(cache)
    assert len(opened(cache, directory=tmp_path / "other")[0]) > 1


def test_an_unusable_directory_turns_the_cache_off_with_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    assert opened(tmp_path / "file" / "cache")[1][0][0] == EVENTS
    assert [record.getMessage() for record in caplog.records] == [
        f"The data are not cached: {tmp_path / 'file' / 'cache'} cannot be used (Not a directory)."
    ]


def test_an_entry_that_could_not_be_written_whole_does_not_exist(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree

    def fail(source: Path, target: Path, **options: Any) -> None:
        copy(source / "metadata", target / "metadata", **options)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", fail)
        opened(cache)
    assert entries(cache) == []

    assert len(opened(cache)[0]) > 1
    assert opened(cache)[0] == [1.0]


def test_a_copy_that_fails_is_generated(cache: Path, monkeypatch: pytest.MonkeyPatch, prepare: Prepare) -> None:
    prepare(cache)
    copy = shutil.copytree

    def fail(source: Path, target: Path, **options: Any) -> None:
        copy(source / "metadata", target / "metadata", **options)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(shutil, "copytree", fail)
    generated, rows = opened(cache)
    assert len(generated) > 1
    assert rows[0][0] == EVENTS


def test_the_least_recently_used_entries_are_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "ENTRIES", 2)
    for seed in (1, 2):
        opened(cache, seed=seed)
    for path in cache.iterdir():
        os.utime(path, (1_000, 1_000))
    opened(cache, seed=1)  # used, so it is newer than the other one
    opened(cache, seed=3)

    assert opened(cache, seed=1)[0] == opened(cache, seed=3)[0] == [1.0]
    assert len(entries(cache)) == 2


def test_entries_beyond_the_size_are_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(cache, seed=1)
    (entry,) = cache.iterdir()
    size = sum(path.lstat().st_size for path in entry.rglob("*") if not path.is_dir())
    os.utime(entry, (1_000, 1_000))
    monkeypatch.setattr(cache_module, "BYTES", size * 3 // 2)
    opened(cache, seed=2)

    assert opened(cache, seed=2)[0] == [1.0]
    assert len(entries(cache)) == 1


def test_data_larger_than_the_cache_are_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "BYTES", 1_000)
    opened(cache)

    assert entries(cache) == []


def test_what_a_killed_process_left_behind_is_removed(cache: Path) -> None:
    for name, age in (("draft-old", 1_000), ("draft-new", None)):
        (cache / name / "2-data").mkdir(parents=True)
        if age:
            os.utime(cache / name, (age, age))
    opened(cache)

    assert [name for name in entries(cache) if name.startswith("draft-")] == ["draft-new"]


def test_small_data_are_generated_every_time(cache: Path) -> None:
    opened(cache, events=SMALLEST - 1)
    assert not cache.exists()


@pytest.mark.oracle
@pytest.mark.parametrize("has_another_day", [False, True])
def test_processes_that_start_at_once_share_one_entry(
    cache: Path, monkeypatch: pytest.MonkeyPatch, has_another_day: bool
) -> None:
    monkeypatch.undo()
    events = cache_module.EVENTS_AT_LEAST
    code = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from posthog_sandbox.dataset import open_dataset\n"
        f"with open_dataset(None, events={events}, today=date(2026, 11, 24), cache=Path(sys.argv[1])) as engine:\n"
        f"    print(engine.select({ROWS!r}).rows)\n"
    )
    if has_another_day:
        opened(cache, events=events, today=TODAY - timedelta(days=7))
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(cache)], stdout=subprocess.PIPE, text=True)
        for _ in range(examples(2, 3))
    ]
    answers = {process.communicate()[0] for process in started}

    assert {process.returncode for process in started} == {0}
    assert len(answers) == 1
    assert len(entries(cache)) == 1 + has_another_day
    assert f"{opened(cache, events=events)[1]}\n" in answers


def test_the_variable_names_the_directory_or_turns_the_cache_off(tmp_path: Path) -> None:
    assert cache_directory({"POSTHOG_SANDBOX_CACHE": "/some/where"}, tmp_path) == Path("/some/where")
    assert cache_directory({"POSTHOG_SANDBOX_CACHE": "off"}, tmp_path) is None


def test_the_directory_is_where_the_platform_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_directory({"XDG_CACHE_HOME": "/caches"}, tmp_path) == Path("/caches/posthog-sandbox")
    for unset in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert cache_directory(unset, tmp_path) == tmp_path / ".cache/posthog-sandbox"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_directory({}, tmp_path) == tmp_path / "Library/Caches/posthog-sandbox"
