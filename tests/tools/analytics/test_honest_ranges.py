"""Ranges: `range` shows what is counted, which is what was asked for. Clock times, words, the beginning of the data."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target

from ..posthog.fake import PROJECT_ID, FakeCall, run
from ..posthog.live import NOW, LiveSandbox
from .answers import FUNNEL, LIFECYCLE, PATHS, RETENTION, STICKINESS, TRENDS, VIEWS, answered, cohort

pytestmark = pytest.mark.anyio

type Views = list[tuple[datetime, str]]
FROM, TO = "2026-11-18T10:00", "2026-11-20T12:30"
WITHIN = (datetime(2026, 11, 18, 10, tzinfo=UTC), datetime(2026, 11, 20, 12, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def views(sandbox: LiveSandbox) -> Views:
    """Return the moment and person of each page view up to now, in order; the project's timezone is UTC."""
    until = f"timestamp <= '{NOW:%Y-%m-%d %H:%M:%S}'"
    sql = f"SELECT timestamp, toString(person_id) FROM events WHERE event = '$pageview' AND {until} ORDER BY 1"
    rows = anyio.run(sandbox.rows, sql)
    return [(datetime.fromisoformat(at).astimezone(UTC), person) for at, person in rows]


def within(views: Views, first: datetime, last: datetime) -> Views:
    return [(at, person) for at, person in views if first <= at <= last]


@pytest.mark.parametrize("interval", ["minute", "hour", "day", "week", "month", "total"])
async def test_a_trend_counts_between_the_moments_that_were_given(
    sandbox: LiveSandbox, views: Views, interval: str
) -> None:
    begin = "2026-11-20T10:07:30" if interval == "minute" else FROM
    shown = await sandbox.call("query_trends", events="$pageview", interval=interval, date_from=begin, date_to=TO)
    first = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    assert sum(row[1] for row in shown["rows"]) == len(within(views, first, WITHIN[1]))
    assert shown["range"] == [begin.replace("T", " ")[:16], "2026-11-20 12:30"]


@pytest.mark.parametrize(
    ("date_from", "date_to", "first", "last"),
    [
        ("-36h", None, datetime(2026, 11, 22, 0, 0), datetime(2026, 11, 23, 23, 59)),
        ("2026-11-18T10:30", None, datetime(2026, 11, 18, 10, 30), NOW),
        ("-7d", "2026-11-20T12:00", datetime(2026, 11, 16), datetime(2026, 11, 20, 12)),
        ("-7d", "-30h", datetime(2026, 11, 16), datetime(2026, 11, 22, 6, 59, 59)),
        ("2026-11-18T11:00+01:00", "2026-11-20", datetime(2026, 11, 18, 10), datetime(2026, 11, 20, 23, 59, 59)),
        ("2026-11-18", "2026-11-20T00:00", datetime(2026, 11, 18), datetime(2026, 11, 20)),
        ("last_24_hours", None, datetime(2026, 11, 22, 12), datetime(2026, 11, 23, 11, 59, 59)),
    ],
)  # fmt: skip
async def test_each_end_can_have_a_time_of_day(
    sandbox: LiveSandbox, views: Views, date_from: str, date_to: str | None, first: datetime, last: datetime
) -> None:
    expected = {person for _, person in within(views, first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))}
    shown = await sandbox.call(
        "query_trends", events="$pageview", math="dau", interval="total", date_from=date_from, date_to=date_to
    )
    assert shown["rows"] == [["$pageview (dau)", len(expected)]]


async def test_funnels_and_stickiness_count_between_the_moments_that_were_given(
    sandbox: LiveSandbox, views: Views
) -> None:
    persons = {person for _, person in within(views, *WITHIN)}
    shown = await sandbox.call("query_funnel", steps=["$pageview", "signed_up"], date_from=FROM, date_to=TO)
    assert (shown["facts"]["entered"], shown["range"]) == (len(persons), ["2026-11-18 10:00", "2026-11-20 12:30"])
    shown = await sandbox.call("query_stickiness", events="$pageview", date_from=FROM, date_to=TO)
    assert (shown["facts"][0]["persons"], shown["range"]) == (len(persons), ["2026-11-18 10:00", "2026-11-20 12:30"])


@pytest.mark.parametrize("ends", [{"date_from": FROM}, {"date_to": TO}, {"date_from": "-24h"}, {"date_to": "-1h"}])
@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        (LIFECYCLE, {"event": "x"}),
        (RETENTION, {"event": "x"}),
        (RETENTION, {"event": "x", "period": "week"}),
        (PATHS, {}),
    ],
)
async def test_a_time_of_day_is_rejected_where_posthog_counts_whole_days(
    operation: Any, arguments: dict[str, Any], ends: dict[str, str]
) -> None:
    api = answered([])
    (name,) = ends
    with pytest.raises(Refused, match=f"{name} is inside a day, and {operation.name} counts whole days") as refused:
        await run(operation, api, **arguments, **ends)
    assert "Pass a date, such as 2026-11-2" in (refused.value.hint or "") or "2026-11-18" in (refused.value.hint or "")
    assert api.sent == []


async def test_whole_hours_are_accepted_where_hours_are_counted() -> None:
    api = answered([])
    hours = {"date_from": "2026-11-20T10:00", "date_to": "2026-11-20T12:00"}
    await run(LIFECYCLE, api, event="$pageview", interval="hour", **hours)
    assert api.sent[0].body
    assert api.sent[0].body["query"]["dateRange"] == {
        "date_from": "2026-11-20T10:00:00+00:00", "date_to": "2026-11-20T11:59:59+00:00"
    }  # fmt: skip
    with pytest.raises(Refused, match="date_to is inside a hour"):
        await run(RETENTION, api, event="x", period="hour", **{**hours, "date_to": "2026-11-20T12:10"})


WORDS = [
    ("today", "2026-11-23", "2026-11-23"),
    ("yesterday", "2026-11-22", "2026-11-22"),
    ("Last Week", "2026-11-16", "2026-11-22"),
    ("last_8_weeks", "2026-09-28", "2026-11-22"),
    ("last-3-days", "2026-11-20", "2026-11-22"),
    ("THIS_WEEK", "2026-11-23", "2026-11-23"),
    ("this month", "2026-11-01", "2026-11-23"),
    ("last_month", "2026-10-01", "2026-10-31"),
    ("previous two months", "2026-09-01", "2026-10-31"),
    ("this_quarter", "2026-10-01", "2026-11-23"),
    ("2026-11", "2026-11-01", "2026-11-23"),
    ("2026-10", "2026-10-01", "2026-10-31"),
    ("October 2026", "2026-10-01", "2026-10-31"),
    ("Q4 2026", "2026-10-01", "2026-11-23"),
    ("2026-Q3", "2026-07-01", "2026-09-30"),
    ("this_year", "2026-01-01", "2026-11-23"),
    ("2025", "2025-01-01", "2025-12-31"),
    ("2026-W46", "2026-11-09", "2026-11-15"),
    ("7 days ago", "2026-11-16", "2026-11-23"),
    ("7D", "2026-11-16", "2026-11-23"),
    ("2026-11-2", "2026-11-02", "2026-11-23"),
    ("23/10/2026", "2026-10-23", "2026-11-23"),
    ("5 November 2026", "2026-11-05", "2026-11-23"),
    ("month to date", "2026-11-01", "2026-11-23"),
]
MONDAY = Target(project=Project(PROJECT_ID, "Default project", "UTC", week_start=1))


@pytest.mark.parametrize(("words", "first", "last"), WORDS)
async def test_a_period_in_words_is_whole(words: str, first: str, last: str) -> None:
    api = answered([VIEWS])
    api.target = MONDAY
    assert (await run(TRENDS, api, events="$pageview", date_from=words))["range"] == [first, last]
    if not words[0].isdigit():
        shown = await run(TRENDS, api, events="$pageview", date_from="2024-12-31", date_to=words)
        assert shown["range"] == ["2024-12-31", last]


async def test_a_week_begins_on_the_day_of_the_project_and_a_day_in_its_timezone() -> None:
    api = answered([VIEWS])
    assert (await run(TRENDS, api, events="$pageview", date_from="last_week"))["range"] == ["2026-11-15", "2026-11-21"]
    auckland = Project(PROJECT_ID, "Default project", "Pacific/Auckland", week_start=1)
    api = answered([VIEWS])
    api.target = Target(project=auckland)  # it is the 24th there
    assert (await run(TRENDS, api, events="$pageview", date_from="yesterday"))["range"] == ["2026-11-23", "2026-11-23"]


async def test_words_can_be_mixed_with_dates() -> None:
    api = answered([VIEWS])
    ends = {"date_from": "last_month", "date_to": "yesterday"}
    assert (await run(TRENDS, api, events="$pageview", **ends))["range"] == ["2026-10-01", "2026-11-22"]
    ends = {"date_from": "yesterday", "date_to": "now"}
    assert (await run(TRENDS, api, events="$pageview", **ends))["range"] == ["2026-11-22", "2026-11-23"]


TWO_MEANINGS = [
    ("week", "this_week or last_week"),
    ("past week", "last_week for the whole week, or last_7_days"),
    ("november", "such as 2026-11"),
    ("Q3", "such as 2026-Q3"),
    ("-1M", "write -1m for months, or last_1_minutes"),
    ("01/02/2026", "2026-02-01 or 2026-01-02"),
    ("last monday", "write its date"),
    ("tomorrow", "the latest end is now"),
    ("next week", "the latest end is now"),
]


@pytest.mark.parametrize(("words", "says"), TWO_MEANINGS)
def test_words_with_two_meanings_are_rejected_with_both(words: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TRENDS.input.model_validate({"events": "x", "date_from": words})


async def test_a_stored_insight_moves_with_its_words_or_is_rejected(sandbox: LiveSandbox) -> None:
    async def stored(**dates: str) -> Any:
        query = {"tool": "query_trends", "arguments": {"events": "$pageview", **dates}}
        made = await sandbox.call("create_insight", name="Views", query=query, dry_run=False)
        return made["query"]["source"]["dateRange"]

    assert await stored(date_from="last_month") == {"date_from": "-1mStart", "date_to": "-1mEnd"}
    assert await stored(date_from="last_7_days") == {"date_from": "-7dStart", "date_to": "-1dEnd"}
    assert await stored(date_from="2026-10") == {"date_from": "2026-10-01", "date_to": "2026-10-31"}
    with pytest.raises(Refused, match="date_from: PostHog stores no relative range of whole weeks"):
        await stored(date_from="last_8_weeks")


@pytest.mark.parametrize("tool", ["list_recordings", "list_annotations"])
async def test_lists_take_the_same_words(sandbox: LiveSandbox, tool: str) -> None:
    for words, *_ in WORDS:
        assert (await sandbox.call(tool, date_from=words))["project"]


async def test_an_annotation_can_be_placed_now() -> None:
    from maton_posthog.tools.annotations import OPERATIONS

    create = next(operation for operation in OPERATIONS if operation.name == "create_annotation")
    api = FakeCall({"POST /api/projects/{project_id}/annotations/": {"id": 1, "content": "x"}})
    await run(create, api, content="x", date_marker="NOW")
    assert api.last.body
    assert api.last.body["date_marker"] == "2026-11-23T12:30:00+00:00"


@pytest.mark.parametrize("date_from", ["all", "-60w"])
async def test_the_week_in_which_the_data_begin_is_incomplete(
    sandbox: LiveSandbox, views: Views, date_from: str
) -> None:
    shown = await sandbox.call("query_trends", events="$pageview", interval="week", date_from=date_from)
    first = views[0][0].date()
    monday = first - timedelta(days=first.weekday())
    assert shown["incomplete_first"] == f"{monday}"
    weeks = {row[0]: row[1] for row in shown["rows"]}
    base, last = weeks[f"{monday + timedelta(days=7)}"], shown["facts"][0]["last_complete"][1]
    assert shown["facts"][0]["vs_first_percent"] == pytest.approx(100 * (last - base) / base, abs=0.05)
    assert ("has data since" in str(shown.get("notes"))) is (date_from != "all")


BEGAN = "2026-11-22T09:15:00Z"


def began_late(results: Any, **more: Any) -> FakeCall:
    api = answered(results, **more)
    api.began = BEGAN
    return api


async def test_intervals_before_the_data_are_in_no_fact() -> None:
    line = {**VIEWS, "data": [0.0, 9.0, 14.0, 30.0], "days": [f"2026-11-{day}" for day in range(21, 25)]}
    shown = await run(
        TRENDS, began_late([line], last_refresh="2026-11-25T08:00:00Z"), events="$pageview", date_from="-4d"
    )
    assert shown["incomplete_first"] == "2026-11-22"
    assert shown["facts"][0]["total"] == 44
    assert shown["notes"] == ["The project has data since 2026-11-22 09:15; this range begins earlier."]
    lines = [{**line, "status": status} for status in ("new", "returning", "resurrecting", "dormant")]
    shown = await run(LIFECYCLE, began_late(lines, last_refresh="2026-11-25T08:00:00Z"), event="$pageview")
    assert (shown["incomplete_first"], shown["facts"]["totals"]["new"]) == ("2026-11-22", 44)
    trend = await run(
        FUNNEL, began_late([line], last_refresh="2026-11-25T08:00:00Z"), steps=["a", "b"], view="trend", date_from="-4d"
    )
    assert (trend["incomplete_first"], trend["facts"][0]["average_of_intervals"]) == ("2026-11-22", 22)


async def test_the_cohort_in_which_the_data_begin_is_in_no_rate() -> None:
    rows = [cohort(f"2026-11-{day}T00:00:00Z", *counts) for day, counts in ((22, (90, 1)), (23, (10, 5)), (24, (7, 0)))]
    api = began_late(rows, last_refresh="2026-11-25T08:00:00Z")
    shown = await run(RETENTION, api, event="$pageview", periods=2)
    assert shown["incomplete_first"] == "2026-11-22"
    assert (shown["facts"]["returned_percent"], shown["facts"]["of"]) == ({"Day 1": 50}, {"Day 1": 10})


ASKED: list[tuple[Any, dict[str, Any], Any]] = [
    (TRENDS, {"events": "$pageview"}, [{**VIEWS, "data": [0, 0, 0]}]),
    (FUNNEL, {"steps": ["$pageview", "b"]}, []),
    (RETENTION, {"event": "$pageview"}, []),
    (PATHS, {}, []),
    (STICKINESS, {"events": "$pageview"}, []),
    (LIFECYCLE, {"event": "$pageview"}, []),
]


@pytest.mark.parametrize(("operation", "arguments", "results"), ASKED)
async def test_a_range_before_the_data_says_since_when_there_are_some(
    operation: Any, arguments: dict[str, Any], results: Any
) -> None:
    shown = await run(operation, began_late(results), **arguments, date_from="2026-10-01", date_to="2026-10-31")
    assert shown["notes"] == [
        "The project has data since 2026-11-22 09:15, after this range. Nothing was recorded in it."
    ]


async def test_a_comparison_with_a_time_before_the_data_has_no_change() -> None:
    now, before = ({**VIEWS, "compare_label": label} for label in ("current", "previous"))
    asked = {"events": "$pageview", "compare": "previous", "date_from": "2026-11-22", "date_to": "2026-11-22"}
    shown = await run(TRENDS, began_late([now, before]), **asked)
    assert "compared" not in shown["facts"][0]
    assert "the period before begins earlier, so no change is shown" in shown["notes"][0]
    totals = [{"aggregated_value": 5.0, "compare_label": label} for label in ("current", "previous")]
    shown = await run(TRENDS, began_late(totals), **asked, interval="total")
    assert shown["columns"] == ["series", "value", "before"]


async def test_the_first_event_is_looked_up_once_in_a_project() -> None:
    api = answered([VIEWS])
    await run(TRENDS, api, events="$pageview")
    await run(FUNNEL, answered([]), steps=["a", "b"])
    await run(TRENDS, api, events="$pageview")
    assert api.looked_up == 1


async def test_one_number_and_the_one_before_are_of_whole_days(sandbox: LiveSandbox, views: Views) -> None:
    shown = await sandbox.call("query_trends", events="$pageview", interval="total", compare=True)
    days = [at.date() for at, _ in views]
    now = sum(date(2026, 11, 16) <= day <= date(2026, 11, 22) for day in days)
    before = sum(date(2026, 11, 9) <= day <= date(2026, 11, 15) for day in days)
    assert shown["rows"] == [["$pageview", now, before, round(100 * (now - before) / before, 1)]]
    assert shown["notes"][0] == "The current day is not over and is left out; date_to: now includes it."
    still_open = await sandbox.call("query_trends", events="$pageview", interval="total", compare=True, date_to="now")
    assert still_open["columns"] == ["series", "value", "before"]
    assert still_open["notes"][0] == "2026-11-23 is not over, so no change is shown. Pass date_to: -1d."


async def test_the_first_event_of_another_project_is_its_own() -> None:
    api = answered([VIEWS])
    await run(TRENDS, api, events="$pageview")
    api.began = BEGAN
    assert api.target
    api.target = replace(api.target, project=Project(7, "Other"))
    assert "has data since" in (await run(TRENDS, api, events="$pageview"))["notes"][0]
