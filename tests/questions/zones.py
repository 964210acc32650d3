"""Questions about projects in other timezones, whose days, weeks and hours are local."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from .question import Question, Shown, call, cell, fact, hogql, pairs, rows
from .world import World, ago, by, day, has, percent, persons, revenue

_NEW_YORK, _BERLIN, _TOKYO = "America/New_York", "Europe/Berlin", "Asia/Tokyo"
_LONG_DAY = date(2026, 10, 25)
"""A day with 25 hours in Berlin."""


def _views_of_long_day(world: World) -> int:
    return len(world.of("$pageview", first=_LONG_DAY, last=_LONG_DAY, zone=ZoneInfo(_BERLIN)))


def _around_clock_change(world: World) -> list[list[object]]:
    zone = ZoneInfo(_NEW_YORK)
    counted = Counter(day(event, zone) for event in world.of("$pageview"))
    return [[f"{date(2026, 10, 31) + timedelta(days=ahead)}", counted[date(2026, 10, 31) + timedelta(days=ahead)]]
            for ahead in range(3)]  # fmt: skip


def _next_day(world: World) -> float:
    """Count sign-ups of the eight days up to today whose next day is over."""
    zone = ZoneInfo(_TOKYO)
    first: dict[str, date] = {}
    for event in world.of("signed_up"):
        first.setdefault(event["person_id"], day(event, zone))
    seen = {(event["person_id"], day(event, zone)) for event in world.of("$pageview")}
    cohort = {who: began for who, began in first.items() if ago(7) <= began <= ago(2)}
    return percent(sum(1 for who, began in cohort.items() if (who, began + timedelta(days=1)) in seen), len(cohort))


def _by_weekday(world: World) -> list[list[object]]:
    zone = ZoneInfo(_TOKYO)
    bought = world.of("purchase_completed", first=date(2026, 9, 1), zone=zone)
    found = by(bought, lambda event: event["timestamp"].astimezone(zone).isoweekday())
    return [[weekday, revenue(events)] for weekday, events in sorted(found.items())]


def _checkouts(world: World) -> list[int]:
    """Count persons who started a checkout in a local week, and those who then bought within it."""
    zone = ZoneInfo(_TOKYO)
    own = by(
        world.of("checkout_started", "purchase_completed", first=date(2026, 11, 2), last=date(2026, 11, 8), zone=zone),
        lambda event: event["person_id"],
    )
    started = [events for events in own.values() if any(one["event"] == "checkout_started" for one in events)]
    bought = 0
    for events in started:
        at = next(position for position, one in enumerate(events) if one["event"] == "checkout_started")
        bought += any(one["event"] == "purchase_completed" for one in events[at:])
    return [len(started), bought]


def _entered(shown: Shown) -> list[int]:
    return [shown["facts"]["entered"], shown["facts"]["completed"]]


def _last_week(world: World) -> list[object]:
    zone = ZoneInfo(_NEW_YORK)
    monday = ago(7)
    return [f"{monday}", len(world.of("task_created", first=monday, last=ago(1), zone=zone))]


def _morning_share(world: World) -> float:
    """Return the percentage of a month's views between 6:00 and 12:00 in Berlin."""
    views = world.of("$pageview", first=date(2026, 10, 1), last=date(2026, 10, 31), zone=ZoneInfo(_BERLIN))
    hours = [event["timestamp"].astimezone(ZoneInfo(_BERLIN)).hour for event in views]
    return percent(sum(1 for hour in hours if 6 <= hour < 12), len(views))


def _days(*wanted: str) -> Callable[[Shown], list[list[object]]]:
    return lambda shown: [pair for pair in pairs(shown) if pair[0] in wanted]


def _chrome_yesterday(world: World) -> int:
    events = world.of("$pageview", first=ago(1), last=ago(1), zone=ZoneInfo(_NEW_YORK))
    return len(persons(event for event in events if has(event, "$browser") == "Chrome"))


QUESTIONS = (
    Question(
        "How many people visited with Chrome yesterday? (New York)",
        call(
            "query_trends", events=["$pageview"], math="dau", interval="total", date_from="-1d", date_to="-1d",
            filters=[{"key": "$browser", "value": "Chrome"}],
        ),
        cell,
        _chrome_yesterday,
        zone=_NEW_YORK,
    ),
    Question(
        "How many page views were there on the days around the clock change? (New York)",
        call("query_trends", events=["$pageview"], date_from="2026-10-30", date_to="2026-11-03"),
        _days("2026-10-31", "2026-11-01", "2026-11-02"),
        _around_clock_change,
        zone=_NEW_YORK,
    ),
    Question(
        "How many tasks were created last week? (New York)",
        call("query_trends", events=["task_created"], interval="week", date_from="-28d"),
        fact("last_complete"),
        _last_week,
        zone=_NEW_YORK,
    ),
    Question(
        "How many page views did the 25-hour day have, by hour? (Berlin)",
        call("query_trends", events=["$pageview"], interval="hour", date_from="2026-10-25", date_to="2026-10-25"),
        fact("total"),
        _views_of_long_day,
        zone=_BERLIN,
    ),
    Question(
        "What share of October's page views came in the morning? (Berlin)",
        hogql(
            "SELECT round(100 * countIf(toHour(timestamp) >= 6 AND toHour(timestamp) < 12) / count(), 1) FROM events "
            "WHERE event = '$pageview' AND timestamp >= '2026-10-01' AND timestamp < '2026-11-01'"
        ),
        cell,
        _morning_share,
        zone=_BERLIN,
    ),
    Question(
        "What share of new users comes back the next day? (Tokyo)",
        call("query_retention", event="signed_up", returning_event="$pageview"),
        fact("returned_percent", "Day 1"),
        _next_day,
        zone=_TOKYO,
    ),
    Question(
        "How much revenue do we make on each day of the week? (Tokyo)",
        hogql(
            "SELECT toDayOfWeek(timestamp) AS weekday, sum(properties.revenue) FROM events "
            "WHERE event = 'purchase_completed' AND timestamp >= '2026-09-01' GROUP BY weekday ORDER BY weekday"
        ),
        rows,
        _by_weekday,
        described={"search": "revenue"},
        zone=_TOKYO,
    ),
    Question(
        "How many checkouts in the week of November 2 ended in a purchase that week? (Tokyo)",
        call(
            "query_funnel", steps=["checkout_started", "purchase_completed"], date_from="2026-11-02",
            date_to="2026-11-08",
        ),
        _entered,
        _checkouts,
        zone=_TOKYO,
    ),
)  # fmt: skip
