"""The query endpoint: HogQL over a small dataset, asynchronous queries, kinds without rows, errors."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import anyio
import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio

EVENTS = 3_000
COUNT = "select count() from events"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(EVENTS) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def hogql(text: str, **more: Any) -> dict[str, Any]:
    return {"query": {"kind": "HogQLQuery", "query": text, **more}}


async def polled(sandbox: Serving, query_id: str) -> Any:
    """Return the first response to a poll that is not 202."""
    with anyio.fail_after(20):
        while True:
            response = await sandbox.send("GET", f"query/{query_id}/", show_progress="true")
            if response.status_code != 202:
                return response
            await anyio.lowlevel.checkpoint()


async def test_rows_are_returned_with_columns_and_pairs_of_types(sandbox: Serving) -> None:
    response = await sandbox.query("select event, count() as n from events group by event order by n desc limit 3")

    assert response["columns"] == ["event", "n"]
    assert response["types"] == [["event", "String"], ["n", "UInt64"]]
    assert len(response["results"]) == 3
    assert response["error"] is None


async def test_a_query_without_limit_returns_a_hundred_rows_and_has_more(sandbox: Serving) -> None:
    response = await sandbox.query("select uuid from events")

    assert len(response["results"]) == 100
    assert (response["hasMore"], response["limit"], response["offset"]) == (True, 100, 0)
    assert response["hogql"].endswith("LIMIT 101 OFFSET 0")


async def test_a_query_with_a_limit_leaves_more_limit_and_offset_null(sandbox: Serving) -> None:
    response = await sandbox.query("select uuid from events limit 150")

    assert len(response["results"]) == 150
    assert response["hasMore"] is response["limit"] is response["offset"] is None


async def test_another_project_has_no_events(sandbox: Serving) -> None:
    response = await sandbox.send("POST", "/posthog/api/projects/2/query/", hogql(COUNT))

    assert response.json()["results"] == [[0]]


async def test_placeholders_are_constants(sandbox: Serving) -> None:
    body = hogql(COUNT + " where event = {name}", values={"name": "x' OR 1=1 --"})
    response = await sandbox.send("POST", "query/", body)

    assert response.json()["results"] == [[0]]


@pytest.mark.parametrize("wrapper", ["DataVisualizationNode", "DataTableNode"])
async def test_wrapped_queries_run(sandbox: Serving, wrapper: str) -> None:
    body = {"query": {"kind": wrapper, "source": hogql(COUNT)["query"]}}

    assert (await sandbox.send("POST", "query/", body)).json()["results"] == [[EVENTS]]


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("select foo from events", "hogql_query_error", "Unable to resolve field: foo"),
        ("select 1 from nowhere", "hogql_query_error", "Unknown table `nowhere`"),
        ("select event\nfrom events where (", "hogql_syntax_error", "(line 2, column 20)"),
        ("insert into events values (1)", "hogql_syntax_error", ""),
        ("select * from file('/etc/passwd')", "hogql_query_error", "file"),
        ("select toDateTime('x', 'Mars/Base') from events limit 1", "bad_arguments", "Mars/Base"),
    ],
)
async def test_an_invalid_query_is_400_with_a_code(sandbox: Serving, text: str, code: str, expected: str) -> None:
    status, found, detail, attr = await sandbox.rejection("POST", "query/", hogql(text))

    assert (status, found, attr) == (400, code, None)
    assert expected in detail


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "This field is required."),
        ({"query": "select 1"}, "This field is required."),
        ({"query": {"kind": "HogQLQuery"}}, "query.query"),
        ({"query": {"kind": "UnicornQuery"}}, "UnicornQuery"),
        ({"query": {"kind": "DataTableNode"}}, "query.source"),
        ({**hogql("select 1"), "refresh": "sometimes"}, "refresh"),
    ],
)
async def test_an_invalid_body_is_rejected(sandbox: Serving, body: Any, expected: str) -> None:
    status, _, detail, _ = await sandbox.rejection("POST", "query/", body)

    assert status == 400
    assert expected in detail


async def test_the_kind_in_the_path_must_match_the_body(sandbox: Serving) -> None:
    assert (await sandbox.send("POST", "query/HogQLQuery/", hogql("select 1"))).status_code == 200
    assert (await sandbox.rejection("POST", "query/TrendsQuery/", hogql("select 1")))[2] == (
        'Query kind mismatch: path kind "TrendsQuery" does not match body kind "HogQLQuery".'
    )


async def test_metadata_checks_without_running_and_has_no_results(sandbox: Serving) -> None:
    body = {"query": {"kind": "HogQLMetadata", "language": "hogQL", "query": "select foo from events"}}
    wrong = (await sandbox.send("POST", "query/", body)).json()
    body["query"]["query"] = "select event from events"
    right = (await sandbox.send("POST", "query/", body)).json()

    assert (wrong["isValid"], right["isValid"]) == (False, True)
    assert wrong["errors"] == [{"message": "Unable to resolve field: foo", "start": 7, "end": 10, "fix": None}]
    assert right["table_names"] == ["events"]
    assert "results" not in right


async def test_metadata_warns_about_a_clamped_limit(sandbox: Serving) -> None:
    text = "select event from events limit 100000"
    body = {"query": {"kind": "HogQLMetadata", "language": "hogQL", "query": text}}
    response = (await sandbox.send("POST", "query/", body)).json()

    assert response["isValid"] is True
    assert [text[warning["start"] : warning["end"]] for warning in response["warnings"]] == ["100000"]


@pytest.mark.parametrize(
    ("text", "error"),
    [("event = '$pageview'", None), ("count() -- all", None), ("foo = 1", "foo"), ("event) from events --", ")")],
)
async def test_metadata_checks_expressions_on_events(sandbox: Serving, text: str, error: str | None) -> None:
    body = {"query": {"kind": "HogQLMetadata", "language": "hogQLExpr", "query": text}}
    response = (await sandbox.send("POST", "query/", body)).json()

    assert response["isValid"] is (error is None)
    assert [text[found["start"] : found["end"]] for found in response["errors"]] == ([] if error is None else [error])


async def test_metadata_does_not_check_programs(sandbox: Serving) -> None:
    body = {"query": {"kind": "HogQLMetadata", "language": "hog", "query": "return 1"}}
    assert "hogQLExpr" in (await sandbox.rejection("POST", "query/", body))[2]


async def test_the_schema_has_tables_and_no_results(sandbox: Serving) -> None:
    response = (await sandbox.send("POST", "query/", {"query": {"kind": "DatabaseSchemaQuery"}})).json()

    assert {"events", "persons", "sessions", "groups"} <= response["tables"].keys()
    assert response["tables"]["events"]["fields"]["timestamp"]["type"] == "datetime"
    assert "results" not in response


async def test_an_asynchronous_query_is_202_then_its_full_result(sandbox: Serving) -> None:
    started = await sandbox.send(
        "POST", "query/", {**hogql(COUNT), "refresh": "force_async", "client_query_id": "mine"}
    )
    assert (started.status_code, started.json()["query_status"]["id"]) == (202, "mine")
    assert started.json()["query_status"]["complete"] is False

    done = await polled(sandbox, "mine")
    assert done.status_code == 200
    assert done.json()["query_status"]["results"]["results"] == [[EVENTS]]


async def test_an_asynchronous_query_that_fails_is_polled_as_400_with_its_status(sandbox: Serving) -> None:
    await sandbox.send("POST", "query/", {**hogql("select foo from events"), "async": True, "client_query_id": "bad"})
    done = await polled(sandbox, "bad")

    assert done.status_code == 400
    assert done.json()["query_status"]["error_message"] == "Unable to resolve field: foo"


async def test_a_cancelled_query_is_200_with_a_message_and_then_unknown(sandbox: Serving) -> None:
    await sandbox.send("POST", "query/", {**hogql(COUNT), "refresh": "force_async", "client_query_id": "gone"})
    cancelled = await sandbox.send("DELETE", "query/gone/")

    assert cancelled.status_code == 200
    assert cancelled.json().keys() == {"message"}
    assert (await sandbox.send("GET", "query/gone/")).status_code == 404
    assert (await sandbox.send("GET", "/posthog/api/projects/2/query/gone/")).status_code == 404


async def test_times_are_shown_in_the_timezone_of_the_project(sandbox: Serving) -> None:
    text = "select timestamp from events order by timestamp limit 1"
    utc = await sandbox.query(text)
    await sandbox.patch("/posthog/api/projects/1/", {"timezone": "Asia/Tokyo"})
    tokyo = await sandbox.query(text)

    assert utc["results"][0][0].endswith("Z")
    assert tokyo["results"][0][0].endswith("+09:00")
    assert (utc["timezone"], tokyo["timezone"]) == ("UTC", "Asia/Tokyo")
    assert utc["cache_key"] != tokyo["cache_key"]


async def test_the_person_of_an_event_is_as_of_the_event_or_as_of_today(sandbox: Serving) -> None:
    text = "select countIf(person.properties.email is not null) from events"
    joined = await sandbox.query(
        "select countIf(p.properties.email is not null) from events e left join persons p on p.id = e.person_id"
    )
    counts: dict[str, int] = {}
    for mode in ("disabled", "person_id_override_properties_on_events"):
        response = await sandbox.send("POST", "query/", hogql(text, modifiers={"personsOnEventsMode": mode}))
        assert response.json()["modifiers"] == {"personsOnEventsMode": mode}
        counts[mode] = response.json()["results"][0][0]

    assert counts["disabled"] == joined["results"][0][0] > counts["person_id_override_properties_on_events"] > 0
    assert (await sandbox.query(text))["results"][0][0] == counts["person_id_override_properties_on_events"]


async def test_an_insight_runs_its_query_on_request(sandbox: Serving) -> None:
    query = {"kind": "DataVisualizationNode", "source": hogql(COUNT)["query"]}
    made = await sandbox.make("insights/", {"name": "Events", "query": query})
    path = f"insights/{made['id']}/"

    assert (await sandbox.get(path))["result"] is None
    shown = await sandbox.get(path, refresh="blocking")
    assert (shown["result"], shown["columns"], shown["hasMore"]) == ([[EVENTS]], ["count()"], False)


async def test_every_supported_query_of_the_examples_returns_rows(sandbox: Serving) -> None:
    for listed in (await sandbox.get("insights/", insight="SQL"))["results"]:
        shown = await sandbox.get(f"insights/{listed['id']}/", refresh="blocking")
        assert shown["result"], listed["name"]
