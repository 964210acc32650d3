"""Property filters and date ranges in `{filters}`, and the overrides of a request."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.hogql import Context, translate
from posthog_sandbox.queries.property_filters import FilterScope, filter_condition
from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import NOW, Serving, Shared, serving
from ..shared_data import open_shared
from .hogql_calls import rejection, scalar

pytestmark = pytest.mark.anyio

EVENTS = 3_000
SCOPE = FilterScope(context=Context(), now=NOW)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(EVENTS) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def cohort(*values: dict[str, Any], joint: str = "AND") -> dict[str, Any]:
    return {"properties": {"type": "OR", "values": [{"type": joint, "values": list(values)}]}}


CHROME = {"type": "person", "key": "$browser", "operator": "exact", "value": ["Chrome"]}
BROWSER = {"key": "$browser", "value": ["Chrome"], "operator": "exact", "type": "event"}


@pytest.mark.parametrize(
    ("properties", "condition"),
    [
        ([BROWSER], "properties.$browser = 'Chrome'"),
        ([{**BROWSER, "value": ["Chrome", "Safari"]}], "properties.$browser in ('Chrome', 'Safari')"),
        ([{**BROWSER, "operator": "is_not"}], "properties.$browser != 'Chrome'"),
        (
            [{**BROWSER, "operator": "is_not", "value": ["Chrome", "Safari"]}],
            "properties.$browser not in ('Chrome', 'Safari')",
        ),
        ([{**BROWSER, "operator": "icontains", "value": "CHROM"}], "properties.$browser ilike '%chrom%'"),
        (
            [{**BROWSER, "operator": "not_icontains", "value": ["chrom", "safari"]}],
            "not match(ifNull(properties.$browser, ''), '(?i)chrom|safari')",
        ),
        ([{**BROWSER, "operator": "regex", "value": "^Ch"}], "match(properties.$browser, '^Ch') = 1"),
        (
            [{**BROWSER, "operator": "not_regex", "value": "^Ch"}],
            "not ifNull(match(properties.$browser, '^Ch'), false)",
        ),
        ([{"key": "$referrer", "operator": "is_set", "value": "is_set"}], "properties.$referrer is not null"),
        ([{"key": "$referrer", "operator": "is_not_set", "value": "is_not_set"}], "properties.$referrer is null"),
        ([{"key": "$screen_width", "operator": "gt", "value": 1500}], "toFloat(properties.$screen_width) > 1500"),
        ([{"key": "$screen_width", "operator": "lte", "value": "1500"}], "toFloat(properties.$screen_width) <= 1500"),
        (
            [{"key": "$screen_width", "operator": "between", "value": [1000, 1500]}],
            "toFloat(properties.$screen_width) between 1000 and 1500",
        ),
        (
            [{"key": "$screen_width", "operator": "not_between", "value": [1000, 1500]}],
            "abs(toFloat(properties.$screen_width) - 1250) > 250",
        ),
        ([{"key": "$browser", "value": ["Chrome"], "type": "person"}], "person.properties.$browser = 'Chrome'"),
        (
            [{"key": "$initial_current_url", "value": "blog", "operator": "icontains", "type": "person"}],
            "person.properties.$initial_current_url ilike '%blog%'",
        ),
        (
            [{"key": "signed_up_at", "value": "-60d", "operator": "is_date_after", "type": "person"}],
            "toDateTime(toString(person.properties.signed_up_at)) > now() - interval 60 day",
        ),
        ([{"key": "$channel_type", "value": ["Direct"], "type": "session"}], "session.$channel_type = 'Direct'"),
        (
            [{"key": "$session_duration", "value": "60", "operator": "gt", "type": "session"}],
            "session.$session_duration > 60",
        ),
        ([{"key": "event", "value": ["$pageview"], "type": "event_metadata"}], "event = '$pageview'"),
        ([{"key": "properties.$os = 'Windows' -- mine", "type": "hogql"}], "properties.$os = 'Windows'"),
        ([{"key": "tag_name", "value": ["button"], "type": "element"}], "elements_chain like 'button%'"),
        (
            [{"key": "text", "value": ["Share"], "operator": "is_not", "type": "element"}],
            "not has(elements_chain_texts, 'Share')",
        ),
        (
            {
                "type": "OR",
                "values": [
                    {"type": "AND", "values": [BROWSER]},
                    {"type": "AND", "values": [{"key": "$os", "value": ["Windows"]}]},
                ],
            },
            "properties.$browser = 'Chrome' or properties.$os = 'Windows'",
        ),
        (
            [BROWSER, {"key": "$os", "value": ["Windows"]}],
            "properties.$browser = 'Chrome' and properties.$os = 'Windows'",
        ),
        (
            [{"key": "$browser_version", "operator": "gte", "value": "120"}],
            "toFloat(properties.$browser_version) >= 120",
        ),
    ],
)
async def test_a_property_filter_is_a_condition(sandbox: Serving, properties: Any, condition: str) -> None:
    filtered = await scalar(sandbox, "select count() from events where {filters}", filters={"properties": properties})
    expected = await scalar(sandbox, f"select count() from events where {condition}")

    assert filtered == expected
    assert 0 < filtered < EVENTS


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"key": "$browser"},
        {"key": "$browser", "value": []},
        {"key": "$browser", "value": [], "operator": "is_set"},
        {"key": "my-flag", "value": True, "type": "flag", "operator": "flag_evaluates_to"},
        {"type": "AND", "values": []},
    ],
)
async def test_an_incomplete_filter_matches_every_event(sandbox: Serving, item: Any) -> None:
    filters = {"properties": [item]}
    assert await scalar(sandbox, "select count() from events where {filters}", filters=filters) == EVENTS


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"key": "a", "value": "b", "operator": "resembles"}, "resembles"),
        ({"key": "a", "value": "b", "type": "moon"}, "moon"),
        ({"key": "a", "value": [2, 1], "operator": "between"}, "minimum"),
        ({"key": "1) or (1", "type": "hogql"}, ""),
        ({"key": "nowhere", "value": "x", "type": "session"}, "nowhere"),
        ({"key": "id", "value": 99999, "type": "cohort"}, "99999"),
        ({"key": "href", "value": "x", "type": "element", "operator": "gt"}, "gt"),
        ({"key": "selector", "value": "a ~ b", "type": "element"}, "a ~ b"),
        ({"key": "v", "value": "soon", "operator": "semver_gt"}, "soon"),
    ],
)
async def test_an_unsupported_filter_is_rejected(sandbox: Serving, item: Any, message: str) -> None:
    assert message in await rejection(
        sandbox, "select count() from events where {filters}", filters={"properties": [item]}
    )


@pytest.mark.parametrize(
    ("operator", "value", "matching"),
    [
        ("semver_eq", "1.2", ["1.2.0"]),
        ("semver_neq", "1.2.0", ["1.2.10", "2.0.0", "0.9.1", "none"]),
        ("semver_gt", "1.2.0", ["1.2.10", "2.0.0"]),
        ("semver_gte", "1.2.0", ["1.2.0", "1.2.10", "2.0.0"]),
        ("semver_lt", "1.2.10", ["1.2.0", "0.9.1"]),
        ("semver_lte", "1.2.10", ["1.2.0", "1.2.10", "0.9.1"]),
        ("semver_tilde", "1.2.3", ["1.2.10"]),
        ("semver_caret", "1.1.0", ["1.2.0", "1.2.10"]),
        ("semver_caret", "0.9.0", ["0.9.1"]),
        ("semver_wildcard", "1.2.*", ["1.2.0", "1.2.10"]),
    ],
)
def test_versions_compare_by_their_parts(engine: Engine, operator: str, value: str, matching: list[str]) -> None:
    versions = ["1.2.0", "1.2.10", "2.0.0", "0.9.1", "none"]
    shown = filter_condition({"key": "v", "operator": operator, "value": value, "type": "event"}, SCOPE)
    assert "properties.v" in shown
    shown = shown.replace("properties.v", "v")
    query = f"select v from (select arrayJoin({versions}) as v) where {shown} limit 10"
    found = engine.select(translate(query, Context()).sql)

    assert sorted(row[0] for row in found.rows) == sorted(matching)


async def test_cohorts_are_filters_too(sandbox: Serving) -> None:
    made = await sandbox.make("cohorts/", {"name": "Chrome", "filters": cohort(CHROME)})
    item = {"type": "cohort", "key": "id", "value": made["id"]}
    text = "select count() from events where {filters}"
    inside = await scalar(sandbox, text, filters={"properties": [item]})
    outside = await scalar(sandbox, text, filters={"properties": [{**item, "operator": "not_in"}]})

    assert inside == await scalar(sandbox, "select count() from events where person_id in cohort 'Chrome'") > 0
    assert inside + outside == EVENTS


async def test_filters_limit_the_time_of_events_and_sessions(sandbox: Serving) -> None:
    week = {"dateRange": {"date_from": "-7d"}}
    month = {"dateRange": {"date_from": "2026-10-01", "date_to": "2026-11-01"}}
    events, sessions = "select count() from events where {filters}", "select count() from sessions where {filters}"

    assert await scalar(sandbox, events, filters=week) == await scalar(
        sandbox, "select count() from events where timestamp >= now() - interval 7 day"
    )
    assert await scalar(sandbox, events, filters=month) == await scalar(
        sandbox, "select count() from events where timestamp >= '2026-10-01' and timestamp < '2026-11-01'"
    )
    assert await scalar(sandbox, sessions, filters=month) == await scalar(
        sandbox,
        "select count() from sessions where $start_timestamp >= '2026-10-01' and $start_timestamp < '2026-11-01'",
    )
    assert await scalar(sandbox, events, filters={"dateRange": {"date_from": "all"}}) == EVENTS
    assert "filters" in await rejection(sandbox, "select count() from groups where {filters}", filters=week)


async def test_filters_apply_to_the_events_among_joined_tables(sandbox: Serving) -> None:
    items = [BROWSER, {"key": "properties.$os = 'Windows'", "type": "hogql"}, {"key": "distinct_id", "type": "person"}]
    filters = {"properties": items, "dateRange": {"date_from": "-60d"}}
    joined = "from events e join persons p on e.person_id = p.id join sessions s on e.$session_id = s.session_id"
    expected = (
        f"select count() {joined} where e.properties.$browser = 'Chrome' and e.properties.$os = 'Windows' "
        "and e.timestamp >= now() - interval 60 day"
    )

    found = await scalar(sandbox, f"select count() {joined} where {{filters}}", filters=filters)
    assert found == await scalar(sandbox, expected) > 0


async def test_filters_work_in_a_subquery_and_come_from_the_request(sandbox: Serving) -> None:
    text = "select count() from (select uuid from events where {filters})"
    body = {
        "query": {"kind": "HogQLQuery", "query": text, "filters": {"dateRange": {"date_from": "all"}}},
        "filters_override": {"date_from": "-7d", "properties": [BROWSER]},
    }
    response = (await sandbox.send("POST", "query/", body)).json()
    expected = "timestamp >= now() - interval 7 day and properties.$browser = 'Chrome'"

    assert response["results"][0][0] == await scalar(sandbox, f"select count() from events where {expected}")


async def test_test_accounts_are_excluded_on_request(sandbox: Serving) -> None:
    accounts = [{"key": "$browser", "value": ["Chrome"], "operator": "is_not", "type": "person"}]
    await sandbox.patch("/posthog/api/projects/1/", {"test_account_filters": accounts})
    text = "select count() from events where {filters}"

    assert await scalar(sandbox, text, filters={"filterTestAccounts": True}) == await scalar(
        sandbox, "select count() from events where person.properties.$browser != 'Chrome'"
    )
    assert await scalar(sandbox, text, filters={"filterTestAccounts": False}) == EVENTS
