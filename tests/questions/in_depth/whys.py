"""Changes and their causes: real ones, which the story of the dataset has planted, and ordinary ones."""

from collections.abc import Callable
from datetime import date, timedelta
from statistics import mean

from posthog_sandbox.dataset import tell

from ..question import Question, Shown, call, rows
from ..world import TODAY, Row, World, ago, by, day, funnel, has, own_events, percent, persons, reached

_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_SLOW = (date(2026, 10, 12), date(2026, 10, 18))
_BROKEN = (date(2026, 11, 10), date(2026, 11, 13))
"""The days of release 3.8.0, whose checkout fails on Safari."""
_CHECKOUT = ["checkout_started", "purchase_completed"]
_VISIT_TO_SIGN_UP = ["$pageview", "signed_up"]


def _is_planted(first: date, last: date) -> bool:
    """Return whether the range has days of the slow week, in which the dataset has half of the usual traffic."""
    slow = tell(TODAY).slow_week
    return slow <= last and first < slow + _WEEK


def _why(first: date, last: date, **number: object) -> dict[str, object]:
    return {**number, "date_from": f"{first}", "date_to": f"{last}"}


def _value_and_verdict(shown: Shown) -> list[object]:
    return [shown["value"], shown["real"]]


def _ordinary_week(world: World) -> list[object]:
    return [len(world.of("$pageview", first=ago(7), last=ago(1))), _is_planted(ago(7), ago(1))]


def _slow_week(world: World) -> list[object]:
    return [len(world.of("$pageview", first=_SLOW[0], last=_SLOW[1])), _is_planted(*_SLOW)]


def _who_stayed_away(world: World) -> list[object]:
    """Return the page views of the slow week, and that each kind of device had a quarter or more fewer than before."""
    weeks = [world.of("$pageview", first=_SLOW[0] - at * _WEEK, last=_SLOW[1] - at * _WEEK) for at in range(6)]
    now, *before = [by(week, lambda event: has(event, "$device_type")) for week in weeks]
    large = [name for name, events in now.items() if len(events) >= 50]
    usual = {name: mean(len(week.get(name, [])) for week in before) for name in large}
    assert all(len(now[name]) < 0.75 * usual[name] for name in large)
    return [len(weeks[0]), "all values of all dimensions alike"]


def _views_and_part(shown: Shown) -> list[object]:
    return [shown["value"], shown["explained_by"][0]["what"]]


def _errors_by_browser(world: World) -> list[object]:
    """Return the errors while the release was live, that they are more than usual, and the browser that rose most."""
    windows = [
        by(
            world.of("$exception", first=_BROKEN[0] - at * _WEEK, last=_BROKEN[1] - at * _WEEK),
            lambda event: has(event, "$browser"),
        )
        for at in range(9)
    ]
    now, *before = windows
    rise = {name: len(own) - mean(len(one.get(name, [])) for one in before) for name, own in now.items()}
    return [sum(map(len, now.values())), True, max(rise, key=lambda name: rise[name])]


def _rise(shown: Shown) -> list[object]:
    """Read the browser from the first part that has one."""
    parts = [where for one in shown["explained_by"] for where in (one.get("where", {}), *one.get("same_numbers", ()))]
    return [shown["value"], shown["real"], next(where["$browser"] for where in parts if "$browser" in where)]


def _conversion_by_day(world: World) -> float:
    """Return the share of persons with a checkout on a day who bought on that day, over the broken days."""
    days: list[list[Row]] = []
    for own in own_events(world, _CHECKOUT, *_BROKEN).values():
        days += by(own, day).values()
    found = [level for level in (reached(own, _CHECKOUT, _DAY) for own in days) if level]
    return round(sum(1 for level in found if level > 1) / len(found), 4)


def _on_desktops(world: World, first: date, last: date) -> list[int]:
    found = own_events(world, _CHECKOUT, first, last).values()
    desktops = [[event for event in own if has(event, "$device_type") == "Desktop"] for own in found]
    levels = [reached(own, _CHECKOUT, 14 * _DAY) for own in desktops]
    return [sum(1 for level in levels if level > step) for step in range(2)]


def _desktops_compared(world: World) -> list[int]:
    return [*_on_desktops(world, *_BROKEN), *_on_desktops(world, _BROKEN[0] - _WEEK, _BROKEN[1] - _WEEK)]


def _both(*names: str) -> Callable[[Shown], list[object]]:
    """Return a reader of facts of a funnel, then of the same facts of the range before."""
    return lambda shown: [facts[name] for facts in (shown["facts"], shown["facts"]["compared"]) for name in names]


def _sign_up_rate(world: World) -> list[float]:
    counts = [funnel(world, _VISIT_TO_SIGN_UP, first, last, 14 * _DAY) for first, last in _two_weeks()]
    now, before = (percent(signed_up, visited) for visited, signed_up in counts)
    return [now, before, round(now - before, 1)]


def _two_weeks() -> list[tuple[date, date]]:
    return [(ago(7), ago(1)), (ago(14), ago(8))]


def _rates(shown: Shown) -> list[float]:
    compared = shown["facts"]["compared"]
    return [shown["facts"]["conversion_percent"], compared["conversion_percent"], compared["change_points"]]


def _came_back(world: World) -> list[list[int]]:
    """Return for two weeks the new users, and those who viewed a page in the following week."""
    first: dict[str, date] = {}
    for event in world.of("signed_up"):
        first.setdefault(event["person_id"], day(event))
    found: list[list[int]] = []
    for monday in (date(2026, 11, 2), date(2026, 11, 9)):
        new = {person for person, began in first.items() if monday <= began < monday + _WEEK}
        later = persons(world.of("$pageview", first=monday + _WEEK, last=monday + 2 * _WEEK - _DAY))
        found.append([len(new), len(new & later)])
    return found


QUESTIONS = (
    Question(
        "Is the number of page views of the last seven days out of the ordinary?",
        call("explain_change", event="$pageview"),
        _value_and_verdict,
        _ordinary_week,
    ),
    Question(
        "Was the traffic in the week of October 12 really unusual, or chance?",
        call("explain_change", **_why(*_SLOW, event="$pageview")),
        _value_and_verdict,
        _slow_week,
    ),
    Question(
        "Why were there so few page views in the week of October 12: did one group of users stay away?",
        call("explain_change", **_why(*_SLOW, event="$pageview", dimensions=["organization.plan"])),
        _views_and_part,
        _who_stayed_away,
    ),
    Question(
        "Did errors really increase from November 10 to 13, and in which browser?",
        call("explain_change", **_why(*_BROKEN, event="$exception")),
        _rise,
        _errors_by_browser,
    ),
    Question(
        "What share of people with a checkout from November 10 to 13 bought on that day?",
        call(
            "explain_change", **_why(*_BROKEN, of={"tool": "query_funnel", "arguments": {"steps": _CHECKOUT}}),
        ),
        lambda shown: shown["value"],
        _conversion_by_day,
    ),
    Question(
        "Did fewer desktop users complete a checkout from November 10 to 13 than on the same days a week earlier?",
        call(
            "query_funnel", steps=_CHECKOUT, date_from=f"{_BROKEN[0]}", date_to=f"{_BROKEN[1]}", compare="-1w",
            filters=[{"key": "$device_type", "value": "Desktop"}],
        ),
        _both("entered", "completed"),
        _desktops_compared,
    ),
    Question(
        "Did the share of visitors who sign up change last week?",
        call("query_funnel", steps=_VISIT_TO_SIGN_UP, date_from="last_week", compare="previous"),
        _rates,
        _sign_up_rate,
    ),
    Question(
        "Do the new users of November 9 come back more often than those of the week before?",
        call("query_retention", event="signed_up", returning_event="$pageview", period="week", periods=4),
        lambda shown: [row[1:3] for row in rows(shown)[:2]],
        _came_back,
    ),
)  # fmt: skip
