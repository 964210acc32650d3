"""Periods in words, in the project's timezone: yesterday, last week, a month, an ISO week, a day of 23 hours."""

from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ..question import Question, Shown, call, cell, fact, hogql, rows
from ..world import World, ago, persons, revenue

_TOKYO, _NEW_YORK, _BERLIN = "Asia/Tokyo", "America/New_York", "Europe/Berlin"
_SYDNEY, _KOLKATA, _LOS_ANGELES = "Australia/Sydney", "Asia/Kolkata", "America/Los_Angeles"
_SHORT_DAY = date(2026, 10, 4)
"""A day with 23 hours in Sydney."""
_WEEK = timedelta(days=7)
_MONDAY = ago(7)


def _weeks(world: World) -> list[list[object]]:
    """Count the sign-ups of the four weeks before this one."""
    zone = ZoneInfo(_KOLKATA)
    mondays = [_MONDAY - back * _WEEK for back in (3, 2, 1, 0)]
    return [
        [f"{monday}", len(world.of("signed_up", first=monday, last=monday + timedelta(days=6), zone=zone))]
        for monday in mondays
    ]


def _office_hours(world: World) -> int:
    """Count the page views of November 20 from 9:00 to before 17:00 in New York."""
    zone = ZoneInfo(_NEW_YORK)
    begin, end = (datetime(2026, 11, 20, hour, tzinfo=zone) for hour in (9, 17))
    return sum(1 for event in world.of("$pageview") if begin <= event["timestamp"] < end)


def _weekend(world: World) -> list[int]:
    zone = ZoneInfo(_LOS_ANGELES)
    october = world.of("$pageview", first=date(2026, 10, 1), last=date(2026, 10, 31), zone=zone)
    found = Counter(event["timestamp"].astimezone(zone).isoweekday() for event in october)
    return [found[6], found[7]]


def _short_day(world: World) -> list[object]:
    """Return the page views of the day, and the hours that it has."""
    zone = ZoneInfo(_SYDNEY)
    midnights = [datetime(2026, 10, number, tzinfo=zone) for number in (4, 5)]
    hours = (midnights[1].timestamp() - midnights[0].timestamp()) / 3600
    views = world.of("$pageview", first=_SHORT_DAY, last=_SHORT_DAY, zone=zone)
    return [len(views), f"{_SHORT_DAY} has {hours:.0f} hours"]


def _total_and_hours(shown: Shown) -> list[object]:
    note = next(note for note in shown["notes"] if "hours" in note)
    return [fact("total")(shown), note.partition(" (")[0]]


QUESTIONS = (
    Question(
        "How many people visited yesterday? (Tokyo)",
        call("query_trends", events=["$pageview"], math="dau", interval="total", date_from="yesterday"),
        cell,
        lambda world: len(persons(world.of("$pageview", first=ago(1), last=ago(1), zone=ZoneInfo(_TOKYO)))),
        zone=_TOKYO,
    ),
    Question(
        "How many purchases did we have last week? (New York)",
        call("query_trends", events=["purchase_completed"], interval="total", date_from="last_week"),
        cell,
        lambda world: len(world.of("purchase_completed", first=_MONDAY, last=ago(1), zone=ZoneInfo(_NEW_YORK))),
        zone=_NEW_YORK,
    ),
    Question(
        "What revenue did we make in October? (Los Angeles)",
        call(
            "query_trends", events=["purchase_completed"], math="sum", property="revenue", interval="total",
            date_from="last_month",
        ),
        cell,
        lambda world: revenue(
            world.of(
                "purchase_completed", first=date(2026, 10, 1), last=date(2026, 10, 31), zone=ZoneInfo(_LOS_ANGELES)
            )
        ),
        zone=_LOS_ANGELES,
    ),
    Question(
        "How many page views did October 4 have, when the clocks changed? (Sydney)",
        call("query_trends", events=["$pageview"], date_from=f"{_SHORT_DAY}", date_to=f"{_SHORT_DAY}"),
        _total_and_hours,
        _short_day,
        zone=_SYDNEY,
    ),
    Question(
        "How many sign-ups did each of the last four weeks have? (Kolkata)",
        call("query_trends", events=["signed_up"], interval="week", date_from="last_4_weeks"),
        rows,
        _weeks,
        zone=_KOLKATA,
    ),
    Question(
        "How many people signed up in ISO week 46? (Berlin)",
        call("query_trends", events=["signed_up"], math="dau", interval="total", date_from="2026-W46"),
        cell,
        lambda world: len(
            persons(world.of("signed_up", first=date(2026, 11, 9), last=date(2026, 11, 15), zone=ZoneInfo(_BERLIN)))
        ),
        zone=_BERLIN,
    ),
    Question(
        "How many page views were there on November 20 between 9 and 17 o'clock? (New York)",
        call(
            "query_trends", events=["$pageview"], interval="total", date_from="2026-11-20T09:00",
            date_to="2026-11-20T16:59:59",
        ),
        cell,
        _office_hours,
        zone=_NEW_YORK,
    ),
    Question(
        "How many page views did the Saturdays and the Sundays of last month have? (Los Angeles)",
        hogql(
            "SELECT countIf(toDayOfWeek(timestamp) = 6) AS saturdays, countIf(toDayOfWeek(timestamp) = 7) AS sundays "
            "FROM events WHERE event = '$pageview' AND timestamp >= '2026-10-01' AND timestamp < '2026-11-01'"
        ),
        lambda shown: rows(shown)[0],
        _weekend,
        zone=_LOS_ANGELES,
    ),
)  # fmt: skip
