import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway import background
from maton_posthog.gateway.errors import Code, Failed, GatewayError, Refused, Rejected, Upstream
from maton_posthog.gateway.lanes import MOST_AT_ONCE
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target
from maton_posthog.schemas.json.rows import Block, Rows
from maton_posthog.schemas.query import RunHogql
from maton_posthog.tools.operation import Operation
from maton_posthog.tools.query import running as query_running
from maton_posthog.tools.query.operations import OPERATIONS

from ..posthog import fake
from ..posthog.fake import PROJECT_ID, QUERY_PATH, FakeCall, Sent, answer, in_turn

pytestmark = pytest.mark.anyio

(RUN, RESULT, CANCEL) = OPERATIONS
POST = f"POST {QUERY_PATH}"
DELETE = "DELETE /api/projects/{project_id}/query/{query_id}/"
POLL = "GET /api/projects/{project_id}/query/{query_id}/"
SQL = "SELECT event, count() FROM events GROUP BY event ORDER BY event"


async def run(operation: Operation[Any], api: FakeCall, **arguments: Any) -> dict[str, Any]:
    """Run a query without the check, whose look-ups are tested in test_check.py."""
    unchecked = {"check": "off"} if operation is RUN else {}
    return await fake.run(operation, api, **(unchecked | arguments))


def rows(count: int, **changes: Any) -> dict[str, Any]:
    results = [[f"event {number}", number] for number in range(count)]
    return answer("hogql_response_with_limit_in_sql", results=results, **changes)


def sent_sql(api: FakeCall) -> str:
    assert api.last.body is not None
    return api.last.body["query"]["query"]


def sent_body(api: FakeCall) -> dict[str, Any]:
    """Return the body of the last request without the id that cancels the query."""
    return sent_body_of(api.last)


def sent_body_of(sent: Sent) -> dict[str, Any]:
    assert sent.body is not None
    assert re.fullmatch("[0-9a-f]{32}", sent.body["client_query_id"])
    return {name: value for name, value in sent.body.items() if name != "client_query_id"}


async def test_a_complete_result_has_columns_and_rows() -> None:
    api = FakeCall({POST: rows(2)})
    shown = await run(RUN, api, query=SQL)
    assert sent_body(api) == {"query": {"kind": "HogQLQuery", "query": f"{SQL} LIMIT 101"}}
    assert shown == {
        "columns": ["event", "count()"],
        "rows": [["event 0", 0], ["event 1", 1]],
        "rows_returned": 2,
        "limit": 100,
    }


@pytest.mark.parametrize(("count", "truncated"), [(0, False), (9, False), (10, False), (11, True)])
async def test_truncation_is_detected_by_requesting_one_more_row(count: int, truncated: bool) -> None:
    api = FakeCall({POST: rows(count)})
    shown = await run(RUN, api, query=SQL, limit=10)
    assert sent_sql(api) == f"{SQL} LIMIT 11"
    assert shown["rows_returned"] == len(shown["rows"]) == min(count, 10)
    assert shown.get("truncated", False) is truncated
    assert ("WHERE that column >" in shown.get("how_to_continue", "")) is truncated


async def test_truncated_rows_without_an_order_are_reported_as_arbitrary() -> None:
    shown = await run(RUN, FakeCall({POST: rows(11)}), query="SELECT event FROM events", limit=10)
    assert "Without ORDER BY" in shown["how_to_continue"]
    ordered = await run(RUN, FakeCall({POST: rows(11)}), query=SQL, limit=10)
    assert "Without ORDER BY" not in ordered["how_to_continue"]


@pytest.mark.parametrize(("count", "reached"), [(0, False), (4, False), (5, True)])
async def test_a_limit_of_the_caller_is_kept_and_reported_when_reached(count: int, reached: bool) -> None:
    api = FakeCall({POST: rows(count)})
    shown = await run(RUN, api, query=f"{SQL} LIMIT 5")
    assert sent_sql(api) == f"{SQL} LIMIT 5"
    assert shown.get("limit_reached", False) is reached
    assert "truncated" not in shown
    assert "limit" not in shown


async def test_a_limit_of_0_returns_no_rows_and_claims_no_more() -> None:
    api = FakeCall({POST: rows(0)})
    shown = await run(RUN, api, query=f"{SQL} LIMIT 0")
    assert sent_sql(api) == f"{SQL} LIMIT 0"
    assert (shown["columns"], shown["rows"], shown["rows_returned"]) == (["event", "count()"], [], 0)
    assert shown.keys().isdisjoint({"limit_reached", "truncated", "limit", "how_to_continue"})


async def test_more_rows_reported_by_posthog_are_reported() -> None:
    shown = await run(RUN, FakeCall({POST: rows(3, hasMore=True)}), query=f"{SQL} LIMIT 5")
    assert shown["truncated"] is True


async def test_values_refresh_and_name_are_sent_where_posthog_reads_them() -> None:
    api = FakeCall({POST: rows(1)})
    sql = "SELECT event FROM events WHERE event = {ev}"
    await run(RUN, api, query=sql, values={"ev": "$pageview"}, refresh=True, name="top events")
    assert sent_body(api) == {
        "query": {"kind": "HogQLQuery", "query": f"{sql} LIMIT 101", "values": {"ev": "$pageview"}},
        "refresh": "force_blocking",
        "name": "top events",
    }


@given(st.text(max_size=60))
async def test_a_value_never_becomes_part_of_the_sql(value: str) -> None:
    api = FakeCall({POST: rows(1)})
    await run(RUN, api, query="SELECT {v}", values={"v": value})
    assert api.last.body is not None
    assert api.last.body["query"]["query"] == "SELECT {v} LIMIT 101"
    assert api.last.body["query"]["values"] == {"v": value}


async def test_a_cached_result_has_its_time_of_computation() -> None:
    shown = await run(RUN, FakeCall({POST: rows(1, is_cached=True)}), query=SQL)
    assert shown["computed_at"] == "2026-11-20T10:00:00.000000Z"


async def test_a_statement_that_does_not_parse_is_not_sent() -> None:
    api = FakeCall({POST: answer("query_async_202")})
    with pytest.raises(Refused) as caught:
        await run(RUN, api, query="SELECT count( FROM events", check="full")
    assert caught.value.code == "hogql_syntax_error"
    assert api.sent == []


async def test_an_error_inside_a_successful_response_is_a_failure() -> None:
    api = FakeCall({POST: rows(0, error="Unable to resolve field: foo")})
    with pytest.raises(Rejected) as caught:
        await run(RUN, api, query=SQL)
    assert caught.value.code == "hogql_query_error"
    assert caught.value.upstream == Upstream("Unable to resolve field: foo")


async def test_a_rejection_by_the_query_endpoint_is_about_the_hogql() -> None:
    refusal = Rejected(
        "validation_failed", "no", status=400, upstream=Upstream("Unknown table `foo`.", "unknown_table")
    )
    with pytest.raises(Rejected) as caught:
        await run(RUN, FakeCall({POST: refusal}), query=SQL)
    assert (caught.value.code, caught.value.status) == ("hogql_query_error", 400)
    assert caught.value.upstream == refusal.upstream


@pytest.mark.parametrize("code", ["validation_failed", "hogql_query_error"])
async def test_a_sum_of_strings_gets_a_hint_to_convert_them(code: Code) -> None:
    detail = "Illegal type Nullable(String) of argument for aggregate function sum."
    refusal = Rejected(code, "no", status=400, upstream=Upstream(detail, "illegal_type_of_argument"))
    with pytest.raises(Rejected) as caught:
        await run(RUN, FakeCall({POST: refusal}), query=SQL)
    assert "toFloat(properties.x)" in (caught.value.hint or "")
    with pytest.raises(Rejected) as caught:
        await run(RUN, FakeCall({POST: rows(0, error=detail)}), query=SQL)
    assert "toFloat(properties.x)" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "error", [Rejected("permission_denied", "no"), Rejected("validation_failed", "no", source="maton")]
)
async def test_other_rejections_are_unchanged(error: GatewayError) -> None:
    with pytest.raises(Rejected) as caught:
        await run(RUN, FakeCall({POST: error}), query=SQL)
    assert (caught.value.code, caught.value.source) == (error.code, error.source)


@pytest.mark.parametrize("odd", [None, [], {"results": None}, {"results": 1}, {"results": [1]}, {}])
async def test_a_response_without_rows_is_an_upstream_error(odd: Any) -> None:
    with pytest.raises(Failed) as caught:
        await run(RUN, FakeCall({POST: odd}), query=SQL)
    assert caught.value.code == "bad_upstream_response"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_running, "_PAUSES_S", (0,))


@pytest.mark.usefixtures("impatient")
async def test_a_query_that_runs_in_the_background_is_waited_for() -> None:
    done = answer("query_poll_done_200")
    api = FakeCall({POST: answer("query_async_202"), POLL: in_turn(answer("query_async_202"), done)})
    shown = await run(RUN, api, query=SQL)
    assert shown["rows_returned"] == 2
    assert api.last.path == f"/api/projects/{PROJECT_ID}/query/2fbd4b19413342a4ad08c307155187bc/"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("end", ["query_poll_done_200", "query_poll_error_400"])
async def test_a_background_query_has_its_turn_until_it_has_ended(end: str) -> None:
    ended = anyio.Event()
    running, done = answer("query_async_202"), answer(end)
    api = FakeCall({POST: running, POLL: lambda _: done if ended.is_set() else running})
    begun = 0

    def posts() -> int:
        return sum(sent.method == "POST" for sent in api.sent)

    async def query(number: int) -> None:
        nonlocal begun
        begun += 1
        with suppress(Rejected):
            await run(RUN, api, query=f"{SQL} LIMIT {number}", background=True)

    async with anyio.create_task_group() as tasks:
        for number in range(1, MOST_AT_ONCE + 3):
            tasks.start_soon(query, number)
        while begun < MOST_AT_ONCE + 2 or len(api.sent) < 10 * MOST_AT_ONCE:
            await anyio.lowlevel.checkpoint()
        assert posts() == MOST_AT_ONCE
        ended.set()
    assert posts() == MOST_AT_ONCE + 2


@pytest.mark.usefixtures("impatient")
async def test_a_background_query_that_fails_is_a_failure() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_poll_error_400")})
    with pytest.raises(Rejected) as caught:
        await run(RUN, api, query=SQL)
    assert caught.value.code == "hogql_query_error"
    assert caught.value.upstream == Upstream("Unable to resolve field: foo")


@pytest.mark.usefixtures("impatient")
async def test_a_query_that_outlives_the_call_is_found_by_its_id() -> None:
    release = anyio.Event()
    done = answer("query_poll_done_200")
    api = FakeCall(
        {POST: answer("query_async_202"), POLL: lambda _: done if release.is_set() else answer("query_async_202")}
    )
    api.end_in(5.0)  # the time reserved for the response, so none is left to wait
    running = await run(RUN, api, query=SQL, background=True)
    assert (running["status"], running["progress"]) == ("running", "Running in PostHog")
    assert sent_body_of(api.sent[0])["refresh"] == "async"
    assert "get_query_result" in running["how_to_continue"]
    release.set()
    api.end_in(30.0)
    shown = await run(RESULT, api, query_id=running["query_id"])
    assert (shown["rows_returned"], shown["rows_total"]) == (2, 2)
    assert sum(sent.method == "POST" for sent in api.sent) == 1, "no second query"


async def test_a_cancelled_call_cancels_the_query_at_posthog() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_async_202"), DELETE: {"message": "revoked"}})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(run, RUN, api, query=SQL))
        while not api.sent:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(60):
        while api.last.method != "DELETE":
            await anyio.lowlevel.checkpoint()
    assert api.sent[0].body is not None
    assert api.last.path.endswith(f"/query/{api.sent[0].body['client_query_id']}/")


async def test_a_query_cancelled_by_its_id_is_reported_as_cancelled() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_async_202"), DELETE: {"message": "revoked"}})
    api.end_in(5.0)
    running = await run(RUN, api, query=SQL)
    assert await run(CANCEL, api, query_id=running["query_id"]) == {"query_id": running["query_id"], "cancelled": True}
    api.end_in(30.0)
    with pytest.raises(Failed, match="cancelled"):
        await run(RESULT, api, query_id=running["query_id"])
    assert api.last.method == "DELETE"


async def test_a_query_that_is_unknown_or_of_another_project_is_not_found() -> None:
    api = FakeCall({POST: rows(3)})
    await run(RUN, api, query=SQL)
    assert api.last.body is not None
    known = api.last.body["client_query_id"]
    assert (await run(RESULT, api, query_id=known))["rows_total"] == 3
    for place, query_id in [(PROJECT_ID, "0" * 32), (PROJECT_ID + 1, known)]:
        api.target = Target(project=Project(place, "another"))
        with pytest.raises(Refused) as caught:
            await run(RESULT, api, query_id=query_id)
        assert caught.value.code == "not_found"


async def test_equal_queries_at_the_same_time_make_one_request() -> None:
    api = FakeCall({POST: rows(2)})
    shown: list[dict[str, Any]] = []

    async def ask() -> None:
        shown.append(await run(RUN, api, query=SQL))

    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(ask)
    assert len(api.sent) == 1
    assert [answer["rows"] for answer in shown] == [[["event 0", 0], ["event 1", 1]]] * 200


async def test_an_equal_query_within_a_minute_is_cached_and_refresh_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(background, "time", SimpleNamespace(monotonic=lambda: now))
    api = FakeCall({POST: rows(2)})
    assert "age_s" not in await run(RUN, api, query=SQL)
    now += 59
    assert (await run(RUN, api, query=SQL, name="another name"))["age_s"] == 59
    assert len(api.sent) == 1
    await run(RUN, api, query=SQL, refresh=True)
    await run(RUN, api, query=SQL, limit=5)
    assert len(api.sent) == 3
    now += 61
    await run(RUN, api, query=SQL)
    assert len(api.sent) == 4


async def test_equal_refreshes_at_the_same_time_make_one_request() -> None:
    api = FakeCall({POST: rows(2)})
    await run(RUN, api, query=SQL)
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(partial(run, RUN, api, query=SQL, refresh=True))
    assert len(api.sent) == 2
    await run(RUN, api, query=SQL, refresh=True)
    assert len(api.sent) == 3


async def test_an_added_limit_is_not_treated_as_the_callers() -> None:
    api = FakeCall({POST: rows(11)})
    assert (await run(RUN, api, query=SQL, limit=10))["truncated"] is True
    own = await run(RUN, api, query=f"{SQL} LIMIT 11")
    assert (own["rows_returned"], own["limit_reached"]) == (11, True)


async def test_rows_weigh_what_they_take() -> None:
    api = FakeCall({POST: rows(3)})
    await run(RUN, api, query=SQL)
    assert api.last.body is not None
    query = api.queries.find(api.last.body["client_query_id"], api.place)
    assert query is not None
    heavy = replace(query.answer, rows=Rows.of([["x" * 10_000, 1]] * 1000))
    assert query.answer.weight < 1000
    assert 10_000_000 < heavy.weight < 11_000_000


async def test_rows_are_parsed_for_the_calls_that_wait_and_kept_as_text() -> None:
    first = Rows.within(b"[1]", [Block(0, 3, 1)], [["parsed"]])
    api = FakeCall({POST: {"results": first, "columns": ["a"]}})
    assert (await run(RUN, api, query=SQL))["rows"] == [["parsed"]]
    await anyio.lowlevel.checkpoint()
    assert (await run(RUN, api, query=SQL))["rows"] == [[1]]
    assert len(api.sent) == 1


async def test_a_failed_query_is_sent_again() -> None:
    api = FakeCall({POST: in_turn(Failed("unavailable", "no"), rows(1))})
    with pytest.raises(Failed):
        await run(RUN, api, query=SQL)
    assert (await run(RUN, api, query=SQL))["rows_returned"] == 1


async def test_the_rows_of_a_large_result_are_paginated_without_a_request() -> None:
    wide = answer(
        "hogql_response_with_limit_in_sql", results=[[f"event {number:040}", number] for number in range(900)]
    )
    api = FakeCall({POST: wide})
    shown = await run(RUN, api, query=SQL, limit=1000)
    seen: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        page = await run(RESULT, api, query_id=shown["query_id"], offset=offset, limit=400)
        seen += page["rows"]
        offset = page.get("next_offset")
    assert seen == shown["rows"] == wide["results"]
    assert len(api.sent) == 1


async def test_a_small_result_has_no_query_id() -> None:
    assert "query_id" not in await run(RUN, FakeCall({POST: rows(9)}), query=SQL)


async def test_unchecked_sql_is_sent_unchanged() -> None:
    api = FakeCall({POST: rows(1)})
    await run(RUN, api, query="SELECT count( FROM events", check="off")
    assert len(api.sent) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"query": ""},
        {"query": "SELECT 1", "limit": 0},
        {"query": "SELECT 1", "limit": 10_001},
        {"query": "SELECT 1", "values": [1]},
        {"query": "SELECT 1", "offset": 5},
    ],
)
def test_arguments_out_of_range_are_rejected(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunHogql.model_validate(arguments)
