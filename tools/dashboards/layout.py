"""Where the tiles of a new dashboard go: from left to right in rows, all tiles of a row as high as its highest."""

import math
from collections.abc import Sequence
from typing import Any

from ...schemas.dashboards import COLUMNS, NewTile
from ..analytics.kinds import kind_of
from ..analytics.stored import source_of

type Box = dict[str, int]
"""`{"x", "y", "w", "h"}` in columns and rows of the grid."""
_HEIGHT = 5
"""The height of insights that are no analysis, such as SQL, and the most of a text."""
_LINES = 4
"""The number of lines of text that fit a row of the grid."""
_LETTERS = 14
"""The number of letters that fit a column of the grid."""


def boxes(tiles: Sequence[NewTile], queries: Sequence[Any]) -> list[Box]:
    """Return the place of each tile. `queries` are the nodes of the insights; those of texts are ignored."""
    placed: list[Box] = []
    row: list[Box] = []
    for tile, query in zip(tiles, queries, strict=True):
        width = tile.width or (COLUMNS if tile.text is not None else COLUMNS // 2)
        height = _text_height(tile.text, width) if tile.text is not None else _insight_height(query)
        x = row[-1]["x"] + row[-1]["w"] if row else 0
        if x + width > COLUMNS:
            placed += _aligned(row, _bottom(placed))
            row, x = [], 0
        row.append({"x": x, "y": 0, "w": width, "h": height})
    return placed + _aligned(row, _bottom(placed))


def _bottom(placed: Sequence[Box]) -> int:
    return placed[-1]["y"] + placed[-1]["h"] if placed else 0


def _aligned(row: Sequence[Box], top: int) -> list[Box]:
    height = max((box["h"] for box in row), default=0)
    return [{**box, "y": top, "h": height} for box in row]


def _insight_height(query: Any) -> int:
    kind = kind_of(source_of(query))
    return _HEIGHT if kind is None else kind.tile_rows


def _text_height(text: str, width: int) -> int:
    lines = sum(max(1, math.ceil(len(line) / (_LETTERS * width))) for line in text.splitlines())
    return min(math.ceil(lines / _LINES), _HEIGHT)
