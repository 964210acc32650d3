"""Retention, stickiness and lifecycle: users who come back, how often, and users who left."""

from datetime import date, timedelta

from .question import Question, Shown, call, fact, rows
from .world import TODAY, World, ago, by, day, days, has, percent, person_has, persons

_WEEK = timedelta(days=7)
_LAST_WEEK = ago(7)
"""A Monday: weeks begin on Mondays in this project."""


def _began(world: World, event: str) -> dict[str, date]:
    """Return the day of each person's first such event."""
    first: dict[str, date] = {}
    for one in world.of(event):
        first.setdefault(one["person_id"], day(one))
    return first


def _monday(one: date) -> date:
    return one - timedelta(days=one.weekday())


def _seen(world: World, event: str) -> set[tuple[str, date]]:
    return {(one["person_id"], day(one)) for one in world.of(event)}


def _next_day(world: World) -> float:
    """Count sign-ups of the eight days up to today whose next day is over."""
    seen = _seen(world, "$pageview")
    cohort = {who: began for who, began in _began(world, "signed_up").items() if ago(7) <= began <= ago(2)}
    return percent(sum(1 for who, began in cohort.items() if (who, began + timedelta(days=1)) in seen), len(cohort))


def _next_week(world: World) -> float:
    seen = {(who, _monday(one)) for who, one in _seen(world, "task_created")}
    mondays = [_LAST_WEEK - number * _WEEK for number in range(1, 7)]
    cohort = {who: _monday(began) for who, began in _began(world, "signed_up").items() if _monday(began) in mondays}
    return percent(sum(1 for who, week in cohort.items() if (who, week + _WEEK) in seen), len(cohort))


def _november_week(world: World) -> list[int]:
    """Count sign-ups of the week of November 2, and those who viewed a page in each of the next two weeks."""
    week = date(2026, 11, 2)
    seen = {(who, _monday(one)) for who, one in _seen(world, "$pageview")}
    cohort = [who for who, began in _began(world, "signed_up").items() if _monday(began) == week]
    return [len(cohort), *(sum(1 for who in cohort if (who, week + after * _WEEK) in seen) for after in (1, 2))]


def _row_of_november(shown: Shown) -> list[int]:
    return next(row[1:4] for row in rows(shown) if row[0] == "2026-11-02")


def _by_method(world: World) -> dict[str, float]:
    """Return the percentage that came back in the week after sign-up, by sign-up method."""
    seen = {(who, _monday(one)) for who, one in _seen(world, "$pageview")}
    first = _began(world, "signed_up")
    method = {event["person_id"]: person_has(event, "sign_up_method") for event in world.of("signed_up")}
    mondays = [_LAST_WEEK - number * _WEEK for number in range(1, 7)]
    groups = by(
        [{"who": who, "week": _monday(began)} for who, began in first.items() if _monday(began) in mondays],
        lambda one: method[one["who"]],
    )
    return {
        name: percent(sum(1 for one in own if (one["who"], one["week"] + _WEEK) in seen), len(own))
        for name, own in groups.items()
    }


def _first_weeks(shown: Shown) -> dict[str, float]:
    return {one["value"]: one["returned_percent"]["Week 1"] for one in shown["facts"]}


def _active_days(world: World, event: str) -> list[int]:
    found = by(world.of(event, first=ago(7), last=ago(1)), lambda one: one["person_id"])
    return [len({day(one) for one in own}) for own in found.values()]


def _three_days(shown: Shown) -> int:
    return next(count for number, count in rows(shown) if number == 3)


def _average_days(world: World) -> float:
    numbers = _active_days(world, "task_created")
    return round(sum(numbers) / len(numbers), 2)


def _lifecycle(world: World) -> list[int]:
    """Count new, returning, resurrecting and dormant visitors of the last complete week."""
    events = [event for event in world.of("$pageview") if event["person_mode"] == "full"]
    now = [event for event in events if _LAST_WEEK <= day(event) < TODAY]
    before = persons(event for event in events if _LAST_WEEK - _WEEK <= day(event) < _LAST_WEEK)
    active = persons(now)
    new = persons(event for event in now if _LAST_WEEK <= event["person_created_at"].date() < TODAY)
    return [len(new), len(active & before), len(active - before - new), -len(before - active)]


def _last_whole_week(shown: Shown) -> list[int]:
    return next(row[1:] for row in rows(shown) if row[0] == f"{_LAST_WEEK}")


def _daily_growth(world: World) -> list[object]:
    """Count users who created tasks yesterday, and the change from the day before."""
    users = [persons(world.of("task_created", first=one, last=one)) for one in days(ago(2), ago(1))]
    before, now = map(len, users)
    return [f"{ago(1)}", now, percent(now - before, before)]


def _last_complete(shown: Shown) -> list[object]:
    found = fact("last_complete")(shown)
    return [found["interval"], found["active"], found["vs_one_before_percent"]]


def _active_on(world: World) -> int:
    return sum(1 for number in _active_days(world, "$pageview") if number >= 3)


def _with_due_date(world: World) -> int:
    """Count users who created a task with a due date on two or more days of the week."""
    events = [one for one in world.of("task_created", first=ago(7), last=ago(1)) if has(one, "has_due_date") is True]
    return sum(1 for own in by(events, lambda one: one["person_id"]).values() if len({day(one) for one in own}) >= 2)


def _two_days(shown: Shown) -> int:
    return next(count for number, count in rows(shown) if number == 2)


QUESTIONS = (
    Question(
        "What share of new users comes back the next day?",
        call("query_retention", event="signed_up", returning_event="$pageview"),
        fact("returned_percent", "Day 1"),
        _next_day,
        described={},
    ),
    Question(
        "What share of new users creates a task in the following week?",
        call("query_retention", event="signed_up", returning_event="task_created", period="Week", periods=8),
        fact("returned_percent", "Week 1"),
        _next_week,
        described={},
    ),
    Question(
        "How well did we retain the people who signed up in the week of November 2?",
        call("query_retention", event="signed_up", returning_event="$pageview", period="Week", periods=5),
        _row_of_november,
        _november_week,
    ),
    Question(
        "Do people who sign up with Google come back more often than those who use email?",
        call(
            "query_retention", event="signed_up", returning_event="$pageview", period="Week", periods=8,
            breakdown="person.sign_up_method",
        ),
        _first_weeks,
        _by_method,
        described={"property": "sign_up_method"},
    ),
    Question(
        "How many visitors came on three or more days last week?",
        call("query_stickiness", events=["$pageview"], date_from="-7d", date_to="-1d", cumulative=True),
        _three_days,
        _active_on,
    ),
    Question(
        "On how many days a week do people create tasks?",
        call("query_stickiness", events=["task_created"], date_from="-7d", date_to="-1d"),
        fact("average_days"),
        _average_days,
        described={"search": "task"},
    ),
    Question(
        "How many people created tasks with a due date on two or more days last week?",
        call(
            "query_stickiness", date_from="-7d", date_to="-1d", cumulative=True,
            events=[{"event": "task_created", "where": [{"key": "has_due_date", "value": True}]}],
        ),
        _two_days,
        _with_due_date,
        described={"event": "task_created"},
    ),
    Question(
        "How many visitors were new, came back or left last week?",
        call("query_lifecycle", event="$pageview", interval="week", date_from="-28d"),
        _last_whole_week,
        _lifecycle,
    ),
    Question(
        "Do more people create tasks than on the day before?",
        call("query_lifecycle", event="task_created", date_from="-3d"),
        _last_complete,
        _daily_growth,
        described={"search": "task"},
    ),
)  # fmt: skip
