"""Dashboards that are made in one call, which shows the headline number of each tile."""

from datetime import date, timedelta
from typing import Any

from ..question import Question, Shown, call
from ..world import TODAY, World, ago, day, funnel, percent, persons, revenue

_NOVEMBER = date(2026, 11, 1)
_CHECKOUT = ["checkout_started", "purchase_completed"]
_DAY = timedelta(days=1)


def _tile(name: str, tool: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "query": {"tool": tool, "arguments": arguments}}


def _headlines(shown: Shown) -> list[Any]:
    return [tile["headline"]["value"] for tile in shown["tiles"] if "insight" in tile]


def _this_month(world: World) -> list[float]:
    """Return the people who signed up, the revenue, and the conversion of checkouts in the last 30 days."""
    started, bought = funnel(world, _CHECKOUT, ago(30), TODAY, 14 * _DAY)
    return [
        len(persons(world.of("signed_up", first=_NOVEMBER))),
        revenue(world.of("purchase_completed", first=_NOVEMBER)),
        percent(bought, started),
    ]


def _engagement(world: World) -> list[float]:
    """Return the tasks of the last complete day, and the share of new users who come back on the next day."""
    first: dict[str, date] = {}
    for event in world.of("signed_up"):
        first.setdefault(event["person_id"], day(event))
    seen = {(event["person_id"], day(event)) for event in world.of("$pageview")}
    new = {who: began for who, began in first.items() if ago(7) <= began <= ago(2)}
    returned = sum(1 for who, began in new.items() if (who, began + _DAY) in seen)
    return [len(world.of("task_created", first=ago(7), last=ago(1))), percent(returned, len(new))]


QUESTIONS = (
    Question(
        "Make a dashboard of this month: sign-ups, revenue and the conversion of checkouts. What are the numbers?",
        call(
            "create_dashboard", name="This month",
            tiles=[
                _tile(
                    "Sign-ups", "query_trends", events=["signed_up"], math="dau", interval="total",
                    date_from="this_month",
                ),
                _tile(
                    "Revenue", "query_trends", events=["purchase_completed"], math="sum", property="revenue",
                    interval="total", date_from="this_month",
                ),
                _tile("Checkout", "query_funnel", steps=_CHECKOUT),
            ],
        ),
        _headlines,
        _this_month,
    ),
    Question(
        "Make a dashboard for engagement: tasks by day, and the return of new users on the next day.",
        call(
            "create_dashboard", name="Engagement",
            tiles=[
                {"text": "How new users get to work"},
                _tile("Tasks", "query_trends", events=["task_created"]),
                _tile("Return", "query_retention", event="signed_up", returning_event="$pageview"),
            ],
        ),
        _headlines,
        _engagement,
    ),
)  # fmt: skip
