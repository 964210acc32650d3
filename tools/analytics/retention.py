"""Retention: of those who began in a period, how many came back in each one after."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from ...schemas.analytics.queries import QueryRetention
from ...schemas.analytics.results import RetentionRow
from ..table import Answer, Cell, Column, Role, Table, dimension, given, number, percent, series_columns
from .asking import Asked, results
from .dates import Range, interval_end
from .labels import OTHER, nobody_reached, nothing_found, split_name, value_label

type _Group = list[tuple[datetime, RetentionRow]]


def retention_answer(args: QueryRetention, asked: Asked, span: Range) -> Answer:
    """The table and facts of a RetentionQuery. Periods that lie beyond the range are null; PostHog says 0."""
    found = results(asked.answer, list[RetentionRow])
    groups: dict[str, _Group] = {}
    for row in found:
        value = value_label(row.breakdown_value) if args.breakdown else ""
        groups.setdefault(value, []).append((_begin(row.date, args.period, span), row))
    width = max((len(row.values) for row in found), default=1)
    periods = [f"{args.period} {number}" for number in range(1, width)]
    split = (dimension(split_name([args.breakdown])),) if args.breakdown else ()
    rows: list[tuple[Cell, ...]] = []
    for value, group in groups.items():
        for at, (begin, row) in enumerate(group):
            prefix = (value,) if split else ()
            rows.append((*prefix, _shown(begin, args.period), *_cells(row, len(group) - at, width)))
    marks: dict[str, Any] = dict(asked.marks())
    open_last = False
    if found:
        begin = max(begin for group in groups.values() for begin, _ in group)
        if open_last := interval_end(begin, args.period.lower()) > span.now:
            marks["incomplete_last"] = _shown(begin, args.period)
    facts = [_fact(args, value, group, periods, open_last) for value, group in list(groups.items())[:5]]
    cohort = (dimension("began", args.period.lower()), Column("size", Role.COUNT))
    table = Table("retention", (*split, *cohort, *series_columns(periods)), tuple(rows))
    return Answer(table, facts if split else facts[0] if facts else {}, marks, _notes(args, groups))


def _cells(row: RetentionRow, known: int, width: int) -> list[Cell]:
    """Counts of the periods within the range, and null for those beyond."""
    counts: list[Cell] = [number(cell.count) for cell in row.values[:known]]
    return counts + [None] * (width - len(counts))


def _fact(args: QueryRetention, value: str, group: _Group, periods: Sequence[str], open_last: bool) -> dict[str, Any]:
    """How many percent came back after each period, over the cohorts for which that period is over."""
    returned: dict[str, Any] = {}
    for ahead, name in enumerate(periods, start=1):
        whole = group[: max(len(group) - ahead - open_last, 0)]
        cells = [row.values for _, row in whole if len(row.values) > ahead]
        share = percent(sum(cell[ahead].count for cell in cells), sum(cell[0].count for cell in cells))
        returned |= given(**{name: share})
    began = sum(row.values[0].count for _, row in group if row.values)
    counted = "began" if args.kind != "recurring" else "active_in_periods"
    named = {"value": value} if args.breakdown else {}
    return {**named, counted: number(began), "returned_percent": returned}


def _notes(args: QueryRetention, groups: dict[str, _Group]) -> tuple[str, ...]:
    began = any(row.values and row.values[0].count for group in groups.values() for _, row in group)
    returned = any(cell.count for group in groups.values() for _, row in group for cell in row.values[1:])
    notes: list[str] = []
    if not began:
        notes.append(nothing_found([args.event.label], conditions=bool(args.filters or args.event.where)))
    elif not returned:
        notes.append(nobody_reached(args.returning_event.label) if args.returning_event else "Nobody came back.")
    if OTHER in groups:
        notes.append(f"Values beyond the 25 largest are {OTHER}.")
    return tuple(notes)


def _begin(text: str, period: str, span: Range) -> datetime:
    """The beginning of a period by the project's clock; servers write it with different offsets."""
    moment = datetime.fromisoformat(text)
    is_local = period != "Hour" and moment.time() == time.min
    if moment.tzinfo is None or is_local:
        return moment.replace(tzinfo=span.now.tzinfo)
    return moment.astimezone(span.now.tzinfo)


def _shown(begin: datetime, period: str) -> str:
    return f"{begin:%Y-%m-%d %H:%M}" if period == "Hour" else f"{begin:%Y-%m-%d}"
