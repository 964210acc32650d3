"""Tables outside the events' database: the query log, merged ids, the catalog, changed persons."""

from collections.abc import AsyncGenerator, Iterator

import anyio
import anyio.lowlevel
import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import FLAG, Serving, Shared, serving
from ..shared_data import open_shared
from .hogql_calls import rejection, scalar

pytestmark = pytest.mark.anyio

JOINED = {"modifiers": {"personsOnEventsMode": "person_id_override_properties_joined"}}


PATIENCE_S = 120
"""The deadline of what a busy machine does slowly."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(5_000) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


async def test_a_completed_query_is_in_the_log(sandbox: Serving) -> None:
    body = {"kind": "HogQLQuery", "query": "select count() from events where event != ''", "name": "all events"}
    await sandbox.send("POST", "query/", {"query": body, "client_query_id": "mine"})
    text = (
        "select query_id, query, hogql_name, status, result_rows, read_rows > 0, endpoint, exception_code, "
        "dateDiff('day', event_time, now()), event_date = today() from query_log"
    )
    assert (await sandbox.query(text))["results"] == [
        ["mine", body["query"], "all events", "QueryFinish", 1, 1, "/api/projects/1/query/", 0, 0, 1]
    ]


async def test_a_query_rejected_by_the_engine_is_logged_and_an_invalid_one_is_not(sandbox: Serving) -> None:
    assert "Illegal type" in await rejection(sandbox, "select sum(event) from events")
    assert "foo" in await rejection(sandbox, "select foo from events")
    text = "select query, status, exception_code from query_log"
    assert (await sandbox.query(text))["results"] == [["select sum(event) from events", "ExceptionWhileProcessing", 43]]


async def test_the_log_has_only_the_projects_queries(sandbox: Serving) -> None:
    await sandbox.query("select 1")
    elsewhere = "/posthog/api/projects/2/query/"
    body = {"query": {"kind": "HogQLQuery", "query": "select count() from query_log"}}
    assert (await sandbox.send("POST", elsewhere, body)).json()["results"] == [[0]]
    assert await scalar(sandbox, "select count() from query_log") == 1


async def test_an_override_is_the_id_of_a_device_merged_at_login(sandbox: Serving) -> None:
    merged = "select distinct_id, person_id from person_distinct_id_overrides"
    identified = (
        "select distinct properties.$anon_distinct_id, person_id from events "
        "where event = '$identify' and properties.$set is null"
    )
    found = (await sandbox.query(f"{merged} order by distinct_id limit 1000"))["results"]

    assert found
    assert found == (await sandbox.query(f"{identified} order by 1 limit 1000"))["results"]
    text = "select countIf(override.person_id = person_id), countIf(override.distinct_id = distinct_id) from events"
    same, known = (await sandbox.query(text))["results"][0]
    assert same == known > 0


async def test_the_catalog_lists_the_columns_of_a_table_in_order(sandbox: Serving) -> None:
    text = (
        "select column_name, data_type, is_nullable from system.information_schema.columns "
        "where table_name = 'persons' order by ordinal_position"
    )
    found = (await sandbox.query(text))["results"]
    assert found[:4] == [
        ["id", "UUID", False],
        ["created_at", "DateTime", False],
        ["properties", "JSON", False],
        ["is_identified", "Boolean", False],
    ]


@pytest.mark.parametrize(
    ("table", "kind"),
    [("events", "posthog"), ("query_log", "posthog"), ("system.feature_flags", "system"),
     ("system.information_schema.tables", "information_schema")],
)  # fmt: skip
async def test_the_catalog_has_the_type_of_a_table(sandbox: Serving, table: str, kind: str) -> None:
    text = f"select table_type from system.information_schema.tables where table_name = '{table}'"
    assert await scalar(sandbox, text) == kind


async def test_the_catalog_describes_joins(sandbox: Serving) -> None:
    text = (
        "select via, source_column, target_table, target_column from system.information_schema.relationships "
        "where source_table = 'events' and via in ('person', 'session') order by via"
    )
    assert (await sandbox.query(text))["results"] == [
        ["person", "person_id", "persons", "id"],
        ["session", "$session_id", "sessions", "session_id"],
    ]
    types = "select count(distinct type_name) from system.information_schema.data_types"
    assert await scalar(sandbox, types) >= 9


async def test_a_flag_has_its_rollout_and_a_dashboard_its_tiles(sandbox: Serving) -> None:
    await sandbox.make("feature_flags/", {"key": "twenty", "name": "Twenty", "filters": FLAG})
    assert await scalar(sandbox, "select rollout_percentage from system.feature_flags where key = 'twenty'") == 20
    text = "select count() from system.dashboard_tiles t join system.dashboards d on t.dashboard_id = d.id"
    assert await scalar(sandbox, text) > 0
    assert await scalar(sandbox, "select count() from system.insight_variables") == 0


async def test_calculations_of_cohorts_are_a_table(engine: Engine) -> None:
    async with serving(Shared(engine), counts_cohorts=True) as sandbox:
        with anyio.fail_after(PATIENCE_S):
            while any(cohort["is_calculating"] for cohort in (await sandbox.get("cohorts/"))["results"]):
                await anyio.lowlevel.checkpoint()
        assert await scalar(sandbox, "select count() from system.cohort_calculation_history where count > 0") > 0


async def test_rows_join_to_their_authors_and_subjects(sandbox: Serving) -> None:
    made = await sandbox.make("annotations/", {"content": "here", "scope": "project", "date_marker": "2026-11-01"})
    text = f"select created_by_id, dashboard_item_id, deleted from system.annotations where id = {made['id']}"
    assert (await sandbox.query(text))["results"] == [[made["created_by"]["id"], None, 0]]
    steps = "select JSONExtractString(steps_json, 1, 'event') from system.actions where steps_json != '[]' limit 1"
    assert await scalar(sandbox, steps)
    kinds = "select group_type from system.group_type_mappings"
    assert (await sandbox.query(kinds))["results"] == [["organization"]]


async def test_stored_parts_of_recordings_and_sessions_are_merged(sandbox: Serving) -> None:
    merged = "select session_id, argMinMerge(first_url), min(min_first_timestamp) from raw_session_replay_events"
    whole = "select session_id, first_url, start_time from session_replay_events"
    found = (await sandbox.query(f"{merged} group by session_id order by session_id limit 50"))["results"]
    assert found == (await sandbox.query(f"{whole} order by session_id limit 50"))["results"]
    text = "select min(min_timestamp) = min($start_timestamp) from posthog.raw_sessions"
    assert await scalar(sandbox, text) == 1


async def test_a_changed_property_is_read_from_persons_and_not_from_past_events(sandbox: Serving) -> None:
    seen = "select person_id from events where person.properties.email is not null limit 1"
    person = await scalar(sandbox, seen)
    sent = await sandbox.send("POST", f"persons/{person}/update_property/", {"key": "plan", "value": "it's new"})
    assert sent.status_code == 202

    assert await scalar(sandbox, f"select properties.plan from persons where id = '{person}'") == "it's new"
    through = f"select any(pdi.person.properties.plan) from events where person_id = '{person}'"
    assert await scalar(sandbox, through) == "it's new"
    on_event = f"select countIf(person.properties.plan = 'it\\'s new') > 0 from events where person_id = '{person}'"
    assert await scalar(sandbox, on_event) == 0
    assert await scalar(sandbox, on_event, **JOINED) == 1


async def test_a_deleted_person_is_missing_from_persons_and_its_events_remain(sandbox: Serving) -> None:
    person = await scalar(sandbox, "select id from persons where properties.email is not null limit 1")
    events = await scalar(sandbox, f"select count() from events where person_id = '{person}'")
    before = await scalar(sandbox, "select count() from persons")
    assert (await sandbox.send("DELETE", f"persons/{person}/")).status_code == 202

    assert await scalar(sandbox, "select count() from persons") == before - 1
    assert await scalar(sandbox, f"select count() from persons where id = '{person}'") == 0
    assert await scalar(sandbox, f"select count() from person_distinct_ids where person_id = '{person}'") == 0
    assert await scalar(sandbox, f"select count() from events where person_id = '{person}'") == events


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("select count() from events where timestamp > now() - interval 1 day", "yes"),
        ("select count() from events where event = 'a'", "no"),
        ("select count() from events e where e.timestamp > '2026-01-01' and event in (select event from events)",
         "partial"),
        ("select count() from persons where created_at > '2026-01-01'", "undecisive"),
        ("select 1", "undecisive"),
    ],
)  # fmt: skip
async def test_metadata_reports_whether_events_are_filtered_by_time(sandbox: Serving, text: str, use: str) -> None:
    body = {"query": {"kind": "HogQLMetadata", "language": "hogQL", "query": text}}
    response = (await sandbox.send("POST", "query/", body)).json()
    assert (response["isValid"], response["isUsingIndices"]) == (True, use)


async def test_metadata_reports_the_types_and_positions_of_properties(sandbox: Serving) -> None:
    text = "select properties.revenue, person.properties.email, properties.never_seen from events"
    body = {"query": {"kind": "HogQLMetadata", "language": "hogQL", "query": text}}
    notices = (await sandbox.send("POST", "query/", body)).json()["notices"]

    assert [(text[each["start"] : each["end"]], each["message"]) for each in notices] == [
        ("properties.revenue", "Event property 'revenue' is of type 'Numeric'."),
        ("person.properties.email", "Person property 'email' is of type 'String'."),
    ]
