"""What a reader of a HogQL statement found in it: names that there are not, and names that it uses."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Unknown:
    """A table or column that there is not. `known`: the names that there are in its place."""

    kind: str
    """`table` or `column`; `ambiguous` is a column that several tables have."""
    name: str
    place: int | None
    known: tuple[str, ...]
    owner: str = ""
    """What the column was looked for in, when the statement says it."""
    prefix: str = ""
    """What the statement writes before the column, with its dot."""
    fixes: tuple[str, ...] = ()
    """What is probably meant."""


@dataclass(frozen=True, slots=True)
class Used:
    """A name of an event, a property or a function that a statement uses."""

    name: str
    place: int | None
    kind: str
    """`event`, `function`, `column`, `table`, or of a property its type: `event`, `person`, `group`."""


@dataclass(slots=True)
class Findings:
    """What a statement names."""

    unknown: list[Unknown] = field(default_factory=list[Unknown])
    events: list[Used] = field(default_factory=list[Used])
    properties: list[Used] = field(default_factory=list[Used])
    functions: list[Used] = field(default_factory=list[Used])
    untimed: list[int | None] = field(default_factory=list["int | None"])
    """Where `events` is read without a condition on `timestamp`."""
    outer: list[Used] = field(default_factory=list[Used])
    """Columns of the query around a subquery (`column`)."""
    arrows: list[Used] = field(default_factory=list[Used])
    """`properties -> 'name'`, which makes a lambda (`column`: `properties.name`)."""
    stars: list[Used] = field(default_factory=list[Used])
    """A bare `*` over several tables (`table`: the first one)."""

    def in_order(self) -> "Findings":
        """As the statement has them, each unknown name once."""
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
        )


def first_of_each(used: list[Used]) -> list[Used]:
    """Each name once, where it comes first."""
    return list({each.name: each for each in reversed(used)}.values())[::-1]


def _place(each: Unknown | Used) -> int:
    return each.place or 0


def _from_the_end(each: Unknown) -> int:
    return -_place(each)
