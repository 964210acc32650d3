"""Periods in words, in the project's timezone: yesterday, last week, a month, an ISO week, a day of 23 hours."""

from collections import Counter
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ..question import Question, call, cell, hogql, rows
from ..world import Row, World, ago, persons, revenue

_TOKYO, _NEW_YORK, _BERLIN = "Asia/Tokyo", "America/New_York", "Europe/Berlin"
_SYDNEY, _KOLKATA, _LOS_ANGELES = "Australia/Sydney", "Asia/Kolkata", "America/Los_Angeles"
_SHORT_DAY = date(2026, 10, 4)
"""A day with 23 hours in Sydney."""
_MONDAY = ago(7)


def _sign_ups(world: World, first: date, last: date, zone: str) -> list[Row]:
    return world.of("signed_up", first=first, last=last, zone=ZoneInfo(zone))


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
        "How many page views did October 4 have, a day of 23 hours? (Sydney)",
        call(
            "query_trends", events=["$pageview"], interval="total", date_from=f"{_SHORT_DAY}", date_to=f"{_SHORT_DAY}",
        ),
        cell,
        lambda world: len(world.of("$pageview", first=_SHORT_DAY, last=_SHORT_DAY, zone=ZoneInfo(_SYDNEY))),
        zone=_SYDNEY,
    ),
    Question(
        "How many sign-ups did the last four weeks have? (Kolkata)",
        call("query_trends", events=["signed_up"], interval="total", date_from="last_4_weeks"),
        cell,
        lambda world: len(_sign_ups(world, ago(28), ago(1), _KOLKATA)),
        zone=_KOLKATA,
    ),
    Question(
        "How many people signed up in ISO week 46? (Berlin)",
        call("query_trends", events=["signed_up"], math="dau", interval="total", date_from="2026-W46"),
        cell,
        lambda world: len(persons(_sign_ups(world, date(2026, 11, 9), date(2026, 11, 15), _BERLIN))),
        zone=_BERLIN,
    ),
    Question(
        "How many sign-ups did the third quarter have? (Tokyo)",
        call("query_trends", events=["signed_up"], interval="total", date_from="2026-Q3"),
        cell,
        lambda world: len(_sign_ups(world, date(2026, 7, 1), date(2026, 9, 30), _TOKYO)),
        zone=_TOKYO,
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
