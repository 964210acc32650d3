"""What is refused before it is parsed, from its tokens alone.

The parser takes time that grows with the square of the length of an operator chain (`1 + 1 + ...`) and with the
fourth power of the number of joined tables, holds the interpreter lock meanwhile, and overflows its stack on deeply
nested template strings. These bounds are far above what people write and keep a query's parse within moments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .errors import HogqlError

MAX_LENGTH = 200_000
"""Characters of a query."""
MAX_NESTING = 100
"""Brackets and CASEs open at the same time."""
MAX_CHAIN = 800
"""Tokens of one expression, those of the expressions around it included."""
MAX_WORK = 5_000_000
"""The sum of the squares of those numbers: about one second of parsing."""
MAX_TABLES = 30
"""Tables in one FROM clause."""
MAX_ALL_TABLES = 100
"""Tables in all FROM clauses of a query."""

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
_CLAUSES = frozenset(
    {"select", "from", "where", "prewhere", "group", "having", "order", "limit", "union", "intersect", "except", "on"}
)


@dataclass(slots=True)
class _Level:
    """The tokens since the last comma or clause keyword inside one pair of brackets."""

    tokens: int = 0
    in_from: bool = False
    tables: int = 0


@dataclass(slots=True)
class _Reading:
    levels: list[_Level] = field(default_factory=lambda: [_Level()])
    chain: int = 0
    tables: int = 0
    work: int = 0

    def separate(self) -> None:
        level = self.levels[-1]
        self.work += level.tokens * self.chain
        self.chain -= level.tokens
        level.tokens = 0

    def open(self) -> None:
        self.levels.append(_Level())

    def close(self) -> None:
        if len(self.levels) > 1:
            self.separate()
            self.levels.pop()

    def table(self) -> None:
        self.tables += 1
        self.levels[-1].tables += 1


def check_text(text: str) -> None:
    """Raises `HogqlError` for text that is too long, too deeply nested, or joins too many tables."""
    if len(text) > MAX_LENGTH:
        raise HogqlError("hogql_syntax_error", f"The query is too long: more than {MAX_LENGTH:,} characters.")
    _scan(text, 0)


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
    level = reading.levels[-1]
    level.tokens += 1
    reading.chain += 1
    if piece in ("(", "[", "{", "case"):
        reading.open()
    elif piece in (")", "]", "}", "end"):
        reading.close()
    elif piece == "," or piece in _CLAUSES:
        reading.separate()
        if piece == "select":
            level.tables = 0
        if piece != ",":
            level.in_from = piece in ("from", "on") and (level.in_from or piece == "from")
        if piece == "from" or (piece == "," and level.in_from):
            reading.table()
    elif piece == "join":
        level.in_from = True
        reading.separate()
        reading.table()


def _bound(reading: _Reading, position: int) -> None:
    if len(reading.levels) > MAX_NESTING or reading.chain > MAX_CHAIN or reading.work > MAX_WORK:
        raise _refusal("The query is nested too deeply, or one of its expressions is too long.", position)
    if reading.levels[-1].tables > MAX_TABLES or reading.tables > MAX_ALL_TABLES:
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
