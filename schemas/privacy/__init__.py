"""What a server shows of persons: everything, pseudonyms, or numbers about groups alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pseudonyms import Pseudonyms

SMALLEST_GROUP = 5
"""Fewest persons that a number can be about with `--aggregate-only`."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """The two settings on people's data. Without them nothing is changed."""

    pseudonyms: Pseudonyms | None = None
    """Replaces personal data; None shows them."""
    aggregate_only: bool = False
    """Nothing about single persons is shown."""

    def shown(self, value: Any) -> Any:
        """Return a JSON value as it can be shown."""
        return value if self.pseudonyms is None else self.pseudonyms.value(value)


OPEN = Privacy()
"""Shows everything."""
