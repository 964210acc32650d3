"""Experiments and surveys: the winner, whether the result is conclusive, and the responses."""

from .question import Question, Shown, Step, rows
from .world import Row, World, by, has, person_has

_ENOUGH = 50
"""The number of persons per variant below which PostHog computes no statistics."""


def _arms(world: World) -> dict[str, dict[str, Row]]:
    """Return the first exposure of each person, by variant. Experiments exclude the project's own staff."""
    arms: dict[str, dict[str, Row]] = {"control": {}, "test": {}}
    for event in world.of("$feature_flag_called"):
        is_own = "@quillboard.example" in (person_has(event, "email") or "")
        if has(event, "$feature_flag") == "new-checkout" and not is_own:
            arms[has(event, "$feature_flag_response")].setdefault(event["person_id"], event)
    return arms


def _exposed(world: World) -> dict[str, int]:
    return {variant: len(people) for variant, people in _arms(world).items()}


def _bought(world: World) -> dict[str, list[object]]:
    """Return persons per variant, those who bought after their exposure, and the percentage."""
    bought = by(world.of("purchase_completed"), lambda event: event["person_id"])
    found: dict[str, list[object]] = {}
    for variant, people in _arms(world).items():
        converted = sum(
            1
            for person, exposure in people.items()
            if any(event["timestamp"] >= exposure["timestamp"] for event in bought.get(person, []))
        )
        found[variant] = [len(people), converted, round(100 * converted / len(people), 2)]
    return found


def _numbers(shown: Shown) -> dict[str, list[object]]:
    return {row[0]: row[1:4] for row in shown["metrics"][0]["rows"]}


def _may_be_called(world: World) -> list[object]:
    """Return that a variant has too few persons, and which one."""
    exposed = _exposed(world)
    fewest = min(exposed, key=lambda variant: exposed[variant])
    assert exposed[fewest] < _ENOUGH, "the verdict depends on the statistics"
    return [False, f"{fewest} {exposed[fewest]}"]


def _verdict(shown: Shown) -> list[object]:
    reason = shown["verdict"]["reasons"][0]
    return [shown["verdict"]["conclusive"], reason.partition(": ")[2].partition(";")[0]]


def _scores(world: World) -> list[int]:
    return [int(has(event, "$survey_response")) for event in world.of("survey sent")]


def _promoters(world: World) -> list[object]:
    """Return promoters, passives, detractors, and the score."""
    scores = _scores(world)
    promoters, detractors = sum(one >= 9 for one in scores), sum(one <= 6 for one in scores)
    passives = len(scores) - promoters - detractors
    return [promoters, passives, detractors, round(100 * (promoters - detractors) / len(scores), 1)]


def _nps(shown: Shown) -> list[object]:
    nps = shown["questions"][0]["nps"]
    return [nps["promoters"], nps["passives"], nps["detractors"], nps["score"]]


def _responses(world: World) -> list[object]:
    events = [len(world.of(f"survey {what}")) for what in ("shown", "dismissed", "sent")]
    return [*events, round(100 * events[2] / events[0], 2)]


def _results_of(name: str) -> tuple[Step, ...]:
    """Find the experiment by its name, then get its results."""

    def found(shown: Shown) -> dict[str, object]:
        return {"experiment_id": next(one["id"] for one in shown["experiments"] if one["name"] == name)}

    return (Step("list_experiments", {"search": name}), Step("get_experiment_results", {}, found))


_STATS = (
    Step("list_surveys"),
    Step("get_survey_stats", {}, lambda shown: {"survey_id": shown["surveys"][0]["id"]}),
)

QUESTIONS = (
    Question(
        "How many people saw each variant of the one-page checkout?",
        _results_of("One-page checkout"),
        lambda shown: dict(row[:2] for row in shown["exposures"]["rows"]),
        _exposed,
    ),
    Question(
        "Did the one-page checkout win?",
        _results_of("One-page checkout"),
        _numbers,
        _bought,
    ),
    Question(
        "Is the result of the one-page checkout conclusive?",
        _results_of("One-page checkout"),
        _verdict,
        _may_be_called,
    ),
    Question(
        "What is our NPS?",
        _STATS,
        _nps,
        _promoters,
    ),
    Question(
        "How many of the people who saw the survey responded to it?",
        _STATS,
        lambda shown: [*(row[1] for row in rows(shown)), shown["response_rate_percent"]],
        _responses,
    ),
)
