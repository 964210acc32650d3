"""Shifting of a dataset by whole days: the result is what the generator makes for that day with the old calendar."""

import json
import re
from collections.abc import Generator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_sandbox.dataset import Story, open_dataset, tell
from posthog_sandbox.dataset.shifting import shift
from posthog_sandbox.dataset.tables import TABLES
from posthog_sandbox.examples import fill
from posthog_sandbox.storage.engine import Engine
from posthog_sandbox.storage.store import Store

from ..sandbox_client import BASE_URL, NOW, TODAY

EVENTS = 4_000
"""Enough for each kind of event, among them those with times in their own properties."""
DAYS = (1, -9, 70)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(T\d\d:\d\d:\d\d)")


def opened(days: int) -> Engine:
    """Open generated data that end some days after TODAY, with the calendar of TODAY."""
    return open_dataset(None, events=EVENTS, today=TODAY + timedelta(days=days), weekday=TODAY.weekday())


def rows(engine: Engine) -> dict[str, list[list[Any]]]:
    """Return a digest of the rows of each table."""
    digest = "SELECT count(), groupBitXor(cityHash64(tuple(*))) FROM posthog."
    return {table.name: engine.select(f"{digest}{table.name}").rows for table in TABLES}


@pytest.fixture(scope="module")
def shifted() -> dict[int, dict[str, list[list[Any]]]]:
    """The rows of data that were generated once and then shifted to each day."""
    found: dict[int, dict[str, list[list[Any]]]] = {}
    at = 0
    with opened(0) as engine:
        for days in (*DAYS, 0):
            shift(engine, days - at)
            at = days
            found[days] = rows(engine)
    return found


@pytest.fixture
def engine() -> Generator[Engine]:
    with opened(0) as engine:
        yield engine


@pytest.mark.parametrize("days", [*DAYS, 0])
def test_shifted_rows_equal_rows_generated_for_that_day_with_the_old_calendar(
    shifted: dict[int, dict[str, list[list[Any]]]], days: int
) -> None:
    with opened(days) as engine:
        assert rows(engine) == shifted[days]


def test_a_shift_by_weeks_equals_data_generated_without_a_calendar(
    shifted: dict[int, dict[str, list[list[Any]]]],
) -> None:
    with open_dataset(None, events=EVENTS, today=TODAY + timedelta(days=70)) as engine:
        assert rows(engine) == shifted[70]


def test_the_data_of_these_tests_have_every_place_with_a_time_in_it(engine: Engine) -> None:
    places = (
        "countIf(event = 'survey sent' AND position(properties, '\"$survey_submission_id\":\"') > 0)",
        "countIf(event = '$identify' AND position(properties, '\"$anon_distinct_id\":\"') > 0)",
        "countIf(event = '$identify' AND position(properties, '\"signed_up_at\":\"') > 0)",
        'countIf(position(properties, \'"$device_id":"\') > 0)',
        'countIf(position(person_properties, \'"last_purchase_at":"\') > 0)',
        "countIf(person_mode = 'propertyless')",
        "countIf(`$session_id` = '')",
    )
    (counted,) = engine.select(f"SELECT {', '.join(places)} FROM posthog.events").rows
    assert min(counted) > 0


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(0, 6))
def test_a_calendar_is_that_of_the_nearest_such_weekday_shifted(today: date, weekday: int) -> None:
    told = tell(today, weekday)
    days = next(days for days in range(7) if (today + timedelta(days=days)).weekday() == weekday)

    assert told.today == today
    assert told.shifted(days) == tell(today + timedelta(days=days))
    assert tell(today) == tell(today, today.weekday())


def test_the_rows_of_a_shifted_calendar_are_shifted_by_the_same_days() -> None:
    for days in DAYS:
        moved = tell(TODAY + timedelta(days=days), TODAY.weekday())
        assert examples(moved) == [later(row, days) for row in examples(tell(TODAY))]


def examples(story: Story) -> list[str]:
    """Return the rows of a new sandbox as JSON."""
    store = Store(None, lambda: NOW)
    fill(store, story, BASE_URL)
    with store.transaction() as stored:
        tables = [table for table in store.counts() if table != "connections"]  # their tokens are random
        found = [json.dumps(row, sort_keys=True) for table in tables for row in stored.all(table)]
    store.close()
    return found


def later(row: str, days: int) -> str:
    """Return a row with each time some days later, and its digits and zone as they are written."""
    return _TIME.sub(lambda found: f"{date.fromisoformat(found[1]) + timedelta(days=days)}{found[2]}", row)


def test_what_a_shift_leaves_behind_is_only_the_shifted_tables(engine: Engine) -> None:
    shift(engine, 1)
    tables = engine.select("SELECT name FROM system.tables WHERE database = 'posthog' ORDER BY name").rows
    assert tables == [[name] for name in sorted(table.name for table in TABLES)]
