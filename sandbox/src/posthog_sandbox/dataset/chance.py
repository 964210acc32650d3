"""Random draws that are equal on every Python version and platform.

Only `random.random()` and `random.getrandbits()` are used: their streams are fixed for a seed, while `choice`, `gauss`
and others have changed between Python releases, and `math.log` can differ in the last bit between C libraries.
"""

import random
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate


class Weighted[T]:
    """A fixed set of values with relative weights, drawn in O(log n)."""

    __slots__ = ("_cumulative", "_last", "_total", "values")

    def __init__(self, pairs: Iterable[tuple[T, float]]) -> None:
        listed = tuple(pairs)
        self.values = tuple(value for value, _ in listed)
        self._cumulative = tuple(accumulate(weight for _, weight in listed))
        self._total = self._cumulative[-1]
        self._last = len(self.values) - 1

    def at(self, position: float) -> T:
        """Return the value at `position`, a number in [0, 1)."""
        return self.values[bisect_right(self._cumulative, position * self._total, 0, self._last)]


class Chance:
    """A seeded stream of draws."""

    __slots__ = ("bits", "unit")

    def __init__(self, seed: int) -> None:
        source = random.Random(seed)
        self.unit = source.random
        self.bits = source.getrandbits

    def hit(self, probability: float) -> bool:
        """Return True with `probability`."""
        return self.unit() < probability

    def below(self, count: int) -> int:
        """Return an integer in [0, count)."""
        return int(self.unit() * count)

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return low + int(self.unit() * (high - low + 1))

    def skewed(self, mean: float) -> float:
        """Return a number in [0, 3 * mean) with this mean: many small values, few large ones."""
        position = self.unit()
        return 3 * mean * position * position

    def pick[T](self, weighted: Weighted[T]) -> T:
        """Return one of the values, by weight."""
        return weighted.at(self.unit())

    def one_of[T](self, values: tuple[T, ...]) -> T:
        """Return one of the values with equal probability."""
        return values[int(self.unit() * len(values))]

    def uuid4(self) -> str:
        """Return a random UUID (RFC 9562 version 4)."""
        text = f"{self.bits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def uuid7(self, microseconds: int) -> str:
        """Return a time-ordered UUID (RFC 9562 version 7) for microseconds since 1970."""
        return uuid7(microseconds, self.bits(72))


def uuid7(microseconds: int, bits: int) -> str:
    """Return the UUID (RFC 9562 version 7) of microseconds since 1970 and 72 random bits."""
    text = (microseconds // 1000 << 72 | bits).to_bytes(15, "big").hex()
    return f"{text[:8]}-{text[8:12]}-7{text[12:15]}-9{text[15:18]}-{text[18:]}"
