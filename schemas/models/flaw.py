"""Flaws of a stored object: their place, and what is wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

MOST_SHOWN = 4
"""Most flaws in one message."""
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at a place of an object."""

    what: str
    """The rest of a sentence that begins with the place."""
    place: tuple[str | int, ...] = ()

    def within(self, *outer: str | int) -> Self:
        """Return the flaw as one of the object around."""
        return type(self)(self.what, (*outer, *self.place))

    @property
    def text(self) -> str:
        """The flaw as a sentence without a period."""
        place = ".".join(str(part)[:_LONGEST] for part in self.place)
        return f"`{place}` {self.what}" if place else self.what


def within(flaws: Iterable[Flaw], *outer: str | int) -> Iterator[Flaw]:
    """Yield the flaws as those of the object around."""
    return (flaw.within(*outer) for flaw in flaws)


def as_sentence(flaws: Iterable[Flaw]) -> str:
    """Return the flaws as a sentence without a period."""
    texts = list(dict.fromkeys(flaw.text for flaw in flaws))
    more = f"; and {len(texts) - MOST_SHOWN} more" if len(texts) > MOST_SHOWN else ""
    return "; ".join(texts[:MOST_SHOWN]) + more
