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
from .in_depth import ambiguous, calendar_words, companies, faults, made_boards, sittings, who, whys
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
    *whys.QUESTIONS,
    *who.QUESTIONS,
    *companies.QUESTIONS,
    *sittings.QUESTIONS,
    *calendar_words.QUESTIONS,
    *ambiguous.QUESTIONS,
    *faults.QUESTIONS,
    *made_boards.QUESTIONS,
)
