"""Reads a HogQL statement before it is sent: is it a SELECT, and does it limit its rows.

PostHog cuts a statement without LIMIT to 100 rows and reports that; it cuts a member of a UNION without a word. So a
LIMIT of one row more than is wanted is added where the caller set none: what comes back tells whether it was cut.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ...gateway.errors import Refused

MOST_ROWS = 50_000
"""PostHog returns no more rows than this, whatever LIMIT says."""
MAX_NESTING = 100
"""Brackets open at the same time; far above what people write."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement as it is sent, and what its answer can be checked against."""

    sql: str
    shown: int | None = None
    """Rows to show, when a LIMIT of one more was added."""
    own_limit: int | None = None
    """The caller's LIMIT, when it is a number."""
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a sign, or a quoted text of a statement."""

    word: str
    """In capitals; of a quoted text, its quote."""
    depth: int
    """Brackets around it."""
    start: int
    end: int


def plan(sql: str, limit: int, values: Mapping[str, Any]) -> Plan:
    """How to send this statement so that at most `limit` rows are shown and a cut is noticed.

    A LIMIT of its own is left alone. `values` are those of its placeholders. Raises Refused (`hogql_query_error`) for
    anything but SELECT, (`hogql_syntax_error`) for more than 100 open brackets.
    """
    tokens = tokenize(sql)
    while tokens and tokens[-1].word == ";":
        tokens.pop()
    survey = _survey(tokens)
    if not survey.open_ends:
        return Plan(sql, own_limit=_number(sql, survey.limit, values))
    # Members of a plain UNION ALL need no more rows than are shown; others are compared, so all their rows are needed.
    number = limit + 1 if survey.operators <= {"UNION ALL"} else MOST_ROWS
    for place in sorted(survey.open_ends, reverse=True):
        sql = f"{sql[:place]} LIMIT {number}{sql[place:]}"
    return Plan(sql, shown=limit, ordered=survey.ordered)


@dataclass(slots=True)
class _Survey:
    """Of a SELECT, or of several with UNION, INTERSECT or EXCEPT between them."""

    open_ends: list[int] = field(default_factory=list[int])
    """Where the SELECTs end that lack a LIMIT."""
    operators: set[str] = field(default_factory=set[str])
    limit: list[Token] = field(default_factory=list[Token])
    """What follows the LIMIT of a single SELECT."""
    ordered: bool = False

    def add(self, other: "_Survey", operator: str) -> None:
        self.open_ends += other.open_ends
        self.operators |= other.operators | {operator}
        self.limit, self.ordered = [], False


def _survey(tokens: list[Token]) -> _Survey:
    if not tokens or tokens[0].word not in ("SELECT", "WITH", "("):
        raise Refused(
            "hogql_query_error",
            "query: one SELECT (or WITH and SELECT) is run, nothing else.",
            "Rewrite it as a SELECT; describe_data shows tables and columns.",
        )
    outer = [at for at, token in enumerate(tokens) if token.depth == tokens[0].depth]
    cuts = [at for at in outer if _is_set_operator(tokens, at)]
    if cuts:
        return _survey_members(tokens, cuts)
    limits = [at for at in outer if _is_keyword(tokens, at, "LIMIT") and not _limits_by(tokens, at)]
    if limits:
        return _Survey(limit=tokens[limits[-1] + 1 :])
    if not any(tokens[at].word == "SELECT" for at in outer):  # it stands in brackets, perhaps after a WITH
        opened = max((at for at in outer if tokens[at].word == "("), default=0)
        closed = next((at for at in outer if at > opened), len(tokens))
        return _survey(tokens[opened + 1 : closed])
    return _Survey([tokens[-1].end], ordered=any(_is_keyword(tokens, at, "ORDER") for at in outer))


def _survey_members(tokens: list[Token], cuts: list[int]) -> _Survey:
    whole = _survey(tokens[: cuts[0]])
    for cut, following in zip(cuts, [*cuts[1:], len(tokens)], strict=True):
        quantified = tokens[cut + 1].word in ("ALL", "DISTINCT")
        first = cut + 1 + quantified
        operator = " ".join(token.word for token in tokens[cut:first])
        whole.add(_survey(tokens[first:following]), operator)
    return whole


def _is_set_operator(tokens: list[Token], at: int) -> bool:
    """UNION, INTERSECT or EXCEPT before another SELECT; `* EXCEPT (column)` is none."""
    if not any(_is_keyword(tokens, at, word) for word in ("UNION", "INTERSECT", "EXCEPT")):
        return False
    following = [token.word for token in tokens[at + 1 : at + 2 + MAX_NESTING]]
    if following[:1] in (["ALL"], ["DISTINCT"]):
        following = following[1:]
    return next((word for word in following if word != "("), "") in ("SELECT", "WITH")


def _is_keyword(tokens: list[Token], at: int, word: str) -> bool:
    """Whether the token is this keyword, not a name such as `properties.limit` or `AS limit`."""
    return tokens[at].word == word and (at == 0 or tokens[at - 1].word not in (".", "$", "AS"))


def _limits_by(tokens: list[Token], at: int) -> bool:
    """`LIMIT 2 BY x`, `LIMIT 2 OFFSET 1 BY x`, `LIMIT 1, 2 BY x`: rows of each group, not of the answer."""
    words = [token.word for token in tokens[at + 1 : at + 5]]
    return any(word == "BY" and before != "ORDER" for before, word in pairwise(words))


def _number(sql: str, limit: list[Token], values: Mapping[str, Any]) -> int | None:
    """The number that a LIMIT is: written, or the value of a placeholder."""
    words = [token.word for token in limit]
    if words[:1] == ["{"] and words[2:3] == ["}"]:
        value: Any = values.get(sql[limit[1].start : limit[1].end])
        words = [str(value) if isinstance(value, int) and not isinstance(value, bool) else "", *words[3:]]
    if words[1:2] not in ([], ["OFFSET"], [")"]):
        return None
    return int(words[0]) if words and words[0].isascii() and words[0].isdecimal() else None


_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|\#[^\n]*|//[^\n]*|/\*.*?\*/)
    |(?P<quoted>'(?:[^'\\]|\\.|'')*(?:'|\Z)|"(?:[^"\\]|\\.|"")*(?:"|\Z)|`(?:[^`\\]|\\.|``)*(?:`|\Z))
    |(?P<unclosed>/\*.*)
    |(?P<word>\w+)
    |(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)


def tokenize(sql: str) -> list[Token]:
    """The statement without blanks and comments, in time linear in its length.

    Raises Refused (`hogql_syntax_error`) for more than 100 brackets open at the same time.
    """
    found: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(sql):
        if match.lastgroup == "blank":
            continue
        text = match[0]
        if match.lastgroup == "sign" and text in ")]}":
            depth -= 1
        word = text.upper() if match.lastgroup == "word" else text[0]
        found.append(Token(word, depth, match.start(), match.end()))
        if match.lastgroup == "sign" and text in "([{":
            depth += 1
            if depth > MAX_NESTING:
                raise Refused("hogql_syntax_error", f"query: over {MAX_NESTING} brackets are open.", "Simplify it.")
    return found
