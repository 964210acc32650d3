"""Try suspected mistakes: a suggestion that does not make the statement parse is not given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..guard import SHORT, Bounds, check
from ..parser import Unjudged, Unparsed, syntax_error
from ..tokens import Token, TooDeep, tokenize
from .brackets import brackets
from .clauses import keywords, lists
from .dialects import dialects
from .names import names
from .operators import operators
from .statements import statements
from .suspicion import Error, Suspicion, applied

_FINDERS: tuple[Callable[[Error], Iterator[Suspicion]], ...] = (
    statements, names, operators, dialects, keywords, brackets, lists,
)  # fmt: skip
_TRIES = (
    (replace(SHORT, work=2_000), 60),
    (replace(SHORT, work=8_000), 16),
    (replace(SHORT, work=20_000), 6),
    (SHORT, 2),
)
"""How many suggestions are tried, by the size of the statement: all together take about as long as one that is as large
as `SHORT` allows."""
_MORE_MISTAKES = 2
"""The most other mistakes in the same statement."""


@dataclass(slots=True)
class _Tries:
    bounds: Bounds
    left: int

    def result(self, sql: str) -> Unparsed | Unjudged | None:
        """Return why a statement still cannot be parsed, None if it can."""
        if not self.left:
            return _UNTRIED
        self.left -= 1
        return syntax_error(sql, self.bounds)


_UNTRIED = Unjudged("too many suggestions were tried")


def suspect(sql: str, tokens: Sequence[Token], place: int | None, message: str = "") -> Suspicion | None:
    """Return the likely cause of a syntax error at `place`, None if nothing that was tried mends the statement."""
    error = Error(sql, tokens, len(sql) if place is None else place, message)
    for bounds, tries in _TRIES:
        if check(sql, bounds, tokens) is None:
            return _search(error, _Tries(_wider(bounds), tries), _MORE_MISTAKES)
    return next((each for each in statements(error) if each.edits is None), None)


def _wider(bounds: Bounds) -> Bounds:
    """Return bounds for a statement that a suggestion makes a little larger."""
    return replace(bounds, work=min(2 * bounds.work, SHORT.work))


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
        match tries.result(mended):
            case None:
                return suspicion
            case Unparsed(place=int() as place) as unparsed if place > error.place:
                waiting.append((suspicion, mended, unparsed))
            case _:
                continue
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
