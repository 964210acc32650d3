"""Bound the work that PostHog's parser repeats for one statement, from its tokens alone.

The parser tries one reading of many constructs and, when that fails, reads the same text again in another way:
`interval (` as a duration and then as a call, `case when (` with and without an operand, `cast(`, `filter (where`,
`{` as a block and as a dictionary, `(with`. When these are nested, each level doubles the time, and the parser keeps
the interpreter lock throughout. So each opening that can be read twice doubles the weight of its contents, and the
sum has a bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

type Piece = tuple[str, int]
"""A token in lowercase (only the quote for quoted text), and its place."""

MAX_REPEATED_WORK = 6_000
"""Tokens, each counted once for every possible repeated reading: below 0.05 seconds of parsing."""
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_CLOSED = frozenset(_CLOSING.values())
_UNITS = frozenset(["second", "minute", "hour", "day", "week", "month", "quarter", "year", "yyyy"])
_READ_TWICE_WORDS = """
    between both case cast catch cohort columns date distinct except exclude extract filter fn for fun grouping
    interpolate interval lambda leading let limit offset over partition pivot positional range return rollup rows
    sample select settings substring throw timestamp top trailing trim try try_cast unpivot values when while window
    with within
    """
_READ_TWICE = frozenset(_READ_TWICE_WORDS.split())
"""Keywords after which a bracket may be the arguments of a function of that name, or something else."""
_OTHER_KEYWORDS = """
    all and anti any array as asc ascending asof by collate cross cube current desc descending else end fill final
    following from full group having if ignore ilike in include inner intersect is join left like natural not null
    nulls on or order outer preceding prewhere qualify recursive replace right row semi sets then ties to totals
    truncate unbounded union using where zone
    """
_KEYWORDS = _READ_TWICE | frozenset(_OTHER_KEYWORDS.split())
_CLAUSE_WORDS = """
    select from where prewhere group having order limit offset window qualify union intersect except settings
    """
_CLAUSES = frozenset(_CLAUSE_WORDS.split())
_MARKS = frozenset({"interval", "case", "limit", "offset", "not", "on", ",", "<"})
_WEIGHED = _MARKS | _UNITS | _CLAUSES | {"end"} | _CLOSING.keys() | _CLOSED
"""The words before or after which the weight can change."""
_ENDS_OF_LISTS = (_CLAUSES - {"select"}) | {"array", "left", "inner", "with", "final", "sample", "asof"}
"""Keywords that can begin a clause after a comma, so the parser looks ahead."""


@dataclass(slots=True)
class _Level:
    """The state inside one pair of brackets. Each factor and mark doubles the weight of what follows it there."""

    closing: str = ""
    factors: int = 0
    is_type: bool = False
    joins_on: bool = False
    marks: list[str] = field(default_factory=list[str])


def repeats_too_much(pieces: Sequence[Piece], *, raw: bool) -> int | None:
    """Return where repeated reading of a statement becomes too much, None for a statement that is parsed quickly.

    With `raw`, quotes can have another meaning, so nothing counts as closed.
    """
    words = ["", "", *(word for word, _ in pieces), "", ""]
    called = _called_again(words)
    levels = [_Level()]
    doubled = work = weight = 0
    for at, (word, place) in enumerate(pieces, start=2):
        if word not in _WEIGHED:
            if (work := work + weight) > MAX_REPEATED_WORK:
                return place
            continue
        if word in _CLOSED:
            doubled -= 0 if raw else _close(levels, word)
        elif word not in _CLOSING:
            before = len(levels[-1].marks)
            if not raw:
                _unmark(levels[-1], words, at)
            _mark(levels[-1], words, at)
            doubled += len(levels[-1].marks) - before
        else:
            level = _opened(levels[-1], words, at, at in called)
            doubled += level.factors
            levels.append(level)
        weight = (1 << min(doubled, 40)) - 1
        if (work := work + weight) > MAX_REPEATED_WORK:
            return place
    return None


def _close(levels: list[_Level], word: str) -> int:
    """Close the brackets that a word ends. Return how many doublings end with them."""
    ended = 0
    while any(level.closing == word for level in reversed(levels)):
        closed = levels.pop()
        ended += closed.factors + len(closed.marks)
        if closed.closing == word:
            break
    return ended


def _called_again(words: list[str]) -> frozenset[int]:
    """Return the brackets that are followed by another bracket: `f(1)(2)` is first tried as a call with parameters."""
    text = " ".join(words)
    if not any(f"{closed} (" in text for closed in _CLOSED):
        return frozenset()
    open_at: list[int] = []
    found: set[int] = set()
    for at, word in enumerate(words):
        if word in _CLOSING:
            open_at.append(at)
        elif word in _CLOSED and open_at:
            opening = open_at.pop()
            if words[at + 1] == "(":
                found.add(opening)
    return frozenset(found)


def _ends_operand(word: str) -> bool:
    return word not in _KEYWORDS and (
        word.startswith(("'", '"', "`", ")", "]", "}")) or word.replace("$", "_").isidentifier() or word.isdigit()
    )


def _unmark(level: _Level, words: list[str], at: int) -> None:
    """Remove the marks that have ended: a CASE at END, an INTERVAL at its unit, others at a comma or a clause."""
    word = words[at]
    ends = word in _UNITS or word == "end"
    previous = words[at - 1]
    if ends and (_ends_operand(previous) or previous in ("end", "null")) and words[at - 2] != ".":
        wanted = "case" if word == "end" else "interval"
        if level.marks and level.marks[-1] == wanted:
            level.marks.pop()
    elif word == ",":
        level.marks.clear()
    elif word in _CLAUSES and previous not in (".", ",", "as"):
        level.marks[:] = [mark for mark in level.marks if mark not in ("limit", "offset", ",")]
        level.joins_on = False


def _mark(level: _Level, words: list[str], at: int) -> None:
    """Add a mark for a construct without brackets that is read twice."""
    word, following = words[at], words[at + 1]
    if words[at - 1] == ".":
        return
    if word in ("interval", "case"):
        level.marks.append(word)
    elif word in ("limit", "offset"):
        if word not in level.marks:
            level.marks.append(word)
    elif word == "not":
        if not _ends_operand(words[at - 1]) and not following.replace("$", "_").isidentifier() and following != "(":
            level.marks.append(word)
    elif word == "on":
        level.joins_on = True
    elif word == ",":
        if level.joins_on or following in _ENDS_OF_LISTS:
            level.marks.append(word)
    elif word == "<" and following.isidentifier():
        level.marks.append(word)


def _may_be_query(words: list[str], at: int) -> bool:
    """Return whether nested brackets may contain a query, which the parser tries first.

    It gives up at a name or a value, as in `((a = 1) and (b = 2))`.
    """
    while words[at] == "(":
        at += 1
    first = words[at]
    is_name = first not in _KEYWORDS and first not in _CLAUSES and first.replace("$", "_").isidentifier()
    return not (is_name or first.isdigit() or first in ("'", '"', "`", "-", "not"))


def _opened(outer: _Level, words: list[str], at: int, is_called_again: bool) -> _Level:
    word, previous, first, second = words[at], words[at - 1], words[at + 1], words[at + 2]
    level = _Level(_CLOSING[word])
    factors = (previous in _READ_TWICE) + is_called_again
    if word == "(":
        level.is_type = outer.is_type or (
            _ends_operand(previous)
            and previous not in ")]}"
            and (words[at - 2] in ("as", ":") or (words[at - 2] != "." and _ends_operand(words[at - 2])))
        )
        factors += 2 * level.is_type
        factors += first in ("{", "with", "values", "*", "<") or (first == "(" and _may_be_query(words, at))
        factors += first == "select" and not _ends_operand(second)
    level.factors = factors + (word == "{")
    return level
