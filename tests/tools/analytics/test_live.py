"""The typed queries against a sandbox in its own process, and the same numbers counted in plain Python."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import anyio
import pytest

from maton_posthog.gateway.errors import GatewayError

from ..posthog.live import NOW, LiveSandbox

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
DAYS_7 = [TODAY - timedelta(days=back) for back in range(7, -1, -1)]
ABSENT_EVENT = "signedup"


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    person: str
    at: datetime
    browser: str | None
    revenue: float | None
    has_profile: bool

    @property
    def day(self) -> date:
        return self.at.date()


@pytest.fixture(scope="module")
def events(sandbox: LiveSandbox) -> list[Event]:
    """Return all events up to now, in order; the project's timezone is UTC."""
    sql = (
        "SELECT event, toString(person_id), timestamp, properties.$browser, toFloat(properties.revenue), "
        "properties.$process_person_profile != 'false' FROM events "
        f"WHERE timestamp <= toDateTime('{NOW:%Y-%m-%d %H:%M:%S}') ORDER BY timestamp"
    )
    rows = anyio.run(sandbox.rows, sql)
    return [Event(name, person, _moment(at), *rest) for name, person, at, *rest in rows]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def of(events: Iterable[Event], name: str, first: date = date.min, last: date = date.max) -> list[Event]:
    return [event for event in events if event.name == name and first <= event.day <= last]


def percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1)


async def test_a_trend_counts_events_by_day_and_marks_today(sandbox: LiveSandbox, events: list[Event]) -> None:
    shown = await sandbox.call("query_trends", events=["$pageview"])
    counted = Counter(event.day for event in of(events, "$pageview"))
    assert shown["columns"] == ["day", "$pageview"]
    assert shown["rows"] == [[f"{day}", counted[day]] for day in DAYS_7]
    assert shown["incomplete_last"] == "2026-11-23"
    assert shown["range"] == ["2026-11-16", "2026-11-23"]
    whole = [counted[day] for day in DAYS_7[:-1]]
    (fact,) = shown["facts"]
    assert fact["total"] == sum(whole)
    assert fact["total_with_incomplete"] == sum(whole) + counted[TODAY]
    assert fact["average"] == round(statistics.mean(whole), 2)
    assert fact["peak"] == [f"{max(DAYS_7[:-1], key=lambda day: counted[day])}", max(whole)]
    assert fact["last_complete"] == ["2026-11-22", whole[-1]]
    assert fact["vs_one_before_percent"] == percent(whole[-1] - whole[-2], whole[-2])
    assert fact["vs_first_percent"] == percent(whole[-1] - whole[0], whole[0])
    assert shown["budget"]["class"] == "analytics"


async def test_future_hours_of_today_are_not_shown_as_zeros(sandbox: LiveSandbox, events: list[Event]) -> None:
    today = f"{TODAY}"
    shown = await sandbox.call("query_trends", events=["*"], interval="hour", date_from=today, date_to=today)
    counted = Counter(event.at.hour for event in events if event.day == TODAY)
    assert shown["rows"] == [[f"{TODAY} {hour:02}:00:00", counted[hour]] for hour in range(13)]
    assert shown["incomplete_last"] == f"{TODAY} 12:00:00"


async def test_a_total_counts_a_user_once_who_is_active_on_several_days(
    sandbox: LiveSandbox, events: list[Event]
) -> None:
    shown = await sandbox.call(
        "query_trends",
        events="$pageview",
        math="unique_users",
        interval="total",
        date_from="-30d",
        breakdown="$browser",
    )
    users: dict[str, set[str]] = defaultdict(set)
    for event in of(events, "$pageview", TODAY - timedelta(days=30)):
        users[event.browser or "(none)"].add(event.person)
    assert dict(shown["rows"]) == {browser: len(persons) for browser, persons in users.items()}
    assert [row[1] for row in shown["rows"]] == sorted((len(persons) for persons in users.values()), reverse=True)
    by_day = await sandbox.call("query_trends", events="$pageview", math="dau", date_from="-30d")
    assert "total" not in by_day["facts"][0]
    assert 'interval "total" counts them once' in by_day["notes"][0]


async def test_a_breakdown_beyond_its_limit_is_reported_and_loses_nothing(
    sandbox: LiveSandbox, events: list[Event]
) -> None:
    shown = await sandbox.call("query_trends", events=["$pageview"], breakdown="$browser", breakdown_limit=2)
    counted = Counter(event.browser for event in of(events, "$pageview", DAYS_7[0]))
    whole = Counter(event.browser for event in of(events, "$pageview", DAYS_7[0], DAYS_7[-2]))
    largest = [browser for browser, _ in counted.most_common(2)]
    assert shown["columns"] == ["day", *largest, "(other)"]
    assert sum(sum(row[1:]) for row in shown["rows"]) == sum(counted.values())
    shares = [percent(whole[browser], sum(whole.values())) for browser in largest]
    assert [fact["share_percent"] for fact in shown["facts"][:2]] == shares
    assert "breakdown_limit" in shown["notes"][0]


async def test_a_comparison_is_over_whole_days_only(sandbox: LiveSandbox, events: list[Event]) -> None:
    shown = await sandbox.call("query_trends", events=["$pageview"], compare=True)
    now = len(of(events, "$pageview", DAYS_7[0], DAYS_7[-2]))
    before = len(of(events, "$pageview", DAYS_7[0] - timedelta(days=7), DAYS_7[-2] - timedelta(days=7)))
    assert shown["columns"] == ["day", "$pageview", "$pageview before"]
    assert shown["previous_range"] == ["2026-11-09", "2026-11-16"]
    assert shown["facts"][0]["compared"] == {
        "intervals": 7, "total": now, "before": before, "change_percent": percent(now - before, before)
    }  # fmt: skip


async def test_a_property_is_summed_and_a_formula_divides_series(sandbox: LiveSandbox, events: list[Event]) -> None:
    bought = of(events, "purchase_completed", DAYS_7[0])
    shown = await sandbox.call(
        "query_trends",
        events=[{"event": "purchase_completed", "math": "sum", "property": "revenue"}, "purchase_completed"],
    )
    assert shown["columns"] == ["day", "purchase_completed (sum of revenue)", "purchase_completed"]
    assert shown["facts"][0]["total_with_incomplete"] == pytest.approx(sum(event.revenue or 0 for event in bought))
    ratio = await sandbox.call(
        "query_trends",
        events=[{"event": "purchase_completed", "math": "sum", "property": "revenue"}, "purchase_completed"],
        formula="a / b",
        interval="total",
    )
    assert ratio["columns"] == ["series", "value"]
    assert ratio["rows"][0][1] == pytest.approx(sum(event.revenue or 0 for event in bought) / len(bought), abs=1e-4)


FILTERS: list[tuple[dict[str, Any], Callable[[Event], bool]]] = [
    ({"key": "$browser", "value": "Chrome"}, lambda event: event.browser == "Chrome"),
    ({"key": "$browser", "operator": "!=", "value": "Chrome"}, lambda event: event.browser != "Chrome"),
    ({"key": "$browser", "value": ["Safari", "Firefox"]}, lambda event: event.browser in ("Safari", "Firefox")),
    ({"key": "$browser", "operator": "contains", "value": "safari"}, lambda event: "Safari" in str(event.browser)),
    ({"key": "properties.$browser = 'Chrome'", "type": "hogql"}, lambda event: event.browser == "Chrome"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "holds"), FILTERS)
async def test_filters_are_applied(
    sandbox: LiveSandbox, events: list[Event], condition: dict[str, Any], holds: Callable[[Event], bool]
) -> None:
    for arguments in (
        {"events": ["$pageview"], "filters": [condition]},
        {"events": [{"event": "$pageview", "where": [condition]}]},
    ):
        shown = await sandbox.call("query_trends", interval="total", **arguments)
        assert shown["rows"][0][1] == sum(1 for event in of(events, "$pageview", DAYS_7[0]) if holds(event))


async def test_a_funnel_reports_conversion_and_the_biggest_drop(sandbox: LiveSandbox, events: list[Event]) -> None:
    steps = ["$pageview", "signed_up", "purchase_completed"]
    shown = await sandbox.call("query_funnel", steps=steps, date_from="-60d", date_to="2026-11-20")
    reached = _reached(of_steps(events, steps, TODAY - timedelta(days=60), date(2026, 11, 20)), steps)
    assert [row[:2] for row in shown["rows"]] == [[step, reached[at]] for at, step in enumerate(steps)]
    facts = shown["facts"]
    assert (facts["entered"], facts["completed"]) == (reached[0], reached[2])
    assert facts["conversion_percent"] == percent(reached[2], reached[0])
    lost = [reached[0] - reached[1], reached[1] - reached[2]]
    assert facts["biggest_drop"]["lost"] == max(lost)
    assert facts["biggest_drop"]["from"] == steps[lost.index(max(lost))]
    assert "Users who entered after 2026-11-06 23:59 have had less than 14 days to convert." in shown["notes"]


def of_steps(events: list[Event], steps: list[str], first: date, last: date) -> dict[str, list[Event]]:
    by_person: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.name in steps and first <= event.day <= last:
            by_person[event.person].append(event)
    return by_person


def _reached(by_person: dict[str, list[Event]], steps: list[str]) -> list[int]:
    """Return the number of persons at each step of an ordered funnel within 14 days, trying every first step."""
    counts = [0] * len(steps)
    for own in by_person.values():
        best = 0
        for at, start in enumerate(own):
            if start.name != steps[0]:
                continue
            step = 1
            for event in own[at + 1 :]:
                if step < len(steps) and event.name == steps[step] and event.at - start.at <= timedelta(days=14):
                    step += 1
            best = max(best, step)
        for step in range(best):
            counts[step] += 1
    return counts


async def test_a_funnel_by_property_names_the_best_and_the_worst(sandbox: LiveSandbox) -> None:
    shown = await sandbox.call(
        "query_funnel", steps=["$pageview", "signed_up"], date_from="-60d", breakdown="$browser", breakdown_limit=3
    )
    rows = [row for row in shown["rows"] if row[1] == "signed_up" and row[0] != "(other)"]
    assert len(rows) == 3
    assert shown["facts"]["best"]["conversion_percent"] == max(row[4] for row in rows)
    assert shown["facts"]["worst"]["conversion_percent"] == min(row[4] for row in rows)
    assert "breakdown_limit" in shown["notes"][0]


async def test_times_to_convert_are_those_of_users_who_converted(sandbox: LiveSandbox) -> None:
    steps = ["signed_up", "purchase_completed"]
    funnel = await sandbox.call("query_funnel", steps=steps, date_from="-60d")
    times = await sandbox.call("query_funnel", steps=steps, date_from="-60d", view="time_to_convert")
    assert times["facts"]["converted"] == funnel["facts"]["completed"] == sum(row[1] for row in times["rows"])
    assert times["facts"]["average_s"] == funnel["rows"][1][5]
    lower, upper = times["facts"]["median_between_s"]
    assert lower <= funnel["facts"]["median_total_s"] < upper


async def test_stickiness_counts_the_active_days_of_each_person(sandbox: LiveSandbox, events: list[Event]) -> None:
    shown = await sandbox.call("query_stickiness", events=["$pageview"], date_from="-7d")
    days: dict[str, set[date]] = defaultdict(set)
    for event in of(events, "$pageview", DAYS_7[0], DAYS_7[-2]):
        days[event.person].add(event.day)
    counted = Counter(len(own) for own in days.values())
    assert shown["range"] == ["2026-11-16", "2026-11-22"]
    assert shown["notes"] == ["The current day is not over and is left out; date_to: now includes it."]
    assert shown["rows"] == [[number, counted[number]] for number in range(1, 8)]
    (fact,) = shown["facts"]
    assert fact["persons"] == len(days)
    assert fact["average_days"] == round(sum(map(len, days.values())) / len(days), 2)
    assert fact["once_percent"] == percent(counted[1], len(days))
    cumulative = await sandbox.call("query_stickiness", events=["$pageview"], date_from="-7d", cumulative=True)
    assert cumulative["rows"][0][1] == len(days)
    assert cumulative["facts"] == shown["facts"]


async def test_retention_counts_returning_users_by_day(sandbox: LiveSandbox, events: list[Event]) -> None:
    shown = await sandbox.call("query_retention", event="signed_up", returning_event="$pageview", periods=8)
    first: dict[str, date] = {}
    for event in of(events, "signed_up"):
        first.setdefault(event.person, event.day)
    seen = {(event.person, event.day) for event in of(events, "$pageview")}
    assert shown["columns"] == ["began", "size", *(f"Day {number}" for number in range(1, 8))]
    assert [row[0] for row in shown["rows"]] == [f"{day}" for day in DAYS_7]
    for day, (_, size, *returned) in zip(DAYS_7, shown["rows"], strict=True):
        cohort = {person for person, began in first.items() if began == day}
        assert size == len(cohort)
        for ahead, count in enumerate(returned, start=1):
            later = day + timedelta(days=ahead)
            came = sum(1 for person in cohort if (person, later) in seen)
            assert count == (came if later <= TODAY else None)
    whole = DAYS_7[:-2]  # for the others, the next day is today or in the future
    began = {person: day for person, day in first.items() if day in whole}
    back = sum(1 for person, day in began.items() if (person, day + timedelta(days=1)) in seen)
    assert shown["facts"]["returned_percent"]["Day 1"] == percent(back, len(began))
    assert shown["incomplete_last"] == "2026-11-23"


async def test_lifecycle_rows_add_up_to_the_active_users(sandbox: LiveSandbox, events: list[Event]) -> None:
    shown = await sandbox.call("query_lifecycle", event="$pageview", date_from="-7d")
    views = [event for event in of(events, "$pageview") if event.has_profile]
    days = [DAYS_7[0] - timedelta(days=1), *DAYS_7]
    active = {day: {event.person for event in views if event.day == day} for day in days}
    assert shown["columns"] == ["day", "new", "returning", "resurrecting", "dormant"]
    for day, (label, new, returning, resurrecting, dormant) in zip(DAYS_7, shown["rows"], strict=True):
        yesterday = active[day - timedelta(days=1)]
        assert label == f"{day}"
        assert new + returning + resurrecting == len(active[day])
        assert returning == len(active[day] & yesterday)
        assert -dormant == len(yesterday - active[day])
    last = shown["rows"][-2]
    assert shown["incomplete_last"] == "2026-11-23"
    assert shown["facts"]["last_complete"]["active"] == sum(last[1:4])
    assert shown["facts"]["net_growth"] == last[1] + last[3] + last[4]


async def test_paths_count_the_sittings_that_take_an_edge(sandbox: LiveSandbox, events: list[Event]) -> None:
    shown = await sandbox.call("query_paths", include=["custom_event"], date_from="-30d", edges=500)
    edges: Counter[tuple[int, str, str]] = Counter()
    by_person: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if not event.name.startswith("$") and event.day >= TODAY - timedelta(days=30):
            by_person[event.person].append(event)
    for own in by_person.values():
        for sitting in _sittings(own):
            items = [name for at, name in enumerate(sitting) if at == 0 or name != sitting[at - 1]][:5]
            edges.update((at, one, other) for at, (one, other) in enumerate(pairwise(items), start=1))
    assert {(step, one, other): count for step, one, other, count, _ in shown["rows"]} == edges
    (_, one, other), count = max(edges.items(), key=lambda edge: edge[1])
    assert shown["facts"]["most_frequent"]["paths"] == count
    assert {one, other} <= {name for _, *names in edges for name in names}


def _sittings(own: list[Event]) -> list[list[str]]:
    """Return the names of a person's events, split at gaps of half an hour or more."""
    sittings: list[list[str]] = []
    before = datetime.min.replace(tzinfo=UTC)
    for event in own:
        if event.at - before >= timedelta(minutes=30):
            sittings.append([])
        sittings[-1].append(event.name)
        before = event.at
    return sittings


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("query_trends", {"events": [ABSENT_EVENT]}),
        ("query_trends", {"events": [ABSENT_EVENT], "breakdown": "$browser"}),
        ("query_trends", {"events": ["$pageview", ABSENT_EVENT], "interval": "total"}),
        ("query_funnel", {"steps": [ABSENT_EVENT, "$pageview"]}),
        ("query_funnel", {"steps": ["$pageview", ABSENT_EVENT]}),
        ("query_funnel", {"steps": [ABSENT_EVENT, "$pageview"], "breakdown": "$browser"}),
        ("query_funnel", {"steps": ["$pageview", ABSENT_EVENT], "view": "trend"}),
        ("query_funnel", {"steps": ["$pageview", ABSENT_EVENT], "view": "time_to_convert"}),
        ("query_stickiness", {"events": ["$pageview", ABSENT_EVENT]}),
        ("query_lifecycle", {"event": ABSENT_EVENT}),
        ("query_retention", {"event": ABSENT_EVENT}),
        ("query_retention", {"event": "$pageview", "returning_event": ABSENT_EVENT}),
    ],
)  # fmt: skip
async def test_an_event_without_data_is_named_with_the_likely_name(
    sandbox: LiveSandbox, tool: str, arguments: dict[str, Any]
) -> None:
    shown = await sandbox.call(tool, **arguments)
    (said,) = [note for note in shown["notes"] if "never been seen" in note]
    assert said == f"`{ABSENT_EVENT}` has never been seen: did you mean `signed_up`?"


async def test_an_unknown_action_that_posthog_drops_is_reported(sandbox: LiveSandbox) -> None:
    shown = await sandbox.call("query_trends", events=["$pageview", {"action_id": 99_999}])
    assert shown["columns"] == ["day", "$pageview"]
    assert shown["notes"] == ["Unknown action: 99999. list_actions lists the ids."]
    with pytest.raises(GatewayError) as refused:
        await sandbox.call("query_funnel", steps=["$pageview", {"action_id": 99_999}])
    assert refused.value.upstream
    assert "99999" in (refused.value.upstream.detail or "")


async def test_an_insight_stores_the_arguments_of_a_query_and_has_the_same_numbers(sandbox: LiveSandbox) -> None:
    asked = {"events": ["$pageview"], "breakdown": "$browser"}
    shown = await sandbox.call("query_trends", **asked)
    query = {"tool": "query_trends", "arguments": asked}
    saved = await sandbox.call("create_insight", name="Views by browser", query=query)
    assert saved["name"] == "Views by browser"
    assert saved["connection"] == shown["connection"]
    stored = await sandbox.call("get_insight", insight_id=saved["id"], refresh=True)
    assert stored["query"]["kind"] == "InsightVizNode"
    assert (stored["columns"], stored["rows"]) == (shown["columns"], shown["rows"])


@pytest.mark.parametrize("interval", ["hour", "day", "week", "month"])
@pytest.mark.parametrize(
    ("date_from", "date_to"),
    [
        ("-7d", None), ("-1mStart", None), ("2026-10-05", "2026-10-29"), ("-36h", "-1h"), ("-10d", "-3dEnd"),
        ("dStart", None),
    ],
)  # fmt: skip
async def test_the_reported_range_is_the_one_that_posthog_counted(
    sandbox: LiveSandbox, events: list[Event], interval: str, date_from: str, date_to: str | None
) -> None:
    shown = await sandbox.call(
        "query_trends", events=["$pageview"], interval=interval, date_from=date_from, date_to=date_to
    )
    counted = {"total_with_incomplete": shown["facts"][0].get("total"), **shown["facts"][0]}["total_with_incomplete"]
    assert ("truncated" in shown) is (counted != sum(row[1] for row in shown["rows"]))
    first, last = (_edge(text, at_end=at_end) for text, at_end in zip(shown["range"], (False, True), strict=True))
    assert counted == sum(1 for event in of(events, "$pageview") if first <= event.at <= last)


def _edge(text: str, *, at_end: bool) -> datetime:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    if len(text) == len("2026-11-23"):
        moment = moment.replace(hour=23, minute=59) if at_end else moment
    return moment.replace(second=59) if at_end else moment
