"""Filters that a reader may not know of, and days of 23 or 25 hours, are named; nothing is said without them."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target
from maton_posthog.schemas.insights import InsightView
from maton_posthog.tools.analytics.operations import OPERATIONS
from maton_posthog.tools.insights.results import shown_result
from maton_posthog.tools.operation.dates import Calendar

from ..posthog.fake import PROJECT_ID, QUERY_PATH, FakeCall, Sent, page, run

pytestmark = pytest.mark.anyio

TOOLS = {operation.name: operation for operation in OPERATIONS}
BERLIN = "Europe/Berlin"
LEFT_OUT = "Test accounts are left out."
NONE_DEFINED = "The project defines no test accounts, so none are left out."
WITHOUT_PROFILE = "Events without a person profile are not counted."


def api_for(days: list[str], zone: str = "UTC", now: str = "2026-11-23T12:30", **project: Any) -> FakeCall:
    line = {"data": [3.0] * len(days), "days": days, "label": "x", "action": {"order": 0}}
    statuses = [{**line, "status": status} for status in ("new", "dormant")]

    def query(sent: Sent) -> Any:
        return {"results": statuses if (sent.body or {})["query"]["kind"] == "LifecycleQuery" else [line]}

    api = FakeCall(
        {
            f"POST {QUERY_PATH}": query,
            "GET /api/projects/{project_id}/property_definitions/": page(),
        }
    )
    api.clock = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone))
    api.target = Target(None, Project(PROJECT_ID, "Default project", zone, **project))
    return api


async def trend(api: FakeCall, **arguments: Any) -> dict[str, Any]:
    return await run(TOOLS["query_trends"], api, events=["a"], **arguments)


def stored(source: dict[str, Any], result: Any, **more: Any) -> dict[str, Any]:
    fields = {"id": 1, "query": source, "result": result, "last_refresh": "2026-11-23T12:00:00Z", **more}
    calendar = Calendar(datetime(2026, 11, 23, 12, 30, tzinfo=ZoneInfo("UTC")))
    return dict(shown_result(InsightView.model_validate(fields), calendar).fields)


@pytest.mark.parametrize(
    ("asked", "defined", "notes"),
    [(True, True, [LEFT_OUT]), (True, None, [LEFT_OUT]), (True, False, [NONE_DEFINED]), (False, True, [])],
)
async def test_a_trend_without_test_accounts_says_so(asked: bool, defined: bool | None, notes: list[str]) -> None:
    api = api_for(["2026-11-22", "2026-11-23"], has_test_accounts=defined)
    assert (await trend(api, filter_test_accounts=asked)).get("notes", []) == notes


async def test_a_lifecycle_says_that_events_without_a_profile_are_not_counted() -> None:
    shown = await run(TOOLS["query_lifecycle"], api_for(["2026-11-22", "2026-11-23"]), event="a")
    assert WITHOUT_PROFILE in shown["notes"]


SERIES = [{"kind": "EventsNode", "event": "a"}]
TREND = {"kind": "TrendsQuery", "series": SERIES, "dateRange": {"date_from": "2026-11-22"}}
POINTS = [{"data": [3.0, 4.0], "days": ["2026-11-22", "2026-11-23"], "label": "a", "action": {"order": 0}}]


@pytest.mark.parametrize(
    ("more", "notes"),
    [
        ({"filterTestAccounts": True}, [LEFT_OUT]),
        ({"samplingFactor": 0.1}, ["Sampled: 10 % of users, and counts are scaled up."]),
        ({"samplingFactor": 1, "filterTestAccounts": False}, None),
        ({"samplingFactor": None}, None),
        (
            {"breakdownFilter": {"breakdowns": [{"property": "plan", "type": "person"}]}},
            ["`person.plan` is its value at the time of each event in most projects; a cohort has today's."],
        ),
    ],
)
def test_filters_of_a_stored_query_are_in_the_result_of_the_insight(more: Any, notes: list[str] | None) -> None:
    points = [{**POINTS[0], "breakdown_value": ["pro"]}] if "breakdownFilter" in more else POINTS
    assert stored({**TREND, **more}, points).get("notes") == notes


@pytest.mark.parametrize("kind", ["PathsV2Query", "HogQLQuery"])
def test_filters_are_also_named_where_the_query_is_not_read(kind: str) -> None:
    filters = {"filterTestAccounts": True}
    source = (
        {"kind": kind, "query": "SELECT 1 AS a", "filters": filters}
        if kind == "HogQLQuery"
        else {"kind": kind, **filters}
    )
    assert stored(source, [[1]], columns=["a"])["notes"] == [LEFT_OUT]
    assert "notes" not in stored({"kind": kind, "query": "SELECT 1 AS a"}, [[1]], columns=["a"])


def test_stored_sql_says_when_person_properties_are_from() -> None:
    source = {"kind": "HogQLQuery", "query": "SELECT person.properties.plan, count() FROM events GROUP BY 1"}
    assert "at the time of each event" in stored(source, [["pro", 1]], columns=["plan", "n"])["person_values"]
    assert "person_values" not in stored({"kind": "HogQLQuery", "query": "SELECT 1 AS a"}, [[1]], columns=["a"])


LONG, SHORT = "2026-10-25 has 25 hours (clock change).", "2026-03-29 has 23 hours (clock change)."


@pytest.mark.parametrize(
    ("zone", "now", "arguments", "notes"),
    [
        (BERLIN, "2026-10-26T12:00", {"date_from": "2026-10-20"}, [LONG]),
        (BERLIN, "2026-03-31T12:00", {"date_from": "2026-03-25"}, [SHORT]),
        (BERLIN, "2026-10-26T12:00", {"date_from": "2026-10-24", "interval": "hour"}, [LONG]),
        (BERLIN, "2026-11-20T12:00", {"date_from": "2026-10-01"}, []),
        (BERLIN, "2026-11-20T12:00", {"date_from": "2026-11-10"}, []),
        (BERLIN, "2026-10-26T12:00", {"date_from": "2026-10-20", "interval": "week"}, []),
        ("UTC", "2026-10-26T12:00", {"date_from": "2026-10-20"}, []),
    ],
)
async def test_days_of_another_length_are_named_among_hours_and_few_days(
    zone: str, now: str, arguments: Any, notes: list[str]
) -> None:
    at = f"{now[:10]} 01:00:00" if arguments.get("interval") == "hour" else now[:10]
    assert (await trend(api_for([at], zone, now), **arguments)).get("notes", []) == notes


async def test_hours_have_their_timezone() -> None:
    shown = await trend(api_for(["2026-11-23 01:00:00"], BERLIN), date_from="2026-11-23", interval="hour")
    assert shown["timezone"] == BERLIN
    assert "timezone" not in await trend(api_for(["2026-11-23"], BERLIN), date_from="2026-11-23")
