"""Names for SQL that do not collide."""

from __future__ import annotations

from collections.abc import Iterable


class NameSupply:
    """Gives every name once, and later takers of it a numbered one."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._last_number = dict.fromkeys(taken, 1)

    def take(self, name: str) -> str:
        """`name`, or `name__2`, `name__3` ... when it is taken."""
        candidate, number = name, self._last_number.get(name, 1)
        while candidate in self._last_number:
            number += 1
            candidate = f"{name}__{number}"
        self._last_number[name] = number
        self._last_number.setdefault(candidate, 1)
        return candidate
