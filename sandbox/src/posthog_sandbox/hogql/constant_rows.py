"""Rows that a query carries with it: a relation of ClickHouse made of one text constant, for data kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from . import escape
from .errors import query_error

MAX_CHARACTERS = 8_000_000
"""Characters of JSON that one relation may take."""


def constant_rows(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> str:
    """A SELECT of these rows; `columns` are names with ClickHouse types, the values of `rows` are JSON.

    The values stand in one string literal that ClickHouse reads as `JSONCompactEachRow`: whatever they hold, they
    cannot become syntax. Raises `HogqlError` when they are too many.
    """
    lines: list[str] = []
    length = 0
    for row in rows:
        lines.append(json.dumps(row, allow_nan=False))
        length += len(lines[-1])
        if length > MAX_CHARACTERS:
            raise query_error("This table has become too large to be queried.")
    structure = ", ".join(f"{escape.identifier(name)} {kind}" for name, kind in columns)
    text = escape.string("\n".join(lines))
    return f"SELECT * FROM format('JSONCompactEachRow', {escape.string(structure)}, {text})"
