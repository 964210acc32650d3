from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Failed, GatewayError, Refused, Rejected, Upstream
from maton_posthog.schemas.query import RunHogql
from maton_posthog.tools import query
from maton_posthog.tools.query import OPERATIONS

from .fake import PROJECT_ID, QUERY_PATH, FakeCall, answer, in_turn, run

pytestmark = pytest.mark.anyio

(RUN,) = OPERATIONS
POST = f"POST {QUERY_PATH}"
POLL = "GET /api/projects/{project_id}/query/{query_id}/"
SQL = "SELECT event, count() FROM events GROUP BY event ORDER BY event"


def rows(count: int, **changes: Any) -> dict[str, Any]:
    results = [[f"event {number}", number] for number in range(count)]
    return answer("hogql_response_with_limit_in_sql", results=results, **changes)


def sent_sql(api: FakeCall) -> str:
    assert api.last.body is not None
    return api.last.body["query"]["query"]


async def test_a_whole_answer_is_columns_and_rows() -> None:
    api = FakeCall({POST: rows(2)})
    shown = await run(RUN, api, query=SQL)
    assert api.last.body == {"query": {"kind": "HogQLQuery", "query": f"{SQL} LIMIT 101"}}
    assert shown == {
        "columns": ["event", "count()"],
        "rows": [["event 0", 0], ["event 1", 1]],
        "rows_returned": 2,
        "limit": 100,
    }


@pytest.mark.parametrize(("count", "truncated"), [(0, False), (9, False), (10, False), (11, True)])
async def test_a_cut_is_known_by_asking_for_one_row_more(count: int, truncated: bool) -> None:
    api = FakeCall({POST: rows(count)})
    shown = await run(RUN, api, query=SQL, limit=10)
    assert sent_sql(api) == f"{SQL} LIMIT 11"
    assert shown["rows_returned"] == len(shown["rows"]) == min(count, 10)
    assert shown.get("truncated", False) is truncated
    assert ("WHERE that column >" in shown.get("how_to_continue", "")) is truncated


async def test_a_cut_without_an_order_is_said_to_be_arbitrary() -> None:
    shown = await run(RUN, FakeCall({POST: rows(11)}), query="SELECT event FROM events", limit=10)
    assert "Without ORDER BY" in shown["how_to_continue"]
    ordered = await run(RUN, FakeCall({POST: rows(11)}), query=SQL, limit=10)
    assert "Without ORDER BY" not in ordered["how_to_continue"]


@pytest.mark.parametrize(("count", "reached"), [(0, False), (4, False), (5, True)])
async def test_a_limit_of_the_callers_own_is_left_alone_and_told_when_it_was_reached(count: int, reached: bool) -> None:
    api = FakeCall({POST: rows(count)})
    shown = await run(RUN, api, query=f"{SQL} LIMIT 5")
    assert sent_sql(api) == f"{SQL} LIMIT 5"
    assert shown.get("limit_reached", False) is reached
    assert "truncated" not in shown
    assert "limit" not in shown


async def test_posthogs_own_word_of_more_is_told() -> None:
    shown = await run(RUN, FakeCall({POST: rows(3, hasMore=True)}), query=f"{SQL} LIMIT 5")
    assert shown["truncated"] is True


async def test_values_refresh_and_name_go_where_posthog_reads_them() -> None:
    api = FakeCall({POST: rows(1)})
    sql = "SELECT event FROM events WHERE event = {ev}"
    await run(RUN, api, query=sql, values={"ev": "$pageview"}, refresh=True, name="top events")
    assert api.last.body == {
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


async def test_a_cached_answer_says_when_it_was_computed() -> None:
    shown = await run(RUN, FakeCall({POST: rows(1, is_cached=True)}), query=SQL)
    assert shown["computed_at"] == "2026-11-20T10:00:00.000000Z"


async def test_a_statement_that_does_not_parse_is_not_sent() -> None:
    api = FakeCall()
    with pytest.raises(Refused) as caught:
        await run(RUN, api, query="SELECT count( FROM events")
    assert caught.value.code == "hogql_syntax_error"
    assert api.sent == []


async def test_an_error_inside_a_successful_answer_is_a_failure() -> None:
    api = FakeCall({POST: rows(0, error="Unable to resolve field: foo")})
    with pytest.raises(Rejected) as caught:
        await run(RUN, api, query=SQL)
    assert caught.value.code == "hogql_query_error"
    assert caught.value.upstream == Upstream("Unable to resolve field: foo")


async def test_a_refusal_of_the_query_endpoint_is_about_the_hogql() -> None:
    refusal = Rejected(
        "validation_failed", "no", status=400, upstream=Upstream("Unknown table `foo`.", "unknown_table")
    )
    with pytest.raises(Rejected) as caught:
        await run(RUN, FakeCall({POST: refusal}), query=SQL)
    assert (caught.value.code, caught.value.status) == ("hogql_query_error", 400)
    assert caught.value.upstream == refusal.upstream


@pytest.mark.parametrize(
    "error", [Rejected("permission_denied", "no"), Rejected("validation_failed", "no", source="maton")]
)
async def test_other_refusals_stay_what_they_are(error: GatewayError) -> None:
    with pytest.raises(Rejected) as caught:
        await run(RUN, FakeCall({POST: error}), query=SQL)
    assert caught.value is error


@pytest.mark.parametrize("odd", [None, [], {"results": None}, {"results": 1}, {"results": [1]}, {}])
async def test_an_answer_without_rows_is_posthogs_fault(odd: Any) -> None:
    with pytest.raises(Failed) as caught:
        await run(RUN, FakeCall({POST: odd}), query=SQL)
    assert caught.value.code == "bad_upstream_response"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_PAUSES_S", (0, 0, 0))


@pytest.mark.usefixtures("impatient")
async def test_a_query_that_runs_in_the_background_is_waited_for() -> None:
    done = answer("query_poll_done_200")
    api = FakeCall({POST: answer("query_async_202"), POLL: in_turn(answer("query_async_202"), done)})
    shown = await run(RUN, api, query=SQL)
    assert shown["rows_returned"] == 2
    assert api.last.path == f"/api/projects/{PROJECT_ID}/query/2fbd4b19413342a4ad08c307155187bc/"


@pytest.mark.usefixtures("impatient")
async def test_a_background_query_that_fails_is_a_failure() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_poll_error_400")})
    with pytest.raises(Rejected) as caught:
        await run(RUN, api, query=SQL)
    assert caught.value.code == "hogql_query_error"
    assert caught.value.upstream == Upstream("Unable to resolve field: foo")


@pytest.mark.usefixtures("impatient")
async def test_a_background_query_that_does_not_end_is_said_to_run_on() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_async_202")})
    with pytest.raises(Failed) as caught:
        await run(RUN, api, query=SQL)
    assert caught.value.code == "timeout"
    assert "2fbd4b19413342a4ad08c307155187bc" in caught.value.message
    assert len(api.sent) == 4


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
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunHogql.model_validate(arguments)
