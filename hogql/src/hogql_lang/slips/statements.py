"""Statements that cannot run in HogQL whatever is changed, and statements in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from .suspicion import Edit, Error, Suspicion

_WRITES = frozenset(
    ["INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "CREATE", "TRUNCATE", "SET", "OPTIMIZE", "SYSTEM", "GRANT",
     "EXPLAIN", "DECLARE", "MERGE", "REPLACE", "KILL", "ATTACH", "DETACH", "USE"]
)  # fmt: skip
_DESCRIBES = frozenset(["SHOW", "DESCRIBE", "DESC"])


def statements(error: Error) -> Iterator[Suspicion]:
    """Return the suspicions about the statement as a whole."""
    yield from _several(error)
    yield from _not_a_select(error)
    yield from _from_first(error)
    yield from _nothing_selected(error)


def _several(error: Error) -> Iterator[Suspicion]:
    for index in error.near(2, 0):
        if error.word(index) == ";" and any(token.word != ";" for token in error.tokens[index + 1 :]):
            place = error.token(index).start
            yield Suspicion("several statements; only one can run at a time", place, ("one SELECT",))
        elif error.word(index) == ";" == error.word(index - 1):
            token = error.token(index)
            edits = (Edit(token.start, len(error.sql), ""),)
            yield Suspicion("a second `;`", token.start, ("without it",), edits)


def _not_a_select(error: Error) -> Iterator[Suspicion]:
    for index in error.near(2, 1):
        token = error.token(index)
        if index and error.word(index - 1) != ")":
            continue
        if token.word in _DESCRIBES and index == 0:
            message = f"{token.word} cannot run here; HogQL has only SELECT"
            yield Suspicion(message, token.start, ("SELECT * FROM system.information_schema.columns",))
        elif token.word in _WRITES:
            yield Suspicion(f"{token.word} cannot run here; HogQL only reads", token.start, ("SELECT",))


def _from_first(error: Error) -> Iterator[Suspicion]:
    if error.word(0) != "FROM" or error.at > 1:
        return
    selects = [token for token in error.tokens if token.word == "SELECT" and token.depth == 0]
    if not selects:
        first = error.tokens[0].start
        yield Suspicion("SELECT is missing", first, ("SELECT * FROM",), (Edit(first, first, "SELECT * "),))
        return
    ends = [token for token in error.tokens if token.depth == 0 and token.start > selects[0].start]
    end = next((token.start for token in ends if token.word in _AFTER_SELECT), len(error.sql))
    source = error.sql[error.tokens[0].start : selects[0].start]
    edits = (Edit(error.tokens[0].start, selects[0].start, ""), Edit(end, end, f" {source}"))
    yield Suspicion("FROM comes after SELECT", error.tokens[0].start, ("SELECT … FROM …",), edits)


_AFTER_SELECT = frozenset(["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION"])


def _nothing_selected(error: Error) -> Iterator[Suspicion]:
    for index in error.near(2, 1):
        if (error.word(index - 1), error.word(index)) == ("SELECT", "FROM"):
            place = error.token(index).start
            edits = (Edit(place, place, "count() "),)
            yield Suspicion("nothing is selected between SELECT and FROM", place, ("SELECT count() FROM",), edits)
