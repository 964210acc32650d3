"""The cost of answers: tokens that a model has to read, and HogQL queries, which are limited to 120 an hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .asking import Answered
from .question import Question, agree
from .world import World


@dataclass(frozen=True, slots=True)
class Costs:
    """The tokens (o200k_base) of some answers."""

    total: int
    median: float
    largest: int

    @classmethod
    def of(cls, tokens: Sequence[int]) -> "Costs":
        """Return the costs of answers; zeros without any."""
        return cls(sum(tokens), median(tokens or [0]), max(tokens, default=0))

    def line(self, name: str) -> str:
        """Return the costs as a line of text."""
        return f"{name}: {self.total:,} tokens in total, median {self.median:,.0f}, largest {self.largest:,}"


@dataclass(frozen=True, slots=True)
class Report:
    """The questions and their answers, in the same order."""

    questions: Sequence[Question]
    answers: Sequence[Answered]

    def of_calls(self) -> Costs:
        """Return the costs of the calls without describe_data."""
        return Costs.of([answer.tokens for answer in self.answers])

    def of_descriptions(self) -> Costs:
        """Return the costs of the describe_data calls."""
        return Costs.of([answer.described_tokens for answer in self.answers if answer.described_tokens])

    def of_questions(self) -> Costs:
        """Return the costs of all calls of a question."""
        return Costs.of([answer.tokens + answer.described_tokens for answer in self.answers])

    def inexact(self, world: World) -> list[str]:
        """Return the questions whose answer is not the true one."""
        both = zip(self.questions, self.answers, strict=True)
        return [question.asked for question, answer in both if not _is_exact(question, answer, world)]

    @property
    def calls(self) -> int:
        """The number of calls without describe_data."""
        return sum(len(question.steps) for question in self.questions)

    @property
    def calls_each(self) -> float:
        """The calls of a question on average, without describe_data."""
        return self.calls / len(self.questions)

    @property
    def hogql_queries(self) -> int:
        """The number of HogQL queries that all questions use."""
        return sum(answer.hogql_queries for answer in self.answers)

    def lines(self) -> list[str]:
        """Return one line per question, then the totals."""
        each = [
            f"{answer.described_tokens:5} {answer.tokens:6} {answer.hogql_queries:5}  {question.asked}"
            for question, answer in zip(self.questions, self.answers, strict=True)
        ]
        looks = sum(1 for question in self.questions if question.described is not None)
        return [
            " data answer HogQL",
            *each,
            "",
            f"{len(self.questions)} questions, {self.calls} calls ({self.calls_each:.2f} each), "
            f"{looks} describe_data calls, {self.hogql_queries} HogQL queries",
            self.of_calls().line("answers"),
            self.of_descriptions().line("describe_data"),
            self.of_questions().line("both"),
        ]


def _is_exact(question: Question, answer: Answered, world: World) -> bool:
    """Return whether an answer is true. One of another shape is not: other versions of the tools can be measured."""
    try:
        return not answer.errors and agree(question.read(answer.shown), question.truth(world))
    except (LookupError, TypeError, ValueError, StopIteration):
        return False
