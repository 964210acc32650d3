"""Limits and metadata of results: `hasMore`, names and types of columns, as in PostHog."""

from typing import Any

import pytest

from ..sandbox_client import Serving
from .recounting import Rows

pytestmark = pytest.mark.anyio


async def test_a_query_without_a_limit_returns_a_hundred_rows_and_has_more(sandbox: Serving, rows: Rows) -> None:
    response = await sandbox.query("select uuid from events order by toString(uuid)")

    assert [uuid for (uuid,) in response["results"]] == sorted(event["uuid"] for event in rows.events)[:100]
    assert (response["hasMore"], response["limit"], response["offset"]) == (True, 100, 0)


async def test_fewer_rows_than_the_limit_are_all_rows(sandbox: Serving, rows: Rows) -> None:
    response = await sandbox.query("select distinct event from events")

    assert {name for (name,) in response["results"]} == {event["event"] for event in rows.events}
    assert (response["hasMore"], response["limit"], response["offset"]) == (False, 100, 0)


async def test_exactly_a_hundred_rows_have_no_more(sandbox: Serving) -> None:
    response = await sandbox.query("select number from numbers(100)")

    assert len(response["results"]) == 100
    assert response["hasMore"] is False


async def test_an_explicit_limit_leaves_more_limit_and_offset_null(sandbox: Serving, rows: Rows) -> None:
    response = await sandbox.query("select uuid from events order by toString(uuid) limit 150 offset 7")

    assert [uuid for (uuid,) in response["results"]] == sorted(event["uuid"] for event in rows.events)[7:157]
    assert response["hasMore"] is response["limit"] is response["offset"] is None


async def test_an_offset_without_a_limit_moves_the_default_page(sandbox: Serving, rows: Rows) -> None:
    response = await sandbox.query("select uuid from events order by toString(uuid) offset 4950")

    assert [uuid for (uuid,) in response["results"]] == sorted(event["uuid"] for event in rows.events)[4950:]
    assert (response["hasMore"], response["limit"], response["offset"]) == (False, 100, 4950)


@pytest.mark.parametrize("limit", ["50001", "1000000", "40000 + 20000"])
async def test_a_result_has_at_most_fifty_thousand_rows(sandbox: Serving, limit: str) -> None:
    response = await sandbox.query(f"select number from numbers(60000) order by number limit {limit}")

    assert len(response["results"]) == 50_000
    assert response["results"][-1] == [49_999]


async def test_a_limit_within_the_maximum_is_kept(sandbox: Serving, rows: Rows) -> None:
    response = await sandbox.query("select uuid from events limit 50000")

    assert len(response["results"]) == len(rows.events)


async def test_each_member_of_a_union_gets_the_default_limit(sandbox: Serving) -> None:
    response = await sandbox.query("select number from numbers(500) union all select number from numbers(30)")

    assert len(response["results"]) == 130
    assert response["hasMore"] is None


async def test_an_inner_query_has_no_default_limit(sandbox: Serving, rows: Rows) -> None:
    response = await sandbox.query("select count() from (select uuid from events)")

    assert response["results"] == [[len(rows.events)]]


@pytest.mark.parametrize(
    ("expression", "name", "kind"),
    [
        ("event", "event", "String"),
        ("uuid", "uuid", "UUID"),
        ("timestamp", "timestamp", "DateTime64(6, 'UTC')"),
        ("properties.plan", "properties.plan", "Nullable(String)"),
        ("properties.revenue", "properties.revenue", "Nullable(Float64)"),
        ("properties.coupon_used", "properties.coupon_used", "Nullable(Bool)"),
        ("properties['$feature/new-checkout']", "properties.`$feature/new-checkout`", "Nullable(String)"),
        ("person.properties.email", "person.properties.email", "Nullable(String)"),
        ("person.properties.seats", "person.properties.seats", "Nullable(Float64)"),
        ("session.$session_duration", "$session_duration", "UInt64"),
        ("toDate(timestamp)", "toDate(timestamp)", "Date"),
        ("toStartOfWeek(timestamp)", "toStartOfWeek(timestamp)", "Date"),
        ("event as name", "name", "String"),
        ("length(event) as `two words`", "two words", "UInt64"),
        ("properties.plan = 'free'", "equals(properties.plan, 'free')", "UInt8"),
        ("1 + 2 * 3", "plus(1, multiply(2, 3))", "UInt32"),
        ("[event]", "[event]", "Array(String)"),
        ("('a', 1)", "tuple('a', 1)", "Tuple(String, UInt8)"),
    ],
)
async def test_a_column_has_posthogs_name_and_type(sandbox: Serving, expression: str, name: str, kind: str) -> None:
    response = await sandbox.query(f"select {expression} from events limit 1")

    assert response["columns"] == [name]
    assert response["types"] == [[name, kind]]


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("count()", "UInt64"),
        ("count(DISTINCT event)", "UInt64"),
        ("uniq(person_id)", "UInt64"),
        ("avg(properties.revenue)", "Nullable(Float64)"),
        ("quantile(0.9)(properties.revenue)", "Nullable(Float64)"),
        ("max(timestamp)", "DateTime64(6, 'UTC')"),
        ("groupArray(event)", "Array(String)"),
        ("countIf(equals(event, '$pageview'))", "UInt64"),
    ],
)
async def test_an_aggregate_is_named_by_its_expression(sandbox: Serving, expression: str, kind: str) -> None:
    response = await sandbox.query(f"select {expression} from events")

    assert response["types"] == [[expression, kind]]


async def test_two_columns_can_have_the_same_name(sandbox: Serving) -> None:
    response = await sandbox.query("select event, event from events where event = '$screen' limit 1")

    assert response["columns"] == ["event", "event"]
    assert response["results"] == [["$screen", "$screen"]]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"name": "$pageview"}, {"$pageview"}),
        ({"name": "x' or 1 = 1 --"}, set[str]()),
        ({"name": "'; DROP TABLE events; -- \" OR 1=1 {filters} {variables.x}"},
         {"'; DROP TABLE events; -- \" OR 1=1 {filters} {variables.x}"}),
        ({"name": "tab\there\nnew line\r\nnul\x00bell\x07backspace\x08\x7f"},
         {"tab\there\nnew line\r\nnul\x00bell\x07backspace\x08\x7f"}),
    ],
)  # fmt: skip
async def test_a_placeholder_matches_only_the_event_with_that_name(
    sandbox: Serving, rows: Rows, values: Any, found: set[str]
) -> None:
    query = {"kind": "HogQLQuery", "query": "select event from events where event = {name}", "values": values}
    response = (await sandbox.send("POST", "query/", {"query": query})).json()

    assert {name for (name,) in response["results"]} == found
    assert len(response["results"]) == min(100, sum(1 for event in rows.events if event["event"] in found))
