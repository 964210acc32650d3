"""Decide from the tokens of a statement alone whether the parser would take too long.

Parsing time grows with the square of the length of an operator chain (`1 + 1 + ...`) and with the fourth power of the
number of joined tables. It doubles with every nested construct that can be read in two ways (`doubling`). The parser
keeps the interpreter lock all that time. The bounds are far above what people write.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .doubling import Piece, repeats_too_much
from .tokens import MAX_NESTING, Token, TooDeep, tokenize

MAX_UNQUOTED_LENGTH = 2_000
"""Characters of a statement whose quotes can have another meaning: one with tags, template strings or `#1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The size of a statement that may be parsed."""

    length: int
    """Characters."""
    chain: int
    """Tokens between two commas, including those of the brackets around them."""
    work: int
    """The sum, over all chains, of their tokens times the tokens that are read again for each: those inside their
    brackets as well.
    """
    tables: int
    """Tables in one FROM clause, including those of the brackets around it; a JOIN counts as two."""
    join_work: int
    """The sum of the fourth powers of the numbers of tables."""


SHORT = Bounds(length=10_000, chain=300, work=70_000, tables=30, join_work=1_000_000)
"""Below 0.05 seconds of parsing, for a process with other work."""
LONG = Bounds(length=200_000, chain=1_500, work=5_000_000, tables=60, join_work=60_000_000)
"""A few seconds of parsing, for a separate process or thread."""


@dataclass(frozen=True, slots=True)
class Overload:
    """The reason why a statement is not parsed, and the place where it becomes too large."""

    message: str
    place: int | None = None


_TOO_DEEP = "The query is nested too deeply, or one of its expressions is too long."
_UNQUOTED = re.compile(r"\#\d|[fF]'|<[A-Za-z_].*>", re.DOTALL)
"""After these, a quote can be text and a quoted bracket a bracket, so nothing counts as closed."""
_UNQUOTED_SIGNS = ("#", "f'", "F'", "<")
_RAW_PIECE = re.compile(r"[\w$]+|\S")
_CLAUSES = frozenset({"where", "prewhere", "group", "having", "order", "limit", "window", "qualify"})
"""Keywords that end a FROM clause."""
_BEFORE_NAMES = frozenset({"as", ".", ",", "from", "join", "("})
"""Words after which a keyword is the name of a table or an alias."""


def check(text: str, bounds: Bounds, tokens: Sequence[Token] | None = None) -> Overload | None:
    """Return why a statement would take the parser too long, None for one that is parsed quickly."""
    if len(text) > bounds.length:
        return Overload(f"The query is too long: more than {bounds.length:,} characters.")
    raw = any(sign in text for sign in _UNQUOTED_SIGNS) and _UNQUOTED.search(text) is not None
    if raw and len(text) > MAX_UNQUOTED_LENGTH:
        message = f"The query is too long for tags, template strings or `#1`: more than {MAX_UNQUOTED_LENGTH:,}."
        return Overload(message, MAX_UNQUOTED_LENGTH)
    try:
        pieces = _raw_pieces(text) if raw else [(each.word.lower(), each.start) for each in tokens or tokenize(text)]
    except TooDeep as error:
        return Overload(_TOO_DEEP, error.place)
    if not _is_small(pieces, bounds) and (found := _Reading(bounds, closes=not raw).overload(pieces)) is not None:
        return found
    if (place := repeats_too_much(pieces, raw=raw)) is not None:
        return Overload("The query is nested too deeply here: each level doubles the time to parse it.", place)
    return None


def _is_small(pieces: Sequence[Piece], bounds: Bounds) -> bool:
    """Return whether a statement has too few tokens to exceed a bound, whatever their order.

    The lengths whose products are the work add up to the tokens, and so do the ends of FROM clauses.
    """
    words = [word for word, _ in pieces]
    count, tables = len(words), 2 * words.count("join") + sum(map(words.count, (",", ")", "]", "}")))
    return (
        count < MAX_NESTING
        and count <= bounds.chain
        and count**2 <= bounds.work
        and tables <= bounds.tables
        and count * tables**4 <= bounds.join_work
    )


def _raw_pieces(text: str) -> list[Piece]:
    return [(match[0].lower(), match.start()) for match in _RAW_PIECE.finditer(text)]


@dataclass(slots=True)
class _BracketLevel:
    """The tokens since the last comma inside one pair of brackets, and the tables of the current FROM clause.

    If the parser cannot read a subquery, it reads the brackets as a list of tables. So in FROM, the columns of
    `(select a, b, ...)` also count as tables.
    """

    in_from: bool = False
    tokens: int = 0
    size: int = 0
    """The tokens with those in brackets that are closed."""
    total: int = 0
    """The tokens before the last comma, with those in brackets."""
    tables: int = 0


@dataclass(slots=True)
class _Reading:
    """The state of one reading. Commas and brackets bound an expression; keywords do not, since most can be names."""

    bounds: Bounds
    closes: bool
    levels: list[_BracketLevel] = field(default_factory=lambda: [_BracketLevel()])
    previous: str = ""
    chain: int = 0
    size: int = 0
    """The chain with what is in brackets that are closed."""
    tables: int = 0
    work: int = 0
    join_work: int = 0

    def overload(self, pieces: Sequence[Piece]) -> Overload | None:
        for word, place in pieces:
            self._count(word)
            pending = self.levels[-1].tokens * self.size
            if self.chain > self.bounds.chain or self.work + pending > self.bounds.work or self._is_deep():
                return Overload(_TOO_DEEP, place)
            if self.tables > self.bounds.tables or self.join_work > self.bounds.join_work:
                return Overload("The query joins too many tables.", place)
        return None

    def _is_deep(self) -> bool:
        return len(self.levels) > (MAX_NESTING if self.closes else 2 * MAX_NESTING)

    def _count(self, word: str) -> None:
        level = self.levels[-1]
        level.tokens += 1
        level.size += 1
        self.chain += 1
        self.size += 1
        is_name = self.previous in _BEFORE_NAMES
        if word in ("(", "[", "{"):
            self.levels.append(_BracketLevel(level.in_from and self.previous in ("from", "join", ",", "(")))
        elif word in (")", "]", "}"):
            self._close()
        elif word == ",":
            self._separate()
        elif word == "join":
            level.in_from = True
            self._add_tables(2)
        elif word == "from" and not is_name:
            self._end_from()
            level.in_from = True
        elif word in _CLAUSES and not is_name:
            self._end_from()
        self.previous = word

    def _separate(self) -> None:
        level = self.levels[-1]
        self.work += level.tokens * self.size
        self.chain -= level.tokens
        self.size -= level.size
        level.total += level.size
        level.tokens = level.size = 0
        if level.in_from:
            self._add_tables(1)

    def _add_tables(self, number: int) -> None:
        self.levels[-1].tables += number
        self.tables += number

    def _close(self) -> None:
        if self.closes and len(self.levels) > 1:
            self._separate()
            self._end_from()
            total = self.levels.pop().total
            self.levels[-1].size += total
            self.size += total

    def _end_from(self) -> None:
        if self.closes:
            level = self.levels[-1]
            self.join_work += self.tables**4
            self.tables -= level.tables
            level.in_from, level.tables = False, 0
