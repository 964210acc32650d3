"""The typed queries over PostHog's documented responses: facts and notes, stored insights, errors."""

from typing import Any

import anyio
import pytest

from maton_posthog.gateway.errors import Failed, GatewayError, Refused, Rejected
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target
from maton_posthog.schemas.analytics.results import InsightAnswer
from maton_posthog.tools.analytics import computing
from maton_posthog.tools.analytics.computing import compute
from maton_posthog.tools.operation import Operation

from ..posthog.fake import PROJECT_ID, FakeCall, in_turn, run
from .answers import (
    FUNNEL,
    LIFECYCLE,
    NULL,
    OTHER,
    PATHS,
    POLL,
    POST,
    RETENTION,
    STICKINESS,
    TRENDS,
    VIEWS,
    answered,
    step,
)

pytestmark = pytest.mark.anyio


async def test_a_trend_is_a_table_with_its_main_facts() -> None:
    api = answered(
        [VIEWS], resolved_date_range={"date_from": "2026-11-21T00:00:00Z", "date_to": "2026-11-23T23:59:59Z"}
    )
    assert await run(TRENDS, api, events=["$pageview"], date_from="-2d") == {
        "columns": ["day", "$pageview"],
        "rows": [["2026-11-21", 12], ["2026-11-22", 9], ["2026-11-23", 14]],
        "range": ["2026-11-21", "2026-11-23"],
        "incomplete_last": "2026-11-23",
        "facts": [
            {
                "series": "$pageview",
                "total": 21,
                "total_with_incomplete": 35,
                "average": 10.5,
                "peak": ["2026-11-21", 12],
                "last_complete": ["2026-11-22", 9],
                "vs_one_before_percent": -25,
                "vs_one_before_from": 12,
            }
        ],
    }
    assert api.last.body == {
        "query": {
            "kind": "TrendsQuery",
            "dateRange": {"date_from": "-2d"},
            "series": [{"kind": "EventsNode", "event": "$pageview", "name": "$pageview", "math": "total"}],
            "interval": "day",
        },
        "name": "query_trends",
    }


async def test_an_interval_is_incomplete_at_the_time_of_computation() -> None:
    yesterday = "2026-11-23T23:50:00Z"
    shown = await run(TRENDS, answered([VIEWS], is_cached=True, last_refresh=yesterday), events=["$pageview"])
    assert shown["incomplete_last"] == "2026-11-23"
    assert shown["computed_at"] == "2026-11-23T23:50:00+00:00"
    later = "2026-11-24T00:10:00Z"
    shown = await run(TRENDS, answered([VIEWS], last_refresh=later), events=["$pageview"], date_to="2026-11-23")
    assert "incomplete_last" not in shown
    assert shown["facts"][0]["last_complete"] == ["2026-11-23", 14]


async def test_markers_of_a_breakdown_are_words_and_truncation_is_reported() -> None:
    lines = [{**VIEWS, "breakdown_value": value} for value in (["Chrome"], ["Other"], [NULL], [OTHER])]
    shown = await run(TRENDS, answered(lines, hasMore=True), events=["$pageview"], breakdown="$browser")
    assert shown["columns"] == ["day", "Chrome", "Other", "(none)", "(other)"]
    assert [fact["share_percent"] for fact in shown["facts"]] == [25, 25, 25, 25]
    assert shown["notes"] == [
        "Only the 10 largest values are named; the rest are grouped as (other). Raise `breakdown_limit` to see more."
    ]


async def test_a_long_value_is_shown_by_its_beginning() -> None:
    lines = [{**VIEWS, "breakdown_value": [value]} for value in ("x" * 200, "y" * 20_000)]
    shown = await run(TRENDS, answered(lines), events=["$pageview"], breakdown="$browser")
    assert shown["columns"] == ["day", "x" * 200, f"{'y' * 200}… (20000 characters)"]


async def test_two_series_of_one_event_have_different_names() -> None:
    lines = [{**VIEWS, "action": {"order": order}} for order in range(3)]
    shown = await run(
        TRENDS, answered(lines), events=["$pageview", {"event": "$pageview", "math": "dau"}, {"event": "$pageview"}]
    )
    assert shown["columns"] == ["day", "$pageview", "$pageview (dau)", "$pageview #3"]


async def test_actions_are_shown_by_name() -> None:
    lines = [{**VIEWS, "label": "Signed up", "action": {"order": order}} for order in range(2)]
    asked = [{"action_id": 3}, {"action_id": 3, "math": "dau"}]
    assert (await run(TRENDS, answered(lines), events=asked))["columns"] == ["day", "Signed up", "Signed up (dau)"]
    named = await run(TRENDS, answered(lines[:1]), events=[{"action_id": 3, "name": "Users won"}])
    assert named["columns"] == ["day", "Users won"]
    steps = [step("$pageview", 3), step("Signed up", 2)]
    funnel = await run(FUNNEL, answered(steps), steps=["$pageview", {"action_id": 3}])
    assert funnel["facts"]["biggest_drop"]["to"] == "Signed up"


def compared(value: str, number: float, when: str) -> dict[str, Any]:
    return {"aggregated_value": number, "breakdown_value": [value], "compare": True, "compare_label": when, "data": []}


async def test_a_comparison_hides_no_value_and_invents_no_zero() -> None:
    now = [compared("Chrome", 6, "current"), compared("Arc", 2, "current")]
    before = [compared("Chrome", 4, "previous"), compared("Opera", 3, "previous")]
    asked = {"events": ["x"], "breakdown": "$browser", "compare": True, "interval": "total"}
    shown = await run(TRENDS, answered(now + before), **asked)
    assert shown["rows"] == [["Chrome", 6, 4, 50, 75], ["Arc", 2, 0, None, 25]]
    assert shown["notes"] == [
        "The current day is not over and is left out; date_to: now includes it.",
        "Present only in the previous period: Opera (3).",
    ]
    shown = await run(TRENDS, answered([*now, *before, compared(OTHER, 9, "previous")]), **asked)
    assert shown["rows"] == [["Chrome", 6, 4, 50, 75], ["Arc", 2, None, None, 25]]


async def test_the_incomplete_day_depends_on_the_projects_timezone() -> None:
    api = answered([VIEWS], last_refresh="2026-11-24T02:00:00Z")
    api.target = Target(project=Project(PROJECT_ID, "New York", "America/New_York"))
    assert (await run(TRENDS, api, events=["$pageview"]))["incomplete_last"] == "2026-11-23"
    api.target = Target(project=Project(PROJECT_ID, "Berlin", "Europe/Berlin"))
    assert "incomplete_last" not in await run(TRENDS, api, events=["$pageview"], date_to="2026-11-23")


async def test_a_day_is_also_compared_with_the_same_weekday_before() -> None:
    days = [f"2026-11-{day:02}" for day in range(10, 24)]
    line = {**VIEWS, "days": days, "data": [float(at) for at in range(1, 15)]}
    (fact,) = (await run(TRENDS, answered([line]), events=["$pageview"], date_from="-13d"))["facts"]
    assert fact["last_complete"] == ["2026-11-22", 13]
    assert fact["vs_week_before_percent"] == 116.7
    assert fact["vs_first_percent"] == 1200


async def test_a_formula_is_one_series_without_a_total() -> None:
    ratio = {**VIEWS, "label": "Formula (A/B)", "action": None, "data": [0.75, 0.5, 1 / 3]}
    shown = await run(TRENDS, answered([ratio]), events=["bought", "seen"], formula="a/b")
    assert shown["columns"] == ["day", "A/B"]
    assert shown["rows"][2] == ["2026-11-23", 0.333333]
    assert "total" not in shown["facts"][0]
    assert "notes" not in shown


async def test_a_wide_and_long_table_keeps_its_newest_rows_and_says_so() -> None:
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 11) for day in range(1, 29)]
    lines = [
        {**VIEWS, "days": days, "data": [1e6 / 7] * len(days), "breakdown_value": [f"value {at}"]} for at in range(40)
    ]
    shown = await run(
        TRENDS, answered(lines), events=["$pageview"], breakdown="x", date_from="2026-01-01", date_to="2026-10-28"
    )
    assert shown["truncated"] is True
    assert shown["rows_returned"] == len(shown["rows"]) < len(days)
    assert shown["rows"][-1][0] == "2026-10-28"
    assert "longer interval" in shown["how_to_continue"]
    assert shown["facts"][0]["total"] == pytest.approx(len(days) * 1e6 / 7)


async def test_refresh_bypasses_the_cache() -> None:
    api = answered([VIEWS])
    await run(TRENDS, api, events=["$pageview"], refresh=True)
    assert api.last.body
    assert api.last.body["refresh"] == "force_blocking"


async def test_a_date_that_posthog_would_misread_is_never_sent() -> None:
    api = answered([VIEWS])
    with pytest.raises(Refused, match="in the future"):
        await run(TRENDS, api, events=["$pageview"], date_from="2199-01-01")
    assert api.sent == []


async def test_a_query_in_the_background_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "_PAUSES_S", (0.0, 0.0, 0.0))
    running = {"query_status": {"id": "q1", "complete": False}}
    done = {"query_status": {"id": "q1", "complete": True, "results": {"results": [VIEWS]}}}
    api = FakeCall({POST: running, POLL: in_turn(running, done)})
    assert (await run(TRENDS, api, events=["$pageview"]))["columns"] == ["day", "$pageview"]
    with pytest.raises(Failed, match="still running"):
        await run(TRENDS, FakeCall({POST: running, POLL: running}), events=["$pageview"])
    failed = {"query_status": {"id": "q1", "error": True, "error_message": "out of memory"}}
    with pytest.raises(Rejected) as refused:
        await run(TRENDS, FakeCall({POST: running, POLL: failed}), events=["$pageview"])
    assert refused.value.upstream
    assert refused.value.upstream.detail == "out of memory"


@pytest.mark.parametrize("results", [None, "odd", [{"data": "odd"}], [{"days": [1]}], [[]], {"bins": 1}, 7])
@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        (TRENDS, {"events": "x"}), (FUNNEL, {"steps": ["x", "y"]}), (RETENTION, {"event": "x"}), (PATHS, {}),
        (STICKINESS, {"events": "x"}), (LIFECYCLE, {"event": "x"}),
        (FUNNEL, {"steps": ["x", "y"], "view": "trend"}), (FUNNEL, {"steps": ["x", "y"], "view": "time_to_convert"}),
        (FUNNEL, {"steps": ["x", "y"], "breakdown": "z"}),
    ],
)  # fmt: skip
async def test_results_of_another_shape_are_an_upstream_error(
    operation: Any, arguments: dict[str, Any], results: Any
) -> None:
    try:
        shown = await run(operation, answered(results), **arguments)
    except GatewayError as error:
        assert error.code == "bad_upstream_response", error  # noqa: PT017 (some results are a shape of their own)
    else:
        assert shown["rows"] == [] or results == [[]]


async def test_an_error_in_a_successful_response_is_an_error() -> None:
    with pytest.raises(Rejected, match="could not run"):
        await run(TRENDS, answered([], error="memory"), events=["$pageview"])


EMPTY: list[tuple[Operation[Any], list[Any], dict[str, Any]]] = [
    (TRENDS, [], {"events": "x", "compare": True}),
    (TRENDS, [{"data": [], "days": []}], {"events": "x"}),
    (TRENDS, [{"data": [None, 1], "days": ["2026-11-22", "2026-11-23"]}], {"events": "x"}),
    (TRENDS, [{"aggregated_value": None}], {"events": "x", "interval": "total"}),
    (FUNNEL, [], {"steps": ["x", "y"], "view": "trend"}),
    (STICKINESS, [], {"events": "x"}),
    (LIFECYCLE, [], {"event": "x"}),
]


@pytest.mark.parametrize(("operation", "results", "arguments"), EMPTY)
async def test_empty_results_are_valid(
    operation: Operation[Any], results: list[Any], arguments: dict[str, Any]
) -> None:
    assert (await run(operation, answered(results), **arguments))["columns"]


async def test_equal_queries_at_the_same_time_are_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    release = anyio.Event()
    api = FakeCall()

    async def query(body: dict[str, Any], **_: Any) -> Any:
        sent.append(body)
        await release.wait()
        return InsightAnswer(results=[len(sent)])

    monkeypatch.setattr(api, "query", query)
    found: list[Any] = []

    async def ask(kind: str, *, refresh: bool = False) -> None:
        found.append((await compute(api, {"kind": kind}, tool="x", refresh=refresh)).answer.results)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(ask, "TrendsQuery")
        group.start_soon(ask, "FunnelsQuery")
        await anyio.wait_all_tasks_blocked()
        assert len(sent) == 2
        release.set()
    assert len(found) == 4
    await ask("TrendsQuery")
    assert len(sent) == 3, "nothing is kept after the response"
