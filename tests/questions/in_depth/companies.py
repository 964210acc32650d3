"""Organizations: by industry, plan and size, and how many are active."""

from datetime import date, timedelta
from typing import Any

from ..question import Question, Shown, call, cell, pairs, rows
from ..world import Row, World, ago, by, own_events, percent, reached, revenue

_OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
_NOVEMBER = date(2026, 11, 1)
_CHECKOUT = ["checkout_started", "purchase_completed"]
_COMPANY = "Delta Robotics"
_WINDOW = timedelta(days=14)


def _active(event: str) -> dict[str, Any]:
    """Return a series that counts organizations."""
    return {"event": event, "math": "unique_group", "group_type_index": 0}


def _property(world: World, name: str) -> dict[str, Any]:
    """Return a property of each organization by its key."""
    return {group["key"]: group["properties"].get(name) for group in world.groups}


def _keys(events: list[Row]) -> set[str]:
    return {event["$group_0"] for event in events if event["$group_0"]}


def _named(shown: Shown) -> dict[str, Any]:
    """Return the values of a breakdown, without that of events of no organization."""
    return {name: value for name, value in pairs(shown) if name != "(none)"}


def _tasks(world: World) -> dict[str, int]:
    plans = _property(world, "plan")
    tasks = world.of("task_created", first=_OCTOBER[0], last=_OCTOBER[1])
    found = by(tasks, lambda event: plans.get(event["$group_0"]))
    return {name: len(events) for name, events in found.items() if name}


def _active_by_industry(world: World) -> dict[str, int]:
    industries = _property(world, "industry")
    keys = _keys(world.of(first=ago(7), last=ago(1)))
    return {name: len(own) for name, own in by([{"of": industries[key]} for key in keys], _of).items() if name}


def _of(row: Row) -> Any:
    return row["of"]


def _by_plan(world: World) -> dict[str, list[int]]:
    """Count checkouts and purchases by the plan of the person's company."""
    plans = _property(world, "plan")
    found: dict[str, list[int]] = {"team": [0, 0], "free": [0, 0]}
    for own in own_events(world, _CHECKOUT, ago(60)).values():
        level = reached(own, _CHECKOUT, _WINDOW)
        plan = plans.get(own[0]["$group_0"])
        if level and plan in found:
            found[plan][0] += 1
            found[plan][1] += level == 2
    return found


def _entered_and_completed(shown: Shown) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for plan, _, count, *_ in rows(shown):
        found.setdefault(plan, []).append(count)
    return {plan: found[plan] for plan in ("team", "free")}


def _of_one(world: World) -> float:
    names = _property(world, "name")
    bought = world.of("purchase_completed", first=_NOVEMBER)
    return revenue(event for event in bought if names.get(event["$group_0"]) == _COMPANY)


def _large(world: World) -> float:
    sizes = _property(world, "employees")
    bought = world.of("purchase_completed", first=ago(90))
    return revenue(event for event in bought if sizes.get(event["$group_0"], 0) >= 50)


def _share(world: World) -> float:
    bought = world.of("purchase_completed", first=ago(30))
    return round(100 * sum(1 for event in bought if event["$group_0"]) / len(bought), 4)


def _two_weeks(world: World) -> list[float]:
    now, before = (len(_keys(world.of(first=ago(first), last=ago(last)))) for first, last in ((7, 1), (14, 8)))
    return [now, before, percent(now - before, before)]


QUESTIONS = (
    Question(
        "How many tasks did people at companies of each plan create in October?",
        call(
            "query_trends", events=["task_created"], breakdown="organization.plan", interval="total",
            date_from="2026-10",
        ),
        _named,
        _tasks,
    ),
    Question(
        "How many companies of each industry were active last week?",
        call(
            "query_trends", events=[_active("*")], breakdown="organization.industry", interval="total",
            date_from="last_week",
        ),
        _named,
        _active_by_industry,
    ),
    Question(
        "Do people at companies on the team plan complete more checkouts than those on the free plan?",
        call("query_funnel", steps=_CHECKOUT, breakdown="organization.plan", date_from="-60d"),
        _entered_and_completed,
        _by_plan,
    ),
    Question(
        f"How much has {_COMPANY} spent this month?",
        call(
            "query_trends", events=["purchase_completed"], math="sum", property="revenue", interval="total",
            date_from="this_month", filters=[{"key": "organization.name", "value": _COMPANY}],
        ),
        cell,
        _of_one,
    ),
    Question(
        "How much did companies with 50 or more employees spend in the last 90 days?",
        call(
            "query_trends", events=["purchase_completed"], math="sum", property="revenue", interval="total",
            date_from="-90d", filters=[{"key": "organization.employees", "operator": ">=", "value": 50}],
        ),
        cell,
        _large,
    ),
    Question(
        "What share of purchases comes from people at companies?",
        call(
            "query_trends", formula="100 * A / B", interval="total", date_from="-30d",
            events=[
                {"event": "purchase_completed", "where": [{"key": "organization.name", "operator": "is_set"}]},
                "purchase_completed",
            ],
        ),
        cell,
        _share,
    ),
    Question(
        "From how many companies did people sign up in October?",
        call("query_trends", events=[_active("signed_up")], interval="total", date_from="2026-10"),
        cell,
        lambda world: len(_keys(world.of("signed_up", first=_OCTOBER[0], last=_OCTOBER[1]))),
    ),
    Question(
        "Were more companies active last week than the week before?",
        call("query_trends", events=[_active("*")], interval="total", date_from="last_week", compare="previous"),
        lambda shown: rows(shown)[0][1:],
        _two_weeks,
    ),
)  # fmt: skip
