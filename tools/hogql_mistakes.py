"""What a reader suspects where HogQL does not parse."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .hogql import Token

_KEYWORDS = (
    "SELECT", "DISTINCT", "FROM", "WHERE", "PREWHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "OFFSET", "UNION",
    "ALL", "JOIN", "LEFT", "RIGHT", "INNER", "OUTER", "CROSS", "USING", "BETWEEN", "INTERVAL", "CASE", "WHEN", "THEN",
    "ELSE", "END", "ASC", "DESC", "LIKE", "ILIKE", "WITH", "OVER", "PARTITION", "ARRAY", "AND", "NOT",
)  # fmt: skip
_OTHER_DIALECTS = {
    "TOP": ("HogQL has no TOP", "LIMIT n at the end"),
    "REGEXP": ("HogQL has no REGEXP", "match(text, 'pattern')"),
    "RLIKE": ("HogQL has no RLIKE", "match(text, 'pattern')"),
    "SIMILAR": ("HogQL has no SIMILAR TO", "match(text, 'pattern')"),
    "FETCH": ("HogQL has no FETCH", "LIMIT n"),
    "RETURNING": ("HogQL only reads", "SELECT"),
}
_WRITES = frozenset(
    [
        "INSERT",
        "UPDATE",
        "DELETE",
        "DROP",
        "ALTER",
        "CREATE",
        "TRUNCATE",
        "SET",
        "OPTIMIZE",
        "SYSTEM",
        "GRANT",
        "EXPLAIN",
    ]
)
_NAMES_BEFORE = 3
"""A slip is often noticed a few words after it."""
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What may be wrong, where, and what it should be."""

    message: str
    place: int | None
    fixes: tuple[str, ...] = ()


def suspect(sql: str, tokens: Sequence[Token], place: int | None) -> Suspicion | None:
    """The likely cause of a syntax error at `place`, None when there is no idea."""
    at = next((index for index, token in enumerate(tokens) if token.end > (place or 0)), len(tokens))
    return (
        _several_statements(tokens)
        or _other_dialect(tokens, at)
        or _open_text(sql, tokens)
        or _nothing_selected(tokens)
        or _misspelt_keyword(sql, tokens, at)
        or _open_bracket(tokens)
        or _comma(sql, tokens, at)
        or _missing_comma(sql, tokens, at)
    )


def _several_statements(tokens: Sequence[Token]) -> Suspicion | None:
    for index, token in enumerate(tokens[:-1]):
        if token.word == ";" and tokens[index + 1].word != ";":
            return Suspicion("several statements; one is run at a time", token.start, ("one SELECT",))
    return None


def _other_dialect(tokens: Sequence[Token], at: int) -> Suspicion | None:
    for token in tokens[max(0, at - 1) : at + 2]:
        if token.word in _WRITES and (token.start == 0 or token is tokens[0]):
            return Suspicion(f"{token.word} is not run here, HogQL only reads", token.start, ("SELECT",))
        if token.word in _OTHER_DIALECTS:
            message, fix = _OTHER_DIALECTS[token.word]
            return Suspicion(message, token.start, (fix,))
    return None


def _open_text(sql: str, tokens: Sequence[Token]) -> Suspicion | None:
    """A quote that nothing closes takes the rest of the statement with it."""
    for token in tokens:
        if token.word in ("'", '"', "`") and (token.end - token.start == 1 or sql[token.end - 1] != token.word):
            return Suspicion(f"a text is not closed: {token.word} is missing", token.start, (token.word,))
    return None


def _nothing_selected(tokens: Sequence[Token]) -> Suspicion | None:
    for before, token in pairwise(tokens):
        if (before.word, token.word) == ("SELECT", "FROM"):
            return Suspicion("nothing is selected between SELECT and FROM", token.start, ("SELECT count() FROM",))
    return None


def _misspelt_keyword(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    around = [*range(at, max(-1, at - _NAMES_BEFORE - 1), -1), at + 1]
    for index in around:
        if not 0 <= index < len(tokens) or not tokens[index].word.isalpha() or tokens[index].word in _KEYWORDS:
            continue
        token = tokens[index]
        if index + 1 < len(tokens) and tokens[index + 1].word in ("(", ".") and token.word not in ("BYE",):
            continue
        close = difflib.get_close_matches(token.word, _KEYWORDS, n=1, cutoff=0.65)
        if close:
            word = sql[token.start : token.end]
            return Suspicion(f"`{word}` stands where a keyword may be meant", token.start, (close[0],))
    return None


def _open_bracket(tokens: Sequence[Token]) -> Suspicion | None:
    opened: list[Token] = []
    for token in tokens:
        if token.word in _CLOSING:
            opened.append(token)
        elif token.word in _CLOSING.values():
            if not opened or _CLOSING[opened[-1].word] != token.word:
                return Suspicion(f"`{token.word}` closes nothing", token.start, (f"without `{token.word}`",))
            opened.pop()
    if not opened:
        return None
    last = opened[-1]
    return Suspicion(f"`{last.word}` is not closed", last.start, (_CLOSING[last.word],))


def _comma(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    """A comma before a keyword that ends a list."""
    for index in (at - 1, at):
        if 0 < index < len(tokens) and tokens[index].word in ("FROM", "WHERE", "GROUP", "ORDER", ")", "LIMIT"):
            before = tokens[index - 1]
            if before.word == ",":
                word = sql[tokens[index].start : tokens[index].end]
                return Suspicion(
                    f"a comma too many before `{word}`", before.start, (f"without the comma before {word}",)
                )
    return None


def _missing_comma(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Two names, the second with a bracket: the first was read as it is, the second as its alias."""
    if not 1 < at < len(tokens) or tokens[at].word not in ("(", ".", "'"):
        return None
    first, second = tokens[at - 2], tokens[at - 1]
    if first.word in _KEYWORDS or not (second.word.isidentifier() or second.word in ("'", ")")):
        return None
    word = sql[second.start : second.end]
    return Suspicion(f"a comma is missing before `{word}`", second.start, (f", {word}",))
