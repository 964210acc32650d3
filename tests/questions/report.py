"""What the answers cost: tokens that a model has to read, and HogQL queries, of which there are 120 an hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .asking import Answered
from .question import Question


@dataclass(frozen=True, slots=True)
class Costs:
    """Tokens (o200k_base) of some answers."""

    total: int
    median: float
    largest: int

    @classmethod
    def of(cls, tokens: Sequence[int]) -> "Costs":
        """Of one answer or more."""
        return cls(sum(tokens), median(tokens), max(tokens))

    def line(self, name: str) -> str:
        """For people."""
        return f"{name}: {self.total:,} tokens in all, median {self.median:,.0f}, largest {self.largest:,}"


@dataclass(frozen=True, slots=True)
class Report:
    """The questions with what was answered, in the same order."""

    questions: Sequence[Question]
    answers: Sequence[Answered]

    def of_calls(self) -> Costs:
        """Of a question's calls without describe_data."""
        return Costs.of([answer.tokens for answer in self.answers])

    def of_descriptions(self) -> Costs:
        """Of describe_data, where it was asked first."""
        return Costs.of([answer.described_tokens for answer in self.answers if answer.described_tokens])

    def of_questions(self) -> Costs:
        """Of all calls of a question."""
        return Costs.of([answer.tokens + answer.described_tokens for answer in self.answers])

    @property
    def hogql_queries(self) -> int:
        """Spent by all questions together."""
        return sum(answer.hogql_queries for answer in self.answers)

    def lines(self) -> list[str]:
        """A line a question, then the sums."""
        each = [
            f"{answer.described_tokens:5} {answer.tokens:6} {answer.hogql_queries:5}  {question.asked}"
            for question, answer in zip(self.questions, self.answers, strict=True)
        ]
        calls = sum(len(question.steps) for question in self.questions)
        looks = sum(1 for question in self.questions if question.described is not None)
        return [
            " look answer HogQL",
            *each,
            "",
            f"{len(self.questions)} questions, {calls} calls, {looks} looks with describe_data, "
            f"{self.hogql_queries} HogQL queries",
            self.of_calls().line("answers"),
            self.of_descriptions().line("describe_data"),
            self.of_questions().line("both"),
        ]
