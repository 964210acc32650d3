"""Counts of events, people and sessions, by day and in total."""

from collections import Counter
from datetime import date
from statistics import mean

from .question import Question, Shown, call, cell, fact, hogql, rows
from .world import TODAY, World, ago, by, day, days, persons


def _by_day(world: World, name: str, first: int) -> dict[date, int]:
    counted = Counter(day(event) for event in world.of(name))
    return {one: counted[one] for one in days(ago(first), TODAY)}


def _average(world: World) -> float:
    return round(mean(list(_by_day(world, "signed_up", 7).values())[:-1]), 2)


def _best_day(world: World) -> list[object]:
    counted = _by_day(world, "signed_up", 14)
    best = max(list(counted)[:-1], key=lambda one: counted[one])
    return [f"{best}", counted[best]]


def _per_person(world: World) -> float:
    events = world.of("task_created", first=ago(30))
    return round(len(events) / len(persons(events)), 4)


def _weekly_active(world: World) -> list[object]:
    return [f"{ago(1)}", len(persons(world.of("$pageview", first=ago(7), last=ago(1))))]


def _of_yesterday(shown: Shown) -> list[object]:
    return next(row for row in rows(shown) if row[0] == f"{ago(1)}")


def _first_purchases(world: World) -> int:
    found = by(world.of("purchase_completed"), lambda event: event["person_id"])
    return sum(1 for own in found.values() if day(own[0]) >= ago(30))


def _heavy_users(world: World) -> int:
    found = by(world.of("task_created", first=ago(30)), lambda event: event["person_id"])
    return sum(1 for own in found.values() if len(own) >= 10)


QUESTIONS = (
    Question(
        "How many people signed up in the last 30 days?",
        call("query_trends", events=["signed_up"], math="dau", interval="total", date_from="-30d"),
        cell,
        lambda world: len(persons(world.of("signed_up", first=ago(30)))),
        described={"search": "sign"},
    ),
    Question(
        "How many visitors did we have yesterday?",
        call("query_trends", events=["$pageview"], math="dau", interval="total", date_from="-1d", date_to="-1d"),
        cell,
        lambda world: len(persons(world.of("$pageview", first=ago(1), last=ago(1)))),
    ),
    Question(
        "How many people did anything at all in the last 30 days (our MAU)?",
        call("query_trends", events=["*"], math="dau", interval="total", date_from="-30d"),
        cell,
        lambda world: len(persons(world.of(first=ago(30)))),
    ),
    Question(
        "How many weekly active visitors did we have yesterday?",
        call("query_trends", events=["$pageview"], math="weekly_active", date_from="-3d"),
        _of_yesterday,
        _weekly_active,
    ),
    Question(
        "How many sessions had a page view yesterday?",
        call("query_trends", events=["$pageview"], math="sessions", interval="total", date_from="-1d", date_to="-1d"),
        cell,
        lambda world: len({event["$session_id"] for event in world.of("$pageview", first=ago(1), last=ago(1))}),
    ),
    Question(
        "How many sign-ups did we get per day on average last week?",
        call("query_trends", events=["signed_up"]),
        fact("average"),
        _average,
        described={},
    ),
    Question(
        "What was our best day for sign-ups in the last two weeks?",
        call("query_trends", events=["signed_up"], date_from="-14d"),
        fact("peak"),
        _best_day,
    ),
    Question(
        "How many tasks does an active user create per month?",
        call("query_trends", events=["task_created"], math="avg_count_per_actor", interval="total", date_from="-30d"),
        cell,
        _per_person,
        described={"search": "task"},
    ),
    Question(
        "How many people bought for the first time in the last 30 days?",
        call(
            "query_trends", events=["purchase_completed"], math="first_time_for_user", interval="total",
            date_from="-30d",
        ),
        cell,
        _first_purchases,
        described={"event": "purchase_completed"},
    ),
    Question(
        "How many people created ten or more tasks in the last 30 days?",
        hogql(
            "SELECT count() FROM (SELECT person_id FROM events WHERE event = 'task_created' "
            "AND timestamp >= toStartOfDay(now()) - INTERVAL 30 DAY GROUP BY person_id HAVING count() >= 10)"
        ),
        cell,
        _heavy_users,
        described={"event": "task_created"},
    ),
)  # fmt: skip
