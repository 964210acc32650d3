"""The synthetic dataset: its rows, the story in them, and the directory that keeps it."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from maton_posthog.sandbox.dataset import (
    DatasetBusyError,
    DatasetError,
    Parameters,
    generate,
    newest_today,
    open_dataset,
    product,
    raw_rows,
    tell,
)
from maton_posthog.sandbox.dataset.rows import EventRow
from maton_posthog.sandbox.dataset.tables import GENERATED, TIME
from maton_posthog.sandbox.engine import Engine, EngineError

TODAY = date(2026, 11, 24)
SMALL = Parameters(events=3_000, seed=7, today=TODAY)


class Told(NamedTuple):
    """An event of the big dataset with its properties read."""

    row: EventRow
    properties: dict[str, Any]


@pytest.fixture(scope="module")
def events() -> list[EventRow]:
    return [row for batch in generate(Parameters(events=100_000, seed=42, today=TODAY)) for row in batch.events]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def told(events: list[EventRow], *names: str) -> list[Told]:
    return [Told(row, json.loads(row.properties)) for row in events if row.event in names]


def digest(parameters: Parameters) -> str:
    total = hashlib.sha256()
    for batch in generate(parameters):
        for rows in batch.by_table().values():
            for row in rows:
                total.update("\t".join(map(str, row)).encode())
    return total.hexdigest()


# The generator


@given(events=st.integers(1, 4_000), seed=st.integers(0, 2**63))
def test_exactly_the_wanted_number_of_events_is_made(events: int, seed: int) -> None:
    assert sum(len(batch.events) for batch in generate(Parameters(events, seed, TODAY))) == events


def test_a_seed_gives_the_same_bytes_on_every_python_and_platform() -> None:
    # A wanted change of the generated values changes this digest: raise directory.SCHEMA_VERSION with it.
    assert digest(SMALL) == "bf7b0a8ff26015c6b6ed985c94d537dfdbb116bc7354240b19d3db064832174e"


def test_another_seed_gives_other_data() -> None:
    assert digest(SMALL) != digest(Parameters(events=3_000, seed=8, today=TODAY))


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_no_event_lies_outside_the_ninety_days(today: date) -> None:
    first = datetime.combine(today - timedelta(days=89), datetime.min.time(), UTC)
    last = datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=6)

    for table, row in raw_rows(Parameters(events=300, seed=1, today=today)):
        if table == "events":
            assert first <= row["timestamp"] < last
            assert row["timestamp"] < row["created_at"] < row["timestamp"] + timedelta(seconds=5)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))
def test_the_newest_last_day_holds_no_event_of_the_future(now: datetime) -> None:
    assert tell(newest_today(now)).end <= now.timestamp() * 1_000_000
    assert tell(newest_today(now) + timedelta(days=1)).end > now.timestamp() * 1_000_000


def test_every_day_has_events_and_working_days_have_twice_as_many_as_weekends(events: list[EventRow]) -> None:
    by_day = Counter(row.timestamp // 86_400_000_000 for row in events)
    days = sorted(by_day)

    assert len(days) == 90
    weekend = [by_day[day] for day in days[:-1] if (day + 3) % 7 >= 5]
    working = [by_day[day] for day in days[:-1] if (day + 3) % 7 < 5]
    assert sum(working) / len(working) > 2 * sum(weekend) / len(weekend)


def test_one_week_is_slow(events: list[EventRow]) -> None:
    story = tell(TODAY)
    by_week = Counter((row.timestamp // 86_400_000_000 + 3) // 7 for row in events)
    slow = (story.slow_week - date(1970, 1, 1)).days // 7 + 1

    assert story.slow_week.weekday() == 0
    assert by_week[slow] < 0.65 * min(by_week[slow - 1], by_week[slow + 1])


def test_the_broken_release_stops_purchases_on_one_browser_and_raises_exceptions(events: list[EventRow]) -> None:
    broken = [event for event in told(events, "checkout_started", "purchase_completed", "$exception") if _broken(event)]
    counts = Counter((event.row.event, event.properties.get("$browser") == "Safari") for event in broken)

    assert counts["checkout_started", True] >= 10
    assert counts["purchase_completed", True] == 0
    assert counts["purchase_completed", False] >= 0.3 * counts["checkout_started", False] > 0
    daily = Counter(row.timestamp // 86_400_000_000 for row in events if row.event == "$exception")
    usual = sorted(daily.values())[len(daily) // 2]
    assert max(daily.values()) >= 4 * usual
    worst = daily.most_common(1)[0][0] * 86_400_000_000
    story = tell(TODAY)
    assert story.broken_from - 86_400_000_000 < worst < story.broken_until


def test_the_arms_of_the_experiment_differ_beyond_chance(events: list[EventRow]) -> None:
    exposed: dict[str, tuple[str, int]] = {}
    for event in told(events, "$feature_flag_called"):
        if event.properties["$feature_flag"] == product.EXPERIMENT_FLAG:
            variant = event.properties["$feature_flag_response"]
            assert event.properties["$feature/new-checkout"] == variant
            known, _ = exposed.setdefault(event.row.person_id, (variant, event.row.timestamp))
            assert known == variant
    bought = {
        event.row.person_id
        for event in told(events, "purchase_completed")
        if event.row.person_id in exposed and event.row.timestamp > exposed[event.row.person_id][1]
    }
    size = Counter(variant for variant, _ in exposed.values())
    share = {arm: sum(1 for person in bought if exposed[person][0] == arm) / size[arm] for arm in size}

    assert set(size) == {"control", "test"}
    pooled = len(bought) / len(exposed)
    error = (pooled * (1 - pooled) * (1 / size["control"] + 1 / size["test"])) ** 0.5
    assert (share["test"] - share["control"]) / error > 2.5


def test_people_who_sign_up_keep_the_events_from_before_under_one_person(events: list[EventRow]) -> None:
    ids: defaultdict[str, set[str]] = defaultdict(set)
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for row in events:
        ids[row.person_id].add(row.distinct_id)
        owners[row.distinct_id].add(row.person_id)

    assert all(len(persons) == 1 for persons in owners.values())
    assert sum(1 for known in ids.values() if len(known) >= 2) > 1_000
    assert any(len(known) >= 3 for known in ids.values())


def test_person_properties_on_an_event_are_those_known_at_that_moment(events: list[EventRow]) -> None:
    signed_up = {row.person_id: row.timestamp for row in events if row.event == "signed_up"}

    for row in events:
        if row.person_id in signed_up:
            known = "sign_up_method" in row.person_properties
            assert known == (row.timestamp >= signed_up[row.person_id] or row.event in {"$identify", "$groupidentify"})


def test_events_without_a_person_profile_carry_no_person(events: list[EventRow]) -> None:
    anonymous = [row for row in events if row.person_mode == "propertyless"]

    assert 0 < len(anonymous) < 0.05 * len(events)
    assert {row.person_properties for row in anonymous} == {"{}"}
    assert all(json.loads(row.properties)["$process_person_profile"] is False for row in anonymous[:100])


def test_survey_answers_follow_a_shown_survey(events: list[EventRow]) -> None:
    shown = {event.row.person_id: event.row.timestamp for event in told(events, "survey shown")}
    ended = told(events, "survey sent", "survey dismissed")

    assert len(shown) > len(ended) > 100
    for event in ended:
        assert event.properties["$survey_id"] == product.SURVEY_ID
        assert shown[event.row.person_id] < event.row.timestamp
    scores = [int(event.properties["$survey_response"]) for event in ended if event.row.event == "survey sent"]
    assert min(scores) >= 0
    assert max(scores) == 10


def test_sessions_agree_with_the_events_that_carry_their_id() -> None:
    rows = list(raw_rows(SMALL))
    by_session: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for table, row in rows:
        if table == "events" and row["$session_id"]:
            by_session[row["$session_id"]].append(row)
    sessions = [row for table, row in rows if table == "sessions"]

    assert {session["session_id"] for session in sessions} == set(by_session)
    for session in sessions:
        members = by_session[session["session_id"]]
        pages = [row for row in members if row["event"] == "$pageview"]
        assert session["$start_timestamp"] == min(row["timestamp"] for row in members)
        assert session["$end_timestamp"] == max(row["timestamp"] for row in members)
        assert session["$pageview_count"] == len(pages)
        assert session["$session_duration"] == int(
            (session["$end_timestamp"] - session["$start_timestamp"]).total_seconds()
        )
        assert {row["person_id"] for row in members} == {session["person_id"]}
        if pages:
            assert session["$entry_current_url"] == pages[0]["properties"]["$current_url"]
            assert session["$entry_pathname"] == pages[0]["properties"]["$pathname"]


def test_companies_are_groups_of_the_events_of_their_people() -> None:
    rows = list(raw_rows(SMALL))
    groups = {row["key"]: row for table, row in rows if table == "groups"}
    grouped = [row for table, row in rows if table == "events" and row["$group_0"]]

    assert grouped
    for row in grouped:
        assert row["properties"]["$groups"] == {"organization": row["$group_0"]}
        assert row["group_0_properties"] == groups[row["$group_0"]]["properties"]


def test_hostile_values_are_there_unless_switched_off() -> None:
    size = 40_000
    planted = list(raw_rows(Parameters(size, 42, TODAY)))
    clean = list(raw_rows(Parameters(size, 42, TODAY, hostile=False)))

    texts = [
        "\n".join(json.dumps(row, default=str, ensure_ascii=False) for _, row in rows) for rows in (planted, clean)
    ]

    marks = ("Ignore all previous instructions", "\\u001b[", "<script>", "\u202e", "DROP TABLE", "A" * 20_000)
    assert all(mark in texts[0] for mark in marks)
    assert not any(mark in texts[1] for mark in marks)
    assert [table for table, _ in planted] == [table for table, _ in clean]
    moments = [[row["timestamp"] for table, row in rows if table == "events"] for rows in (planted, clean)]
    assert moments[0] == moments[1]


# Loading


def test_what_is_loaded_is_what_was_generated_hostile_values_included() -> None:
    parameters = Parameters(events=6_000, seed=42, today=TODAY)
    expected: defaultdict[str, list[list[Any]]] = defaultdict(list)
    for batch in generate(parameters):
        for table, rows in batch.by_table().items():
            expected[table].extend([_shown(value) for value in row] for row in rows)

    with open_dataset(None, events=6_000, seed=42, today=TODAY, progress=_ignore) as engine:
        for table in GENERATED:
            names = table.names[: len(expected[table.name][0])]
            columns = ", ".join(
                f"toUnixTimestamp64Micro(`{name}`)" if kind == TIME else f"`{name}`"
                for name, kind in table.columns[: len(names)]
            )
            loaded = engine.select(f"SELECT {columns} FROM posthog.{table.name}", max_seconds=60).rows
            assert sorted(map(repr, loaded)) == sorted(map(repr, expected[table.name])), table.name


def test_definitions_describe_the_stored_events_and_properties(directory: Path) -> None:
    with open_dataset(directory, events=20_000, today=TODAY, progress=_ignore) as engine:
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


def test_progress_rises_to_one_in_small_steps() -> None:
    fractions: list[float] = []
    with open_dataset(None, events=10_000, today=TODAY, progress=lambda fraction, _: fractions.append(fraction)):
        pass

    assert fractions[0] == 0
    assert fractions[-1] == 1
    steps = [after - before for before, after in pairwise(fractions)]
    assert all(0 <= step < 0.0501 for step in steps)


# The directory


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


@pytest.mark.parametrize(
    "changed", [{"events": 501}, {"seed": 43}, {"today": TODAY - timedelta(days=1)}, {"hostile": False}]
)
def test_a_kept_dataset_with_other_parameters_is_made_again(directory: Path, changed: dict[str, Any]) -> None:
    first: dict[str, Any] = {"events": 500, "seed": 42, "today": TODAY, "hostile": True}
    open_dataset(directory, **first, progress=_ignore).close()
    fractions: list[float] = []

    wanted = first | changed
    with open_dataset(directory, **wanted, progress=lambda fraction, _: fractions.append(fraction)) as engine:
        assert _count(engine) == wanted["events"]
    assert fractions[0] == 0


def test_a_dataset_whose_making_was_killed_is_made_again(directory: Path) -> None:
    with _opened_elsewhere(directory, events=200_000, say_at=0.1) as process:
        process.kill()
        process.wait()
    assert (directory / "clickhouse").exists()

    fractions: list[float] = []
    with open_dataset(directory, events=2_000, today=TODAY, progress=lambda step, _: fractions.append(step)) as engine:
        assert _count(engine) == 2_000
    assert fractions[0] == 0


def test_a_failure_while_loading_leaves_no_dataset_that_looks_complete(directory: Path) -> None:
    def fail(fraction: float, _: str) -> None:
        if fraction > 0.5:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        open_dataset(directory, events=2_000, today=TODAY, progress=fail)
    with open_dataset(directory, events=2_000, today=TODAY, progress=_ignore) as engine:
        assert _count(engine) == 2_000


def test_a_directory_that_another_process_uses_is_busy_and_its_owner_named(directory: Path) -> None:
    with (
        _opened_elsewhere(directory, events=500, say_at=1) as process,
        pytest.raises(DatasetBusyError, match=f"in use by process {process.pid}"),
    ):
        open_dataset(directory, events=500, today=TODAY, progress=_ignore)


def test_one_process_holds_one_dataset_at_a_time(directory: Path, tmp_path: Path) -> None:
    with open_dataset(directory, events=500, today=TODAY, progress=_ignore):
        for second in (directory, tmp_path / "second"):
            with pytest.raises(DatasetBusyError):
                open_dataset(second, events=500, today=TODAY, progress=_ignore)


def test_a_directory_of_somebody_else_is_left_alone(directory: Path) -> None:
    foreign = directory / "clickhouse" / "precious"
    foreign.mkdir(parents=True)

    with pytest.raises(DatasetError, match="left alone"):
        open_dataset(directory, events=500, today=TODAY, progress=_ignore)
    assert foreign.exists()


def test_too_little_disk_is_said_before_anything_is_made(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(directory.parent)._replace(free=1024**2)
    monkeypatch.setattr(shutil, "disk_usage", Mock(return_value=usage))

    with pytest.raises(DatasetError, match="Free some space"):
        open_dataset(directory, events=500, today=TODAY, progress=_ignore)


def test_a_disk_that_fills_up_while_loading_is_told_and_nothing_is_kept(
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


def test_a_dataset_without_events_is_refused() -> None:
    with pytest.raises(ValueError, match="one event"):
        open_dataset(None, events=0, today=TODAY, progress=_ignore)


def _ignore(_fraction: float, _message: str) -> None:
    """Progress that nobody looks at."""


def _count(engine: Engine) -> int:
    return engine.select("SELECT count() FROM posthog.events").rows[0][0]


def _broken(event: Told) -> bool:
    return event.properties["app_version"] == "3.8.0"


def _shown(value: object) -> object:
    """A generated value as a query shows it."""
    return list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value


@contextmanager
def _opened_elsewhere(directory: Path, *, events: int, say_at: float) -> Generator[subprocess.Popen[bytes]]:
    """A child process that opens a dataset, has said so at a given progress, and holds it until the block ends."""
    code = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from maton_posthog.sandbox.dataset import open_dataset\n"
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
