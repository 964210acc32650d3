"""Cached results: `refresh` on the query endpoint, for insights and for the tiles of dashboards."""

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from posthog_sandbox.storage.engine import Engine
from posthog_sandbox.storage.results import Kept, ResultCache, kept_result, lifetime

from ..sandbox_client import Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio

EVENTS = 2_000
CLOCK = "/sandbox/clock"
START = datetime(2026, 11, 23, 7, tzinfo=UTC)
NAMES = {"kind": "HogQLQuery", "query": "select count() from system.feature_flags"}
VIEWS = {
    "kind": "TrendsQuery",
    "series": [{"kind": "EventsNode", "event": "$pageview"}],
    "dateRange": {"date_from": "-3d"},
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(EVENTS) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        await running.send("POST", CLOCK, {"now": "2026-11-23T07:00:00Z", "frozen": True})
        yield running


async def pass_time(sandbox: Serving, **span: float) -> None:
    sent = await sandbox.send("POST", CLOCK, {"advance_s": timedelta(**span).total_seconds()})
    assert sent.status_code == 200


async def run(sandbox: Serving, query: dict[str, Any] = NAMES, **body: Any) -> tuple[int, Any]:
    sent = await sandbox.send("POST", "query/", {"query": query, **body})
    return sent.status_code, sent.json()


async def add_flag(sandbox: Serving, key: str) -> None:
    """Add a flag, so that a new result of `NAMES` differs from a cached one."""
    filters: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 1}]}
    await sandbox.make("feature_flags/", {"key": key, "filters": filters})


async def finished(sandbox: Serving, query_id: str) -> Any:
    """Return the status of a job once it is complete."""
    with anyio.fail_after(20):
        while True:
            polled = await sandbox.send("GET", f"query/{query_id}/")
            if polled.status_code != 202:
                return polled.json()["query_status"]
            await anyio.lowlevel.checkpoint()


async def test_a_repeated_query_is_served_from_the_cache(sandbox: Serving) -> None:
    _, first = await run(sandbox)
    await add_flag(sandbox, "more")
    await pass_time(sandbox, minutes=10)
    status, again = await run(sandbox)

    assert (status, first["is_cached"], again["is_cached"]) == (200, False, True)
    assert again["results"] == first["results"]
    assert again["last_refresh"] == first["last_refresh"] == "2026-11-23T07:00:00Z"
    assert first["next_allowed_client_refresh"] == "2026-11-23T07:01:00Z"
    assert first["cache_target_age"] == "2026-11-23T13:00:00Z"
    assert first["cache_key"] == again["cache_key"]


async def test_a_wrapped_query_shares_its_result_with_the_bare_one_and_others_do_not(sandbox: Serving) -> None:
    await run(sandbox)
    wrapped = {"kind": "DataVisualizationNode", "source": NAMES}

    assert (await run(sandbox, wrapped))[1]["is_cached"] is True
    assert (await run(sandbox, {**NAMES, "query": f"{NAMES['query']} limit 1"}))[1]["is_cached"] is False
    assert (await run(sandbox, filters_override={"date_from": "-1d"}))[1]["is_cached"] is False
    sent = await sandbox.send("POST", "/posthog/api/projects/2/query/", {"query": NAMES})
    assert sent.json()["is_cached"] is False


async def test_a_stale_result_is_computed_again(sandbox: Serving) -> None:
    _, first = await run(sandbox)
    await add_flag(sandbox, "more")
    await pass_time(sandbox, hours=6)
    _, fresh = await run(sandbox)
    await pass_time(sandbox, seconds=1)
    _, stale = await run(sandbox)

    assert (fresh["is_cached"], stale["is_cached"]) == (True, False)
    assert stale["results"][0][0] == first["results"][0][0] + 1
    assert stale["last_refresh"] == "2026-11-23T13:00:01Z"


@pytest.mark.parametrize("refresh", ["force_blocking", True])
async def test_force_blocking_always_computes_and_caches_the_result(sandbox: Serving, refresh: Any) -> None:
    _, first = await run(sandbox)
    await add_flag(sandbox, "more")
    _, forced = await run(sandbox, refresh=refresh)
    _, again = await run(sandbox)

    assert (forced["is_cached"], again["is_cached"]) == (False, True)
    assert again["results"] == forced["results"] != first["results"]


@pytest.mark.parametrize("refresh", ["blocking", "force_cache", False, None])
async def test_other_modes_that_do_not_wait_compute_missing_results(sandbox: Serving, refresh: Any) -> None:
    status, sent = await run(sandbox, refresh=refresh)

    assert (status, sent["is_cached"], len(sent["results"])) == (200, False, 1)


@pytest.mark.parametrize("body", [{"refresh": "async"}, {"refresh": "lazy_async"}, {"async": True}])
async def test_async_starts_a_job_for_a_missing_result_and_the_job_caches_it(
    sandbox: Serving, body: dict[str, Any]
) -> None:
    status, missed = await run(sandbox, client_query_id="mine", **body)
    done = await finished(sandbox, "mine")
    again_status, again = await run(sandbox, **body)

    assert (status, missed.keys()) == (202, {"cache_key", "query_status"})
    assert (missed["query_status"]["id"], missed["query_status"]["complete"]) == ("mine", False)
    assert done["results"]["cache_key"] == missed["cache_key"]
    assert (again_status, again["is_cached"], again["query_status"]) == (200, True, None)
    assert again["results"] == done["results"]["results"]


async def test_async_shows_a_stale_result_with_the_job_that_renews_it(sandbox: Serving) -> None:
    _, first = await run(sandbox)
    await add_flag(sandbox, "more")
    await pass_time(sandbox, hours=7)
    status, stale = await run(sandbox, refresh="async", client_query_id="renewing")
    done = await finished(sandbox, "renewing")

    assert (status, stale["is_cached"], stale["query_status"]["complete"]) == (202, True, False)
    assert stale["results"] == first["results"] != done["results"]["results"]


async def test_lazy_async_accepts_a_stale_result_for_twice_as_long(sandbox: Serving) -> None:
    await run(sandbox)
    await pass_time(sandbox, hours=11)
    status, lazily = await run(sandbox, refresh="lazy_async")
    await pass_time(sandbox, hours=2)
    late_status, late = await run(sandbox, refresh="lazy_async", client_query_id="late")
    await finished(sandbox, "late")

    assert (status, lazily["is_cached"], lazily["query_status"]) == (200, True, None)
    assert (late_status, late["is_cached"], late["query_status"]["id"]) == (202, True, "late")


async def test_async_except_on_cache_miss_waits_only_for_a_missing_result(sandbox: Serving) -> None:
    mode = "async_except_on_cache_miss"
    status, missed = await run(sandbox, refresh=mode)
    await pass_time(sandbox, hours=7)
    stale_status, stale = await run(sandbox, refresh=mode, client_query_id="then")
    await finished(sandbox, "then")

    assert (status, missed["is_cached"]) == (200, False)
    assert (stale_status, stale["is_cached"]) == (202, True)


async def test_force_async_starts_a_job_even_if_a_result_is_cached(sandbox: Serving) -> None:
    await run(sandbox)
    status, sent = await run(sandbox, refresh="force_async", client_query_id="forced")
    done = await finished(sandbox, "forced")

    assert (status, sent.keys()) == (202, {"query_status"})
    assert done["results"]["is_cached"] is False


async def test_rejections_are_not_cached(sandbox: Serving) -> None:
    wrong = {"kind": "HogQLQuery", "query": "select nothing_such from events"}

    assert [(await run(sandbox, wrong))[0] for _ in "ab"] == [400, 400]


async def test_a_response_without_a_result_is_not_cached(sandbox: Serving) -> None:
    metadata = {"kind": "HogQLMetadata", "language": "hogQL", "query": "select 1"}

    assert "is_cached" not in (await run(sandbox, metadata))[1]
    assert "is_cached" not in (await run(sandbox, metadata))[1]


async def insight(sandbox: Serving, source: dict[str, Any] = VIEWS, **body: Any) -> str:
    kind = "DataVisualizationNode" if source["kind"] == "HogQLQuery" else "InsightVizNode"
    made = await sandbox.make("insights/", {"name": "Any", "query": {"kind": kind, "source": source}, **body})
    return f"insights/{made['id']}/"


async def test_an_insight_has_no_result_until_it_is_computed(sandbox: Serving) -> None:
    path = await insight(sandbox)
    before = await sandbox.get(path)
    computed = await sandbox.get(path, refresh="blocking")
    await pass_time(sandbox, days=3)
    after = await sandbox.get(path)

    assert (before["result"], before["last_refresh"], before["is_cached"]) == (None, None, False)
    assert (computed["is_cached"], len(computed["result"])) == (False, 1)
    assert computed["cache_target_age"] == "2026-11-23T13:00:00Z"
    assert computed["resolved_date_range"] is not None
    assert (after["is_cached"], after["last_refresh"]) == (True, "2026-11-23T07:00:00Z")
    assert after["result"] == computed["result"]


@pytest.mark.parametrize("refresh", ["true", "1", "", "force_blocking"])
async def test_an_insight_is_recomputed_when_forced(sandbox: Serving, refresh: str) -> None:
    path = await insight(sandbox)
    await sandbox.get(path, refresh="blocking")
    await pass_time(sandbox, minutes=2)

    assert (await sandbox.get(path, refresh="blocking"))["is_cached"] is True
    forced = await sandbox.get(path, refresh=refresh)
    assert (forced["is_cached"], forced["last_refresh"]) == (False, "2026-11-23T07:02:00Z")


@pytest.mark.parametrize("refresh", ["force_cache", "false", "whenever"])
async def test_an_unknown_refresh_value_does_not_compute_an_insight(sandbox: Serving, refresh: str) -> None:
    assert (await sandbox.get(await insight(sandbox), refresh=refresh))["result"] is None


@pytest.mark.parametrize("refresh", ["async", "lazy_async", "force_async"])
async def test_an_insight_reports_the_job_that_computes_it(sandbox: Serving, refresh: str) -> None:
    path = await insight(sandbox)
    started = await sandbox.get(path, refresh=refresh)
    status = started["query_status"]
    done = await finished(sandbox, status["id"])
    after = await sandbox.get(path)

    assert (started["result"], status["complete"], status["insight_id"]) == (None, False, started["id"])
    assert after["result"] == done["results"]["results"] != []
    assert (after["is_cached"], after["query_status"]) == (True, None)


async def test_a_changed_insight_is_returned_with_the_cached_result_of_its_query(sandbox: Serving) -> None:
    path = await insight(sandbox)
    computed = await sandbox.get(path, refresh="blocking")
    renamed = await sandbox.patch(path, {"name": "Renamed"})
    other = {"kind": "InsightVizNode", "source": {**VIEWS, "interval": "hour"}}
    changed = await sandbox.patch(path, {"query": other})
    forced = await sandbox.patch(path, {"name": "Again", "refresh": "blocking"})

    assert (renamed["name"], renamed["is_cached"], renamed["result"]) == ("Renamed", True, computed["result"])
    assert (changed["result"], changed["last_refresh"]) == (None, None)
    assert len(forced["result"][0]["data"]) > 24


async def test_the_list_of_insights_shows_cached_results(sandbox: Serving) -> None:
    path = await insight(sandbox)
    computed = await sandbox.get(path, refresh="blocking")
    listed = {row["id"]: row for row in (await sandbox.get("insights/"))["results"]}

    assert listed[computed["id"]]["result"] == computed["result"]
    assert [row["result"] for id, row in listed.items() if id != computed["id"]] == [None] * (len(listed) - 1)


async def test_an_insight_shares_its_result_with_the_query_endpoint(sandbox: Serving) -> None:
    path = await insight(sandbox)
    _, sent = await run(sandbox, VIEWS)

    assert (await sandbox.get(path))["result"] == sent["results"]


async def test_an_insight_is_computed_with_the_filters_of_the_request_or_of_its_dashboard(sandbox: Serving) -> None:
    dashboard = await sandbox.make("dashboards/", {"name": "Two days", "filters": {"date_from": "-1d"}})
    path = await insight(sandbox, dashboards=[dashboard["id"]])
    own = await sandbox.get(path, refresh="blocking")
    of_dashboard = await sandbox.get(path, refresh="blocking", from_dashboard=dashboard["id"])
    asked_for = await sandbox.get(path, refresh="blocking", filters_override='{"date_from": "-2d"}')

    assert [len(shown["result"][0]["days"]) for shown in (own, of_dashboard, asked_for)] == [4, 2, 3]
    assert (await sandbox.rejection("GET", path, filters_override="[1]"))[:2] == (400, "invalid_input")


async def test_tiles_show_results_with_the_filters_of_the_dashboard(sandbox: Serving) -> None:
    dashboard = await sandbox.make("dashboards/", {"name": "Two days", "filters": {"date_from": "-1d"}})
    await insight(sandbox, dashboards=[dashboard["id"]])
    path = f"dashboards/{dashboard['id']}/"
    (before,) = (await sandbox.get(path))["tiles"]
    (computed,) = (await sandbox.get(path, refresh="blocking"))["tiles"]
    (after,) = (await sandbox.get(path))["tiles"]

    assert (before["insight"]["result"], before["is_cached"], before["last_refresh"]) == (None, False, None)
    assert len(computed["insight"]["result"][0]["days"]) == 2
    assert (computed["is_cached"], computed["last_refresh"]) == (False, "2026-11-23T07:00:00Z")
    assert (after["is_cached"], after["last_refresh"]) == (True, "2026-11-23T07:00:00Z")
    assert after["insight"]["result"] == computed["insight"]["result"]


async def test_tiles_report_the_jobs_that_compute_them(sandbox: Serving) -> None:
    dashboard = await sandbox.make("dashboards/", {"name": "Waiting"})
    await insight(sandbox, dashboards=[dashboard["id"]])
    (tile,) = (await sandbox.get(f"dashboards/{dashboard['id']}/", refresh="async"))["tiles"]
    status = tile["insight"]["query_status"]

    assert (status["dashboard_id"], status["insight_id"]) == (dashboard["id"], tile["insight"]["id"])
    assert (await finished(sandbox, status["id"]))["error"] is False


@pytest.mark.parametrize(
    ("query", "hours", "lazily"),
    [
        ({"kind": "TrendsQuery"}, 6, 12),
        ({"kind": "TrendsQuery", "interval": "minute"}, 1 / 12, 1 / 4),
        ({"kind": "FunnelsQuery", "interval": "hour"}, 1, 2),
        ({"kind": "LifecycleQuery", "interval": "week"}, 24, 24),
        ({"kind": "StickinessQuery", "interval": "month"}, 48, 48),
        ({"kind": "RetentionQuery", "retentionFilter": {"period": "Week"}}, 24, 24),
        ({"kind": "RetentionQuery", "retentionFilter": {}}, 6, 12),
        ({"kind": "HogQLQuery"}, 6, 12),
        ({"kind": "EventsQuery"}, 1 / 12, 1 / 4),
        ({"kind": "ExperimentQuery"}, 24, 24),
    ],
)
def test_results_stay_fresh_as_long_as_posthogs(query: dict[str, Any], hours: float, lazily: float) -> None:
    span = lifetime(query)

    assert (span.fresh, span.lazy) == (timedelta(hours=hours), timedelta(hours=lazily))


def kept(rows: int, **response: Any) -> Kept:
    return kept_result({"kind": "TrendsQuery"}, {"results": [[0]] * rows, **response}, "key", START)


def test_a_result_for_a_past_range_never_becomes_stale() -> None:
    over = kept(1, resolved_date_range={"date_from": "2026-11-01T00:00:00Z", "date_to": "2026-11-22T23:59:59Z"})
    running = kept(1, resolved_date_range={"date_from": "2026-11-01T00:00:00Z", "date_to": "2026-11-23T23:59:59Z"})
    later = START + timedelta(days=300)

    assert (over.is_fresh(later), running.is_fresh(later)) == (True, False)


def test_the_least_recently_used_results_are_evicted() -> None:
    cache = ResultCache()
    for name in ("first", "second", "third"):
        cache.put(name, kept(30_000))
    assert cache.get("first") is not None
    cache.put("fourth", kept(30_000))

    assert [name for name in ("first", "second", "third", "fourth") if cache.get(name)] == ["first", "third", "fourth"]
    cache.put("huge", kept(100_000))
    assert cache.get("huge") is None
    assert cache.get("fourth") is not None
