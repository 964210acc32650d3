"""Questions of product people, each answered exactly in two calls at most after one look at what data there is."""

import anyio
import pytest

from .all_questions import QUESTIONS
from .asking import Answered, ask_all, sandbox
from .question import MOST_CALLS, Question, agree
from .report import Report
from .world import world

MEDIAN_TOKENS, MOST_TOKENS, MOST_DESCRIBED = 200, 1_000, 1_000
"""Of the answers to one question; of describe_data before it."""


@pytest.fixture(scope="module")
def answers() -> tuple[Answered, ...]:
    with sandbox() as url:
        return anyio.run(ask_all, url, QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.asked)
def test_the_answer_is_the_true_one(answers: tuple[Answered, ...], question: Question) -> None:
    answered = answers[QUESTIONS.index(question)]
    assert answered.errors == ()
    found, true = question.read(answered.shown), question.truth(world())
    assert agree(found, true), f"answered {found}, true {true}, shown {answered.shown}"


def test_there_are_sixty_questions_and_none_takes_more_than_two_calls() -> None:
    assert len({question.asked for question in QUESTIONS}) == len(QUESTIONS) >= 60
    assert all(1 <= len(question.steps) <= MOST_CALLS for question in QUESTIONS)


def test_the_true_answers_say_something() -> None:
    nothing = [question.asked for question in QUESTIONS if question.truth(world()) in (0, None, "", [], {})]
    assert nothing == []


def test_answers_are_short_and_few_of_them_spend_a_hogql_query(answers: tuple[Answered, ...]) -> None:
    report = Report(QUESTIONS, answers)
    assert report.of_calls().median <= MEDIAN_TOKENS
    assert report.of_calls().largest <= MOST_TOKENS
    assert report.of_descriptions().largest <= MOST_DESCRIBED
    assert report.hogql_queries <= len(QUESTIONS) / 2
