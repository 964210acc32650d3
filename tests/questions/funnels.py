"""Funnels: users who complete a series of steps, the biggest drop, and the time it takes."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from .question import Question, Shown, call, fact, rows
from .world import TODAY, Row, World, ago, funnel, has, own_events, percent, persons, reached

_CHECKOUT = ["checkout_started", "purchase_completed"]
_JOURNEY = ["$pageview", "signed_up", "project_created", "checkout_started", "purchase_completed"]
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_BROKEN_FROM, _BROKEN_TO = date(2026, 11, 10), date(2026, 11, 13)


def _conversion(world: World) -> list[object]:
    entered, completed = funnel(world, _CHECKOUT, ago(30), TODAY, 14 * _DAY)
    return [entered, completed, percent(completed, entered)]


def _facts(*names: str) -> Callable[[Shown], list[object]]:
    return lambda shown: [shown["facts"][name] for name in names]


def _biggest_drop(world: World) -> list[object]:
    counted = funnel(world, _JOURNEY, ago(60), TODAY, 30 * _DAY)
    lost = [before - after for before, after in pairwise(counted)]
    at = lost.index(max(lost))
    return [_JOURNEY[at], _JOURNEY[at + 1], lost[at]]


def _drop(shown: Shown) -> list[object]:
    drop = fact("biggest_drop")(shown)
    return [drop["from"], drop["to"], drop["lost"]]


def _by_browser(world: World) -> dict[str, list[int]]:
    """Count checkouts and purchases while release 3.8.0 was live, by the browser of the first event."""
    found: dict[str, list[int]] = {}
    for own in own_events(world, _CHECKOUT, _BROKEN_FROM, _BROKEN_TO).values():
        level = reached(own, _CHECKOUT, 14 * _DAY)
        if level:
            sums = found.setdefault(has(own[0], "$browser"), [0, 0])
            sums[0] += 1
            sums[1] += level == 2
    return found


def _steps_by_value(shown: Shown) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for value, _, count, *_ in rows(shown):
        found.setdefault(value, []).append(count)
    return found


def _days_to_buy(world: World) -> float:
    """Return the median seconds from the sign-up to the first purchase of each buyer."""
    people = own_events(world, ["signed_up", "purchase_completed"], ago(80)).values()
    bought = [own for own in people if own[0]["event"] == "signed_up" and len(own) > 1]
    return round(median((own[1]["timestamp"] - own[0]["timestamp"]).total_seconds() for own in bought), 1)


def _fast_activation(world: World) -> list[int]:
    return funnel(world, ["signed_up", "project_created"], ago(60), TODAY, _HOUR)


def _without_errors(world: World) -> list[int]:
    """Count users by their furthest attempt without an exception; users with only failed attempts are excluded."""
    counts = [0, 0]
    for own in own_events(world, [*_CHECKOUT, "$exception"], ago(90)).values():
        clean = max((reach for reach, met in _attempts(own) if not met), default=0)
        spoilt = max((reach for reach, met in _attempts(own) if met), default=0)
        if clean and clean >= spoilt:
            counts[0] += 1
            counts[1] += clean == 2
    return counts


def _attempts(own: list[Row]) -> list[tuple[int, bool]]:
    """Return how far each checkout got before the next one or within an hour, and whether it had an exception."""
    attempts: list[tuple[int, bool]] = []
    for at, start in enumerate(own):
        if start["event"] != "checkout_started":
            continue
        reach = 1
        met = False
        for event in own[at + 1 :]:
            if event["event"] == "checkout_started" or event["timestamp"] - start["timestamp"] > _HOUR:
                break
            if event["event"] == "purchase_completed":
                reach = 2
                break
            met = True
        attempts.append((reach, met))
    return attempts


def _last_week_rate(world: World) -> list[object]:
    """Return the percentage of users who bought within a day of a checkout in the last complete week."""
    monday = ago(7)
    own = own_events(world, _CHECKOUT, monday)
    entered = persons(world.of("checkout_started", first=monday, last=ago(1)))
    bought = sum(1 for person in entered if _bought_from(own[person], ago(1)))
    return [f"{monday}", round(100 * bought / len(entered), 2)]


def _bought_from(own: list[Row], last: date) -> bool:
    starts = [event["timestamp"] for event in own if event["event"] == "checkout_started"]
    ends = [event["timestamp"] for event in own if event["event"] == "purchase_completed"]
    return any(start.date() <= last and timedelta() <= end - start <= _DAY for start in starts for end in ends)


QUESTIONS = (
    Question(
        "What share of started checkouts ends in a purchase?",
        call("query_funnel", steps=_CHECKOUT),
        _facts("entered", "completed", "conversion_percent"),
        _conversion,
        described={"search": "checkout"},
    ),
    Question(
        "Where do we lose the most people between the first visit and a purchase?",
        call("query_funnel", steps=_JOURNEY, date_from="-60d", window=30),
        _drop,
        _biggest_drop,
        described={},
    ),
    Question(
        "On which browsers did purchases still work while release 3.8.0 was live?",
        call(
            "query_funnel", steps=_CHECKOUT, breakdown="$browser", date_from=f"{_BROKEN_FROM}",
            date_to=f"{_BROKEN_TO}",
        ),
        _steps_by_value,
        _by_browser,
        described={"event": "checkout_started"},
    ),
    Question(
        "How long does it take from sign-up to a first purchase?",
        call(
            "query_funnel", steps=["signed_up", "purchase_completed"], date_from="-80d", window=80,
        ),
        fact("median_total_s"),
        _days_to_buy,
        described={},
    ),
    Question(
        "How many new users create a project within an hour?",
        call(
            "query_funnel", steps=["signed_up", "project_created"], date_from="-60d", window=1, window_unit="hour",
        ),
        _facts("entered", "completed"),
        _fast_activation,
        described={},
    ),
    Question(
        "How many users without an error during checkout complete their purchase?",
        call(
            "query_funnel", steps=_CHECKOUT, exclude=["$exception"], window=1, window_unit="hour", date_from="-90d",
        ),
        _facts("entered", "completed"),
        _without_errors,
        described={},
    ),
    Question(
        "What share of last week's checkouts converted within a day?",
        call("query_funnel", steps=_CHECKOUT, view="trend", interval="week", window=1, date_from="-28d"),
        fact("last_complete"),
        _last_week_rate,
    ),
)  # fmt: skip
