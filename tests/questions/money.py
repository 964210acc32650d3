"""Revenue: sums, averages and quantiles, by product and by customer."""

from datetime import date
from math import floor
from typing import Any

from .question import Question, Shown, call, cell, hogql, pairs, rows
from .world import World, ago, by, has, percent, person_has, persons, revenue

_FIRST = date(2026, 11, 1)
_PURCHASE = {"event": "purchase_completed"}
_SUM = {"event": "purchase_completed", "math": "sum", "property": "revenue"}


def _by_product(world: World) -> list[list[Any]]:
    found = by(world.of("purchase_completed", first=ago(90)), lambda event: has(event, "product"))
    sums = [[name, revenue(events)] for name, events in found.items()]
    return sorted(sums, key=lambda row: -row[1])


def _per_buyer(world: World) -> float:
    bought = world.of("purchase_completed", first=ago(30))
    return round(revenue(bought) / len(persons(bought)), 4)


def _p90(world: World) -> float:
    values = sorted(has(event, "revenue") for event in world.of("purchase_completed", first=ago(90)))
    place = 0.9 * (len(values) - 1)
    below = floor(place)
    above = min(below + 1, len(values) - 1)
    return round(values[below] + (values[above] - values[below]) * (place - below), 4)


def _best_customers(world: World) -> list[list[object]]:
    bought = world.of("purchase_completed", "subscription_renewed", first=ago(90))
    found = by(bought, lambda event: person_has(event, "email"))
    sums = [(email, revenue(events)) for email, events in found.items() if email]
    return [[email, total] for email, total in sorted(sums, key=lambda one: (-one[1], one[0]))[:5]]


def _with_coupon(world: World) -> float:
    bought = world.of("purchase_completed", first=ago(90))
    return percent(sum(1 for event in bought if has(event, "coupon_used")), len(bought))


def _coupon_share(shown: Shown) -> float:
    return next(share for value, _, share in rows(shown) if value == "true")


def _best_plan(world: World) -> list[object]:
    renewed = by(world.of("subscription_renewed", first=ago(60)), lambda event: has(event, "plan"))
    best = max(renewed, key=lambda plan: revenue(renewed[plan]))
    return [best, revenue(renewed[best])]


def _of_companies(world: World) -> list[list[object]]:
    names = {group["key"]: group["properties"].get("industry") for group in world.groups}
    bought = [event for event in world.of("purchase_completed", first=ago(90)) if event["$group_0"]]
    found = by(bought, lambda event: names[event["$group_0"]])
    sums = [(industry, revenue(events)) for industry, events in found.items() if industry]
    return [[industry, total] for industry, total in sorted(sums, key=lambda one: (-one[1], one[0]))[:3]]


QUESTIONS = (
    Question(
        "How much revenue did purchases generate this month?",
        call(
            "query_trends", events=["purchase_completed"], math="sum", property="revenue", interval="total",
            date_from=f"{_FIRST}",
        ),
        cell,
        lambda world: revenue(world.of("purchase_completed", first=_FIRST)),
        described=_PURCHASE,
    ),
    Question(
        "What was our total revenue in the last 30 days, including renewals?",
        call(
            "query_trends", events=["purchase_completed", "subscription_renewed"], math="sum", property="revenue",
            formula="A + B", interval="total", date_from="-30d",
        ),
        cell,
        lambda world: revenue(world.of("purchase_completed", "subscription_renewed", first=ago(30))),
        described={"search": "revenue"},
    ),
    Question(
        "How much does a buyer spend on average in 30 days?",
        call(
            "query_trends", events=[_SUM, {"event": "purchase_completed", "math": "dau"}], formula="A / B",
            interval="total", date_from="-30d",
        ),
        cell,
        _per_buyer,
        described=_PURCHASE,
    ),
    Question(
        "How much revenue does each product generate?",
        call("query_trends", events=[_SUM], breakdown="product", interval="total", date_from="-90d"),
        pairs,
        _by_product,
        described=_PURCHASE,
    ),
    Question(
        "What is the 90th percentile of order values?",
        call(
            "query_trends", events=["purchase_completed"], math="p90", property="revenue", interval="total",
            date_from="-90d",
        ),
        cell,
        _p90,
        described=_PURCHASE,
    ),
    Question(
        "Who were our top five customers by revenue in the last 90 days?",
        hogql(
            "SELECT person.properties.email AS email, sum(properties.revenue) AS paid FROM events "
            "WHERE event IN ('purchase_completed', 'subscription_renewed') "
            "AND timestamp >= toStartOfDay(now()) - INTERVAL 90 DAY AND email IS NOT NULL "
            "GROUP BY email ORDER BY paid DESC, email LIMIT 5"
        ),
        rows,
        _best_customers,
        described={},
    ),
    Question(
        "What share of purchases uses a coupon?",
        call(
            "query_trends", events=["purchase_completed"], breakdown="coupon_used", interval="total",
            date_from="-90d",
        ),
        _coupon_share,
        _with_coupon,
        described=_PURCHASE,
    ),
    Question(
        "Which plan generates the most renewal revenue?",
        call(
            "query_trends", events=["subscription_renewed"], math="sum", property="revenue", breakdown="plan",
            interval="total", date_from="-60d",
        ),
        lambda shown: pairs(shown)[0],
        _best_plan,
        described={"event": "subscription_renewed"},
    ),
    Question(
        "Companies in which three industries spend the most?",
        hogql(
            "SELECT organization.properties.industry AS industry, sum(properties.revenue) AS paid FROM events "
            "WHERE event = 'purchase_completed' AND timestamp >= toStartOfDay(now()) - INTERVAL 90 DAY "
            "AND industry IS NOT NULL GROUP BY industry ORDER BY paid DESC, industry LIMIT 3"
        ),
        rows,
        _of_companies,
        described={"table": "events"},
    ),
    Question(
        "How did last week's revenue compare with the week before?",
        call(
            "query_trends", events=[_SUM], interval="total", date_from="2026-11-16", date_to="2026-11-22",
            compare="-7d",
        ),
        lambda shown: rows(shown)[0][1:3],
        lambda world: [
            revenue(world.of("purchase_completed", first=ago(7), last=ago(1))),
            revenue(world.of("purchase_completed", first=ago(14), last=ago(8))),
        ],
    ),
)  # fmt: skip
