"""The numbers of the parts of a change."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of a part: of the period first, then of each window before it."""

    counts: tuple[float, ...]
    units: tuple[float, ...] = ()
    """The denominators of a rate; empty for counts."""
    people: float = 0.0
    """Persons in the period."""
    first_seen: str = ""

    def plus(self, other: "Counts", sign: int = 1) -> "Counts":
        """Return both together."""
        return Counts(
            tuple(one + sign * two for one, two in zip(self.counts, other.counts, strict=True)),
            tuple(one + sign * two for one, two in zip(self.units, other.units, strict=True)),
            self.people + sign * other.people,
        )

    @property
    def sizes(self) -> tuple[float, ...]:
        """The denominators of a rate, otherwise the counts."""
        return self.units or self.counts

    @property
    def is_new(self) -> bool:
        """True if no window before has it."""
        return not any(self.counts[1:]) and not any(self.units[1:])


type Segments = Mapping[str, Mapping[str, Counts]]
"""Cells by dimension and value."""
