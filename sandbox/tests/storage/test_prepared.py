"""The prepared dataset: the rows of the generator, moved to the day of the start, and replaced by it in every doubt."""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import cache as remembered
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

import posthog_sandbox
from posthog_sandbox import __main__ as program
from posthog_sandbox.dataset import Cache, Parameters, open_dataset
from posthog_sandbox.dataset import cache as cache_module
from posthog_sandbox.dataset.prepared import archive
from posthog_sandbox.dataset.prepared.__main__ import main as make_unless_it_fits
from posthog_sandbox.dataset.prepared.archive import PARAMETERS, find
from posthog_sandbox.dataset.prepared.loading import load
from posthog_sandbox.dataset.prepared.making import make
from posthog_sandbox.dataset.tables import TABLES
from posthog_sandbox.storage.engine import Engine

from ..oracle import SEEDS

SMALL = replace(PARAMETERS, events=4_000)
"""Enough for each kind of event, among them those with times in their own properties."""
DAYS = (0, 1, -9, 70)
DAMAGES: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no whole header": lambda data: data[:20],
    "too short": lambda data: data[:-1],
    "no checksum": lambda data: data.replace(b'"checksum"', b'"another"'),
    "other bytes": lambda data: data[:-100] + bytes(100),
    "other header": lambda data: b"[]" + data,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small prepared dataset."""
    path = tmp_path_factory.mktemp("prepared") / "default.data"
    make(path, SMALL)
    return path


@pytest.fixture
def packaged(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in the place of that of the package."""
    path = tmp_path / "packaged.data"
    path.write_bytes(made.read_bytes())
    monkeypatch.setattr(archive, "PATH", path)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def rows(engine: Engine) -> dict[str, list[list[Any]]]:
    """Return a digest of the rows of each table."""
    digest = "SELECT count(), groupBitXor(cityHash64(tuple(*))) FROM posthog."
    return {table.name: engine.select(f"{digest}{table.name}").rows for table in TABLES}


def loaded(path: Path, today: date) -> dict[str, list[list[Any]]]:
    prepared = find(path)
    assert prepared is not None
    with tempfile.TemporaryDirectory() as directory, Engine(Path(directory)) as engine:
        load(engine, prepared, today)
        return rows(engine)


@remembered
def generated(parameters: Parameters, today: date) -> dict[str, list[list[Any]]]:
    with open_dataset(None, events=parameters.events, today=today, weekday=parameters.calendar) as engine:
        return rows(engine)


def opened(cache: Path, days: int = 1, **changed: Any) -> tuple[list[float], dict[str, list[list[Any]]]]:
    """The steps of a start on another day than that of the file, and its rows."""
    steps: list[float] = []
    wanted: dict[str, Any] = {"events": SMALL.events, "weekday": SMALL.calendar, **changed}
    today = SMALL.today + timedelta(days=days)
    with open_dataset(None, today=today, cache=cache, **wanted, progress=lambda done, _: steps.append(done)) as engine:
        return steps, rows(engine)


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def never(*_: object) -> None:
        raise AssertionError("This must not be called.")

    for name in names:
        monkeypatch.setattr(f"posthog_sandbox.dataset.{name}", never)


@pytest.mark.parametrize("days", DAYS)
def test_prepared_rows_equal_those_of_the_generator_for_every_day(made: Path, days: int) -> None:
    today = SMALL.today + timedelta(days=days)
    assert loaded(made, today) == generated(SMALL, today)


@pytest.mark.oracle
@pytest.mark.skipif(not SEEDS, reason="generates 100,000 events")
def test_the_prepared_rows_of_the_package_equal_those_of_the_generator(tmp_path: Path) -> None:
    make(tmp_path / "default.data")
    today = PARAMETERS.today + timedelta(days=8)
    assert loaded(tmp_path / "default.data", today) == generated(PARAMETERS, today)


def test_a_file_is_the_same_in_every_build_and_made_with_the_standard_library(made: Path, tmp_path: Path) -> None:
    source = Path(posthog_sandbox.__file__).parents[1]
    code = (
        "import sys; from pathlib import Path; from datetime import date\n"
        f"sys.path.insert(0, {str(source)!r})\n"
        "from posthog_sandbox.dataset.parameters import Parameters\n"
        "from posthog_sandbox.dataset.prepared.making import make\n"
        f"make(Path(sys.argv[1]), Parameters({SMALL.events}, {SMALL.seed}, date.fromisoformat('{SMALL.today}')))\n"
    )
    # Without the packages that are installed, and with other hashes of strings.
    command = [sys.executable, "-S", "-P", "-c", code, str(tmp_path / "again.data")]
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": ""}, check=True)

    assert (tmp_path / "again.data").read_bytes() == made.read_bytes()


def test_the_prepared_dataset_is_that_of_a_start_without_arguments() -> None:
    options = cast("Any", program)._parser().parse_args([])
    parameters = Parameters(options.events, options.seed, PARAMETERS.today, not options.no_hostile)

    assert parameters == PARAMETERS


def test_the_file_of_the_package_fits_the_code() -> None:
    prepared = find()
    if prepared is None:
        pytest.skip("python -m posthog_sandbox.dataset.prepared makes it")

    assert prepared.parameters == PARAMETERS
    assert {block.table: block.rows for block in prepared.read()}["prepared_events"] == PARAMETERS.events


@pytest.mark.usefixtures("packaged")
def test_a_first_start_takes_the_prepared_data_and_the_second_one_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = generated(SMALL, SMALL.today + timedelta(days=1))
    forbid(monkeypatch, "loading.load")

    assert opened(cache) == ([1.0], expected)
    forbid(monkeypatch, "prepared.loading.load")
    assert opened(cache) == ([1.0], expected)


@pytest.mark.usefixtures("packaged")
def test_a_start_on_another_day_moves_the_prepared_data_instead_of_cached_ones(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = generated(SMALL, SMALL.today + timedelta(days=-9))
    opened(cache)
    forbid(monkeypatch, "loading.load", "opening.shift")

    assert opened(cache, days=-9)[1] == expected


@pytest.mark.usefixtures("packaged")
@pytest.mark.parametrize("changed", [{"events": 2_001}, {"seed": 43}, {"hostile": False}, {"weekday": 4}])
def test_other_data_are_generated(cache: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]) -> None:
    forbid(monkeypatch, "prepared.loading.load")
    assert len(opened(cache, **changed)[0]) > 1


def test_the_data_of_a_directory_and_those_without_a_cache_are_generated(
    packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "prepared.loading.load")
    for directory, cache in ((tmp_path / "kept", tmp_path / "cache"), (None, None)):
        open_dataset(directory, events=SMALL.events, today=SMALL.today, cache=cache).close()
    assert packaged.exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_data_are_generated_instead_of_a_damaged_file(
    cache: Path, packaged: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    packaged.write_bytes(DAMAGES[damage](packaged.read_bytes()))
    steps, found = opened(cache)

    assert len(steps) > 1
    assert found == generated(SMALL, SMALL.today + timedelta(days=1))
    assert {record.getMessage().partition(":")[0] for record in caplog.records} == {"The prepared data are not used"}
    assert str(packaged) in caplog.text


def test_the_data_are_generated_when_clickhouse_cannot_read_the_file(
    cache: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("posthog_sandbox.dataset.prepared.loading._PROPERTIES", "no_such_column")

    assert len(opened(cache)[0]) > 1
    assert "UNKNOWN_IDENTIFIER" in caplog.text


def test_without_the_file_the_data_are_generated(cache: Path, packaged: Path, caplog: pytest.LogCaptureFixture) -> None:
    packaged.unlink()
    with caplog.at_level(logging.INFO):
        assert len(opened(cache)[0]) > 1
    assert f"{packaged} does not exist." in caplog.text


def test_a_file_of_another_version_is_not_used(
    cache: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    header, _, body = packaged.read_bytes().partition(b"\n")
    packaged.write_bytes(json.dumps(json.loads(header) | {"version": "1-other"}).encode() + b"\n" + body)
    forbid(monkeypatch, "prepared.loading.load")

    with caplog.at_level(logging.INFO):
        assert len(opened(cache)[0]) > 1
    assert "belongs to another version." in caplog.text


@pytest.mark.usefixtures("packaged")
def test_a_day_that_was_not_chosen_takes_the_calendar_of_the_prepared_data(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "EVENTS_AT_LEAST", 100)
    tomorrow = replace(SMALL, today=SMALL.today + timedelta(days=1))

    assert Cache(cache).with_calendar(tomorrow) == replace(tomorrow, weekday=SMALL.calendar)
    assert Cache(cache).with_calendar(SMALL) == SMALL
    assert Cache(cache).with_calendar(replace(tomorrow, seed=43)).weekday is None

    opened(cache, weekday=4)
    assert Cache(cache).with_calendar(tomorrow) == replace(tomorrow, weekday=4)


def test_a_build_makes_the_file_only_when_it_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path
) -> None:
    monkeypatch.setattr("posthog_sandbox.dataset.prepared.__main__.PARAMETERS", SMALL)
    monkeypatch.setattr("posthog_sandbox.dataset.prepared.__main__.make", partial(make, parameters=SMALL))
    path = tmp_path / "default.data"
    monkeypatch.setattr(sys, "argv", ["prepared", str(path)])
    for before in (b"", made.read_bytes()[:-1]):
        path.write_bytes(before)
        make_unless_it_fits()
        assert path.read_bytes() == made.read_bytes()

    os.utime(path, (1_000, 1_000))
    make_unless_it_fits()
    assert path.stat().st_mtime == 1_000
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
