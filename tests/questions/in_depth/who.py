"""The people and companies behind a number: those who left, those who came back, and their recordings."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from ..question import Question, Shown, Step, call, rows
from ..world import Row, World, ago, by, day, has, own_events, persons, reached

_CHECKOUT = ["checkout_started", "purchase_completed"]
_BROKEN = date(2026, 11, 12)
"""A day of the release whose checkout fails on Safari."""
_NOVEMBER = date(2026, 11, 1)
_WEEK = timedelta(days=7)
_LAST_WEEK = {"date_from": "last_week"}
_ON_THAT_DAY = {"date_from": f"{_BROKEN}", "date_to": f"{_BROKEN}"}
_MOST_RECORDINGS = 3


def _behind(tool: str, arguments: dict[str, Any], **number: Any) -> tuple[Step, ...]:
    """Return a call that lists those behind a number of a query."""
    return call("list_actors", of={"tool": tool, "arguments": arguments}, **number)


def _ids(shown: Shown) -> list[str]:
    return sorted(row[0] for row in rows(shown))


def _count(shown: Shown) -> int:
    return shown["count"]


def _gave_up(world: World) -> list[str]:
    found = own_events(world, _CHECKOUT, _BROKEN, _BROKEN)
    safari = {who: [one for one in own if has(one, "$browser") == "Safari"] for who, own in found.items()}
    return sorted(who for who, own in safari.items() if reached(own, _CHECKOUT, timedelta(days=14)) == 1)


def _came_back(world: World) -> int:
    """Count the new users of the week of November 2 who viewed a page in the week after."""
    monday = date(2026, 11, 2)
    first: dict[str, date] = {}
    for event in world.of("signed_up"):
        first.setdefault(event["person_id"], day(event))
    new = {who for who, began in first.items() if monday <= began < monday + _WEEK}
    return len(new & persons(world.of("$pageview", first=monday + _WEEK, last=date(2026, 11, 15))))


def _returned(world: World) -> int:
    """Count visitors of last week who were not there the week before, but earlier."""
    views = [event for event in world.of("$pageview", last=ago(1)) if event["person_mode"] == "full"]
    now = [event for event in views if day(event) >= ago(7)]
    before = persons(event for event in views if ago(14) <= day(event) < ago(7))
    known = persons(event for event in now if event["person_created_at"].date() < ago(7))
    return len(known - before)


def _busy(world: World) -> list[str]:
    own = by(world.of("task_created", first=ago(7), last=ago(1)), lambda event: event["person_id"])
    return sorted(who for who, events in own.items() if len({day(event) for event in events}) >= 3)


def _recordings(world: World) -> list[list[Any]]:
    """Return the people with rage clicks on a day, each with the latest recordings of any day."""
    owners = {row["distinct_id"]: row["person_id"] for row in world.distinct_ids}
    newest = sorted(world.replays, key=lambda replay: replay["start_time"], reverse=True)
    own = by(newest, lambda replay: owners.get(replay["distinct_id"]))
    angry = persons(world.of("$rageclick", first=_BROKEN, last=_BROKEN))
    return [[who, [one["session_id"] for one in own.get(who, [])[:_MOST_RECORDINGS]]] for who in sorted(angry)]


def _with_recordings(shown: Shown) -> list[list[Any]]:
    return sorted([row[0], row[-1]] for row in rows(shown))


def _wallet(world: World) -> list[Row]:
    events = world.of("$exception", first=_BROKEN, last=_BROKEN)
    return [event for event in events if "wallet.session.begin" in has(event, "$exception_values")[0]]


def _plans(world: World) -> dict[str, int]:
    """Count the people with the wallet error by their plan of today."""
    plans = {person["id"]: person["properties"].get("plan") for person in world.persons}
    return dict(Counter(str(plans.get(who)) for who in persons(_wallet(world))))


def _buyers(world: World) -> list[int]:
    bought = world.of("purchase_completed", first=_NOVEMBER)
    return [len(persons(bought)), len(bought)]


def _companies(world: World) -> list[str]:
    bought = world.of("purchase_completed", first=ago(7), last=ago(1))
    return sorted({event["$group_0"] for event in bought if event["$group_0"]})


QUESTIONS = (
    Question(
        "Who started a checkout on Safari on November 12 and did not buy?",
        _behind(
            "query_funnel",
            {"steps": _CHECKOUT, **_ON_THAT_DAY, "filters": [{"key": "$browser", "value": "Safari"}]},
            step=2, outcome="dropped",
        ),
        _ids,
        _gave_up,
    ),
    Question(
        "How many of those who signed up in the week of November 2 came back a week later?",
        _behind(
            "query_retention",
            {"event": "signed_up", "returning_event": "$pageview", "period": "week", "periods": 4},
            day="2026-11-02", period=1, limit=1,
        ),
        _count,
        _came_back,
    ),
    Question(
        "How many visitors came back last week after a week without a visit?",
        _behind(
            "query_lifecycle", {"event": "$pageview", "interval": "week", "date_from": "-28d"},
            day=f"{ago(7)}", status="resurrecting", limit=1,
        ),
        _count,
        _returned,
    ),
    Question(
        "Which users created tasks on three or more days last week?",
        _behind("query_stickiness", {"events": ["task_created"], **_LAST_WEEK, "cumulative": True}, days=3),
        _ids,
        _busy,
    ),
    Question(
        "Which recordings can I watch of the people who clicked in anger on November 12?",
        _behind(
            "query_trends", {"events": ["$rageclick"], **_ON_THAT_DAY, "interval": "total"}, recordings=True,
        ),
        _with_recordings,
        _recordings,
    ),
    Question(
        "Which plans are the people on who met the wallet error on November 12?",
        _behind(
            "query_trends",
            {
                "events": ["$exception"], **_ON_THAT_DAY, "interval": "total",
                "filters": [{"key": "$exception_values", "operator": "contains", "value": "wallet.session.begin"}],
            },
            properties=["plan"],
        ),
        lambda shown: dict(Counter(str(row[-1]) for row in rows(shown))),
        _plans,
    ),
    Question(
        "How many people bought something this month, and how often?",
        _behind(
            "query_trends", {"events": ["purchase_completed"], "date_from": "this_month", "interval": "total"}, limit=1,
        ),
        lambda shown: [shown["count"], shown["events"]],
        _buyers,
    ),
    Question(
        "Which companies bought something last week?",
        _behind(
            "query_trends",
            {
                "events": [{"event": "purchase_completed", "math": "unique_group", "group_type_index": 0}],
                **_LAST_WEEK, "interval": "total",
            },
        ),
        _ids,
        _companies,
    ),
)  # fmt: skip
