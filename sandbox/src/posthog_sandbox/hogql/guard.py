"""What is refused before it is parsed, from its tokens alone.

The parser takes time that grows with the square of the length of an operator chain (`1 + 1 + ...`) and with the
fourth power of the number of joined tables, and that doubles with every nested construct that it can read in two ways
(`doubling`); it holds the interpreter lock meanwhile, and overflows its stack on deeply nested template strings. These
bounds are far above what people write and keep the parse within moments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .doubling import repeats_too_much
from .errors import HogqlError

MAX_LENGTH = 200_000
"""Characters of a query."""
MAX_NESTING = 100
"""Brackets open at the same time."""
MAX_CHAIN = 1_500
"""Tokens between two commas, with those of the brackets around them."""
MAX_WORK = 5_000_000
"""The sum of the squares of those numbers: about one second of parsing."""
MAX_TABLES = 60
"""Tables in one FROM clause, with those of the brackets around it."""
MAX_JOIN_WORK = 60_000_000
"""The sum of the fourth powers of those numbers: about one second of parsing."""

_TOKEN = re.compile(
    r"""
    (?P<skip>\s+ | (?:--|//|\#)[^\n]* | /\*.*?(?:\*/|\Z))
  | (?P<template>(?<![\w$])f')
  | (?P<quoted>'(?:[^'\\]|\\.|'')*'? | "(?:[^"\\]|\\.|"")*"? | `(?:[^`\\]|\\.|``)*`?)
  | (?P<word>[A-Za-z_$][\w$]*)
  | (?P<other>\d+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_TEMPLATE = re.compile(r"f'(?P<body>(?:[^'\\{]|\\.|\{[^'{}]*\})*)'", re.DOTALL)
_CLAUSES = frozenset({"where", "prewhere", "group", "having", "order", "limit", "window", "qualify"})
"""Keywords that end a FROM clause."""
_BEFORE_NAMES = frozenset({"as", ".", ",", "from", "join", "("})
"""After these a keyword is the name of a table or of an alias."""


@dataclass(slots=True)
class _Level:
    """The tokens since the last comma inside one pair of brackets, and the tables of the current FROM clause.

    Where the parser cannot read a subquery it takes the brackets for a list of tables: in FROM, the columns of
    `(select a, b, ...)` count as tables as well.
    """

    in_from: bool = False
    tokens: int = 0
    tables: int = 0


@dataclass(slots=True)
class _Reading:
    levels: list[_Level] = field(default_factory=lambda: [_Level()])
    previous: str = ""
    chain: int = 0
    tables: int = 0
    work: int = 0
    join_work: int = 0

    def separate(self) -> None:
        level = self.levels[-1]
        self.work += level.tokens * self.chain
        self.chain -= level.tokens
        level.tokens = 0
        if level.in_from:
            self.add_table()

    def add_table(self) -> None:
        self.levels[-1].tables += 1
        self.tables += 1

    def open(self) -> None:
        holds_tables = self.levels[-1].in_from and self.previous in ("from", "join", ",", "(")
        self.levels.append(_Level(holds_tables))

    def close(self) -> None:
        if len(self.levels) > 1:
            self.separate()
            self.end_from()
            self.levels.pop()

    def begin_from(self) -> None:
        self.end_from()
        self.levels[-1].in_from = True

    def end_from(self) -> None:
        level = self.levels[-1]
        self.join_work += self.tables**4
        self.tables -= level.tables
        level.in_from, level.tables = False, 0


def check_text(text: str) -> None:
    """Raises `HogqlError` for text that is too long, too deeply nested, or joins too many tables."""
    if len(text) > MAX_LENGTH:
        raise HogqlError("hogql_syntax_error", f"The query is too long: more than {MAX_LENGTH:,} characters.")
    _scan(text, 0)
    if (place := repeats_too_much(text)) is not None:
        raise _refusal("The query is nested too deeply here: each level doubles the time to parse it.", place)


def _scan(text: str, origin: int) -> None:
    reading = _Reading()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return
        start, position = position, match.end()
        if match.lastgroup == "template":
            position = _template(text, start, origin)
        elif match.lastgroup != "skip":
            _count(reading, match.group().lower() if match.lastgroup == "word" else match.group())
            _bound(reading, origin + start)


def _count(reading: _Reading, piece: str) -> None:
    """Commas and brackets bound an expression; keywords do not, for HogQL takes most of them as names too."""
    level = reading.levels[-1]
    level.tokens += 1
    reading.chain += 1
    is_name = reading.previous in _BEFORE_NAMES
    if piece in ("(", "[", "{"):
        reading.open()
    elif piece in (")", "]", "}"):
        reading.close()
    elif piece == ",":
        reading.separate()
    elif piece == "join":
        level.in_from = True
        reading.add_table()
    elif piece == "from" and not is_name:
        reading.begin_from()
    elif piece in _CLAUSES and not is_name:
        reading.end_from()
    reading.previous = piece


def _bound(reading: _Reading, position: int) -> None:
    if len(reading.levels) > MAX_NESTING or reading.chain > MAX_CHAIN or reading.work > MAX_WORK:
        raise _refusal("The query is nested too deeply, or one of its expressions is too long.", position)
    if reading.tables > MAX_TABLES or reading.join_work > MAX_JOIN_WORK:
        raise _refusal("The query joins too many tables.", position)


def _template(text: str, start: int, origin: int) -> int:
    """The end of a template string, the expressions in its braces checked like any others."""
    match = _TEMPLATE.match(text, start)
    if match is None:
        raise _refusal("Template strings with quotes in their braces are not supported here: use concat().", start)
    for inner in re.finditer(r"\{([^{}]*)\}", match["body"]):
        _scan(inner[1], origin + start)
    return match.end()


def _refusal(message: str, position: int) -> HogqlError:
    return HogqlError("hogql_syntax_error", message, position, position + 1)
