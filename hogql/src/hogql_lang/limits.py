"""The LIMITs of a statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from . import tree
from .tokens import MAX_NESTING, Token


@dataclass(frozen=True, slots=True)
class Limits:
    """The LIMITs of a SELECT, or of several with UNION, INTERSECT or EXCEPT between them."""

    limited: bool = False
    """The whole has a LIMIT."""
    own: int | str | None = None
    """The LIMIT of the whole if it is a number, or the name of its placeholder."""
    open_ends: tuple[int, ...] = ()
    """The ends of the SELECTs without a LIMIT, where a LIMIT can be inserted."""
    operators: frozenset[str] = frozenset()
    """The operators between the SELECTs, such as `UNION ALL`."""
    ordered: bool = False
    """The rows have an order."""
    shifted: bool = False
    """Rows of several SELECTs are skipped together (OFFSET), so more rows of each are needed than are returned."""


def limits_of_tree(query: tree.Query) -> Limits:
    """Return the limits of a parsed statement."""
    if isinstance(query, tree.Select):
        if query.limit is None:
            return Limits(open_ends=(query.span[1],) if query.span else (), ordered=bool(query.order_by))
        is_number = not query.limit_with_ties and not query.limit_percent
        return Limits(True, _number(query.limit) if is_number else None, ordered=bool(query.order_by))
    members = [limits_of_tree(member) for member in (query.first, *(member for _, member in query.rest))]
    operators = frozenset(operator for operator, _ in query.rest).union(*(member.operators for member in members))
    return Limits(
        query.limit is not None,
        _sum(members, operators) if query.limit is None else _number(query.limit),
        # A member with a LIMIT of its own needs all rows of its members.
        tuple([end for member in members for end in member.open_ends]),
        operators,
        shifted=query.offset is not None or any(member.shifted for member in members),
    )


def _sum(members: Sequence[Limits], operators: frozenset[str]) -> int | None:
    """Return the most rows of several SELECTs with a LIMIT each, None if one has none."""
    numbers = [member.own for member in members if isinstance(member.own, int)]
    return sum(numbers) if len(numbers) == len(members) and operators <= {"UNION ALL"} else None


def _number(limit: tree.Expr) -> int | str | None:
    match limit:
        case tree.Constant(int() | float() as value) if not isinstance(value, bool) and value == int(value):
            return int(value)
        case tree.Arithmetic("+" | "-" | "*" as sign):
            one, other = _number(limit.left), _number(limit.right)
            if not isinstance(one, int) or not isinstance(other, int):
                return None
            return one + other if sign == "+" else one - other if sign == "-" else one * other
        case tree.Placeholder(tree.Field((name,))):
            return str(name)
        case _:
            return None


@dataclass(slots=True)
class _Survey:
    open_ends: list[int] = field(default_factory=list[int])
    operators: set[str] = field(default_factory=set[str])
    limit: list[Token] | None = None
    """The tokens after the LIMIT of a single SELECT, or of several in brackets."""
    ordered: bool = False
    shifted: bool = False

    def add(self, other: _Survey, operator: str) -> None:
        self.open_ends += other.open_ends
        self.operators |= other.operators | {operator}
        self.limit = None
        self.ordered = False
        self.shifted |= other.shifted


class _NoSelect(Exception):
    """The tokens do not begin with SELECT, WITH or a bracket."""


def limits_of_tokens(sql: str, tokens: Sequence[Token]) -> Limits | None:
    """Return the limits of a statement that is not parsed, None for anything but a SELECT."""
    ending = len(tokens)
    while ending and tokens[ending - 1].word == ";":
        ending -= 1
    try:
        survey = _survey(list(tokens[:ending]))
    except _NoSelect:
        return None
    own = None if survey.limit is None else _written(sql, survey.limit)
    limited = survey.limit is not None
    operators = frozenset(survey.operators)
    return Limits(limited, own, tuple(survey.open_ends), operators, survey.ordered, survey.shifted)


def _survey(tokens: list[Token]) -> _Survey:
    if not tokens or tokens[0].word not in ("SELECT", "WITH", "("):
        raise _NoSelect
    outer = [at for at, token in enumerate(tokens) if token.depth == tokens[0].depth]
    cuts = [at for at in outer if _is_set_operator(tokens, at)]
    if cuts:
        return _survey_members(tokens, cuts)
    limits = [at for at in outer if _is_keyword(tokens, at, "LIMIT") and not _limits_by(tokens, at)]
    if not any(tokens[at].word == "SELECT" for at in outer):  # it is in brackets, perhaps after a WITH
        opened = max((at for at in outer if tokens[at].word == "("), default=0)
        closed = next((at for at in outer if at > opened), len(tokens))
        return _outside(_survey(tokens[opened + 1 : closed]), tokens[closed + 1 :])
    if limits:
        return _Survey(limit=tokens[limits[-1] + 1 :])
    return _Survey([tokens[-1].end], ordered=any(_is_keyword(tokens, at, "ORDER") for at in outer))


def _survey_members(tokens: list[Token], cuts: list[int]) -> _Survey:
    whole = _survey(tokens[: cuts[0]])
    after: list[Token] = []
    for cut, following in zip(cuts, [*cuts[1:], len(tokens)], strict=True):
        quantified = tokens[cut + 1].word in ("ALL", "DISTINCT")
        first = cut + 1 + quantified
        operator = " ".join(token.word for token in tokens[cut:first])
        member = tokens[first:following]
        depth = tokens[cut].depth
        closed = next((at for at, token in enumerate(member) if at and token.depth == depth), len(member))
        after = member[closed + 1 :] if member[0].word == "(" else []
        whole.add(_survey(member[: len(member) - len(after)]), operator)
    return _outside(whole, after)


def _outside(whole: _Survey, after: list[Token]) -> _Survey:
    """Add the LIMIT and OFFSET after the brackets of a SELECT, or of the last one of several."""
    limits = [at for at, token in enumerate(after) if token.word == "LIMIT" and not _limits_by(after, at)]
    if limits:
        whole.limit = after[limits[-1] + 1 :]
        if not whole.operators:
            whole.open_ends = []
    whole.shifted |= bool(whole.operators) and any(token.word == "OFFSET" for token in after)
    return whole


def _is_set_operator(tokens: list[Token], at: int) -> bool:
    """Return whether the token is UNION, INTERSECT or EXCEPT before another SELECT, unlike `* EXCEPT (column)`."""
    if not any(_is_keyword(tokens, at, word) for word in ("UNION", "INTERSECT", "EXCEPT")):
        return False
    following = [token.word for token in tokens[at + 1 : at + 2 + MAX_NESTING]]
    if following[:1] in (["ALL"], ["DISTINCT"]):
        following = following[1:]
    return next((word for word in following if word != "("), "") in ("SELECT", "WITH")


def _is_keyword(tokens: list[Token], at: int, word: str) -> bool:
    """Return whether the token is this keyword, not a name such as `properties.limit` or `AS limit`."""
    return tokens[at].word == word and (at == 0 or tokens[at - 1].word not in (".", "AS"))


def _limits_by(tokens: list[Token], at: int) -> bool:
    """Return whether a LIMIT applies per group: `LIMIT 2 BY x`, `LIMIT 2 OFFSET 1 BY x`, `LIMIT 1, 2 BY x`."""
    words = [token.word for token in tokens[at + 1 : at + 5]]
    return any(word == "BY" and before != "ORDER" for before, word in pairwise(words))


def _written(sql: str, limit: list[Token]) -> int | str | None:
    words = [token.word for token in limit]
    name = None
    if words[:1] == ["{"] and words[2:3] == ["}"]:
        name = sql[limit[1].start : limit[1].end]
        words = words[2:]
    if words[1:2] not in ([], ["OFFSET"], [")"]) or not words:
        return None
    return name or (int(words[0]) if words[0].isascii() and words[0].isdecimal() else None)
