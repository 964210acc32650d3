"""Trends: a column a series over time, or one number each; what rose and fell, over whole intervals only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...schemas.analytics.events import ADDITIVE_MATHS, PROPERTY_MATHS, TrendSeries
from ...schemas.analytics.queries import QueryTrends
from ...schemas.analytics.results import TrendResult
from ..table import Answer, Cell, Column, Role, Table, change, dimension, given, mean, number, percent
from .asking import Asked, results
from .dates import Intervals, Range, intervals
from .labels import OTHER, interval_marks, nothing_found, span_marks, split_name, value_label

MOST_FACTS = 5
"""Series told about; a breakdown has them largest first."""
_WEEK = 7
_UNIQUES = ("dau", "weekly_active", "monthly_active", "unique_session", "unique_group")


@dataclass(frozen=True, slots=True)
class _Line:
    """One result of a trend with what readers call it."""

    base: int
    """Which of the series asked for."""
    label: str
    value: str | None
    result: TrendResult

    @property
    def data(self) -> list[float]:
        return [point or 0 for point in self.result.data or []]

    @property
    def size(self) -> float:
        """The number of an aggregate, or the sum over time."""
        return sum(self.data) if self.result.aggregated_value is None else self.result.aggregated_value


def trends_answer(args: QueryTrends, asked: Asked, span: Range) -> Answer:
    """The table and facts of a TrendsQuery."""
    found = results(asked.answer, list[TrendResult])
    lines = _lines(args, [result for result in found if result.compare_label != "previous"])
    earlier = {line.label: line for line in _lines(args, [one for one in found if one.compare_label == "previous"])}
    marks: dict[str, Any] = {**span_marks(asked.answer, span), **asked.marks()}
    notes = (*_notes(args, lines, cut=bool(asked.answer.hasMore)), *_gone(lines, earlier))
    if args.interval == "total":
        if span.end > span.now:
            marks["incomplete_last"] = f"{span.now:%Y-%m-%d}"
        return Answer(_totals(args, lines, earlier), (), marks, notes)
    days = next((line.result.days for line in lines if line.result.days), list[str]())
    over = intervals(days, span, args.interval)
    marks |= interval_marks(over)
    if previous := next((line.result.days for line in earlier.values()), None):
        marks["previous_range"] = [previous[0], previous[-1]]
    facts = [_fact(args, line, earlier.get(line.label), over, lines) for line in lines[:MOST_FACTS]]
    return Answer(_over_time(args, lines, earlier, over), facts, marks, notes)


def _lines(args: QueryTrends, found: Sequence[TrendResult]) -> list[_Line]:
    series = args.series()
    names = [args.formula.upper()] if args.formula else _names(series)
    lines: list[_Line] = []
    for result in found:
        order = result.action.order if result.action and result.action.order is not None else result.order
        base = min(max(order or 0, 0), len(names) - 1)
        value = _value(args, result) if args.breakdown else None
        name = names[base] if args.formula or value is not None else _named(series[base], names[base], result)
        label = name if value is None else value if len(names) == 1 else f"{name}: {value}"
        lines.append(_Line(base, label, value, result))
    return lines


def _named(series: TrendSeries, name: str, result: TrendResult) -> str:
    """With the name of an action that was asked for by its id."""
    if series.action_id is None or series.name or not result.label:
        return name
    return name.replace(series.label, result.label, 1)


def _value(args: QueryTrends, result: TrendResult) -> str:
    """The value of a breakdown; of a cohort its name, which PostHog gives where there is one series."""
    named = result.label if _by_cohort(args) and len(args.events) == 1 and not args.formula else None
    return named or value_label(result.breakdown_value)


def _by_cohort(args: QueryTrends) -> bool:
    return args.breakdown is not None and args.breakdown[0].type == "cohort"


def _names(series: Sequence[TrendSeries]) -> list[str]:
    """What to call the series: no two alike."""
    names: list[str] = []
    for one in series:
        name = one.label if one.name or one.math == "total" else f"{one.label} ({_math(one)})"
        names.append(name if name not in names else f"{name} #{len(names) + 1}")
    return names


def _math(series: TrendSeries) -> str:
    return f"{series.math} of {series.property}" if series.math in PROPERTY_MATHS else str(series.math)


def _over_time(args: QueryTrends, lines: Sequence[_Line], earlier: dict[str, _Line], over: Intervals) -> Table:
    """A row an interval; a column a series, and with a comparison a second one of the period before."""
    columns = [dimension(args.interval, args.interval)]
    data: list[list[float]] = []
    for key, line in enumerate(lines):
        columns.append(Column(line.label, Role.VALUE, key))
        data.append(line.data)
        if args.compare:
            columns.append(Column(f"{line.label} before", Role.PREVIOUS, key))
            data.append(earlier[line.label].data if line.label in earlier else [])
    rows = [
        (over.days[at], *(number(values[at]) if at < len(values) else None for values in data)) for at in over.begun()
    ]
    return Table("time", tuple(columns), tuple(rows))


def _totals(args: QueryTrends, lines: Sequence[_Line], earlier: dict[str, _Line]) -> Table:
    """A row a series or value of the breakdown, with one number for the whole range, and its part of the whole where
    parts make a whole.
    """
    single = len(args.events) == 1 or args.formula
    split = split_name(args.breakdown) if args.breakdown and single else "series"
    shares = [_share(args, line, lines) if args.breakdown else None for line in lines]
    shared = any(share is not None for share in shares)
    compared = (Column("before", Role.PREVIOUS), Column("change_percent", Role.CHANGE)) if args.compare else ()
    share_column = (Column("share_percent", Role.SHARE),) if shared else ()
    rows: list[tuple[Cell, ...]] = []
    for line, share in zip(lines, shares, strict=True):
        row: tuple[Cell, ...] = (line.label, number(line.size))
        if args.compare:
            row = (*row, *_before(line, earlier))
        rows.append((*row, share) if shared else row)
    return Table("bars", (dimension(split), Column("value", Role.VALUE), *compared, *share_column), tuple(rows))


def _before(line: _Line, earlier: dict[str, _Line]) -> tuple[Cell, Cell]:
    """The number of the period before, and the change. What had no number of its own then may be in its (other)."""
    if line.label in earlier:
        before = earlier[line.label].size
        return number(before), change(before, line.size)
    return (None, None) if any(one.value == OTHER for one in earlier.values()) else (0, None)


def _fact(
    args: QueryTrends, line: _Line, before: _Line | None, over: Intervals, lines: Sequence[_Line]
) -> dict[str, Any]:
    """Total or average, peak, and change: of the last whole interval, and over all whole ones against the period
    before.
    """
    whole = [(over.days[at], line.data[at]) for at in over.complete() if at < len(line.data)]
    values = [value for _, value in whole]
    additive = _additive(args, line)
    fact: dict[str, Any] = {"series": line.label}
    fact |= given(total=number(line.size) if additive else None, average=mean(values))
    fact |= given(share_percent=_share(args, line, lines) if args.breakdown else None)
    if any(values):
        day, most = max(whole, key=lambda point: point[1])
        fact["peak"] = [day, number(most)]
    if whole:
        fact["last_complete"] = [whole[-1][0], number(values[-1])]
    if len(values) > 1:
        fact |= given(vs_one_before_percent=change(values[-2], values[-1]))
    if args.interval == "day" and len(values) > _WEEK:
        fact |= given(vs_week_before_percent=change(values[-1 - _WEEK], values[-1]))
    if len(values) > 2:
        fact |= given(vs_first_percent=change(values[0], values[-1]))
    if before is not None and values:
        fact["compared"] = _compared(
            [before.data[at] for at in over.complete() if at < len(before.data)], values, additive
        )
    return fact


def _compared(before: Sequence[float], now: Sequence[float], additive: bool) -> dict[str, Any]:
    """The whole intervals of this period against as many of the one before."""
    current, previous = (sum(now), sum(before)) if additive else (mean(now) or 0, mean(before) or 0)
    name = "total" if additive else "average"
    shown = {"intervals": len(now), name: number(current), "before": number(previous)}
    return shown | given(change_percent=change(previous, current))


def _additive(args: QueryTrends, line: _Line) -> bool:
    return args.formula is None and args.series()[line.base].math in ADDITIVE_MATHS


def _share(args: QueryTrends, line: _Line, lines: Sequence[_Line]) -> int | float | None:
    if not _additive(args, line) or _by_cohort(args):
        return None
    return percent(line.size, sum(other.size for other in lines if other.base == line.base))


def _notes(args: QueryTrends, lines: Sequence[_Line], *, cut: bool) -> tuple[str, ...]:
    series = args.series()
    notes: list[str] = []
    if cut or any(line.value == OTHER for line in lines):
        notes.append(f"Only the {args.breakdown_limit} largest values are named, the rest is {OTHER}: breakdown_limit.")
    if args.formula is None:
        notes += _nothing(args, lines)
        if args.interval != "total" and any(one.math in _UNIQUES for one in series):
            notes.append('Who is active in several intervals counts in each; interval "total" counts them once.')
    elif not any(line.size for line in lines):
        notes.append(nothing_found([one.label for one in series], conditions=bool(args.filters)))
    return tuple(notes)


def _gone(lines: Sequence[_Line], earlier: dict[str, _Line]) -> tuple[str, ...]:
    """Values that are named in the period before alone: no row would tell."""
    gone = [label for label in earlier if label not in {line.label for line in lines}]
    if not gone:
        return ()
    told = [f"{label} ({number(earlier[label].size)})" for label in gone[:MOST_FACTS]]
    more = f" and {len(gone) - len(told)} more" if len(gone) > len(told) else ""
    return (f"Only the period before names {', '.join(told)}{more}.",)


def _nothing(args: QueryTrends, lines: Sequence[_Line]) -> list[str]:
    """Series without any event; PostHog leaves an action that it does not have out of the results."""
    empty: list[str] = []
    gone: list[str] = []
    for at, series in enumerate(args.series()):
        own = [line for line in lines if line.base == at]
        if not own and series.action_id is not None and not args.breakdown:
            gone.append(str(series.action_id))
        elif not any(line.size for line in own):
            empty.append(f"{series.label} ({_math(series)})" if series.math in PROPERTY_MATHS else series.label)
    notes = [f"There is no action {', '.join(gone)}: list_actions gives the ids."] if gone else []
    if empty:
        conditions = bool(args.filters or any(one.where for one in args.events))
        notes.append(nothing_found(empty, conditions=conditions))
    return notes
