"""Findings about a HogQL statement: names it uses, names that do not exist, and problems."""

from dataclasses import dataclass, field
from typing import Literal

type Code = Literal["hogql_syntax_error", "hogql_query_error", "invalid_argument"]
"""PostHog's names for the two kinds of errors, and `invalid_argument` for a placeholder without a value."""
type Kind = Literal[
    "syntax", "unsupported", "table", "column", "ambiguous", "outer", "type", "aggregate", "placeholder", "other"
]
"""What is wrong, which decides what to do if there is no fix."""

_LINE_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Unknown:
    """A table or column that does not exist. `known` are the names that exist there."""

    kind: str
    """`table` or `column`; `ambiguous` is a column that several tables have."""
    name: str
    place: int | None
    known: tuple[str, ...]
    owner: str = ""
    """The table to which the statement attributes the column."""
    prefix: str = ""
    """The text before the column in the statement, including the dot."""
    fixes: tuple[str, ...] = ()
    """The names that were probably meant."""


@dataclass(frozen=True, slots=True)
class Used:
    """The name of an event, a property or a function that a statement uses."""

    name: str
    place: int | None
    kind: str
    """`event`, `function`, `column` or `table`; for a property its type: `event`, `person` or `group`."""
    arguments: int | None = None
    """The number of arguments of a function."""


@dataclass(slots=True)
class Findings:
    """The names used in a statement."""

    unknown: list[Unknown] = field(default_factory=list[Unknown])
    events: list[Used] = field(default_factory=list[Used])
    properties: list[Used] = field(default_factory=list[Used])
    functions: list[Used] = field(default_factory=list[Used])
    untimed: list[int | None] = field(default_factory=list["int | None"])
    """The places where `events` is read without a condition on `timestamp`."""
    outer: list[Used] = field(default_factory=list[Used])
    """Columns of the outer query that a subquery uses (`column`)."""
    arrows: list[Used] = field(default_factory=list[Used])
    """`properties -> 'name'`, which makes a lambda (`column`: `properties.name`)."""
    stars: list[Used] = field(default_factory=list[Used])
    """A bare `*` over several tables (`table`: the first one)."""
    mistakes: list["Mistake"] = field(default_factory=list["Mistake"])
    """Types that do not fit, and misplaced aggregates."""

    def in_order(self) -> "Findings":
        """Return the findings in the order of the statement, each unknown name once."""
        unknown = {(each.kind, each.name, each.owner): each for each in sorted(self.unknown, key=_from_the_end)}
        return Findings(
            sorted(unknown.values(), key=_place),
            sorted(self.events, key=_place),
            sorted(self.properties, key=_place),
            sorted(self.functions, key=_place),
            self.untimed,
            sorted(self.outer, key=_place),
            self.arrows,
            self.stars,
            sorted(self.mistakes, key=lambda each: each.problem.place or 0),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One error or warning. `fixes` are likely corrections, best first."""

    code: Code
    message: str
    place: int | None = None
    fixes: tuple[str, ...] = ()
    kind: Kind = "other"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A problem with the meaning of a statement that parses and whose names exist."""

    problem: Problem
    property: tuple[str, str] | None = None
    """The problem exists only if this property (its type and name) is a string in the project."""
    warning: bool = False
    """PostHog runs the statement anyway."""


def position(sql: str, place: int) -> tuple[int, int]:
    """Return the line and column of a place, both counted from 1."""
    before = sql[:place]
    return before.count("\n") + 1, place - before.rfind("\n")


def caret(sql: str, place: int) -> str:
    """Return the line of a place, shortened around it, with a caret below the place."""
    start = sql.rfind("\n", 0, place) + 1
    end = sql.find("\n", place)
    line = sql[start : len(sql) if end < 0 else end].replace("\t", " ")
    column = place - start
    first = max(0, column - _LINE_WIDTH // 2)
    return f"{line[first : first + _LINE_WIDTH]}\n{' ' * (column - first)}^"


def first_of_each(used: list[Used]) -> list[Used]:
    """Return each name once, at its first place."""
    return list({each.name: each for each in reversed(used)}.values())[::-1]


def _place(each: Unknown | Used) -> int:
    return each.place or 0


def _from_the_end(each: Unknown) -> int:
    return -_place(each)
