"""Words with several meanings: one call counts the meanings side by side, or the result names the one it counted."""

from datetime import date, timedelta

from ..question import Question, Shown, call, pairs, rows
from ..world import TODAY, Row, World, ago, funnel, percent, person_has, persons, revenue

_OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
_NOVEMBER = date(2026, 11, 1)
_TO_PAYING = ["$pageview", "signed_up", "purchase_completed"]


def _actives(world: World) -> list[int]:
    """Count the visitors of yesterday, of the 7 days that end with it, and of the 30 days."""
    return [len(persons(world.of("$pageview", first=ago(back), last=ago(1)))) for back in (1, 7, 30)]


def _active_by(world: World) -> list[int]:
    october = [
        world.of(*names, first=_OCTOBER[0], last=_OCTOBER[1]) for names in (("$pageview",), ("task_created",), ())
    ]
    return [len(persons(events)) for events in october]


def _values(shown: Shown) -> list[object]:
    return [value for _, value in pairs(shown)]


def _conversions(world: World) -> list[list[float]]:
    """Return for sign-ups and purchases the users, and their share of the step before and of the visitors."""
    counts = funnel(world, _TO_PAYING, ago(30), TODAY, timedelta(days=30))
    return [[counts[at], percent(counts[at], counts[at - 1]), percent(counts[at], counts[0])] for at in (1, 2)]


def _later_steps(shown: Shown) -> list[list[object]]:
    return [row[1:4] for row in rows(shown)[1:]]


def _per_session(world: World) -> float:
    sold, viewed = (
        {event["$session_id"] for event in world.of(name, first=ago(7), last=ago(1))}
        for name in ("purchase_completed", "$pageview")
    )
    return round(100 * len(sold) / len(viewed), 4)


def _last_month(world: World) -> list[object]:
    return [
        f"{_OCTOBER[0]}",
        f"{_OCTOBER[1]}",
        len(world.of("purchase_completed", first=_OCTOBER[0], last=_OCTOBER[1])),
    ]


def _is_own(email: object) -> bool:
    return "@quillboard.example" in str(email or "").lower()


def _of_others(events: list[Row]) -> list[Row]:
    return [event for event in events if not _is_own(person_has(event, "email"))]


QUESTIONS = (
    Question(
        "How many active users do we have: by day, by week and by month, as of yesterday?",
        call(
            "query_trends", date_from="yesterday",
            events=[{"event": "$pageview", "math": math} for math in ("dau", "weekly_active", "monthly_active")],
        ),
        lambda shown: rows(shown)[0][1:],
        _actives,
    ),
    Question(
        "How many users were active last month: those who visited, who created tasks, or who did anything?",
        call(
            "query_trends", events=["$pageview", "task_created", "*"], math="dau", interval="total",
            date_from="last_month",
        ),
        _values,
        _active_by,
    ),
    Question(
        "What is our conversion: to a sign-up, and to a purchase?",
        call("query_funnel", steps=_TO_PAYING, window=30),
        _later_steps,
        _conversions,
    ),
    Question(
        "What was last week's conversion if it is counted by sessions?",
        call(
            "query_trends", events=["purchase_completed", "$pageview"], math="unique_session", formula="100 * A / B",
            interval="total", date_from="last_week",
        ),
        lambda shown: rows(shown)[0][1],
        _per_session,
    ),
    Question(
        "How many purchases did we have last month, and which days is that?",
        call("query_trends", events=["purchase_completed"], interval="total", date_from="last_month"),
        lambda shown: [*shown["range"], rows(shown)[0][1]],
        _last_month,
    ),
    Question(
        "How many users created tasks last month, without our own test accounts?",
        call(
            "query_trends", events=["task_created"], math="dau", interval="total", date_from="last_month",
            filter_test_accounts=True,
        ),
        lambda shown: rows(shown)[0][1],
        lambda world: len(persons(_of_others(world.of("task_created", first=_OCTOBER[0], last=_OCTOBER[1])))),
    ),
    Question(
        "How many visitors did we have in the last 30 days, without today and without our own staff?",
        call(
            "query_trends", events=["$pageview"], math="dau", interval="total", date_from="last_30_days",
            filter_test_accounts=True,
        ),
        lambda shown: rows(shown)[0][1],
        lambda world: len(persons(_of_others(world.of("$pageview", first=ago(30), last=ago(1))))),
    ),
    Question(
        "What revenue did this month bring: of purchases, and of renewals?",
        call(
            "query_trends", events=["purchase_completed", "subscription_renewed"], math="sum", property="revenue",
            interval="total", date_from="this_month",
        ),
        _values,
        lambda world: [
            revenue(world.of(name, first=_NOVEMBER)) for name in ("purchase_completed", "subscription_renewed")
        ],
    ),
)  # fmt: skip
