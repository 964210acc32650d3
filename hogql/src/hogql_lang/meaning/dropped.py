"""Find clauses that the parser drops without a word, and LIMITs that are read in an unusual way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import tree
from ..findings import Problem
from ..tokens import Token
from ..walk import place, walk

_SETS = ("UNION", "INTERSECT", "EXCEPT")


def dropped(tokens: Sequence[Token], root: tree.Expr) -> Iterator[Problem]:
    """Return warnings about clauses of a parsed statement that do not do what they seem to do."""
    words = {token.word for token in tokens}
    if "ORDER" in words:
        yield from _orders(tokens, root)
    if not words.isdisjoint(("TOTALS", "ROLLUP", "CUBE")):
        yield from _totals(tokens)
    if "LIMIT" in words:
        yield from _limits(tokens)
    if not words.isdisjoint(_SETS):
        yield from _last_members(tokens)


def _orders(tokens: Sequence[Token], root: tree.Expr) -> Iterator[Problem]:
    """Find an ORDER BY that is in the text but not in the tree."""
    kept = [place(node.expr) for node in walk(root) if isinstance(node, tree.Order)]
    if None in kept:
        return
    for index, token in enumerate(tokens[:-2]):
        if token.word != "ORDER" or tokens[index + 1].word != "BY":
            continue
        first = next((each for each in tokens[index + 2 :] if each.word != "("), tokens[index + 1])
        if any(at is not None and tokens[index + 1].end <= at <= first.start for at in kept):
            continue
        near = [each.word for each in tokens[max(0, index - 6) : index] if each.depth == token.depth]
        fix = "ORDER BY before LIMIT" if "LIMIT" in near else "SELECT * FROM (…) ORDER BY …"
        yield Problem("hogql_query_error", "HogQL ignores this ORDER BY", token.start, (fix,))


def _totals(tokens: Sequence[Token]) -> Iterator[Problem]:
    for index, token in enumerate(tokens[1:], 1):
        following = tokens[index + 1].word if index + 1 < len(tokens) else ""
        is_clause = tokens[index - 1].word == "WITH" and following not in ("AS", "(")
        if is_clause and token.word in ("TOTALS", "ROLLUP", "CUBE"):
            fix = "a UNION ALL with the total" if token.word == "TOTALS" else f"GROUP BY {token.word}(…)"
            message = f"HogQL ignores WITH {token.word}"
            yield Problem("hogql_query_error", message, tokens[index - 1].start, (fix,))


def _limits(tokens: Sequence[Token]) -> Iterator[Problem]:
    """Find `LIMIT 10, 5`, which MySQL and ClickHouse read the other way round."""
    for index, token in enumerate(tokens[:-3]):
        if token.word != "LIMIT" or tokens[index + 2].word != ",":
            continue
        one, _, two = tokens[index + 1 : index + 4]
        is_by = index + 4 < len(tokens) and tokens[index + 4].word == "BY"
        if one.word.isdecimal() and two.word.isdecimal() and not is_by:
            message = f"LIMIT {one.word}, {two.word} returns {one.word} rows after the first {two.word} in HogQL"
            fixes = (f"LIMIT {two.word} OFFSET {one.word}", f"LIMIT {one.word} OFFSET {two.word}")
            yield Problem("hogql_query_error", message, token.start, fixes)


def _last_members(tokens: Sequence[Token]) -> Iterator[Problem]:
    """Find a LIMIT or ORDER BY that seems to apply to a whole UNION and applies to its last SELECT."""
    for index, token in enumerate(tokens):
        if token.word not in _SETS or not _begins_select(tokens, index):
            continue
        level = [each for each in tokens if each.depth == token.depth]
        before = _clauses([each for each in level if each.start < token.start], from_end=True)
        after = _clauses([each for each in level if each.start > token.start], from_end=False)
        inside = _closed(tokens, index)
        found = [each for each in after if each.start < inside and each.word in ("LIMIT", "ORDER")]
        if not found or any(each.word in ("LIMIT", "ORDER") for each in before):
            continue
        if any(each.word in _SETS for each in level if token.start < each.start < inside):
            continue
        what = "ORDER BY" if found[0].word == "ORDER" else "LIMIT"
        fix = "SELECT * FROM (… UNION ALL …) ORDER BY …" if what == "ORDER BY" else "(… UNION ALL …) LIMIT …"
        message = f"this {what} applies to the last SELECT only"
        yield Problem("hogql_query_error", message, found[0].start, (fix,))
        return


def _begins_select(tokens: Sequence[Token], index: int) -> bool:
    """Return whether a set operator is followed by a SELECT without brackets."""
    following = [each.word for each in tokens[index + 1 : index + 3]]
    return following[:1] == ["SELECT"] or (following[:1] in (["ALL"], ["DISTINCT"]) and following[1:] == ["SELECT"])


def _closed(tokens: Sequence[Token], index: int) -> int:
    """Return the end of the brackets around a token."""
    depth = tokens[index].depth
    return next((each.start for each in tokens[index:] if each.depth < depth), tokens[-1].end)


def _clauses(level: Sequence[Token], *, from_end: bool) -> list[Token]:
    """Return the tokens of the SELECT next to a set operator."""
    found: list[Token] = []
    for each in reversed(level) if from_end else level:
        if each.word in _SETS:
            break
        found.append(each)
        if from_end and each.word == "SELECT":
            break
    return found
