"""Blocks of rows in which times can be moved by whole days without ClickHouse, since their places are known.

A time is as long on every day, so that all other bytes stay as they are.
"""

import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

_DAY_MS, _DAY_US = 86_400_000, 86_400_000_000
_TIME, _DATE = len("0190f5fe-3c00"), len("2026-11-23")

type Places = "array[int]"


def _nowhere() -> Places:
    return array("I")


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a table in ClickHouse's format `Native`, with the places of the times in them."""

    table: str
    rows: int
    data: bytearray
    moments: tuple[int, ...] = ()
    """Where columns of moments begin, in microseconds since 1970; 0 is no moment."""
    ids: Places = field(default_factory=_nowhere)
    """Where version 7 UUIDs begin in text."""
    dates: Places = field(default_factory=_nowhere)
    """Where dates begin in text."""


class Mover:
    """Moves times by a number of days; backward when negative. Equal times of all blocks are computed once."""

    def __init__(self, days: int) -> None:
        self._days = days
        self._times, self._dates = _Times(days), _Dates(days)

    def move(self, block: Block) -> None:
        """Move all times of a block, in its data."""
        data = block.data
        for start in block.moments:
            end = start + 8 * block.rows
            distance, before = self._days * _DAY_US, from_bytes("q", data[start:end])
            data[start:end] = to_bytes(array("q", [moment + distance if moment else 0 for moment in before]))
        _replace(data, block.ids, _TIME, self._times)
        _replace(data, block.dates, _DATE, self._dates)


class _Times(dict[bytes, bytes]):
    """The first 13 characters of moved UUIDs, which are their times, by those before."""

    def __init__(self, days: int) -> None:
        self._distance = days * _DAY_MS

    def __missing__(self, before: bytes) -> bytes:
        text = f"{int(before[:8] + before[9:], 16) + self._distance:012x}"
        moved = self[before] = f"{text[:8]}-{text[8:]}".encode()
        return moved


class _Dates(dict[bytes, bytes]):
    """The moved dates by the dates before."""

    def __init__(self, days: int) -> None:
        self._distance = timedelta(days=days)

    def __missing__(self, before: bytes) -> bytes:
        moved = self[before] = (date.fromisoformat(before.decode()) + self._distance).isoformat().encode()
        return moved


def _replace(data: bytearray, places: Iterable[int], length: int, moved: Mapping[bytes, bytes]) -> None:
    for place in places:
        end = place + length
        data[place:end] = moved[bytes(data[place:end])]


def from_bytes(code: str, data: bytes | bytearray) -> "array[int]":
    """Parse integers of an array's type, the lowest byte first."""
    numbers: array[int] = array(code)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def to_bytes(numbers: "array[int]") -> bytes:
    """Encode integers, the lowest byte first."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
