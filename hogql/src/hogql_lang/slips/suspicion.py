"""A suspected mistake, and the text around the error that it is found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..tokens import Token

NO_TOKEN = Token("", 0, 0, 0)


class Edit(NamedTuple):
    """A replacement of one piece of a statement."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A probable mistake, its place, and its fixes."""

    message: str
    place: int | None
    fixes: tuple[str, ...] = ()
    edits: tuple[Edit, ...] | None = None
    """The changes that mend the statement if the suspicion is right; None for one that cannot be mended."""


@dataclass(frozen=True)
class Error:
    """A syntax error with the tokens around it."""

    sql: str
    tokens: Sequence[Token]
    place: int
    message: str

    @cached_property
    def at(self) -> int:
        """Return the number of the token at the error, or after it."""
        return next((index for index, token in enumerate(self.tokens) if token.end > self.place), len(self.tokens))

    def token(self, index: int) -> Token:
        """Return a token, an empty one before the first and after the last."""
        return self.tokens[index] if 0 <= index < len(self.tokens) else NO_TOKEN

    def word(self, index: int) -> str:
        return self.token(index).word

    def text(self, index: int) -> str:
        token = self.token(index)
        return self.sql[token.start : token.end]

    def near(self, before: int, after: int) -> range:
        """Return the numbers of the tokens near the error."""
        return range(max(0, self.at - before), min(self.at + after + 1, len(self.tokens)))

    def operand(self, last: int) -> int:
        """Return the number of the first token of the value that ends with a token: `e.x`, `f(x)`, `'text'`."""
        first = last
        if self.word(first) in (")", "]"):
            depth = self.token(first).depth
            while first > 0 and self.token(first).depth >= depth and not self._opens(first, depth):
                first -= 1
            first -= self.word(first - 1).isidentifier()
        while self.word(first - 1) == "." and first > 1:
            first -= 2
        return first

    def _opens(self, index: int, depth: int) -> bool:
        return self.word(index) in ("(", "[") and self.token(index).depth == depth

    def after_operand(self, first: int) -> int:
        """Return the number of the token after the value that begins with a token."""
        following = first + 1
        while self.word(following) == ".":
            following += 2
        if self.word(following) == "(":
            depth = self.token(following).depth
            following += 1
            while following < len(self.tokens) and self.token(following).depth > depth:
                following += 1
            following += 1
        return following


def applied(sql: str, edits: Sequence[Edit]) -> str:
    """Return a statement with its edits."""
    for start, end, text in sorted(edits, reverse=True):
        sql = f"{sql[:start]}{text}{sql[end:]}"
    return sql
