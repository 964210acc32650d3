"""Rows of a query that stay JSON text until they are read: parsed, they take twenty times the memory."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, overload

from pydantic import GetCoreSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import core_schema, from_json, to_json

from ..text import shortened

BLOCK_BYTES = 65_536
"""About the size of a block: half a millisecond to parse."""
_LARGE_BLOCK_BYTES = 2 * BLOCK_BYTES
"""A block beyond this is one with a large row."""
_BLOCK_WEIGHT = 160
_OPEN, _CLOSE = b"[[", b"]]"
"""Put around the rows of a block, so that nesting is limited as in a whole response."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows: the positions of their text, and their number."""

    start: int
    stop: int
    count: int


def parse_block(text: bytes) -> list[Any]:
    """Return the rows of `row,row,…`. Raises ValueError for anything but strict JSON."""
    (rows,) = from_json(_OPEN + text + _CLOSE, allow_inf_nan=False)
    return rows


@dataclass(frozen=True, slots=True)
class Rows(Sequence[list[Any]]):
    """A range of the rows whose text is in `text`, a whole response or only them. Slices share the text."""

    text: bytes
    blocks: tuple[Block, ...]
    start: int
    stop: int
    first: list[list[Any]] | None = field(default=None, repr=False, compare=False)
    """The rows of the first block while they are still parsed."""
    longest: int | None = None
    """How many characters of a text are shown; None for all."""

    @classmethod
    def within(cls, text: bytes, blocks: Sequence[Block], first: list[list[Any]] | None = None) -> Self:
        """Return all the rows of these blocks."""
        return cls(text, tuple(blocks), 0, sum(block.count for block in blocks), first)

    @classmethod
    def of(cls, rows: Sequence[list[Any]]) -> Self:
        """Return parsed rows as text."""
        text, blocks, count = bytearray(), list[Block](), 0
        begun = 0
        for row in rows:
            text += (b"," if count else b"") + to_json(row)
            count += 1
            if len(text) - begun >= BLOCK_BYTES:
                blocks.append(Block(begun, len(text), count))
                begun, count = len(text), 0
        if count:
            blocks.append(Block(begun, len(text), count))
        return cls.within(bytes(text), blocks)

    @property
    def weight(self) -> int:
        """The memory they take, in bytes, without other parts that slices share."""
        return sys.getsizeof(self.text) + _BLOCK_WEIGHT * len(self.blocks)

    def packed(self) -> Self:
        """Return the rows as text only, to be kept for long."""
        return replace(self, first=None)

    @property
    def is_small(self) -> bool:
        """Whether they are cheap to parse at once."""
        return len(self.blocks) <= 1 and not self.begins_large

    @property
    def begins_large(self) -> bool:
        """Whether a row of the first block is large: to parse it would hold up the event loop."""
        return any(block.stop - block.start > _LARGE_BLOCK_BYTES for block in self.blocks[:1])

    @property
    def is_plain(self) -> bool:
        """Whether the rows of the first block are as long as their text: without escapes, and without indentation."""
        first = self.blocks[0]
        return all(self.text.find(mark, first.start, first.stop) < 0 for mark in (b"\\", b"\n", b"  "))

    def cut(self, longest: int) -> Self:
        """Return the rows with texts of at most this many characters; what is longer tells its length."""
        return replace(self, longest=longest)

    def cuts(self) -> bool:
        """Return whether texts in the first block are cut."""
        whole = replace(self, longest=None)
        first = whole[: self.blocks[0].count] if self.blocks else whole
        return self.longest is not None and any(shortened(row, self.longest) is not row for row in first)

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[Any]]:
        """Parse one block at a time."""
        first = 0
        for block in self.blocks:
            last = first + block.count
            if last > self.start and first < self.stop:
                rows = None if first else self.first
                if rows is None:
                    rows = parse_block(self.text[block.start : block.stop])
                shown = rows[max(self.start - first, 0) : self.stop - first]
                yield from shown if self.longest is None else (shortened(row, self.longest) for row in shown)
            first = last

    @overload
    def __getitem__(self, index: int) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "list[Any] | Rows":
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError("rows are read in order")
            return replace(self, start=self.start + start, stop=self.start + max(start, stop))
        at = range(self.start, self.stop)[index]
        return next(iter(replace(self, start=at, stop=at + 1)))

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Accept rows that are parsed already, too."""
        return core_schema.no_info_wrap_validator_function(_validated, handler(list[list[Any]]))


def _validated(value: object, parsed: ValidatorFunctionWrapHandler) -> Rows:
    return value if isinstance(value, Rows) else Rows.of(parsed(value))
