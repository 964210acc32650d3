"""Which question each value of a `survey sent` event answers.

Newer SDKs name the question: `$survey_response_<question id>`, and `$survey_questions` lists what was asked. Older ones
send only its position (`$survey_response`, `$survey_response_1`), which is that of another question after an edit.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...schemas.json import as_list, as_object, as_objects
from ...schemas.surveys.objects import QuestionView

_BEYOND = 5
"""How many more positions are read than the survey has questions: it can have had more."""
_LARGEST_SCORE = 10
_LISTED = "$survey_questions"
_PLAIN = re.compile(r"\$survey_response_[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Responses:
    """The values of each question, and how many responses are not among them."""

    values: Sequence[Sequence[Any]]
    by_position: int = 0
    """Responses that name no question and are assigned by position."""
    unassigned: int = 0
    """Responses that name no question and could belong to another one."""
    removed: int = 0
    """Answers to questions that the survey no longer has."""

    def notes(self) -> list[str]:
        """Return the sentences about what is missing or uncertain."""
        found: list[str] = []
        parts = [f"{self.by_position} read by position"] if self.by_position else []
        if self.unassigned:
            parts.append(f"{self.unassigned} not shown, because questions were edited or do not fit")
        if parts:
            found.append(f"Responses that name no question: {'; '.join(parts)}.")
        if self.removed:
            found.append(f"Not shown: {self.removed} responses to questions that the survey no longer has.")
        return found


def columns_of(questions: Sequence[QuestionView]) -> list[str]:
    """Return what is read of an event: the number of responses to other questions, what was asked, the response to each
    id, and those to each position.
    """
    by_id = [f"$survey_response_{question.id}" for question in questions if question.id]
    positions = [f"$survey_response_{at}" if at else "$survey_response" for at in range(len(questions) + _BEYOND)]
    known = ", ".join(f"'{name}'" for name in by_id if _PLAIN.fullmatch(name))
    others = (
        f"arrayCount(key -> match(key, '^[$]survey_response_[0-9]*[^0-9]') AND key NOT IN ({known}), "
        "JSONExtractKeys(properties))"
    )
    return [others if known else "0", *(f"properties.`{name}`" for name in (_LISTED, *by_id, *positions))]


def assigned(questions: Sequence[QuestionView], rows: Sequence[Sequence[Any]]) -> Responses:
    """Return the responses by question. A row has the values of `columns_of`."""
    ids = [question.id for question in questions if question.id]
    read = [_Response.read(ids, row) for row in rows]
    # Where the questions are known to have changed, a position alone means nothing.
    is_edited = any(one.others or [_id(item) for item in one.asked] != ids[: len(one.asked)] for one in read)
    values: list[list[Any]] = [[] for _ in questions]
    by_position = unassigned = removed = 0
    for one in read:
        if one.is_named:
            found = [one.named(at, question) for at, question in enumerate(questions)]
            removed += one.to_others(ids)
        elif not any(value is not None for value in one.positions):
            continue
        elif all(question.id for question in questions) and (is_edited or not _fit(questions, one.positions)):
            unassigned += 1
            continue
        else:
            found = list(one.positions[: len(questions)])
            by_position += 1
        for into, value in zip(values, found, strict=True):
            if value is not None:
                into.append(value)
    return Responses(values, by_position, unassigned, removed)


def score_of(value: Any) -> float | None:
    """Return a rating as a number; None for anything else."""
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return score if 0 <= score <= _LARGEST_SCORE else None


@dataclass(frozen=True, slots=True)
class _Response:
    """One response: the values by question id and by position, the questions that were asked, and the number of values
    for other questions.
    """

    others: int
    asked: Sequence[Mapping[str, Any]]
    by_id: Mapping[str, Any]
    positions: Sequence[Any]

    @classmethod
    def read(cls, ids: Sequence[str], row: Sequence[Any]) -> "_Response":
        others, listed, *values = row
        return cls(
            others if isinstance(others, int) else 0,
            _asked(listed),
            dict(zip(ids, map(_given, values), strict=False)),
            tuple(map(_given, values[len(ids) :])),
        )

    @property
    def is_named(self) -> bool:
        """Whether it names its questions."""
        return bool(self.asked or self.others) or any(value is not None for value in self.by_id.values())

    def named(self, at: int, question: QuestionView) -> Any:
        """Return the response to a question: by its id, else from the list, else from where the list has it. One
        without an id has only its position.
        """
        if question.id is None:
            return self.positions[at]
        if (value := self.by_id.get(question.id)) is not None:
            return value
        place = next((place for place, item in enumerate(self.asked) if _id(item) == question.id), None)
        return None if place is None else self._at(place)

    def to_others(self, ids: Sequence[str]) -> int:
        """Return how many responses are to questions with other ids."""
        known = set(ids)
        places = [at for at, item in enumerate(self.asked) if _id(item) not in known]
        return max(self.others, sum(self._at(place) is not None for place in places))

    def _at(self, place: int) -> Any:
        own = _given(self.asked[place].get("response"))
        return own if own is not None or place >= len(self.positions) else self.positions[place]


def _fit(questions: Sequence[QuestionView], positions: Sequence[Any]) -> bool:
    """Return whether values by position can be responses to these questions."""
    beyond = positions[len(questions) :]
    return all(value is None for value in beyond) and all(
        value is None or _fits(question, value) for question, value in zip(questions, positions, strict=False)
    )


def _fits(question: QuestionView, value: Any) -> bool:
    match question.type:
        case "rating":
            return score_of(value) is not None
        case "open":
            return score_of(value) is None  # a number alone is more likely a rating
        case "single_choice" | "multiple_choice":
            offered = {str(choice) for choice in question.choices or ()}
            picked = as_list(_parsed(value)) or [value]
            return bool(question.hasOpenChoice) or all(str(one) in offered for one in picked)
        case _:
            return True


def _asked(listed: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in as_objects(_parsed(listed)) if _id(item)]


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _id(item: Mapping[str, Any]) -> str | None:
    found = as_object(item).get("id")
    return found if isinstance(found, str) and found else None


def _given(value: Any) -> Any:
    """Return a value that is a response; 0 is one."""
    return None if value == "" or value == [] else value
