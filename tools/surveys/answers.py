"""Responses to the questions of a survey, from the properties of its `survey sent` events."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...schemas.json import is_list
from ...schemas.surveys.objects import QuestionView
from ...schemas.text import excerpt
from ..table import mean, number, percent
from .assigning import Responses, score_of

MOST_SAMPLES = 5
_SAMPLE_CHARACTERS = 200
_THUMBS, _UP, _DOWN = 2, 1, 2
"""The scale of two thumbs, and its responses: 1 is up in PostHog's SDKs, so an average would say nothing."""
_NPS_SCALE = 10
_PROMOTERS, _DETRACTORS = 9, 6
WRITTEN = "respondents_wrote"
"""The field that contains texts written by respondents."""


def latest_parts(rows: Sequence[list[Any]]) -> list[list[Any]]:
    """Return the rows without the submission id in front, keeping only the newest part of each submission.

    The rows must be sorted newest first.
    """
    seen: set[str] = set()
    kept: list[list[Any]] = []
    for submission, *values in rows:
        if submission and str(submission) in seen:
            continue
        if submission:
            seen.add(str(submission))
        kept.append(values)
    return kept


def answers_to(questions: Sequence[QuestionView], responses: Responses) -> list[dict[str, Any]]:
    """Return a summary of the responses to each question."""
    return [_summary(question, values) for question, values in zip(questions, responses.values, strict=True)]


def _summary(question: QuestionView, values: Sequence[Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"question": question.question, "type": question.type, "answered": len(values)}
    match question.type:
        case "rating":
            return shown | _rating(question, values)
        case "single_choice":
            return shown | _choices(question, [[str(value)] for value in values])
        case "multiple_choice":
            return shown | _choices(question, [_several(value) for value in values])
        case "open":
            return shown | _samples([str(value) for value in values])
        case _:
            return shown


def _rating(question: QuestionView, values: Sequence[Any]) -> dict[str, Any]:
    """Return the average, counts per rating and, on the scale from 0 to 10, the net promoter score; or the thumbs."""
    scores = [score for value in values if (score := score_of(value)) is not None]
    counts = Counter(scores)
    shown: dict[str, Any] = {}
    if question.scale == _THUMBS and set(scores) <= {_UP, _DOWN}:
        shown = {
            "thumbs_up": counts[_UP],
            "thumbs_down": counts[_DOWN],
            "up_percent": percent(counts[_UP], len(scores)),
        }
    elif scores:
        shown = {"average": mean(scores), "counts": {f"{number(score)}": counts[score] for score in sorted(counts)}}
    if question.scale == _NPS_SCALE and scores:
        promoters = sum(count for score, count in counts.items() if score >= _PROMOTERS)
        detractors = sum(count for score, count in counts.items() if score <= _DETRACTORS)
        shown["nps"] = {
            "score": percent(promoters - detractors, len(scores)),
            "promoters": promoters,
            "passives": len(scores) - promoters - detractors,
            "detractors": detractors,
        }
    return shown if len(scores) == len(values) else {**shown, "not_a_rating": len(values) - len(scores)}


def _choices(question: QuestionView, picked: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return counts of all offered choices; anything else was written into the open choice."""
    offered = [str(choice) for choice in question.choices or []]
    counts = Counter(choice for one in picked for choice in dict.fromkeys(one))
    shown: dict[str, Any] = {"counts": {choice: counts[choice] for choice in offered}}
    own = [choice for one in picked for choice in dict.fromkeys(one) if choice not in set(offered)]
    return shown | ({"other": len(own), **_samples(own)} if own else {})


def _several(value: Any) -> list[str]:
    """Return the choices of one response, which is a list or its JSON text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    return list(map(str, value)) if is_list(value) else [str(value)]


def _samples(texts: Sequence[str]) -> dict[str, Any]:
    """Return the newest texts, truncated."""
    found = [text for one in texts if (text := excerpt(one, _SAMPLE_CHARACTERS))]
    distinct = list(dict.fromkeys(found))[:MOST_SAMPLES]
    return {WRITTEN: distinct} if distinct else {}
