"""Stored insights and dashboards: their current numbers."""

from datetime import timedelta

from .question import Question, Shown, Step, rows
from .world import NOW, World, ago, by, has, persons, revenue

_WINDOW = timedelta(days=14)


def _insight(name: str) -> tuple[Step, ...]:
    """Find the insight by its name, then compute it."""

    def found(shown: Shown) -> dict[str, object]:
        return {"insight_id": next(one["id"] for one in shown["insights"] if one["name"] == name)}

    return Step("list_insights", {"search": name}), Step("get_insight", {"refresh": True}, found)


def _signed_up_and_bought(world: World) -> list[int]:
    """Count the funnel from a view to a sign-up to a purchase within two weeks of the view."""
    counts = [0, 0, 0]
    events = world.of("$pageview", "signed_up", "purchase_completed", first=ago(30))
    for own in by(events, lambda event: event["person_id"]).values():
        best = 0
        for at, view in enumerate(own):
            if view["event"] != "$pageview":
                continue
            in_time = [one["event"] for one in own[at:] if one["timestamp"] - view["timestamp"] <= _WINDOW]
            signed_up = "signed_up" in in_time
            bought = signed_up and "purchase_completed" in in_time[in_time.index("signed_up") :]
            best = max(best, 1 + signed_up + bought)
        for step in range(best):
            counts[step] += 1
    return counts


def _exceptions(world: World) -> list[list[object]]:
    raised = [event for event in world.of("$exception") if event["timestamp"] > NOW - timedelta(days=30)]
    found = by(raised, lambda event: has(event, "$exception_types")[0])
    return sorted([f'["{kind}"]', len(events), len(persons(events))] for kind, events in found.items())


def _of_dashboard(name: str) -> tuple[Step, ...]:
    """Find the dashboard by its name, then compute the number of each tile."""

    def found(shown: Shown) -> dict[str, object]:
        return {"dashboard_id": next(one["id"] for one in shown["dashboards"] if one["name"] == name)}

    return Step("list_dashboards", {"search": name}), Step("get_dashboard", {"numbers": True, "refresh": True}, found)


def _revenue_tile(shown: Shown) -> float:
    value = shown["columns"].index("value")
    return next(row[value] for row in rows(shown) if row[0] == "Revenue by day")


QUESTIONS = (
    Question(
        "What are the current numbers of our stored sign-up to purchase funnel?",
        _insight("Sign-up to purchase"),
        lambda shown: [row[1] for row in rows(shown)],
        _signed_up_and_bought,
    ),
    Question(
        "Which exceptions are currently in our stored list?",
        _insight("Most frequent exceptions"),
        lambda shown: sorted(rows(shown)),
        _exceptions,
    ),
    Question(
        "What revenue does our dashboard show for the last 30 days, up to yesterday?",
        _of_dashboard("Revenue"),
        _revenue_tile,
        lambda world: revenue(world.of("purchase_completed", first=ago(30), last=ago(1))),
    ),
)
