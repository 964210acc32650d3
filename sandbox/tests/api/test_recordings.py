"""Session recordings over a generated dataset."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

from posthog_sandbox.api.cohorts.resource import cohort_persons
from posthog_sandbox.api.recordings.resource import recording_routes
from posthog_sandbox.query_endpoint.handlers import QueryEndpoint
from posthog_sandbox.storage.engine import Engine

from ..shared_data import open_shared
from .resource_calls import NOW, Resources

pytestmark = pytest.mark.anyio

RECORDINGS = "session_recordings/"
COHORT: dict[str, Any] = {"name": "Paying", "is_static": False, "deleted": False, "groups": []}
ALL: dict[str, Any] = {"date_from": "all", "limit": "1000"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(3000) as opened:
        yield opened


@pytest.fixture
def api(engine: Engine) -> Iterator[Resources]:
    with closing(Resources(recording_routes(QueryEndpoint(cohort_persons).compute), engine)) as opened:
        yield opened


async def test_a_list_has_the_last_three_days_latest_first(api: Resources) -> None:
    page = await api.get(RECORDINGS)

    starts = [row["start_time"] for row in page["results"]]
    assert page.keys() == {"results", "has_next", "version"}
    assert page["version"] == 4
    assert starts
    assert starts == sorted(starts, reverse=True)
    assert starts[-1] >= "2026-11-20T00:00:00Z"
    assert len((await api.get(RECORDINGS, **ALL))["results"]) > len(starts)


async def test_a_recording_has_all_fields_and_its_person(api: Resources) -> None:
    row = (await api.get(RECORDINGS))["results"][0]

    assert row.keys() == {
        *("id", "distinct_id", "viewed", "viewers", "recording_duration", "active_seconds", "inactive_seconds"),
        *("start_time", "end_time", "click_count", "keypress_count", "mouse_activity_count", "console_log_count"),
        *("console_warn_count", "console_error_count", "start_url", "person", "retention_period_days", "expiry_time"),
        *("recording_ttl", "snapshot_source", "snapshot_library", "ongoing", "activity_score", "has_summary"),
        *("summary_outcome", "external_references", "matches_filters"),
    }
    assert row["person"].keys() == {"id", "name", "distinct_ids", "properties", "created_at", "uuid"}
    assert isinstance(row["person"]["id"], int)
    assert row["distinct_id"] in row["person"]["distinct_ids"]
    assert await api.get(f"{RECORDINGS}{row['id']}/") == row


async def test_pages_follow_the_cursor_to_the_end(api: Resources) -> None:
    everything = [row["id"] for row in (await api.get(RECORDINGS, **ALL))["results"]]
    step = len(everything) // 3 + 1
    seen: list[str] = []
    query: dict[str, Any] = {"date_from": "all", "limit": step}
    for _ in range(3):
        page = await api.get(RECORDINGS, **query)
        seen += [row["id"] for row in page["results"]]
        if not page["has_next"]:
            break
        query["after"] = page["next_cursor"]

    assert seen == everything
    by_offset = await api.get(RECORDINGS, date_from="all", limit=step, offset=step)
    assert [row["id"] for row in by_offset["results"]] == everything[step : 2 * step]


@pytest.mark.parametrize("order", ["duration", "click_count", "activity_score", "console_error_count"])
async def test_lists_are_sorted_by_the_requested_order(api: Resources, order: str) -> None:
    column = "recording_duration" if order == "duration" else order
    down = [row[column] for row in (await api.get(RECORDINGS, order=order, **ALL))["results"]]
    up = [row[column] for row in (await api.get(RECORDINGS, order=order, order_direction="ASC", **ALL))["results"]]

    assert down == sorted(down, reverse=True)
    assert up == sorted(up)


async def test_recordings_are_filtered_by_person(api: Resources) -> None:
    row = (await api.get(RECORDINGS))["results"][0]

    by_person = (await api.get(RECORDINGS, person_uuid=row["person"]["uuid"], **ALL))["results"]
    by_distinct_id = (await api.get(RECORDINGS, distinct_ids=[row["distinct_id"]], **ALL))["results"]
    by_session = (await api.get(RECORDINGS, session_ids=[row["id"]], **ALL))["results"]

    assert row["id"] in {item["id"] for item in by_person}
    assert {item["person"]["uuid"] for item in by_person} == {row["person"]["uuid"]}
    assert {item["distinct_id"] for item in by_distinct_id} == {row["distinct_id"]}
    assert [item["id"] for item in by_session] == [row["id"]]
    assert (await api.get(RECORDINGS, distinct_ids=[], **ALL))["results"] == []


async def test_dates_are_relative_to_now_or_absolute(api: Resources) -> None:
    everything = [row["start_time"] for row in (await api.get(RECORDINGS, **ALL))["results"]]
    start, end = "2026-11-10T00:00:00Z", "2026-11-12T06:00:00Z"

    absolute = await api.get(RECORDINGS, date_from=start, date_to=end, limit="1000")
    relative = await api.get(RECORDINGS, date_from="-10d", date_to="-5d", limit="1000")

    def between(first: str, last: str) -> list[str]:
        return [item for item in everything if first <= item <= last]

    assert [row["start_time"] for row in absolute["results"]] == between(start, end)
    assert [row["start_time"] for row in relative["results"]] == between("2026-11-13T00:00:00Z", "2026-11-18T00:00:00Z")
    api.now = NOW - timedelta(days=30)
    earlier = (await api.get(RECORDINGS, date_to="2026-10-24T06:00:00Z", limit="1000"))["results"]
    assert [row["start_time"] for row in earlier] == between("2026-10-21T00:00:00Z", "2026-10-24T06:00:00Z")


async def test_filters_on_events_persons_and_measures(api: Resources) -> None:
    async def ids(**query: Any) -> set[str]:
        return {row["id"] for row in (await api.get(RECORDINGS, **ALL, **query))["results"]}

    everything = await ids()
    signed_up = await ids(events=[{"id": "signed_up", "type": "events"}])
    identified = await ids(properties=[{"key": "email", "type": "person", "operator": "is_set"}])
    long = await ids(having_predicates=[{"key": "duration", "type": "recording", "operator": "gt", "value": 300}])
    errors = await ids(console_log_filters=[{"key": "level", "type": "log_entry", "value": ["error"]}])

    assert set() < signed_up < everything
    assert set() < identified < everything
    assert set() < long < everything
    assert errors < everything
    both: dict[str, Any] = {
        "events": [{"id": "signed_up", "type": "events"}],
        "having_predicates": [{"key": "duration", "type": "recording", "operator": "gt", "value": 300}],
    }
    assert await ids(**both) == signed_up & long
    assert await ids(**both, operand="OR") == signed_up | long
    assert await ids(comment_text={"operator": "exact", "value": "x"}) == set()


EXCEPTION: dict[str, Any] = {"id": "$exception", "name": "$exception", "type": "events"}


def recount(engine: Engine, condition: str) -> set[str]:
    """Return the recorded sessions with an event, straight from the tables."""
    sql = (
        "SELECT DISTINCT session_id FROM posthog.session_replays WHERE session_id IN "
        f"(SELECT `$session_id` FROM posthog.events WHERE {condition})"
    )
    return {row[0] for row in engine.select(sql).rows}


async def test_sessions_are_found_by_what_their_events_have(api: Resources, engine: Engine) -> None:
    async def ids(**query: Any) -> set[str]:
        return {row["id"] for row in (await api.get(RECORDINGS, **ALL, **query))["results"]}

    on_chrome = {"key": "$browser", "type": "event", "operator": "exact", "value": ["Chrome"]}
    chrome = "JSONExtractString(properties, '$browser') = 'Chrome'"
    frequent = (
        "SELECT JSONExtractString(properties, '$exception_issue_id') AS id "
        "FROM posthog.events WHERE event = '$exception' GROUP BY id ORDER BY count() DESC LIMIT 1"
    )
    issue = engine.select(frequent).rows[0][0]
    of_issue = {"key": f"issue_id = toUUID('{issue}')", "type": "hogql"}

    everything = await ids()
    failed = recount(engine, "event = '$exception'")
    assert await ids(events=[EXCEPTION]) == failed
    assert set() < failed < everything
    assert await ids(events=[{"id": None, "type": "events"}]) == everything
    assert await ids(events=[{**EXCEPTION, "properties": [on_chrome]}]) == recount(
        engine, f"event = '$exception' AND {chrome}"
    )
    found = await ids(events=[{**EXCEPTION, "properties": [of_issue]}])
    assert found == recount(engine, f"JSONExtractString(properties, '$exception_issue_id') = '{issue}'")
    assert set() < found < failed
    assert await ids(properties=[on_chrome]) == recount(engine, chrome)
    # An event without the property has another value, too, but a session is left out for one that has it.
    assert await ids(properties=[{**on_chrome, "operator": "is_not"}]) == everything - recount(engine, chrome)
    unheard_of = {"key": "unheard_of", "type": "event", "operator": "is_not_set"}
    assert await ids(properties=[unheard_of]) == everything
    not_on_chrome = [{**on_chrome, "operator": "is_not"}]
    assert await ids(events=[{**EXCEPTION, "properties": not_on_chrome}]) == failed - recount(engine, chrome)


async def test_sessions_are_found_by_cohort_group_and_session(api: Resources, engine: Engine) -> None:
    async def ids(*properties: dict[str, Any]) -> set[str]:
        return {row["id"] for row in (await api.get(RECORDINGS, properties=list(properties), **ALL))["results"]}

    group = {"key": "industry", "type": "group", "group_type_index": 0, "operator": "is_set"}
    in_group = await ids(group)
    assert set() < in_group <= recount(engine, "`$group_0` != ''")
    landed = {"key": "$entry_pathname", "type": "session", "operator": "exact", "value": ["/pricing"]}
    assert set() < await ids(landed) < await ids()
    members = "SELECT id FROM posthog.persons WHERE JSONExtractString(properties, 'plan') = 'pro'"
    paying = {"type": "AND", "values": [{"key": "plan", "type": "person", "operator": "exact", "value": ["pro"]}]}
    with api.store.transaction() as rows:
        cohort = rows.insert("cohorts", 1, {**COHORT, "filters": {"properties": {"type": "AND", "values": [paying]}}})
    of_cohort = {"key": "id", "type": "cohort", "operator": "in", "value": cohort["id"]}
    assert await ids(of_cohort) == recount(engine, f"person_id IN ({members})")


async def test_test_accounts_are_excluded_on_request(api: Resources) -> None:
    with api.store.transaction() as rows:
        project = rows.get("projects", 1)
        assert project is not None
        filters = [{"key": "email", "type": "person", "operator": "is_not_set"}]
        rows.save("projects", {**project, "test_account_filters": filters})

    people = (await api.get(RECORDINGS, filter_test_accounts="true", **ALL))["results"]

    assert people
    assert not [row for row in people if "email" in row["person"]["properties"]]


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ({"order": "length"}, "order"),
        ({"order_direction": "UP"}, "order_direction"),
        ({"limit": "many"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"after": "b2Zmc2V0"}, "after"),
        ({"after": "?"}, "after"),
        ({"person_uuid": "1"}, "person_uuid"),
        ({"distinct_ids": "a,b"}, "distinct_ids"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"operand": "XOR"}, "operand"),
        ({"actions": [{"id": "x"}]}, "actions"),
        ({"actions": [{"id": "x", "type": "actions"}]}, "actions"),
        ({"events": [{"id": "signed_up"}]}, "events"),
        ({"properties": [{"key": "x", "type": "feature"}]}, "properties"),
        (
            {"events": [{"id": "signed_up", "type": "events", "properties": [{"key": "x", "type": "recording"}]}]},
            "properties",
        ),
        ({"having_predicates": [{"key": "duration", "operator": "gt", "value": "long"}]}, "having_predicates"),
        ({"console_log_filters": [{"key": "message", "value": ["x"]}]}, "console_log_filters"),
    ],
)
async def test_an_invalid_parameter_is_400(api: Resources, query: dict[str, Any], attr: str) -> None:
    rejected = await api.send("GET", RECORDINGS, **query)

    assert rejected.status == 400
    assert rejected.body["attr"] == attr


@pytest.mark.parametrize("id", ["none", "' OR 1=1 --", "\\", "019c8795-79e3-7a05-ac56-597b102f1960"])
async def test_a_recording_that_does_not_exist_is_404(api: Resources, id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        missing = await api.send(method, f"{RECORDINGS}{id}/", {"viewed": True})
        assert (missing.status, missing.detail) == (404, "Recording not found")


async def test_only_the_viewed_state_can_be_changed(api: Resources) -> None:
    row = (await api.get(RECORDINGS))["results"][0]
    path = f"{RECORDINGS}{row['id']}/"

    rejected = await api.send("PATCH", path, {"deleted": True})
    assert (rejected.status, rejected.detail) == (400, "At least one of 'viewed' or 'analyzed' must be provided.")
    assert await api.patch(path, viewed=True) == {"success": True}
    assert await api.patch(path, analyzed=True, player_metadata={}) == {"success": True}
    assert await api.get(path) == {**row, "viewed": True}


async def test_a_deleted_recording_does_not_come_back(api: Resources) -> None:
    first, second, *_ = (await api.get(RECORDINGS))["results"]

    deleted = await api.send("DELETE", f"{RECORDINGS}{first['id']}/")
    assert (deleted.status, deleted.body) == (204, None)
    assert (await api.send("GET", f"{RECORDINGS}{first['id']}/")).status == 404

    bulk = await api.send("POST", f"{RECORDINGS}bulk_delete/", {"session_recording_ids": [first["id"], second["id"]]})
    assert bulk.body == {
        "success": True,
        "deleted_count": 1,
        "total_requested": 2,
        "failed_ids": [first["id"]],
    }
    left = {row["id"] for row in (await api.get(RECORDINGS))["results"]}
    assert not left & {first["id"], second["id"]}


async def test_another_project_has_no_recordings(api: Resources) -> None:
    assert (await api.get("/2/session_recordings/", **ALL))["results"] == []


async def test_a_recording_expires_after_its_retention(api: Resources) -> None:
    row = (await api.get(RECORDINGS))["results"][-1]

    age = datetime.fromisoformat(row["expiry_time"]) - datetime.fromisoformat(row["start_time"])
    assert age == timedelta(days=row["retention_period_days"])
    assert 0 <= row["retention_period_days"] - row["recording_ttl"] <= 4
