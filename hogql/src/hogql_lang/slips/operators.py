"""Operators of other languages, and conditions that are not complete."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from .suspicion import Edit, Error, Suspicion

_SIGNS = {
    "=<": "<=", "=>": ">=", "===": "=", "!==": "!=", "=!": "!=", "!=": "!=", "&&": "AND", ":=": "=", "|": "OR",
    "||": "OR", "&": "AND", "<=>": "=", "^=": "!=", "~=": "=",
}  # fmt: skip
_LETTERS = frozenset("=<>!&|:^~ ")
_WORDS = {
    "EQUALS": "=", "EQ": "=", "NEQ": "!=", "NE": "!=", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<=",
    "NOTNULL": "IS NOT NULL", "ISNULL": "IS NULL", "ISNOT": "IS NOT", "NOTIN": "NOT IN", "XOR": "!=",
}  # fmt: skip
_PATTERNS = {"CONTAINS": ("%", "%"), "STARTS": ("", "%"), "STARTSWITH": ("", "%"), "ENDS": ("%", ""), "HAS": ("%", "%")}


def operators(error: Error) -> Iterator[Suspicion]:
    """Return the suspicions about the operators at an error."""
    yield from _sign(error)
    yield from _word(error)
    yield from _is(error)
    yield from _pattern(error)
    yield from _twice(error)
    yield from _between(error)
    yield from _unquoted(error)


def _sign(error: Error) -> Iterator[Suspicion]:
    start = end = min(error.place, len(error.sql))
    while start > 0 and error.sql[start - 1] in _LETTERS:
        start -= 1
    while end < len(error.sql) and error.sql[end] in _LETTERS:
        end += 1
    sign = error.sql[start:end].strip()
    first = start + error.sql[start:end].find(sign) if sign else start
    fix = _SIGNS.get(sign.replace(" ", "") if sign in ("! =", "= <", "= >") else sign)
    before = next((i for i, each in enumerate(error.tokens) if each.start >= first), len(error.tokens)) - 1
    if sign == "=>" and error.word(before - 1) in ("(", ",") and error.word(error.operand(before) - 2).isidentifier():
        fix = "->"
    if fix:
        edits = (Edit(first, first + len(sign), f" {fix} " if fix.isalpha() else fix),)
        yield Suspicion(f"HogQL has no `{sign}`", first, (fix,), edits)
    elif sign == "!":
        yield Suspicion("HogQL has no `!`", first, ("NOT",), (Edit(first, first + 1, "NOT "),))


def _word(error: Error) -> Iterator[Suspicion]:
    for index in error.near(1, 0):
        token, sign = error.token(index), error.text(index + 1)
        if token.word in _WORDS:
            fix = _WORDS[token.word]
            yield Suspicion(f"HogQL has no {token.word}", token.start, (fix,), (Edit(token.start, token.end, fix),))
        elif token.word == "NOT" and sign == "=":
            edits = (Edit(token.start, error.token(index + 1).end, "!="),)
            yield Suspicion("HogQL has no NOT =", token.start, ("!=",), edits)


def _is(error: Error) -> Iterator[Suspicion]:
    """Find `IS 'text'` and `IS NOT 5`."""
    for index in error.near(2, 1):
        if error.word(index) != "IS" or not error.message.startswith("trailing"):
            continue
        is_not = error.word(index + 1) == "NOT"
        start, end = error.token(index).start, error.token(index + is_not).end
        value = error.token(index + 1 + is_not)
        if value.word.isalpha():
            if difflib.get_close_matches(value.word[:40], ["NULL"], cutoff=0.6):
                message = f"`{error.text(index + 1 + is_not)}` may be a misspelled keyword"
                yield Suspicion(message, value.start, ("NULL",), (Edit(value.start, value.end, "NULL"),))
            continue
        fix = "!=" if is_not else "="
        message = f"IS{' NOT' if is_not else ''} needs NULL after it"
        yield Suspicion(message, start, (fix,), (Edit(start, end, fix),))


def _pattern(error: Error) -> Iterator[Suspicion]:
    """Find `CONTAINS 'x'`, `STARTS WITH 'x'`, `REGEXP 'x'` and `SIMILAR TO 'x'`."""
    for index in error.near(2, 0):
        token = error.token(index)
        last = index + (error.word(index + 1) in ("WITH", "TO", "IN"))
        value = error.token(last + 1)
        left = error.sql[error.token(error.operand(index - 1)).start : error.token(index - 1).end]
        if value.word != "'" or not left:
            continue
        if token.word in _PATTERNS:
            before, after = _PATTERNS[token.word]
            fix = f"ILIKE '{before}{error.sql[value.start + 1 : value.end - 1]}{after}'"
            yield Suspicion(f"HogQL has no {token.word}", token.start, (fix,), (Edit(token.start, value.end, fix),))
        elif token.word in ("REGEXP", "RLIKE", "SIMILAR", "REGEX", "MATCHES"):
            start = error.token(error.operand(index - 1)).start
            fix = f"match({left}, {error.sql[value.start : value.end]})"
            yield Suspicion(f"HogQL has no {token.word}", token.start, (fix,), (Edit(start, value.end, fix),))


def _twice(error: Error) -> Iterator[Suspicion]:
    """Find a second operator without its left side, and AND, OR or WHERE twice: `x = 1 OR = 2`, `AND AND`."""
    for index in error.near(3, 1):
        before, token = error.token(index - 1), error.token(index)
        if before.word in ("AND", "OR", "WHERE") and token.word in ("AND", "OR", "WHERE"):
            word = error.text(index)
            edits = (Edit(token.start, token.end, ""),)
            yield Suspicion(f"`{word}` follows {before.word}", token.start, (f"without {word}",), edits)
        if before.word in ("AND", "OR") and token.word in ("=", "!", "<", ">", "LIKE", "ILIKE"):
            left = _left_of(error, index - 2)
            if left:
                edits = (Edit(token.start, token.start, f"{left} "),)
                yield Suspicion(f"nothing is compared after {before.word}", token.start, (left,), edits)


def _left_of(error: Error, index: int) -> str:
    """Return the left side of the comparison that ends with a token."""
    while index > 0 and error.word(index) not in ("=", "<", ">", "LIKE", "ILIKE", "AND", "OR", "WHERE"):
        index -= 1
    while error.word(index - 1) in ("=", "<", ">", "!", "NOT"):
        index -= 1
    if error.word(index) in ("AND", "OR", "WHERE", ""):
        return ""
    first = error.operand(index - 1)
    return error.sql[error.token(first).start : error.token(index - 1).end]


def _between(error: Error) -> Iterator[Suspicion]:
    for index in error.near(8, 0):
        if error.word(index) != "BETWEEN":
            continue
        if error.word(index + 1) == "(":
            depth = error.token(index + 1).depth
            ends = [i for i in range(index + 2, len(error.tokens)) if error.token(i).depth == depth]
            if ends and any(error.word(i) == "AND" for i in range(index + 2, ends[0])):
                edits = tuple(Edit(error.token(i).start, error.token(i).end, "") for i in (index + 1, ends[0]))
                place = error.token(index + 1).start
                yield Suspicion("BETWEEN needs no parentheses", place, ("BETWEEN … AND …",), edits)
        for place in range(index + 2, min(index + 9, len(error.tokens))):
            token = error.token(place)
            if token.word in ("TO", ",") and token.depth == error.token(index).depth:
                edits = (Edit(token.start, token.end, " AND "),)
                yield Suspicion("BETWEEN needs AND between its bounds", token.start, ("AND",), edits)
                break


def _unquoted(error: Error) -> Iterator[Suspicion]:
    """Find a pattern without quotes: `LIKE %pricing%`."""
    for found in _PATTERN.finditer(error.sql, max(0, error.place - 80), error.place + 80):
        if found.start() <= error.place <= found.end():
            fix = f"'{found[1]}'"
            yield Suspicion("a pattern needs quotes", found.start(1), (fix,), (Edit(*found.span(1), fix),))


_PATTERN = re.compile(r"\bI?LIKE\s+(%[\w/.:-]+%?|[\w/.:-]+%)", re.IGNORECASE)
