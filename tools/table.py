"""What an analysis gives: one table, and what is said about it.

A record of its own, so that the same numbers can be shown as text, drawn as a chart, or written to a file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

MOST_BYTES = 30_000
"""Of the rows; the rest of an answer's 40 kB is for what is said about them."""

type Cell = str | int | float | bool | None
type Row = tuple[Cell, ...]
type Kind = Literal["time", "bars", "funnel", "histogram", "retention", "paths"]


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns and rows. `kind` says how it is drawn: the first column of `time` is the interval, of `bars` the
    value, of `histogram` the lower edge; `funnel` has a row a step, `retention` a row a cohort with its size and then a
    column a period, `paths` a row an edge.
    """

    kind: Kind
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        """`{"columns", "rows"}`; whole rows only, as many as fit. Over time the newest stay, otherwise the first."""
        rows, sizes = self.rows, [len(json.dumps(row, ensure_ascii=False).encode()) + 1 for row in self.rows]
        kept = len(rows)
        if sum(sizes) <= MOST_BYTES:
            return {"columns": self.columns, "rows": rows}
        newest = self.kind == "time"
        room = MOST_BYTES
        for position, size in enumerate(reversed(sizes) if newest else sizes):
            room -= size
            if room < 0:
                kept = position
                break
        shown = rows[len(rows) - kept :] if newest else rows[:kept]
        which = "newest" if newest else "first"
        return {
            "columns": self.columns,
            "rows": shown,
            "truncated": True,
            "rows_returned": kept,
            "how_to_continue": f"Only the {which} {kept} of {len(rows)} rows fit into one answer; what is said beside "
            "them is of all. Ask for a shorter range, a longer interval or fewer breakdown values.",
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """A table with what one would say aloud about it, computed from its numbers."""

    table: Table
    facts: Sequence[Mapping[str, Any]] | Mapping[str, Any]
    marks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Which intervals are incomplete, what was cut off, what was counted."""
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """`{"columns", "rows", "facts", ..., "notes"}`, empty parts left out."""
        said: dict[str, Any] = {**self.marks, **({"facts": self.facts} if self.facts else {})}
        return {**self.table.as_json(), **said, **({"notes": list(self.notes)} if self.notes else {})}


def number(value: float | None) -> int | float | None:
    """An integer where it is one, for PostHog counts in floats; else four decimals, or six digits below 1."""
    if value is None:
        return None
    rounded = round(float(value), 4) if abs(value) >= 1 else float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() else rounded


def percent(part: float, whole: float) -> float | None:
    """One decimal; None of nothing."""
    return _tidy(100 * part / whole) if whole else None


def change(before: float, after: float) -> float | None:
    """In percent of the size of what was before, one decimal; None when that was 0."""
    return _tidy(100 * (after - before) / abs(before)) if before else None


def mean(values: Sequence[float]) -> int | float | None:
    """Two decimals; None of nothing."""
    return number(round(sum(values) / len(values), 2)) if values else None


def given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def _tidy(value: float) -> int | float:
    rounded = round(value, 1)
    return int(rounded) if rounded.is_integer() else rounded
