"""Strict parsing of JSON. The rows of a query are checked in blocks and stay text until they are read."""

import math
import re
import uuid
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from pydantic_core import from_json

from ...schemas.json import as_object, is_list, is_object
from ...schemas.json.rows import BLOCK_BYTES, Block, Rows, parse_block

# Only these can become infinite floats: an exponent of three digits or more, or 200 digits or more.
_LONG_EXPONENT = re.compile(rb"[eE]\+?\d{3,}\s*(?:[,\]}]|\Z)")
_SHAPE = bytes.maketrans(b"123456789+E", b"0000000000e")
_LONG_NUMBER = b"0" * 200

_ROWS_BEGIN = re.compile(rb'(?<!\\)"results"\s*:\s*\[\s*(?=\[)')
_BEGIN_WITHIN = 4 * BLOCK_BYTES
_ROW_ENDS = re.compile(rb"\](?=\s*,\s*\[)")
_ROWS_END = re.compile(rb'\](?=\s*\]\s*(?:\}|,\s*"))')
_AFTER_ROW = re.compile(rb"\s*(?:,\s*(?=\[)|(\]))")
_STRINGS_AND_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]]')
_MOST_PLACES, _MOST_GUESSES = 40, 3
_OPENING, _CLOSING = b"[]"


class _Infinite(ValueError):
    """A number is infinite, which JSON cannot express."""


def parse_strictly(text: bytes) -> Any:
    """Return the value. Raises ValueError for anything but strict JSON with finite numbers."""
    return _finite(text, from_json(text, allow_inf_nan=False))


def parse_with_rows(text: bytes, pause: Callable[[], None] = lambda: None) -> Any:
    """Return the value with the rows of a query as Rows, where they are found; `pause` is called between blocks.

    Raises ValueError for anything but strict JSON with finite numbers.
    """
    begin = _ROWS_BEGIN.search(text, 0, _BEGIN_WITHIN)
    if begin is None or (found := _rows_at(text, begin.end(), pause)) is None:
        return parse_strictly(text)
    rows, end = found
    mark = uuid.uuid4().hex
    opening = text.rindex(b"[", 0, begin.end())
    try:
        value = parse_strictly(text[:opening] + f'"{mark}"'.encode() + text[end:])
    except _Infinite:
        raise
    except ValueError:
        return parse_strictly(text)
    return value if _put(value, mark, rows) else parse_strictly(text)


def _put(value: Any, mark: str, rows: Rows) -> bool:
    """Put the rows into a response, or into the response of a query that ran asynchronously. Return whether there is a
    place for them.
    """
    status = as_object(as_object(value).get("query_status"))
    for place in (value, as_object(value).get("results"), status.get("results")):
        if is_object(place) and place.get("results") == mark:
            place["results"] = rows
            return True
    return False


def _rows_at(text: bytes, start: int, pause: Callable[[], None]) -> tuple[Rows, int] | None:
    """Return the rows that begin here, and the position after their list; None if the rows cannot be separated."""
    blocks: list[Block] = []
    first: list[list[Any]] | None = None
    while (found := _block_at(text, start)) is not None:
        rows, stop, following, is_last = found
        blocks.append(Block(start, stop, len(rows)))
        start = following
        if first is None:
            first = rows
        if is_last:
            return Rows.within(text, blocks, first), start
        pause()
    return None


def _block_at(text: bytes, start: int) -> tuple[list[Any], int, int, bool] | None:
    """Return the rows of the block that starts here, its end, where the text continues, and whether it is the last."""
    for stop in _stops(text, start):
        after = _AFTER_ROW.match(text, stop)
        if after is not None and (rows := _rows_of(text[start:stop])) is not None:
            return rows, stop, after.end(), after[1] is not None
    return None


def _stops(text: bytes, start: int) -> Iterator[int]:
    """Yield where a block that starts here could stop: some guesses, and the place that a scan finds."""
    near = start + BLOCK_BYTES
    if _is_flat(text, start):
        ends = chain(() if _is_far(text, near) else _ROWS_END.finditer(text, start, near), _row_ends(text, near))
        yield from (place.end() for place in islice(ends, 1))
    places = chain(_ROWS_END.finditer(text, start, near), _row_ends(text, near))
    guesses, counted, balance = 0, start, 0
    for place in islice(places, _MOST_PLACES):
        balance += text.count(b"[", counted, place.end()) - text.count(b"]", counted, place.end())
        counted = place.end()
        if balance == 0:  # of all brackets, also those in strings
            yield counted
            guesses += 1
        if guesses == _MOST_GUESSES:
            break
    yield from _scanned(text, start)


def _row_ends(text: bytes, near: int) -> Iterator[re.Match[bytes]]:
    return _ROW_ENDS.finditer(text, near, near + BLOCK_BYTES)


def _is_flat(text: bytes, start: int) -> bool:
    """Return whether the row that starts here seems to have no lists in it, so that the next row begins at `],[`."""
    return text.find(b"[", start + 1, text.find(b"]", start)) < 0


def _is_far(text: bytes, near: int) -> bool:
    """Return whether the text continues so long after this place that its rows seem to do so, too."""
    return len(text) - near > BLOCK_BYTES // 8


def _scanned(text: bytes, start: int) -> Iterator[int]:
    """Yield where the block stops, if these are rows at all: six times slower than to parse it."""
    depth, stop = 0, start
    for token in _STRINGS_AND_BRACKETS.finditer(text, start):
        kind = text[token.start()]
        if kind == _OPENING:
            depth += 1
        elif kind == _CLOSING:
            depth -= 1
            if depth == 0:
                stop = token.end()
            if depth < 0 or (depth == 0 and stop - start >= BLOCK_BYTES):
                break
    if stop > start:
        yield stop


def _rows_of(text: bytes) -> list[Any] | None:
    """Return the rows of a block; None when it is not one. Raises ValueError for infinite numbers."""
    try:
        rows = parse_block(text)
    except ValueError:
        return None
    return _finite(text, rows) if set(map(type, rows)) == {list} else None


def _finite(text: bytes, value: Any) -> Any:
    if _may_be_infinite(text) and not _is_finite(value):
        raise _Infinite("a number is infinite")
    return value


def _may_be_infinite(text: bytes) -> bool:
    shape = text.translate(_SHAPE)
    at = shape.rfind(b"e000")  # three times as fast as from the front, where most characters could be the last one
    while at >= 0:
        if _LONG_EXPONENT.match(text, at):
            return True
        at = shape.rfind(b"e000", 0, at + 3)
    return _LONG_NUMBER in shape


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if is_object(value):
        return all(map(_is_finite, value.values()))
    return not is_list(value) or all(map(_is_finite, value))
