"""All questions, by topic."""

from . import (
    boards,
    broken,
    changes,
    coming_back,
    funnels,
    guesses,
    how_many,
    money,
    odd,
    people,
    verdicts,
    visits,
    zones,
)
from .question import Question

QUESTIONS: tuple[Question, ...] = (
    *how_many.QUESTIONS,
    *changes.QUESTIONS,
    *money.QUESTIONS,
    *funnels.QUESTIONS,
    *coming_back.QUESTIONS,
    *people.QUESTIONS,
    *broken.QUESTIONS,
    *visits.QUESTIONS,
    *odd.QUESTIONS,
    *verdicts.QUESTIONS,
    *zones.QUESTIONS,
    *guesses.QUESTIONS,
    *boards.QUESTIONS,
)
