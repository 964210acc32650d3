"""Split HogQL into tokens without parsing it, in linear time."""

import re
from typing import NamedTuple

MAX_NESTING = 100
"""The most brackets open at the same time; far above what people write."""


class Token(NamedTuple):
    """A word, a sign, or a quoted text in a statement."""

    word: str
    """The text in uppercase; only the quote for quoted text and template strings."""
    depth: int
    """The number of brackets around it."""
    start: int
    end: int


class TooDeep(Exception):
    """More than 100 brackets are open at the same time; `place` is the first one too many."""

    def __init__(self, place: int) -> None:
        super().__init__(f"more than {MAX_NESTING} brackets are open at the same time")
        self.place = place


_PIECE = r"""(?P<word>(?![fF]')[\w$]+)
    |(?P<sign>[^\s\w$#/'"`-])
    |(?P<blank>--[^\n]*|//[^\n]*|\#(?!\d)[^\n]*|/\*.*?\*/|\Z)
    |(?P<template>[fF]')
    |(?P<quoted>'(?:[^'\\]|\\.|'')*(?:'|\Z)|"(?:[^"\\]|\\.|"")*(?:"|\Z)|`(?:[^`\\]|\\.|``)*(?:`|\Z))
    |(?P<other>\S)"""
_TOKEN = re.compile(rf"\s*+(?:{_PIECE})", re.DOTALL | re.VERBOSE)
_IN_CODE = re.compile(rf"(?P<space>\s+)|{_PIECE}", re.DOTALL | re.VERBOSE)
_IN_TEMPLATE = re.compile(r"(?P<skip>\\.|[^'{\\]+)|(?P<end>')|(?P<code>\{)|(?P<rest>.)", re.DOTALL)


def tokenize(sql: str) -> list[Token]:
    """Return the tokens of a statement, without blanks and comments. Raises TooDeep."""
    found: list[Token] = []
    depth = place = 0
    while place < len(sql):
        for match in _TOKEN.finditer(sql, place):
            kind = match.lastgroup or ""
            start, place = match.span(kind)
            if kind == "word":
                found.append(Token(match[kind].upper(), depth, start, place))
                continue
            if kind == "blank":
                continue
            if kind == "template":
                place = _end_of_template(sql, place)
                found.append(Token("'", depth, start, place))
                break  # the rest is read from there
            word = sql[start]
            if kind == "sign" and word in ")]}":
                depth -= 1
            found.append(Token(word, depth, start, place))
            if kind == "sign" and word in "([{":
                depth += 1
                if depth > MAX_NESTING:
                    raise TooDeep(start)
    return found


def _end_of_template(sql: str, place: int) -> int:
    """Return the end of a template string that begins before `place`; its braces can contain more template strings."""
    waiting = ["'"]
    while waiting and place < len(sql):
        in_code = waiting[-1] == "}"
        match = (_IN_CODE if in_code else _IN_TEMPLATE).match(sql, place)
        if match is None:
            break
        place = match.end()
        if match[0] == waiting[-1]:
            waiting.pop()
        elif match.lastgroup == "template":
            waiting.append("'")
        elif match[0] == "{":
            waiting.append("}")
    return place
