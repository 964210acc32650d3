"""Try suspected mistakes: a suggestion that does not make the statement parse is not given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..guard import SHORT, Bounds
from ..parser import Parsed, Unjudged, Unparsed, parse
from ..tokens import Token, TooDeep, tokenize
from .brackets import brackets
from .clauses import clauses
from .dialects import dialects
from .names import names
from .operators import operators
from .statements import statements
from .suspicion import Error, Suspicion, applied

_FINDERS: tuple[Callable[[Error], Iterator[Suspicion]], ...] = (
    statements, names, operators, dialects, brackets, clauses,
)  # fmt: skip
_TRIES = (
    (replace(SHORT, work=2_000, join_work=20_000), 60),
    (replace(SHORT, work=14_000, join_work=100_000), 8),
)
"""How many suggestions are tried, by the size of the statement: together about as long as the longest single parse."""
_MORE_MISTAKES = 2
"""The most other mistakes in the same statement."""


@dataclass(slots=True)
class _Tries:
    bounds: Bounds
    left: int

    def parsed(self, sql: str) -> Parsed | None:
        if not self.left:
            return None
        self.left -= 1
        return parse(sql, self.bounds)


def suspect(sql: str, tokens: Sequence[Token], place: int | None, message: str = "") -> Suspicion | None:
    """Return the likely cause of a syntax error at `place`, None if nothing that was tried mends the statement."""
    error = Error(sql, tokens, len(sql) if place is None else place, message)
    for bounds, tries in _TRIES:
        if not isinstance(parse(sql, bounds, tokens), Unjudged):
            return _search(error, _Tries(bounds, tries), _MORE_MISTAKES)
    return next((each for each in statements(error) if each.edits is None), None)


def _search(error: Error, tries: _Tries, more: int) -> Suspicion | None:
    waiting: list[tuple[Suspicion, str, Unparsed]] = []
    tried = set[str]()
    for suspicion in (each for finder in _FINDERS for each in finder(error)):
        if suspicion.edits is None:
            return suspicion
        mended = applied(error.sql, suspicion.edits)
        if mended in tried:
            continue
        tried.add(mended)
        match tries.parsed(mended):
            case None | Unjudged():
                continue
            case Unparsed() as unparsed:
                if unparsed.place is not None and unparsed.place > error.place:
                    waiting.append((suspicion, mended, unparsed))
            case _:
                return suspicion
    for suspicion, mended, unparsed in waiting if more else ():
        if _has_another(mended, unparsed, tries, more):
            return suspicion
    return None


def _has_another(sql: str, unparsed: Unparsed, tries: _Tries, more: int) -> bool:
    """Return whether the rest of a statement with several mistakes can be mended too."""
    try:
        tokens = tokenize(sql)
    except TooDeep:
        return False
    another = _search(Error(sql, tokens, unparsed.place or 0, unparsed.message), tries, more - 1)
    return another is not None and another.edits is not None
