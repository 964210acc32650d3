"""Unique names for SQL."""

from __future__ import annotations

from collections.abc import Iterable


class NameSupply:
    """A supply that returns each name once, and numbered names afterwards."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._last_number = dict.fromkeys(taken, 1)

    def take(self, name: str) -> str:
        """Return `name`, or `name__2`, `name__3` ... if it is taken."""
        candidate = name
        number = self._last_number.get(name, 1)
        while candidate in self._last_number:
            number += 1
            candidate = f"{name}__{number}"
        self._last_number[name] = number
        self._last_number.setdefault(candidate, 1)
        return candidate
