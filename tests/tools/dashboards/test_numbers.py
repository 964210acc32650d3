"""The headline numbers of a dashboard's tiles."""

from typing import Any

import pytest

from maton_posthog.gateway.errors import Rejected
from maton_posthog.tools.dashboards.operations import OPERATIONS

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

GET = OPERATIONS[1]
DASHBOARD = "GET /api/projects/{project_id}/dashboards/{dashboard_id}/"
INSIGHT = "GET /api/projects/{project_id}/insights/{insight_id}/"
COLUMNS = ["insight", "short_id", "what", "value", "unit", "change_percent", "change_of", "age_s"]
SERIES = {"data": [4, 6], "days": ["2026-01-01", "2026-01-02"], "label": "$pageview", "action": {"order": 0}}
COMPUTED = {"result": [SERIES], "last_refresh": "2026-01-03T09:00:00Z"}
LINE = ["$pageview (dau): 2026-01-02", 6, None, 50, "2026-01-02 against the day before"]


def dashboard(*insights: dict[str, Any]) -> dict[str, Any]:
    tiles = [{"id": at, "insight": insight, "text": None} for at, insight in enumerate(insights)]
    return answer("dashboard_retrieve", tiles=[*tiles, {"id": 99, "insight": None, "text": {"body": "Read me"}}])


def insight(**changes: Any) -> dict[str, Any]:
    return answer("insight", **changes)


def computed(sent: Sent) -> dict[str, Any]:
    return insight(id=int(sent.path.rstrip("/").rpartition("/")[2]), **COMPUTED)


async def test_each_insight_is_a_row_with_its_cached_number_and_age() -> None:
    api = FakeCall({DASHBOARD: dashboard(insight(**COMPUTED), insight(id=32, short_id="bbbbbbbb", name="Empty"))})
    shown = await run(GET, api, dashboard_id=9, numbers=True)
    assert len(api.sent) == 1
    assert shown["columns"] == COLUMNS
    known, empty = shown["rows"]
    assert known[:-1] == ["Daily Active Users", "AaVQ8Ijw", *LINE]
    assert known[-1] > 0
    assert empty == ["Empty", "bbbbbbbb", *[None] * 6]
    assert "Set `refresh` to true" in shown["notes"][0]
    assert shown["name"] == "My Dashboard"
    assert "tiles" not in shown


async def test_refresh_computes_each_insight_with_the_dashboards_filters() -> None:
    api = FakeCall({DASHBOARD: dashboard(insight(), insight(id=32)), INSIGHT: computed})
    shown = await run(GET, api, dashboard_id=9, refresh=True)
    query = {"refresh": "force_blocking", "from_dashboard": "9"}
    asked = [Sent("GET", f"/api/projects/{PROJECT_ID}/insights/{number}/", query) for number in (31, 32)]
    assert sorted(api.sent[1:], key=lambda sent: sent.path) == asked
    assert [row[2:7] for row in shown["rows"]] == [LINE, LINE]
    assert "notes" not in shown


async def test_an_insight_that_fails_keeps_its_cached_number_and_is_named() -> None:
    rejection = Rejected("validation_failed", "PostHog rejected the request.")
    api = FakeCall({DASHBOARD: dashboard(insight(**COMPUTED)), INSIGHT: rejection})
    shown = await run(GET, api, dashboard_id=9, refresh=True)
    assert [row[2:7] for row in shown["rows"]] == [LINE]
    assert shown["notes"] == ['Insights that could not be computed: "Daily Active Users" (validation_failed).']


async def test_a_call_without_time_left_computes_no_more_insights() -> None:
    api = FakeCall({DASHBOARD: dashboard(insight())})
    api.end_in(2)
    shown = await run(GET, api, dashboard_id=9, refresh=True)
    assert shown["notes"] == ['Insights that could not be computed: "Daily Active Users" (no time left).']


async def test_deleted_insights_and_texts_have_no_row_and_full_keeps_the_tiles() -> None:
    api = FakeCall({DASHBOARD: dashboard(insight(**COMPUTED), insight(id=32, deleted=True))})
    shown = await run(GET, api, dashboard_id=9, numbers=True, full=True)
    assert len(shown["rows"]) == 1
    assert len(shown["tiles"]) == 3
    assert "result" not in shown["tiles"][0]["insight"]


async def test_numbers_are_shown_only_if_requested() -> None:
    shown = await run(GET, FakeCall({DASHBOARD: dashboard(insight(**COMPUTED))}), dashboard_id=9)
    assert "rows" not in shown
    assert [tile["id"] for tile in shown["tiles"]] == [0, 99]
