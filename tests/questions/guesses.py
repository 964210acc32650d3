"""Questions with a guessed name: the first result suggests the correct name, and the second call uses it."""

import re
from collections import Counter
from collections.abc import Callable

from .question import Question, Shown, Step, cell, fact, pairs
from .world import World, ago, has, percent, person_has


def _meant(shown: Shown) -> str:
    """Return the likeliest name in the last note, which follows the guessed one."""
    return re.findall(r"`([^`]*)`", shown["notes"][-1])[1]


def _again(tool: str, wrong: dict[str, object], right: Callable[[str], dict[str, object]]) -> tuple[Step, ...]:
    """Return the same call twice; `right` makes the changed arguments from the correct name."""
    return Step(tool, wrong), Step(tool, wrong, lambda shown: right(_meant(shown)))


def _free_mail(world: World) -> int:
    events = world.of("$pageview", first=ago(30))
    return sum(1 for event in events if "@mail.example" in (person_has(event, "email") or ""))


def _browsers(world: World) -> list[list[object]]:
    counted = Counter(has(event, "$browser") for event in world.of("$pageview", first=ago(30)))
    return [[name, count] for name, count in counted.most_common(2)]


def _checkout(world: World) -> float:
    """Return the percentage of persons with a checkout who bought at any time after their first one."""
    first: dict[str, object] = {}
    bought: set[str] = set()
    for event in world.of("checkout_started", "purchase_completed", first=ago(13)):
        if event["event"] == "checkout_started":
            first.setdefault(event["person_id"], event["timestamp"])
        elif event["person_id"] in first:
            bought.add(event["person_id"])
    return percent(len(bought), len(first))


QUESTIONS = (
    Question(
        "How many purchases were there in the last 30 days? (guessed: purchase)",
        _again(
            "query_trends",
            {"events": ["purchase"], "interval": "total", "date_from": "-30d"},
            lambda name: {"events": [name]},
        ),
        cell,
        lambda world: len(world.of("purchase_completed", first=ago(30))),
    ),
    Question(
        "Which two browsers are used the most? (guessed: browser)",
        _again(
            "query_trends",
            {"events": ["$pageview"], "breakdown": "browser", "interval": "total", "date_from": "-30d"},
            lambda name: {"breakdown": name},
        ),
        lambda shown: pairs(shown)[:2],
        _browsers,
    ),
    Question(
        "How many views come from people with a mail.example address? (guessed: email)",
        _again(
            "query_trends",
            {
                "events": ["$pageview"],
                "interval": "total",
                "date_from": "-30d",
                "filters": [{"key": "email", "operator": "contains", "value": "@mail.example"}],
            },
            lambda name: {"filters": [{"key": name, "operator": "contains", "value": "@mail.example"}]},
        ),
        cell,
        _free_mail,
    ),
    Question(
        "What share of checkouts in the last two weeks ends in a purchase? (guessed: purchased)",
        _again(
            "query_funnel",
            {"steps": ["checkout_started", "purchased"], "date_from": "-13d"},
            lambda name: {"steps": ["checkout_started", name]},
        ),
        fact("conversion_percent"),
        _checkout,
    ),
)
