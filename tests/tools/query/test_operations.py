from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Code, Failed, GatewayError, Refused, Rejected, Upstream
from maton_posthog.schemas.query import RunHogql

from ..posthog.fake import FakeCall, answer
from .running import POST, RUN, SQL, rows, run, sent_body, sent_sql

pytestmark = pytest.mark.anyio


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


REPORTED = [
    ("Illegal type Nullable(String) of argument for aggregate function sum.", "toFloat(properties.x)"),
    ("There is no supertype for types String, UInt8 because some of them are String", "'200'"),
    ("Column 'events.event' is not under aggregate function and not in GROUP BY keys.", "GROUP BY"),
    ("Aggregate function count() is found in WHERE in query.", "HAVING"),
    ("Nested type Array(String) cannot be inside Nullable type", "ifNull(properties.x, '[]')"),
    ("array aggregation function cannot be performed on type Nullable(Float64)", "ifNull(x, 0)"),
    ("Cannot parse uuid abc: while converting 'abc' to UUID.", "distinct_id"),
    ("Cannot read DateTime: unexpected word", "INTERVAL 7 DAY"),
    ("Unsupported function call 'tostring(...)'. Perhaps you meant 'toString(...)'?", "case-sensitive"),
    ("Memory limit (for query) exceeded", "time range"),
    ("Unable to resolve field: foo", "describe_data"),
]


@pytest.mark.parametrize("code", ["validation_failed", "hogql_query_error"])
@pytest.mark.parametrize(("detail", "hint"), REPORTED)
async def test_each_error_that_posthog_reports_has_its_own_hint(code: Code, detail: str, hint: str) -> None:
    refusal = Rejected(code, "no", status=400, upstream=Upstream(detail, "some_code"))
    if code == "validation_failed" or "resolve" not in detail:
        with pytest.raises(Rejected) as caught:
            await run(RUN, FakeCall({POST: refusal}), query=SQL)
        assert hint in (caught.value.hint or "")
    with pytest.raises(Rejected) as caught:
        await run(RUN, FakeCall({POST: rows(0, error=detail)}), query=SQL)
    assert hint in (caught.value.hint or "")


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


async def test_an_added_limit_is_not_treated_as_the_callers() -> None:
    api = FakeCall({POST: rows(11)})
    assert (await run(RUN, api, query=SQL, limit=10))["truncated"] is True
    own = await run(RUN, api, query=f"{SQL} LIMIT 11")
    assert (own["rows_returned"], own["limit_reached"]) == (11, True)


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
