"""Brackets, quotes, commas and words that come in pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ..tokens import Token
from .suspicion import Edit, Error, Suspicion

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ENDS = frozenset(["FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "AS", ",", ")", "AND", "OR"])
"""Words before which a bracket or CASE probably ends."""


def brackets(error: Error) -> Iterator[Suspicion]:
    """Return the suspicions about the pairs around an error."""
    yield from _open_text(error)
    yield from _unmatched(error)
    yield from _needed(error)
    yield from _case(error)
    yield from _commas(error)


def _open_text(error: Error) -> Iterator[Suspicion]:
    """Find a quote that is not closed, which turns the rest of the statement into a string."""
    for token in error.tokens[max(0, error.at - 3) :]:
        quote = token.word
        is_open = token.end - token.start == 1 or error.sql[token.end - 1] != quote
        if quote not in ("'", '"', "`") or not is_open:
            continue
        inner = _apostrophe(error, token) if quote == "'" else None
        if inner is not None:
            word = error.sql[inner.start - 12 if inner.start > 12 else 0 : inner.start].split("'")[-1]
            fix = f"{word}''" if word else "''"
            message = "a quote inside a string is written twice"
            edits = (Edit(inner.start, inner.start, "'"),)
            yield Suspicion(message, inner.start, (fix, "'' for a quote inside a string"), edits)
        fixes = (quote, f"{quote * 2} for a quote inside a string") if quote == "'" else (quote,)
        for end in _ends_of_text(error, token):
            yield Suspicion(f"unclosed string: {quote} is missing", token.start, fixes, (Edit(end, end, quote),))
        place = _beginning(error, token)
        if place is not None:
            yield Suspicion(f"unclosed string: {quote} is missing", place, fixes, (Edit(place, place, quote),))
        return


def _apostrophe(error: Error, token: Token) -> Edit | None:
    """Return the end of the string before a word such as `s` in `'it's'`, where a quote is missing."""
    before = [each for each in error.tokens if each.word == "'" and each.end <= token.start]
    for each in reversed(before):
        if re.match(r"\w", error.sql[each.end : each.end + 1]) and error.sql[each.end - 1] == "'":
            return Edit(each.end - 1, each.end, "")
    return None


def _ends_of_text(error: Error, token: Token) -> Iterator[int]:
    """Return the places where an unclosed string may end: before the next clause, bracket or comma, or at the end."""
    text = error.sql[token.start + 1 : token.end]
    for match in re.finditer(r"\s*(?:\b(?:AND|OR|FROM|WHERE|GROUP|ORDER|LIMIT|AS)\b|[,)\n;])", text, re.IGNORECASE):
        yield token.start + 1 + match.start()
        break
    yield len(error.sql.rstrip().rstrip(";"))


def _beginning(error: Error, token: Token) -> int | None:
    """Return the beginning of the word that ends with an unclosed quote: `= a'`."""
    match = re.search(r"[\w$]+$", error.sql[: token.start])
    return match.start() if match else None


def _unmatched(error: Error) -> Iterator[Suspicion]:
    """Find a bracket that is not closed, and one that was not opened."""
    opened: list[Token] = []
    for token in error.tokens:
        if token.word in _CLOSING:
            opened.append(token)
        elif token.word in _CLOSING.values():
            if not opened or _CLOSING[opened[-1].word] != token.word:
                edits = (Edit(token.start, token.end, ""),)
                yield Suspicion(f"unmatched `{token.word}`", token.start, (f"without `{token.word}`",), edits)
                return
            opened.pop()
    for token in reversed(opened):
        sign = _CLOSING[token.word]
        inside = [each for each in error.tokens if each.start > token.start]
        level = token.depth + 1
        places = [each.start for each in inside if each.depth == level and each.word in _ENDS and each.word != ","]
        for place in [*places, len(error.sql.rstrip().rstrip(";").rstrip())][:6]:
            edits = (Edit(place, place, f"{sign} "),)
            yield Suspicion(f"unclosed `{token.word}`", token.start, (sign,), edits)


def _needed(error: Error) -> Iterator[Suspicion]:
    """Find missing parentheses: around the values of IN, a window, a subquery of WITH."""
    for index in error.near(6, 1):
        before, token = error.token(index - 1), error.token(index)
        pair = (before.word, token.word)
        if pair == ("IN", "'") or (before.word == "IN" and token.word.isdecimal()):
            last = index
            while error.word(last + 1) == "," and (error.word(last + 2) == "'" or error.word(last + 2).isdecimal()):
                last += 2
            end = error.token(last).end
        elif pair in (("OVER", "PARTITION"), ("OVER", "ORDER")):
            end = _end_of(error, index, frozenset(["FROM", ",", ")", "AS", "WHERE"]))
        elif pair == ("AS", "SELECT"):
            later = [each.start for each in error.tokens[index + 1 :] if each.word == "SELECT"]
            end = later[0] if later else len(error.sql)
        elif token.word == "(" and error.word(index + 1) == "SELECT" and error.word(index - 2) in ("WITH", ","):
            edits = (Edit(token.start, token.start, "AS "),)
            yield Suspicion("WITH needs AS before its subquery", token.start, ("AS (",), edits)
            continue
        else:
            continue
        edits = (Edit(token.start, token.start, "("), Edit(end, end, ") "))
        yield Suspicion(f"{before.word} needs parentheses after it", token.start, ("( … )",), edits)
    for index in error.near(1, 0):
        if error.word(index - 1) == ")" and error.word(index + 1) == "AS" and error.word(index + 2) == "(":
            place = error.token(index).start
            edits = (Edit(place, place, ", "),)
            yield Suspicion("missing comma between the subqueries of WITH", place, (f", {error.text(index)}",), edits)


def _end_of(error: Error, index: int, ends: frozenset[str]) -> int:
    depth = error.token(index).depth
    for each in error.tokens[index:]:
        if each.depth < depth or (each.depth == depth and each.word in ends):
            return each.start
    return len(error.sql)


def _case(error: Error) -> Iterator[Suspicion]:
    """Find CASE without END, WHEN or THEN."""
    indexes = [index for index in error.near(4, 1) if error.word(index) == "CASE"]
    for index in indexes[-1:]:
        token = error.token(index)
        following = error.tokens[index + 1 :]
        end = next((each for each in following if each.word == "END" and each.depth == token.depth), None)
        inside = [each for each in following if end is None or each.start < end.start]
        if end is None:
            for place in [each for each in inside if each.depth <= token.depth and each.word in _ENDS]:
                edits = (Edit(place.start, place.start, " END "),)
                yield Suspicion("CASE without END", token.start, ("END",), edits)
            last = len(error.sql.rstrip().rstrip(";"))
            yield Suspicion("CASE without END", token.start, ("END",), (Edit(last, last, " END"),))
            continue
        if not any(each.word == "WHEN" for each in inside):
            edits = (Edit(token.end, token.end, " WHEN"),)
            yield Suspicion("CASE needs WHEN before its condition", token.end, ("CASE WHEN",), edits)
        for before, each in pairwise(inside):
            if each.word not in ("THEN", "ELSE", "WHEN") and before.word in ("'", ")", "NULL") and (
                re.fullmatch(r"'|\d+", each.word)
            ):  # fmt: skip
                edits = (Edit(each.start, each.start, "THEN "),)
                yield Suspicion("WHEN needs THEN after its condition", each.start, ("THEN",), edits)
        for before, each in pairwise(inside):
            if (before.word, each.word) == ("ELSE", "IF"):
                edits = (Edit(before.start, each.end, "WHEN"),)
                yield Suspicion("CASE has no ELSE IF", before.start, ("WHEN",), edits)


_AFTER_LISTS = frozenset(["FROM", "WHERE", "GROUP", "ORDER", ")", "LIMIT", "JOIN", "LEFT", "INNER"])


def _commas(error: Error) -> Iterator[Suspicion]:
    """Find a comma before a keyword that ends a list, or before JOIN."""
    near = range(len(error.tokens)) if error.message.startswith("stray ON") else error.near(3, 1)
    for index in near:
        before, token = error.token(index - 1), error.token(index)
        if before.word == "," and token.word in (
            "FROM",
            "WHERE",
            "GROUP",
            "ORDER",
            ")",
            "LIMIT",
            "JOIN",
            "LEFT",
            "INNER",
        ):
            word = error.text(index)
            edits = (Edit(before.start, before.end, " "),)
            fix = f"without the comma before {word}"
            yield Suspicion(f"unexpected comma before `{word}`", before.start, (fix,), edits)
    last = error.token(len(error.tokens) - 1)
    if error.at >= len(error.tokens) and last.word == ",":
        edits = (Edit(last.start, last.end, ""),)
        yield Suspicion("the statement ends after `,`", last.end, ("something after ,", "without ,"), edits)
