"""ErrorTrackingQuery and the issue endpoint, recounted from the events."""

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio

ISSUE = "JSONExtractString(properties, '$exception_issue_id')"
START, END = "2026-10-20T00:00:00+00:00", "2026-11-20T12:00:00+00:00"
BETWEEN = "timestamp >= '2026-10-20 00:00:00' AND timestamp <= '2026-11-20 12:00:00'"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(20_000) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


async def ask(sandbox: Serving, **changes: Any) -> Any:
    query = {
        "kind": "ErrorTrackingQuery",
        "dateRange": {"date_from": START, "date_to": END},
        "orderBy": "occurrences",
        "volumeResolution": 1,
        **changes,
    }
    response = await sandbox.send("POST", "query/", {"query": query})
    assert response.status_code == 200, response.text
    return response.json()


async def ids(sandbox: Serving, **changes: Any) -> list[str]:
    return [issue["id"] for issue in (await ask(sandbox, **changes))["results"]]


async def test_issues_are_counted_from_the_exceptions_of_the_range(sandbox: Serving, engine: Engine) -> None:
    sql = (
        f"SELECT {ISSUE} AS id, count() AS n, uniqExact(person_id) AS users, "
        "uniqExactIf(`$session_id`, `$session_id` != '') AS sessions, formatDateTime(max(timestamp), '%FT%T') AS last "
        f"FROM posthog.events WHERE event = '$exception' AND {BETWEEN} GROUP BY id ORDER BY n DESC, id DESC"
    )
    first = dict(
        engine.select(
            f"SELECT {ISSUE} AS id, formatDateTime(min(timestamp), '%FT%T') FROM posthog.events "
            "WHERE event = '$exception' GROUP BY id"
        ).rows
    )

    shown = (await ask(sandbox))["results"]

    assert len(shown) > 3
    assert [
        (
            issue["id"],
            *(issue["aggregations"][name] for name in ("occurrences", "users", "sessions")),
            issue["last_seen"][:19],
            issue["first_seen"][:19],
        )
        for issue in shown
    ] == [(*row, first[row[0]]) for row in engine.select(sql).rows]
    assert all(issue["first_event"] is issue["last_event"] is None for issue in shown)
    assert {issue["status"] for issue in shown} == {"active"}


async def test_an_issue_has_the_type_message_and_event_of_its_first_exception(sandbox: Serving) -> None:
    for issue in (await ask(sandbox, withFirstEvent=True, withLastEvent=True))["results"]:
        first, last = (json.loads(issue[name]["properties"]) for name in ("first_event", "last_event"))
        assert first["$exception_issue_id"] == last["$exception_issue_id"] == issue["id"]
        assert issue["name"] == first["$exception_types"][0]
        assert issue["description"] == first["$exception_values"][0]
        assert issue["first_event"]["timestamp"] <= issue["last_event"]["timestamp"]
        assert issue["library"] == last["$lib"]


async def test_one_issue_is_chosen_by_its_id(sandbox: Serving) -> None:
    every = await ids(sandbox)

    assert await ids(sandbox, issueId=every[1]) == [every[1]]
    assert await ids(sandbox, issueId="01a20369-2004-7295-9b7d-9d2d22aff503") == []
    stored = await sandbox.get(f"error_tracking/issues/{every[1]}/")
    assert stored.keys() == {
        *("id", "status", "name", "description", "first_seen", "assignee", "external_issues", "cohort"),
    }
    missing = await sandbox.send("GET", "error_tracking/issues/01a20369-2004-7295-9b7d-9d2d22aff503/")
    assert missing.status_code == 404


async def test_orders_go_down_except_for_first_seen(sandbox: Serving) -> None:
    def key(issue: Any, order: str) -> Any:
        return issue[order] if order in issue else issue["aggregations"][order]

    for order in ("last_seen", "first_seen", "occurrences", "users", "sessions"):
        usual = [key(issue, order) for issue in (await ask(sandbox, orderBy=order))["results"]]
        up = [key(issue, order) for issue in (await ask(sandbox, orderBy=order, orderDirection="ASC"))["results"]]
        assert up == sorted(usual)
        assert usual == sorted(usual, reverse=order != "first_seen")


async def test_pages_follow_each_other(sandbox: Serving) -> None:
    every = await ids(sandbox)
    first, second = [await ask(sandbox, limit=2, offset=offset) for offset in (0, 2)]

    assert [issue["id"] for issue in first["results"] + second["results"]] == every[:4]
    assert (first["hasMore"], first["limit"], first["offset"]) == (True, 2, 0)


async def test_a_search_finds_all_words_in_the_texts_of_the_exception(sandbox: Serving) -> None:
    names = {issue["id"]: issue["name"] for issue in (await ask(sandbox))["results"]}

    assert {names[one] for one in await ids(sandbox, searchQuery="CHUNK")} == {"ChunkLoadError"}
    assert {names[one] for one in await ids(sandbox, searchQuery="'loading chunk' router/lazy.ts")} == {
        "ChunkLoadError"
    }
    assert await ids(sandbox, searchQuery="chunk network") == []
    assert await ids(sandbox, searchQuery="' OR 1=1") == []


async def test_filters_states_and_persons_are_applied(sandbox: Serving, engine: Engine) -> None:
    on_chrome = {"key": "$browser", "type": "event", "operator": "exact", "value": ["Chrome"]}
    group = {"type": "AND", "values": [{"type": "AND", "values": [on_chrome]}]}
    counted = sum(issue["aggregations"]["occurrences"] for issue in (await ask(sandbox, filterGroup=group))["results"])
    chrome = f"event = '$exception' AND {BETWEEN} AND JSONExtractString(properties, '$browser') = 'Chrome'"
    assert [[counted]] == engine.select(f"SELECT count() FROM posthog.events WHERE {chrome}").rows
    assert await ids(sandbox, status="resolved") == await ids(sandbox, assignee={"type": "user", "id": 1}) == []
    assert await ids(sandbox, status="all") == await ids(sandbox, status="active") == await ids(sandbox)
    person = engine.select(f"SELECT toString(any(person_id)) FROM posthog.events WHERE {chrome}").rows[0][0]
    assert set() < set(await ids(sandbox, personId=person)) < set(await ids(sandbox))


async def test_the_volume_adds_up_to_the_occurrences(sandbox: Serving) -> None:
    for issue in (await ask(sandbox, volumeResolution=5))["results"]:
        counts = issue["aggregations"]
        assert sum(counts["volumeRange"]) == counts["occurrences"]
        assert [bucket["value"] for bucket in counts["volume_buckets"]] == counts["volumeRange"]
    assert all(issue["aggregations"] is None for issue in (await ask(sandbox, withAggregations=False))["results"])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"select": ["*"]}, "Extra inputs"),
        ({"order": "users"}, "Extra inputs"),
        ({"orderBy": None}, "orderBy"),
        ({"orderBy": "revenue"}, "orderBy"),
        ({"orderDirection": "desc"}, "orderDirection"),
        ({"volumeResolution": None}, "volumeResolution"),
        ({"volumeResolution": "1"}, "volumeResolution"),
        ({"dateRange": None}, "dateRange"),
        ({"dateRange": {"date_to": "all"}}, "date range"),
        ({"status": "open"}, "status"),
        ({"issueId": "1"}, "issueId"),
        ({"personId": "x"}, "personId"),
        ({"filterGroup": [{"key": "$browser"}]}, "filterGroup"),
        ({"filterGroup": {"type": "AND", "values": [{"key": "$browser"}]}}, "filterGroup"),
        ({"searchQuery": 1}, "searchQuery"),
        ({"searchQuery": "a " * 101}, "tokens"),
    ],
)
async def test_what_posthogs_schema_lacks_is_400(sandbox: Serving, changes: dict[str, Any], named: str) -> None:
    query = {
        "kind": "ErrorTrackingQuery", "dateRange": {"date_from": "-7d"}, "orderBy": "users", "volumeResolution": 1,
    } | changes  # fmt: skip
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": query})

    assert status == 400
    assert named in detail
