"""Loading the synthetic dataset into the engine, and the directory it is kept in."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from posthog_sandbox.dataset import DatasetBusyError, DatasetError, Parameters, claim, open_dataset
from posthog_sandbox.dataset.generate import generate
from posthog_sandbox.dataset.tables import GENERATED, TIME
from posthog_sandbox.storage.engine import Engine, EngineError

from ..oracle import examples

TODAY = date(2026, 11, 24)
FAR = 5_000_000_000
"""A file time in 2128, later than all others."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def test_the_loaded_rows_are_the_generated_ones_including_hostile_values() -> None:
    parameters = Parameters(events=3_000, seed=42, today=TODAY)
    expected: defaultdict[str, list[list[Any]]] = defaultdict(list)
    for batch in generate(parameters):
        for table, rows in batch.by_table().items():
            expected[table].extend([_shown(value) for value in row] for row in rows)

    with open_dataset(None, events=3_000, seed=42, today=TODAY, progress=_ignore) as engine:
        for table in GENERATED:
            names = table.names[: len(expected[table.name][0])]
            columns = ", ".join(
                f"toUnixTimestamp64Micro(`{name}`)" if kind == TIME else f"`{name}`"
                for name, kind in table.columns[: len(names)]
            )
            loaded = engine.select(f"SELECT {columns} FROM posthog.{table.name}", max_seconds=60).rows
            assert sorted(map(repr, loaded)) == sorted(map(repr, expected[table.name])), table.name


def test_definitions_describe_the_stored_events_and_properties(directory: Path) -> None:
    with open_dataset(directory, events=8_000, today=TODAY, progress=_ignore) as engine:
        counted = engine.select("SELECT event, count() FROM posthog.events GROUP BY event ORDER BY event").rows
        defined = engine.select("SELECT name, volume FROM posthog.event_definitions ORDER BY name").rows
        kinds = {
            (scope, name): kind
            for scope, name, kind in engine.select(
                "SELECT type, name, property_type FROM posthog.property_definitions"
            ).rows
        }
        owners = engine.select("SELECT events FROM posthog.property_definitions WHERE name = 'revenue'").rows

    assert defined == counted
    assert kinds["event", "revenue"] == "Numeric"
    assert kinds["event", "coupon_used"] == "Boolean"
    assert kinds["event", "$browser"] == "String"
    assert kinds["event", "$groups"] is None
    assert kinds["person", "signed_up_at"] == "DateTime"
    assert kinds["group", "employees"] == "Numeric"
    assert kinds["session", "$session_duration"] == "Numeric"
    assert owners == [[["purchase_completed", "subscription_renewed"]]]


def test_every_property_of_the_stored_events_is_defined_with_its_events() -> None:
    with open_dataset(None, events=8_000, today=TODAY, progress=_ignore) as engine:
        stored = engine.select(
            "SELECT name, arraySort(groupUniqArray(event)), groupUniqArray(kind) FROM ("
            "SELECT event, arrayJoin(JSONExtractKeysAndValuesRaw(properties)) AS pair, pair.1 AS name, "
            "multiIf(match(pair.2, '^[0-9-]'), 'Numeric', match(pair.2, '^[tf]'), 'Boolean', "
            "match(pair.2, '^\"'), 'String', 'other') AS kind FROM posthog.events) GROUP BY name ORDER BY name"
        ).rows
        defined = engine.select(
            "SELECT name, events, [ifNull(property_type, 'other')] FROM posthog.property_definitions "
            "WHERE type = 'event' ORDER BY name"
        ).rows

    assert len(defined) > 60
    assert defined == [[name, events, kinds if len(kinds) == 1 else ["String"]] for name, events, kinds in stored]


def test_progress_rises_to_one_in_small_steps() -> None:
    fractions: list[float] = []
    with open_dataset(None, events=10_000, today=TODAY, progress=lambda fraction, _: fractions.append(fraction)):
        pass

    assert fractions[0] == 0
    assert fractions[-1] == 1
    steps = [after - before for before, after in pairwise(fractions)]
    assert all(0 <= step < 0.0501 for step in steps)


def test_a_table_is_loaded_as_one_part_with_one_file_for_all_columns() -> None:
    with open_dataset(None, events=20_000, today=TODAY) as engine:
        parts = engine.select(
            "SELECT table, count(), any(part_type) FROM system.parts WHERE active GROUP BY table"
        ).rows

    assert ["events", 1, "Compact"] in parts
    assert {tuple(part[1:]) for part in parts} == {(1, "Compact")}


def test_a_temporary_dataset_is_removed_when_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    engine = open_dataset(None, events=500, today=TODAY, progress=_ignore)
    assert len(list(tmp_path.iterdir())) == 1
    engine.close()

    assert list(tmp_path.iterdir()) == []


def test_a_kept_dataset_with_the_same_parameters_opens_without_generating(directory: Path) -> None:
    open_dataset(directory, events=500, today=TODAY, progress=_ignore).close()
    steps: list[tuple[float, str]] = []

    def note(fraction: float, message: str) -> None:
        steps.append((fraction, message))

    with open_dataset(directory, events=500, today=TODAY, progress=note) as engine:
        assert _count(engine) == 500
    assert steps == [(1.0, "500 events ready")]


CHANGES: list[dict[str, Any]] = [
    {"events": 501},
    {"today": TODAY - timedelta(days=1)},
    {"seed": 43},
    {"hostile": False},
]


@pytest.mark.oracle
@pytest.mark.parametrize("changed", CHANGES[: examples(2, 4)])  # the others are those of the cache in a sample
def test_a_kept_dataset_with_other_parameters_is_regenerated(directory: Path, changed: dict[str, Any]) -> None:
    first: dict[str, Any] = {"events": 500, "seed": 42, "today": TODAY, "hostile": True}
    open_dataset(directory, **first, progress=_ignore).close()
    fractions: list[float] = []

    wanted = first | changed
    with open_dataset(directory, **wanted, progress=lambda fraction, _: fractions.append(fraction)) as engine:
        assert _count(engine) == wanted["events"]
    assert fractions[0] == 0


def test_a_dataset_whose_generation_was_killed_is_regenerated(directory: Path) -> None:
    with _opened_elsewhere(directory, events=200_000, say_at=0.1) as process:
        process.kill()
        process.wait()
    assert (directory / "clickhouse").exists()

    fractions: list[float] = []
    with open_dataset(directory, events=2_000, today=TODAY, progress=lambda step, _: fractions.append(step)) as engine:
        assert _count(engine) == 2_000
    assert fractions[0] == 0


def test_a_failed_load_leaves_no_dataset_that_looks_complete(directory: Path) -> None:
    def fail(fraction: float, _: str) -> None:
        if fraction > 0.5:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        open_dataset(directory, events=2_000, today=TODAY, progress=fail)
    with open_dataset(directory, events=2_000, today=TODAY, progress=_ignore) as engine:
        assert _count(engine) == 2_000


def test_a_directory_in_use_by_another_process_is_busy_and_names_its_owner(directory: Path) -> None:
    with (
        _opened_elsewhere(directory, events=500, say_at=1) as process,
        pytest.raises(DatasetBusyError, match=f"in use by process {process.pid}"),
    ):
        open_dataset(directory, events=500, today=TODAY, progress=_ignore)


def test_one_process_has_one_dataset_at_a_time(directory: Path, tmp_path: Path) -> None:
    with open_dataset(directory, events=500, today=TODAY, progress=_ignore):
        for second in (directory, tmp_path / "second"):
            with pytest.raises(DatasetBusyError):
                open_dataset(second, events=500, today=TODAY, progress=_ignore)


def test_a_directory_not_created_by_the_sandbox_is_left_unchanged(directory: Path) -> None:
    foreign = directory / "clickhouse" / "precious"
    foreign.mkdir(parents=True)

    with pytest.raises(DatasetError, match="left unchanged"):
        open_dataset(directory, events=500, today=TODAY, progress=_ignore)
    assert foreign.exists()


def test_insufficient_disk_space_is_reported_before_anything_is_generated(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(directory.parent)._replace(free=1024**2)
    monkeypatch.setattr(shutil, "disk_usage", Mock(return_value=usage))

    with pytest.raises(DatasetError, match="Free some space"):
        open_dataset(directory, events=500, today=TODAY, progress=_ignore)


def test_a_disk_that_fills_up_while_loading_is_reported_and_nothing_is_kept(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = EngineError("INSERT_LOST_ROWS", "5 of 5 rows were not stored.")
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "insert", Mock(side_effect=lost))
        with pytest.raises(DatasetError, match="Free some space"):
            open_dataset(directory, events=500, today=TODAY, progress=_ignore)

    with open_dataset(directory, events=500, today=TODAY, progress=_ignore) as engine:
        assert _count(engine) == 500


def test_a_path_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")

    with pytest.raises(DatasetError, match="cannot be used"):
        open_dataset(path, events=500, today=TODAY, progress=_ignore)


def test_a_dataset_without_events_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        open_dataset(None, events=0, today=TODAY, progress=_ignore)


def _ignore(_fraction: float, _message: str) -> None:
    """Ignore progress."""


def _count(engine: Engine) -> int:
    return engine.select("SELECT count() FROM posthog.events").rows[0][0]


def _shown(value: object) -> object:
    """Return a generated value as a query shows it."""
    return list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value


@contextmanager
def _opened_elsewhere(directory: Path, *, events: int, say_at: float) -> Generator[subprocess.Popen[bytes]]:
    """Open a dataset in a child process that reports a given progress and keeps it until the block ends."""
    code = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from posthog_sandbox.dataset import open_dataset\n"
        "path, events, say_at = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])\n"
        "def say(fraction, _):\n"
        "    if fraction >= say_at: print('there', flush=True)\n"
        "engine = open_dataset(path, events=events, today=date.fromisoformat(sys.argv[4]), progress=say)\n"
        "sys.stdin.read(); engine.close()"
    )
    command = [sys.executable, "-c", code, str(directory), str(events), str(say_at), TODAY.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        yield process
        if process.poll() is None:
            process.communicate(timeout=30)


@pytest.mark.parametrize("keeps_links", [True, False])
def test_a_copied_directory_opens(directory: Path, tmp_path: Path, keeps_links: bool) -> None:
    with open_dataset(directory, events=500, today=TODAY) as engine:
        made = engine.select("SELECT count(), sum(cityHash64(*)) FROM posthog.events").rows
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy, symlinks=keeps_links)

    with open_dataset(copy, events=500, today=TODAY) as engine:
        assert engine.select("SELECT count(), sum(cityHash64(*)) FROM posthog.events").rows == made


def test_the_age_of_a_directory_is_measured_by_the_file_systems_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(time, "time", Mock(return_value=2.0 * FAR))
    young = tmp_path / "maton-posthog-sandbox-young"
    young.mkdir()
    (young / "dataset.lock").touch()
    os.utime(young, (FAR, FAR))

    with ExitStack() as held:
        claim(None, held)

    assert young.is_dir()


def test_leftovers_of_a_killed_sandbox_are_removed_but_not_those_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import sys; from contextlib import ExitStack; from posthog_sandbox.dataset import claim; "
        "held = ExitStack(); print(claim(None, held).path, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as other:  # fmt: skip
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        stranger = tmp_path / "maton-posthog-sandbox-stranger"
        stranger.mkdir()
        with ExitStack() as held:
            mine = claim(None, held).path
            assert left.is_dir()
            other.kill()
            other.wait()
            os.utime(left, (FAR, FAR))
            with ExitStack() as second:
                claim(None, second)
                assert left.is_dir()  # too recent to look abandoned
            for directory in tmp_path.iterdir():
                os.utime(directory, (0, 0))
            with ExitStack() as second:
                claim(None, second)
                assert not left.exists()
                assert mine.is_dir()
                assert stranger.is_dir()
        assert not mine.exists()
