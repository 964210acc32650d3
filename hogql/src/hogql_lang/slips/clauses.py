"""Keywords: misspelled, missing, out of order, or the last word of a statement; and commas that are missing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from .suspicion import Edit, Error, Suspicion

_KEYWORDS = (
    "SELECT", "DISTINCT", "FROM", "WHERE", "PREWHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "OFFSET", "UNION",
    "ALL", "JOIN", "LEFT", "RIGHT", "INNER", "OUTER", "CROSS", "USING", "BETWEEN", "INTERVAL", "CASE", "WHEN", "THEN",
    "ELSE", "END", "ASC", "DESC", "LIKE", "ILIKE", "WITH", "OVER", "PARTITION", "ARRAY", "AND", "NOT", "NULL",
)  # fmt: skip
_RIGHT = frozenset([*_KEYWORDS, "AS", "IN", "IS", "ON", "OR", "TO", "IF", "ANY", "TRUE", "FALSE", "FINAL"])
"""Words that are correct as written."""
_LONGEST_SLIP = 40
"""The number of characters of a word that are compared."""
_JOINS = frozenset(["JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS"])
_RANKS = {**dict.fromkeys(_JOINS, 0), "WHERE": 1, "GROUP": 2, "HAVING": 3, "ORDER": 4, "LIMIT": 5}
"""The clauses in the order that HogQL requires; FROM with its JOINs is first."""
_LATER = frozenset([*_RANKS, "UNION", "INTERSECT", "EXCEPT", "OFFSET", "WINDOW", "QUALIFY", ";"])


def keywords(error: Error) -> Iterator[Suspicion]:
    """Return the suspicions about the keywords at an error."""
    yield from _order(error)
    yield from _by(error)
    yield from _misspelt(error)
    yield from _join(error)


def lists(error: Error) -> Iterator[Suspicion]:
    """Return the suspicions about what is missing at an error."""
    yield from _end(error)
    yield from _missing_comma(error)
    yield from _equals(error)


def _order(error: Error) -> Iterator[Suspicion]:
    """Find a clause after one that it must precede, and move it there."""
    for index in error.near(2, 0):
        token = error.token(index)
        rank = _RANKS.get(token.word)
        if rank is None or (rank == 0 and error.word(index - 1) in _JOINS):
            continue
        earlier = _first_later_clause(error, index, rank)
        if earlier is None:
            continue
        end = _end_of_clause(error, index)
        moved = error.sql[token.start : end]
        fix = f"{_clause(token.word)} before {_clause(error.word(earlier))}"
        edits = (Edit(error.token(earlier).start, error.token(earlier).start, f"{moved} "), Edit(token.start, end, ""))
        yield Suspicion("clauses are in the wrong order", token.start, (fix,), edits)
        if token.word == "WHERE":
            edits = (Edit(token.start, token.end, "AND"),)
            yield Suspicion("WHERE is there already", token.start, ("AND",), edits)


def _first_later_clause(error: Error, index: int, rank: int) -> int | None:
    """Return the first clause of the same SELECT that must come after one with this rank."""
    found = None
    depth = error.token(index).depth
    for before in range(index - 1, -1, -1):
        token = error.token(before)
        if token.depth < depth or (token.depth == depth and token.word in ("SELECT", "UNION", "INTERSECT")):
            break
        if token.depth == depth and _RANKS.get(token.word, -1) > rank and error.word(before - 1) not in (".", "AS"):
            found = before
    return found


def _end_of_clause(error: Error, index: int) -> int:
    depth = error.token(index).depth
    following = index + 1 + (error.word(index + 1) in _JOINS)
    is_join = _RANKS[error.word(index)] == 0
    for number in range(following, len(error.tokens)):
        token = error.token(number)
        if token.depth < depth or (token.depth == depth and token.word in _LATER):
            if is_join and token.word in _JOINS:
                continue
            return token.start
    return len(error.sql)


def _clause(word: str) -> str:
    return f"{word} BY" if word in ("GROUP", "ORDER") else "JOIN" if word in _JOINS else word


def _by(error: Error) -> Iterator[Suspicion]:
    for index in error.near(1, 2):
        before, token = error.word(index - 1), error.token(index)
        if before in ("GROUP", "ORDER", "PARTITION") and token.word != "BY":
            edits = (Edit(token.start, token.start, "BY "),)
            yield Suspicion(f"missing BY after {before}", token.start, ("BY",), edits)


def _misspelt(error: Error) -> Iterator[Suspicion]:
    """Find a misspelled keyword: at the error, in the words before it, or in the one after it."""
    for index in (*range(error.at, max(-1, error.at - 4), -1), error.at + 1):
        token = error.token(index)
        if not token.word.isalpha() or token.word in _RIGHT or error.word(index - 1) in (":", "."):
            continue
        if error.word(index + 1) == ".":
            continue
        for keyword in difflib.get_close_matches(token.word[:_LONGEST_SLIP], _KEYWORDS, n=2, cutoff=0.65):
            edits = (Edit(token.start, token.end, keyword),)
            message = f"`{error.text(index)}` may be a misspelled keyword"
            yield Suspicion(message, token.start, (keyword,), edits)


def _join(error: Error) -> Iterator[Suspicion]:
    """Find a JOIN without ON, and INNER or LEFT without JOIN."""
    for index in error.near(4, 0):
        if error.word(index) == "JOIN":
            for at in range(error.at, index + 1, -1):
                if any(error.word(each) in ("ON", "USING") for each in range(index, at + 1)):
                    continue
                place = error.token(at).start
                edits = (Edit(place, place, "ON "),)
                yield Suspicion("JOIN needs a condition", place, ("ON …",), edits)
        elif error.word(index) in _JOINS and error.word(index + 1) not in ("JOIN", "OUTER", *_JOINS):
            place = error.token(index).end
            edits = (Edit(place, place, " JOIN"),)
            yield Suspicion(f"{error.word(index)} needs JOIN after it", place, ("JOIN",), edits)
        elif error.word(index) == "ON" and error.word(index + 1) in ("WHERE", "GROUP", "ORDER", "LIMIT", ""):
            place = error.token(index).end
            edits = (Edit(place, place, " 1 = 1"),)
            yield Suspicion("ON needs a condition", place, ("ON …",), edits)


def _end(error: Error) -> Iterator[Suspicion]:
    """Find a statement that ends too early."""
    if error.at < len(error.tokens) or not error.tokens:
        return
    last = error.tokens[-1]
    if last.word in _RIGHT or last.word in ",=<>+-*/.":
        fixes = (f"something after {last.word}", f"without {last.word}")
        edits = (Edit(last.end, last.end, " 1"),)
        yield Suspicion(f"the statement ends after `{last.word}`", last.end, fixes, edits)


def _missing_comma(error: Error) -> Iterator[Suspicion]:
    """Find two values in a row; the parser reads the second one as an alias."""
    for index in (error.at, error.at - 1):
        before, token = error.word(index - 1), error.token(index)
        is_value = token.word in ("'", "{", "[") or (token.word.isidentifier() and token.word not in _RIGHT)
        if not is_value or before in _RIGHT or not (before[-1:].isalnum() or before in ("'", ")", "]", "}", "*")):
            continue
        word = error.text(index)
        edits = (Edit(token.start, token.start, ", "),)
        yield Suspicion(f"missing comma before `{word}`", token.start, (f", {word}",), edits)


def _equals(error: Error) -> Iterator[Suspicion]:
    """Find a condition without its operator: `event 'a'`."""
    for index in error.near(0, 0):
        token, before = error.token(index), error.word(index - 1)
        if (token.word == "'" or token.word.isdecimal()) and before.isidentifier() and before not in _RIGHT:
            edits = (Edit(token.start, token.start, "= "),)
            yield Suspicion("an operator is missing", token.start, (f"= {error.text(index)}",), edits)
