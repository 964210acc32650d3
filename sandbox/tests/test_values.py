"""The small parts of the sandbox's HTTP code: checks of fields, dates, pages, routes, rows."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_sandbox.errors import ApiError
from posthog_sandbox.http.dates import parse_date
from posthog_sandbox.http.fields import Check, boolean, choice, integer, moment, tags, text, uuid_text
from posthog_sandbox.http.paging import page_url, positive, whole
from posthog_sandbox.http.routing import Call, Route, Router
from posthog_sandbox.storage.events import literal
from posthog_sandbox.storage.store import Store
from posthog_sandbox.values import integer_id, timestamp

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store(None, lambda: NOW)
    yield opened
    opened.close()


def outcome(act: Callable[[], Any]) -> tuple[Any, Any]:
    """Return the result, or the body of the error."""
    try:
        return act(), None
    except ApiError as error:
        return None, error.body


@given(JSON, st.sampled_from([text(5), boolean, integer(0, 9), choice("a", "b"), moment, tags, uuid_text]))
def test_a_field_accepts_a_value_or_rejects_it_in_posthogs_envelope(value: Any, check: Check) -> None:
    stored, rejection = outcome(lambda: check(value, "field"))

    assert json.dumps(stored, allow_nan=False)
    assert rejection is None or rejection.keys() == {"type", "code", "detail", "attr"}
    assert rejection is None or rejection["attr"] == "field"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2026-02-23", "2026-02-23T00:00:00Z"),
        ("2026-02-23T10:00:00+02:00", "2026-02-23T08:00:00Z"),
        ("2026-02-23T10:00:00.123456Z", "2026-02-23T10:00:00.123456Z"),
        ("2026-02-23 10:00", "2026-02-23T10:00:00Z"),
    ],
)
def test_moments_are_stored_in_utc(sent: str, stored: str) -> None:
    assert moment(sent, "date_marker") == stored


@pytest.mark.parametrize("sent", ["2026-02-30", "yesterday", "0001-01-01T00:00:00+14:00", "", 5, "2026-W08-1"])
def test_an_invalid_moment_is_rejected(sent: Any) -> None:
    with pytest.raises(ApiError, match="Datetime has wrong format"):
        moment(sent, "date_marker")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("-7d", "2026-11-16T00:00:00Z"),
        ("-24h", "2026-11-22T07:30:00Z"),
        ("-2w", "2026-11-09T00:00:00Z"),
        ("-1m", "2026-10-23T00:00:00Z"),
        ("-1mStart", "2026-10-01T00:00:00Z"),
        ("dStart", "2026-11-23T00:00:00Z"),
        ("mStart", "2026-11-01T00:00:00Z"),
        ("-1dEnd", "2026-11-22T23:59:59.999999Z"),
        ("yStart", "2026-01-01T00:00:00Z"),
        ("all", "1970-01-01T00:00:00Z"),
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        ("2026-11-20T12:00:00+02:00", "2026-11-20T10:00:00Z"),
    ],
)
def test_dates_of_parameters_are_parsed(value: str, expected: str) -> None:
    assert timestamp(parse_date(value, NOW, "date_from")) == expected


@given(st.text() | st.from_regex(r"-?[0-9]{0,6}[hdwmqyMs](Start|End)?", fullmatch=True))
def test_any_text_is_a_date_or_is_rejected_with_its_name(value: str) -> None:
    found, rejection = outcome(lambda: parse_date(value, NOW, "date_from"))

    assert found is None or found.utcoffset() == timedelta()
    assert rejection is None or rejection["attr"] == "date_from"


@given(st.none() | st.text())
def test_any_text_is_a_limit_and_an_offset(value: str | None) -> None:
    assert positive(value, 100) > 0
    assert whole(value) >= 0


def test_a_link_keeps_repeated_parameters_and_drops_none_values() -> None:
    url = page_url("https://us.posthog.com/api/x/", "tags=b&tags=a&offset=5&q=%26", {"limit": 2, "offset": None})

    assert url == "https://us.posthog.com/api/x/?limit=2&q=%26&tags=a&tags=b"


@given(st.text())
def test_a_literal_ends_where_it_began(value: str) -> None:
    inside = literal(value)[1:-1]

    assert literal(value)[0] == literal(value)[-1] == "'"
    assert "'" not in inside.replace("\\\\", "").replace("\\'", "")
    assert not inside.replace("\\\\", "").endswith("\\")


@given(st.text())
def test_an_integer_id_fits_the_database(key: str) -> None:
    number = integer_id(key)
    assert number is None or 0 <= number < 2**63


async def _endpoint(_call: Call) -> Any: ...


def test_a_literal_segment_wins_over_a_placeholder() -> None:
    survey, stats = "projects/{project_id}/surveys/{id}", "projects/{project_id}/surveys/stats"
    router = Router((Route("GET", survey, _endpoint), Route("GET", stats, _endpoint)))
    named, literal_one = router.find("projects/1/surveys/7/"), router.find("projects/1/surveys/stats")

    assert named is not None
    assert literal_one is not None
    assert named[1] == {"project_id": "1", "id": "7"}
    assert literal_one[1] == {"project_id": "1"}
    assert router.find("projects/1/surveys//") is None


def test_a_transaction_that_fails_writes_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as rows:
            rows.insert("actions", 1, {"name": "lost"})
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with store.transaction() as rows:
        assert rows.all("actions") == []


def test_the_id_of_a_removed_row_is_not_reused(store: Store) -> None:
    with store.transaction() as rows:
        first = rows.insert("actions", 1, {"name": "first"})
        rows.remove("actions", first["id"])
        second = rows.insert("actions", 1, {"name": "second"})

    assert second["id"] > first["id"]


def test_kept_rows_are_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    for store in (Store(path, lambda: NOW), Store(path, lambda: NOW)):
        with store.transaction() as rows:
            rows.insert("surveys", 2, {"id": f"survey-{len(rows.all('surveys'))}", "name": "ü"})
        found = store.counts()["surveys"]
        store.close()

    assert found == 2
