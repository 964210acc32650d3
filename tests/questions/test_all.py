"""Questions of product managers, each answered exactly in at most two calls after at most one describe_data call."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from .all_questions import QUESTIONS
from .asking import Answered, ask_all, sandbox
from .question import MOST_CALLS, Question, agree
from .report import Report
from .world import world

MEDIAN_TOKENS, MOST_TOKENS, MOST_DESCRIBED = 150, 1_000, 1_500
"""The limits for the answers to one question, and for describe_data before them."""
MOST_CALLS_EACH = 1.2
"""The calls of a question on average."""


@pytest.fixture(scope="module")
def answers() -> tuple[Answered, ...]:
    with sandbox() as url:
        return anyio.run(ask_all, url, QUESTIONS)


@pytest.fixture(scope="module")
def truths() -> Mapping[str, Any]:
    """Return the true answer to each question."""
    return {question.asked: question.truth(world()) for question in QUESTIONS}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.asked)
def test_the_answer_is_true(answers: tuple[Answered, ...], truths: Mapping[str, Any], question: Question) -> None:
    answered = answers[QUESTIONS.index(question)]
    assert answered.errors == ()
    found, true = question.read(answered.shown), truths[question.asked]
    assert agree(found, true), f"answered {found}, true {true}, shown {answered.shown}"


def test_there_are_at_least_150_questions_of_at_most_two_calls() -> None:
    assert len({question.asked for question in QUESTIONS}) == len(QUESTIONS) >= 150
    assert all(1 <= len(question.steps) <= MOST_CALLS for question in QUESTIONS)


def test_the_true_answers_are_not_empty(truths: Mapping[str, Any]) -> None:
    nothing = [asked for asked, true in truths.items() if true in (0, None, "", [], {})]
    assert nothing == []


def test_answers_are_short_and_few_of_them_use_a_hogql_query(answers: tuple[Answered, ...]) -> None:
    report = Report(QUESTIONS, answers)
    assert report.calls_each <= MOST_CALLS_EACH
    assert report.of_calls().median <= MEDIAN_TOKENS
    assert report.of_calls().largest <= MOST_TOKENS
    assert report.of_descriptions().largest <= MOST_DESCRIBED
    assert report.hogql_queries <= len(QUESTIONS) / 2
