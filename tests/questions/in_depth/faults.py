"""Errors of error tracking: how often, since when, where, and in which recordings."""

from datetime import date
from typing import Any

from ..question import Question, Shown, Step, call
from ..world import Row, World, ago, by, has, persons

_BROKEN = (date(2026, 11, 10), date(2026, 11, 13))
_WALLET = "wallet.session.begin"


def _of_wallet(world: World, first: date, last: date = date.max) -> list[Row]:
    raised = world.of("$exception", first=first, last=last)
    return [event for event in raised if _WALLET in has(event, "$exception_values")[0]]


def _most_frequent(world: World) -> list[Any]:
    """Return the type of the most frequent error, its occurrences, its users and its sessions."""
    found = by(world.of("$exception", first=ago(13)), lambda event: has(event, "$exception_issue_id"))
    worst = max(found.values(), key=len)
    return [has(worst[0], "$exception_values")[0], len(worst), len(persons(worst)), len(_sessions(worst))]


def _sessions(events: list[Row]) -> set[str]:
    return {event["$session_id"] for event in events if event["$session_id"]}


def _first_error(shown: Shown) -> list[Any]:
    (one,) = shown["errors"]
    return [one[name] for name in ("message", "occurrences", "users", "sessions")]


def _in_broken_days(world: World) -> list[int]:
    """Return occurrences and users, and the occurrences in the four days before."""
    events = _of_wallet(world, *_BROKEN)
    return [len(events), len(persons(events)), len(_of_wallet(world, date(2026, 11, 6), date(2026, 11, 9)))]


def _course(shown: Shown) -> list[Any]:
    (one,) = shown["errors"]
    return [one["occurrences"], one["users"], one["vs_previous_from"]]


def _line(world: World) -> list[Any]:
    """Return the line of the code that raises the wallet error, and its occurrences in 30 days."""
    events = _of_wallet(world, ago(30))
    top = has(events[0], "$exception_list")[0]["stacktrace"]["frames"][-1]
    return [f"{top['filename']}:{top['lineno']} {top['function']}", len(events)]


def _top_of_stack(shown: Shown) -> list[Any]:
    return [shown["first_event"]["stack"][0], shown["occurrences"]]


def _found_error(shown: Shown) -> dict[str, Any]:
    return {"error_id": shown["errors"][0]["id"]}


def _longest_recording(world: World) -> list[Any]:
    affected = _sessions(_of_wallet(world, ago(30)))
    own = [replay for replay in world.replays if replay["session_id"] in affected]
    best = max(own, key=lambda replay: replay["recording_duration"])
    return [best["session_id"], best["recording_duration"]]


def _recording(shown: Shown) -> list[Any]:
    (one,) = shown["recordings"]
    return [one["id"], one["recording_duration"]]


QUESTIONS = (
    Question(
        "Which error occurred most often in the last two weeks, and how many users and sessions had it?",
        call("list_errors", date_from="-13d", limit=1),
        _first_error,
        _most_frequent,
    ),
    Question(
        "How often did the wallet error occur from November 10 to 13, and in the four days before?",
        call("list_errors", search=_WALLET, date_from=f"{_BROKEN[0]}", date_to=f"{_BROKEN[1]}"),
        _course,
        _in_broken_days,
    ),
    Question(
        "Which line of our code raises the wallet error, and how often did it in the last 30 days?",
        (
            Step("list_errors", {"search": _WALLET, "date_from": "-30d"}),
            Step("get_error", {"date_from": "-30d"}, _found_error),
        ),
        _top_of_stack,
        _line,
    ),
    Question(
        "Which is the longest recording of a session with the wallet error?",
        call("list_recordings", error=_WALLET, date_from="-30d", order="duration", limit=1),
        _recording,
        _longest_recording,
    ),
)
