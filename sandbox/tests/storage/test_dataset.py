"""The synthetic dataset: its rows and its story."""

import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_sandbox.dataset import Parameters, newest_today, product, tell
from posthog_sandbox.dataset.export import raw_rows
from posthog_sandbox.dataset.generate import generate
from posthog_sandbox.dataset.rows import EventRow
from posthog_sandbox.dataset.visit import FIXED_SHAPE

TODAY = date(2026, 11, 24)
SMALL = Parameters(events=3_000, seed=7, today=TODAY)


class ParsedEvent(NamedTuple):
    """An event of the large dataset with parsed properties."""

    row: EventRow
    properties: dict[str, Any]


@pytest.fixture(scope="module")
def events() -> list[EventRow]:
    return [row for batch in generate(Parameters(events=100_000, seed=42, today=TODAY)) for row in batch.events]


def parsed_events(events: list[EventRow], *names: str) -> list[ParsedEvent]:
    return [ParsedEvent(row, json.loads(row.properties)) for row in events if row.event in names]


def digest(parameters: Parameters) -> str:
    total = hashlib.sha256()
    for batch in generate(parameters):
        for rows in batch.by_table().values():
            for row in rows:
                total.update("\t".join(map(str, row)).encode())
    return total.hexdigest()


@given(events=st.integers(1, 4_000), seed=st.integers(0, 2**63))
def test_exactly_the_requested_number_of_events_is_generated(events: int, seed: int) -> None:
    assert sum(len(batch.events) for batch in generate(Parameters(events, seed, TODAY))) == events


def test_a_seed_gives_the_same_bytes_on_every_python_and_platform() -> None:
    # An intended change of the generated values changes this digest; then increment directory.SCHEMA_VERSION too.
    assert digest(SMALL) == "bf7b0a8ff26015c6b6ed985c94d537dfdbb116bc7354240b19d3db064832174e"


def test_another_seed_gives_different_data() -> None:
    assert digest(SMALL) != digest(Parameters(events=3_000, seed=8, today=TODAY))


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_no_event_is_outside_the_ninety_days(today: date) -> None:
    first = datetime.combine(today - timedelta(days=89), datetime.min.time(), UTC)
    last = datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=6)

    for table, row in raw_rows(Parameters(events=300, seed=1, today=today)):
        if table == "events":
            assert first <= row["timestamp"] < last
            assert row["timestamp"] < row["created_at"] < row["timestamp"] + timedelta(seconds=5)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))
def test_the_newest_last_day_has_no_event_in_the_future(now: datetime) -> None:
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


def test_the_faulty_release_stops_purchases_on_one_browser_and_raises_exceptions(events: list[EventRow]) -> None:
    broken = [
        event
        for event in parsed_events(events, "checkout_started", "purchase_completed", "$exception")
        if _broken(event)
    ]
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


def test_the_variants_of_the_experiment_differ_beyond_chance(events: list[EventRow]) -> None:
    exposed: dict[str, tuple[str, int]] = {}
    for event in parsed_events(events, "$feature_flag_called"):
        if event.properties["$feature_flag"] == product.EXPERIMENT_FLAG:
            variant = event.properties["$feature_flag_response"]
            assert event.properties["$feature/new-checkout"] == variant
            known, _ = exposed.setdefault(event.row.person_id, (variant, event.row.timestamp))
            assert known == variant
    bought = {
        event.row.person_id
        for event in parsed_events(events, "purchase_completed")
        if event.row.person_id in exposed and event.row.timestamp > exposed[event.row.person_id][1]
    }
    size = Counter(variant for variant, _ in exposed.values())
    share = {arm: sum(1 for person in bought if exposed[person][0] == arm) / size[arm] for arm in size}

    assert set(size) == {"control", "test"}
    pooled = len(bought) / len(exposed)
    error = (pooled * (1 - pooled) * (1 / size["control"] + 1 / size["test"])) ** 0.5
    assert (share["test"] - share["control"]) / error > 2.5


def test_people_who_sign_up_keep_their_earlier_events_under_one_person(events: list[EventRow]) -> None:
    ids: defaultdict[str, set[str]] = defaultdict(set)
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for row in events:
        ids[row.person_id].add(row.distinct_id)
        owners[row.distinct_id].add(row.person_id)

    assert all(len(persons) == 1 for persons in owners.values())
    assert sum(1 for known in ids.values() if len(known) >= 2) > 1_000
    assert any(len(known) >= 3 for known in ids.values())


def test_person_properties_of_an_event_are_those_at_that_time(events: list[EventRow]) -> None:
    signed_up = {row.person_id: row.timestamp for row in events if row.event == "signed_up"}

    for row in events:
        if row.person_id in signed_up:
            known = "sign_up_method" in row.person_properties
            assert known == (row.timestamp >= signed_up[row.person_id] or row.event in {"$identify", "$groupidentify"})


def test_events_without_a_person_profile_have_no_person(events: list[EventRow]) -> None:
    anonymous = [row for row in events if row.person_mode == "propertyless"]

    assert 0 < len(anonymous) < 0.05 * len(events)
    assert {row.person_properties for row in anonymous} == {"{}"}
    assert all(json.loads(row.properties)["$process_person_profile"] is False for row in anonymous[:100])


def test_survey_responses_follow_a_shown_survey(events: list[EventRow]) -> None:
    shown = {event.row.person_id: event.row.timestamp for event in parsed_events(events, "survey shown")}
    ended = parsed_events(events, "survey sent", "survey dismissed")

    assert len(shown) > len(ended) > 100
    for event in ended:
        assert event.properties["$survey_id"] == product.SURVEY_ID
        assert shown[event.row.person_id] < event.row.timestamp
    scores = [int(event.properties["$survey_response"]) for event in ended if event.row.event == "survey sent"]
    assert min(scores) >= 0
    assert max(scores) == 10


def test_sessions_agree_with_their_events() -> None:
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


def test_hostile_values_are_present_unless_disabled() -> None:
    size = 12_000
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


def test_what_has_the_same_shape_has_the_same_names_and_types() -> None:
    shapes: defaultdict[object, set[tuple[tuple[str, str], ...]]] = defaultdict(set)
    for batch in generate(Parameters(20_000, 42, TODAY)):
        for sent in batch.sent:
            shapes[sent.setting.shape].add(_typed(sent.setting.properties))
            if sent.event in FIXED_SHAPE:
                own = _typed(sent.properties)
                shapes[sent.event, any(name == "$current_url" for name, _ in own)].add(own)

    assert len(shapes) > 20
    assert all(len(found) == 1 for found in shapes.values())


def _typed(members: str) -> tuple[tuple[str, str], ...]:
    properties: dict[str, object] = json.loads(f"{{{members}}}")
    return tuple((name, type(value).__name__) for name, value in properties.items())


def _broken(event: ParsedEvent) -> bool:
    return event.properties["app_version"] == "3.8.0"
