"""A ClickHouse relation made of one text constant, for rows that are not in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from . import escape
from .errors import query_error

MAX_CHARACTERS = 8_000_000
"""The most characters of JSON in one relation."""


def constant_rows(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> str:
    """Return a SELECT of these rows; `columns` are names with ClickHouse types, the values of `rows` are JSON.

    The values are in one string literal that ClickHouse reads as `JSONCompactEachRow`, so they can never become
    syntax. Raises `HogqlError` for too many rows.
    """
    lines: list[str] = []
    length = 0
    for row in rows:
        lines.append(json.dumps(row, allow_nan=False))
        length += len(lines[-1])
        if length > MAX_CHARACTERS:
            raise query_error("This table is too large to be queried.")
    structure = ", ".join(f"{escape.identifier(name)} {kind}" for name, kind in columns)
    text = escape.string("\n".join(lines))
    return f"SELECT * FROM format('JSONCompactEachRow', {escape.string(structure)}, {text})"
