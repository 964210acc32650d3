"""The report of an analysis: a table whose columns know their role, with facts and notes about its numbers.

A separate record, so that its numbers can be shown as text, drawn as a chart, or written to a file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

MOST_BYTES = 30_000
"""Size limit of the rows; the rest of a result's 40 kB is for the facts and notes."""

TABLE_META = "maton-posthog/table"
"""The key in a result's `_meta` for the roles of columns, which a page reads."""

type Cell = str | int | float | bool | None
type Row = tuple[Cell, ...]
type Shape = Literal["time", "bars", "funnel", "histogram", "retention", "paths"]


class Role(StrEnum):
    """The meaning of a column. Its name is for readers: it can be any event name or property value."""

    DIMENSION = "dimension"
    """The subject of a row: an interval, a breakdown value, a step, a page."""
    VALUE = "value"
    """The number of a series."""
    PREVIOUS = "previous"
    """The number of a series in the period before."""
    CHANGE = "change"
    """The change from the previous number, in percent."""
    SHARE = "share"
    """A part of a whole, in percent."""
    COUNT = "count"
    """A number of persons or paths."""
    DURATION = "duration"
    """A time in seconds."""
    STATUS = "status"
    """The number of users with one lifecycle status; those who left are negative."""
    OTHER = "other"
    """Anything else, such as a column of SQL."""


@dataclass(frozen=True, slots=True)
class Column:
    """The name of a column, and what is in it."""

    name: str
    role: Role = Role.OTHER
    series: int | None = None
    """Which series a value or previous number belongs to; None when each row is a series."""
    unit: str | None = None
    """Details of the role: the length of an interval (`day`), or `percent` for a value."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows. `shape` is how it is drawn: `time` and `bars` have a dimension and then series, `histogram` the
    lower edge of each bin, `funnel` a row per step, `retention` a row per cohort with its size and a value per period,
    `paths` a row per edge.
    """

    shape: Shape
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def at(self, *roles: Role) -> tuple[int, ...]:
        """Return the positions of the columns with one of these roles."""
        return tuple(place for place, column in enumerate(self.columns) if column.role in roles)

    def as_json(self) -> dict[str, Any]:
        """Return `{"columns", "rows"}`: as many whole rows as fit, the newest over time, otherwise the first."""
        rows, sizes = self.rows, [len(json.dumps(row, ensure_ascii=False).encode()) + 1 for row in self.rows]
        if sum(sizes) <= MOST_BYTES:
            return {"columns": self.names, "rows": rows}
        newest = self.shape == "time"
        kept, room = 0, MOST_BYTES
        for size in reversed(sizes) if newest else sizes:
            room -= size
            if room < 0:
                break
            kept += 1
        shown = rows[len(rows) - kept :] if newest else rows[:kept]
        which = "newest" if newest else "first"
        return {
            "columns": self.names,
            "rows": shown,
            "truncated": True,
            "rows_returned": kept,
            "how_to_continue": f"Only the {which} {kept} of {len(rows)} rows fit; the facts and notes cover all rows. "
            "Use a shorter range, a longer interval or fewer breakdown values.",
        }

    def as_meta(self) -> dict[str, Any]:
        """Return `{"shape", "roles", "series"?}` for a page that draws the columns and rows of `as_json`."""
        series = [column.series for column in self.columns]
        more = {"series": series} if any(one is not None for one in series) else {}
        return {"shape": self.shape, "roles": [column.role.value for column in self.columns], **more}


def dimension(name: str, unit: str | None = None) -> Column:
    """Return a column of what the rows are about."""
    return Column(name, Role.DIMENSION, unit=unit)


def series_columns(names: Sequence[str], unit: str | None = None) -> tuple[Column, ...]:
    """Return a column for the values of each series."""
    return tuple(Column(name, Role.VALUE, at, unit) for at, name in enumerate(names))


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about the data."""

    text: str
    doubts_names: bool = False
    """True if nothing was counted, perhaps because a name is misspelled."""


@dataclass(frozen=True, slots=True)
class Report:
    """A table with what one would say about it, computed from its numbers."""

    table: Table
    facts: Sequence[Mapping[str, Any]] | Mapping[str, Any]
    marks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The range that was counted, which intervals are incomplete, and when the numbers were computed."""
    notes: tuple[Note, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return `{"columns", "rows", "facts", ..., "notes"}` without empty parts."""
        more: dict[str, Any] = {**self.marks, **({"facts": self.facts} if self.facts else {})}
        notes = [note.text for note in self.notes]
        return {**self.table.as_json(), **more, **({"notes": notes} if notes else {})}


def number(value: float | None) -> int | float | None:
    """Return an integer if it is one, because PostHog counts in floats; else four decimals, or six digits below 1."""
    if value is None:
        return None
    rounded = round(float(value), 4) if abs(value) >= 1 else float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() else rounded


def percent(part: float, whole: float) -> float | None:
    """Return the share with one decimal; None when the whole is 0."""
    return _tidy(100 * part / whole) if whole else None


def change(before: float, after: float) -> float | None:
    """Return the change in percent of the size of `before`, with one decimal; None when that is 0."""
    return _tidy(100 * (after - before) / abs(before)) if before else None


SMALLEST_BASE = 30
"""Below this, a share or a change can be chance: groups are not ranked, and changes carry what they start from."""


def changes(name: str, before: float, after: float) -> dict[str, Any]:
    """Return `{"vs_..._percent"}`, and `{"vs_..._from"}` for a base below 30; empty when the base is 0."""
    moved = change(before, after)
    base = number(before) if moved is not None and abs(before) < SMALLEST_BASE else None
    return given(**{f"{name}_percent": moved, f"{name}_from": base})


def also(names: Sequence[str], most: int = 5) -> list[str] | None:
    """Return the others of a tie, at most some of them; None without others."""
    if not names:
        return None
    return [*names[:most], *([f"… {len(names) - most} more"] if len(names) > most else [])]


def mean(values: Sequence[float]) -> int | float | None:
    """Return the mean with two decimals; None without values."""
    return number(round(sum(values) / len(values), 2)) if values else None


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def _tidy(value: float) -> int | float:
    rounded = round(value, 1)
    return int(rounded) if rounded.is_integer() else rounded
