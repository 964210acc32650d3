"""The contents of a new sandbox."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posthog_sandbox.dataset import product, tell
from posthog_sandbox.examples import fill
from posthog_sandbox.storage.store import Store

from ..sandbox_client import BASE_URL, NOW, TODAY


def filled() -> Store:
    store = Store(None, lambda: NOW)
    fill(store, tell(TODAY), BASE_URL)
    return store


@pytest.fixture
def store() -> Iterator[Store]:
    opened = filled()
    yield opened
    opened.close()


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.transaction() as rows:
        return {table: rows.all(table) for table in store.counts() if table != "connections"}


def test_every_list_of_the_data_project_has_rows_and_the_empty_project_has_none(store: Store) -> None:
    tables = ("dashboards", "insights", "feature_flags", "cohorts", "actions", "annotations", "surveys", "experiments")
    with store.transaction() as rows:
        assert [table for table in tables if not rows.all(table, 1)] == []
        assert [table for table in tables if rows.all(table, 2)] == []


def test_the_same_day_gives_the_same_rows(store: Store) -> None:
    other = filled()

    assert content(store) == content(other)
    other.close()


def test_rows_are_dated_by_the_story(store: Store) -> None:
    story = tell(TODAY)
    with store.transaction() as rows:
        experiment = next(row for row in rows.all("experiments") if row["name"] == "One-page checkout")
        notes = {row["content"]: row["date_marker"] for row in rows.all("annotations")}
        made = [row["created_at"] for table in ("feature_flags", "cohorts", "insights") for row in rows.all(table)]

    broken = datetime.fromtimestamp(story.broken_from / 1_000_000, UTC)
    assert datetime.fromisoformat(notes["Release 3.8.0"]) == broken
    assert datetime.fromisoformat(experiment["start_date"]).timestamp() == story.experiment_from / 1_000_000
    assert all(datetime.fromisoformat(moment) < NOW for moment in made)


def test_flags_experiment_and_survey_match_the_events(store: Store) -> None:
    with store.transaction() as rows:
        flags = {row["key"]: row for row in rows.all("feature_flags") if not row["_internal"]}
        running = next(row for row in rows.all("experiments") if row["start_date"] and not row["end_date"])
        survey = rows.get("surveys", product.SURVEY_ID)

    assert {product.EXPERIMENT_FLAG, product.BOOLEAN_FLAG} <= flags.keys()
    assert running["_feature_flag"] == flags[product.EXPERIMENT_FLAG]["id"]
    variants = flags[product.EXPERIMENT_FLAG]["filters"]["multivariate"]["variants"]
    assert tuple(variant["key"] for variant in variants) == product.EXPERIMENT_VARIANTS
    assert survey is not None
    assert survey["name"] == product.SURVEY_NAME


def test_kept_rows_are_unchanged_except_the_page_of_a_connection(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    first = Store(path, lambda: NOW)
    fill(first, tell(TODAY), BASE_URL)
    with first.transaction() as rows:
        rows.remove("actions", 1)
    before = first.counts()
    first.close()

    again = Store(path, lambda: NOW)
    fill(again, tell(TODAY), "http://127.0.0.1:1")
    with again.transaction() as rows:
        [connection] = rows.all("connections")
    assert again.counts() == before
    assert connection["url"].startswith("http://127.0.0.1:1/connect/")
    again.close()
