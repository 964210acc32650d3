"""Trends: series over time, or one number each; rises and falls are counted over complete intervals only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...schemas.analytics.events import PROPERTY_MATHS
from ...schemas.analytics.queries import QueryTrends
from ...schemas.analytics.results import TrendResult
from ...schemas.json import as_list, as_object, as_objects
from ...schemas.text import named
from ..table import (
    Cell,
    Column,
    Note,
    Report,
    Role,
    Row,
    Table,
    also,
    change,
    changes,
    dimension,
    given,
    mean,
    number,
    percent,
)
from . import inputs, stored
from .compiling import PosthogQuery, breakdown_filter, compare_filter, math_node, shared, unless_empty
from .computing import Computed, results
from .dates import Intervals, Range, Rounding, intervals
from .kind import Kind
from .labels import OTHER, interval_marks, no_values, nothing_found, span_marks, split_name, value_label
from .spec import Counted, Spec
from .trend_headlines import TOTAL, TrendOptions, TrendSpec, headline, is_additive, unread_headline

_MOST_FACTS = 5
"""Series with facts; a breakdown has the largest values first."""
_WEEK = 7
_ROLLING = ("weekly_active", "monthly_active")
_UNIQUES = ("dau", "weekly_active", "monthly_active", "unique_session", "unique_group")
_TOTAL_DISPLAY = "ActionsBarValue"
"""One number with the range of a chart, not that of a BoldNumber."""
_LINES = ("ActionsLineGraph", "ActionsAreaGraph", "ActionsBar", "ActionsUnstackedBar", "ActionsStackedBar")
_TOTALS = ("BoldNumber", "ActionsPie", _TOTAL_DISPLAY, "ActionsTable", "WorldMap")


def _read(args: QueryTrends) -> TrendSpec:
    return Spec(
        options=TrendOptions(args.formula.upper() if args.formula else None),
        counted=tuple(
            inputs.counted(
                one,
                math=one.math,
                math_property=one.property if one.math in (*PROPERTY_MATHS, "hogql") else None,
                group_type_index=one.group_type_index,
            )
            for one in args.series()
        ),
        interval=args.interval,
        splits=inputs.splits(args.breakdown),
        most_values=args.breakdown_limit if args.breakdown else None,
        compare=args.compare,
        **inputs.shared(args, args.date_from),
    )


def _read_stored(source: stored.StoredQuery) -> TrendSpec | None:
    """Return the Spec; None for smoothed lines, values that add up over time, and several formulas."""
    shown, series = as_object(source.get("trendsFilter")), stored.series(source)
    display, formulas = stored.one_of((*_LINES, *_TOTALS), shown.get("display") or _LINES[0]), _formulas(shown)
    if not series or display is None or shown.get("smoothingIntervals") not in (None, 1) or len(formulas) > 1:
        return None
    common = stored.shared(source)
    common["dates"] = replace(common["dates"], exact=display == "BoldNumber")
    return Spec(
        options=TrendOptions(formulas[0].upper() if formulas else None),
        counted=series,
        splits=stored.splits(source),
        most_values=stored.most_values(source),
        interval=TOTAL if display in _TOTALS else stored.interval_of(source),
        compare=stored.compare_of(source),
        **common,
    )


def _formulas(shown: stored.StoredQuery) -> list[str]:
    nodes = [one.get("formula") for one in as_objects(shown.get("formulaNodes"))]
    found = nodes or as_list(shown.get("formulas")) or [shown.get("formula")]
    return [str(formula) for formula in found if formula]


def _compile(spec: TrendSpec) -> PosthogQuery:
    shown: PosthogQuery = {"display": _TOTAL_DISPLAY} if spec.interval == TOTAL else {}
    if spec.options.formula:
        shown["formulaNodes"] = [{"formula": spec.options.formula}]
    return {
        **shared(KIND.node, spec, interval=spec.interval),
        "series": [math_node(one) for one in spec.counted],
        "interval": "day" if spec.interval == TOTAL else spec.interval,
        **unless_empty(trendsFilter=shown, breakdownFilter=breakdown_filter(spec), compareFilter=compare_filter(spec)),
    }


@dataclass(frozen=True, slots=True)
class _TrendLine:
    """One result of a trend with its names."""

    base: int
    """The position of its series."""
    label: str
    value: str | None
    """The value of the breakdown."""
    result: TrendResult

    @property
    def key(self) -> tuple[int, str | None]:
        """Equal for the same line in the previous period."""
        return self.base, self.value

    @property
    def data(self) -> list[float]:
        return [point or 0 for point in self.result.data or []]

    @property
    def size(self) -> float:
        """The number of an aggregate, or the sum over time."""
        return sum(self.data) if self.result.aggregated_value is None else self.result.aggregated_value


type _Lines = Mapping[tuple[int, str | None], _TrendLine]


def _report(spec: TrendSpec, computed: Computed, span: Range) -> Report:
    found = results(computed.answer, list[TrendResult])
    lines = _lines(spec, [result for result in found if result.compare_label != "previous"])
    previous = _lines(spec, [result for result in found if result.compare_label == "previous"])
    earlier = {line.key: line for line in previous}
    marks: dict[str, Any] = {**span_marks(span), **computed.marks()}
    notes = (*_notes(spec, lines, cut=bool(computed.answer.hasMore)), *_gone(lines, earlier))
    if spec.interval == TOTAL:
        if span.end > span.now:
            marks["incomplete_last"] = f"{span.now:%Y-%m-%d}"
            if spec.compare:
                notes = (Note(f"{span.now:%Y-%m-%d} is not over, so no change is shown. Pass date_to: -1d."), *notes)
        marks |= _of_all_values(spec, lines)
        whole = span.end <= span.now and not span.compares_before_data
        return Report(_totals(spec, lines, earlier, with_change=whole), (), marks, notes)
    days = next((line.result.days for line in lines if line.result.days), list[str]())
    over = intervals(days, span, spec.interval)
    marks |= interval_marks(over)
    if before := next((line.result.days for line in previous), None):
        marks["previous_range"] = [before[0], before[-1]]
    before = {} if span.compares_before_data else earlier
    facts = [_fact(spec, line, before.get(line.key), over, lines) for line in lines[:_MOST_FACTS]]
    return Report(_over_time(spec, lines, earlier, over), facts, marks, notes)


def _lines(spec: TrendSpec, found: Sequence[TrendResult]) -> list[_TrendLine]:
    series = spec.counted
    names = [spec.options.formula] if spec.options.formula else _names(series)
    lines: list[_TrendLine] = []
    for result in found:
        order = result.action.order if result.action and result.action.order is not None else result.order
        base = min(max(order or 0, 0), len(names) - 1)
        value = _value(spec, result) if spec.splits else None
        is_plain = spec.options.formula is None and value is None
        name = _named(series[base], names[base], result) if is_plain else names[base]
        label = name if value is None else value if len(names) == 1 else f"{name}: {value}"
        lines.append(_TrendLine(base, label, value, result))
    return lines


def _named(series: Counted, name: str, result: TrendResult) -> str:
    """Return the name of a series; PostHog's results have the names of actions."""
    if series.event is not None or series.name or not result.label:
        return name
    return name.replace(series.label, result.label, 1)


def _value(spec: TrendSpec, result: TrendResult) -> str:
    """Return the breakdown value; of a cohort its name, which PostHog sends when there is one series."""
    named = result.label if spec.is_by_cohort and len(spec.counted) == 1 and not spec.options.formula else None
    return named or value_label(result.breakdown_value)


def _names(series: Sequence[Counted]) -> list[str]:
    """Return unique names for the series."""
    names: list[str] = []
    for one in series:
        name = one.label if one.name or one.math == "total" else f"{one.label} ({_math(one)})"
        names.append(name if name not in names else f"{name} #{len(names) + 1}")
    return names


def _math(series: Counted) -> str:
    return f"{series.math} of {series.math_property}" if series.math in PROPERTY_MATHS else series.math


def _over_time(spec: TrendSpec, lines: Sequence[_TrendLine], earlier: _Lines, over: Intervals) -> Table:
    """Return a row per interval, with a column per series and, when comparing, one for its previous period."""
    columns = [dimension(spec.interval, spec.interval)]
    data: list[list[float]] = []
    for at, line in enumerate(lines):
        columns.append(Column(line.label, Role.VALUE, at))
        data.append(line.data)
        if spec.compare:
            columns.append(Column(f"{line.label} before", Role.PREVIOUS, at))
            data.append(earlier[line.key].data if line.key in earlier else [])
    rows = [
        (over.days[at], *(number(values[at]) if at < len(values) else None for values in data)) for at in over.begun()
    ]
    return Table("time", tuple(columns), tuple(rows))


def _totals(spec: TrendSpec, lines: Sequence[_TrendLine], earlier: _Lines, *, with_change: bool) -> Table:
    """Return a row per series or breakdown value: its number over the range, and its share where parts add up."""
    is_single = len(spec.counted) == 1 or spec.options.formula
    split = split_name(spec.splits) if spec.splits and is_single else "series"
    shares = [_share(spec, line, lines) if spec.splits else None for line in lines]
    shared_out = any(share is not None for share in shares)
    rows: list[Row] = []
    for line, share in zip(lines, shares, strict=True):
        row: Row = (line.label, number(line.size))
        if spec.compare:
            row = (*row, *_before(line, earlier)[: 1 + with_change])
        rows.append((*row, share) if shared_out else row)
    compared = (Column("before", Role.PREVIOUS), Column("change_percent", Role.CHANGE)) if spec.compare else ()
    compared = compared[: 1 + with_change]
    share_column = (Column("share_percent", Role.SHARE),) if shared_out else ()
    return Table("bars", (dimension(split), Column("value", Role.VALUE), *compared, *share_column), tuple(rows))


def _of_all_values(spec: TrendSpec, lines: Sequence[_TrendLine]) -> dict[str, Any]:
    """Return `{"all_values"}`: the sum over the values of a breakdown, where each event has one of them."""
    if len(lines) < 2 or spec.is_by_cohort or not spec.splits or {line.base for line in lines} != {0}:
        return {}
    return {"all_values": number(_whole(lines[0], lines, None))} if is_additive(spec, 0) else {}


def _before(line: _TrendLine, earlier: _Lines) -> tuple[Cell, Cell]:
    """Return the previous number and the change; null when the value may have been part of (other)."""
    if line.key in earlier:
        before = earlier[line.key].size
        return number(before), change(before, line.size)
    return (None, None) if any(one.value == OTHER for one in earlier.values()) else (0, None)


def _fact(
    spec: TrendSpec, line: _TrendLine, before: _TrendLine | None, over: Intervals, lines: Sequence[_TrendLine]
) -> dict[str, Any]:
    """Return total or average, peak, and the changes of the last complete interval and of all complete ones."""
    whole = [(over.days[at], line.data[at]) for at in over.complete() if at < len(line.data)]
    values = [value for _, value in whole]
    additive = is_additive(spec, line.base)
    fact: dict[str, Any] = {"series": line.label}
    if additive:
        fact |= given(total=number(sum(values)) if values else None)
        fact |= given(total_with_incomplete=number(line.size) if line.size != sum(values) or not values else None)
    fact |= given(average=mean(values))
    if spec.splits and (share := _share(spec, line, lines, over.complete())) is not None:
        fact |= {"share_percent": share, "of": number(_whole(line, lines, over.complete()))}
    if any(values):
        most = max(values)
        day, *others = (day for day, value in whole if value == most)
        fact |= {"peak": [day, number(most)]} | given(peak_also=also(others))
    if whole:
        fact["last_complete"] = [whole[-1][0], number(values[-1])]
    if len(values) > 1:
        fact |= changes("vs_one_before", values[-2], values[-1])
    if spec.interval == "day" and len(values) > _WEEK:
        fact |= changes("vs_week_before", values[-1 - _WEEK], values[-1])
    if len(values) > 2:
        fact |= changes("vs_first", values[0], values[-1])
    if before is not None and values:
        past = [before.data[at] for at in over.complete() if at < len(before.data)]
        fact["compared"] = _compared(past, values, additive)
    return fact


def _compared(before: Sequence[float], now: Sequence[float], additive: bool) -> dict[str, Any]:
    """Return the complete intervals of this period against as many of the previous one."""
    current, previous = (sum(now), sum(before)) if additive else (mean(now) or 0, mean(before) or 0)
    name = "total" if additive else "average"
    shown = {"intervals": len(now), name: number(current), "before": number(previous)}
    return shown | given(change_percent=change(previous, current))


def _share(
    spec: TrendSpec, line: _TrendLine, lines: Sequence[_TrendLine], complete: range | None = None
) -> int | float | None:
    """Return the share of a series in the complete intervals, or in the range when there are none."""
    if not is_additive(spec, line.base) or spec.is_by_cohort:
        return None
    return percent(_part(line, complete), _whole(line, lines, complete))


def _whole(line: _TrendLine, lines: Sequence[_TrendLine], complete: range | None) -> float:
    """Return the sum over all values of the series of a line."""
    return sum(_part(other, complete) for other in lines if other.base == line.base)


def _part(line: _TrendLine, complete: range | None) -> float:
    return sum(line.data[at] for at in complete if at < len(line.data)) if complete else line.size


def _notes(spec: TrendSpec, lines: Sequence[_TrendLine], *, cut: bool) -> tuple[Note, ...]:
    notes: list[Note] = [*no_values(spec.splits, [line.value for line in lines])]
    if spec.splits and (cut or any(line.value == OTHER for line in lines)):
        least = f"Only the {spec.most_values} largest values are named; the rest are grouped as {OTHER}."
        notes.append(Note(f"{least} Raise `breakdown_limit` to see more."))
    if spec.options.formula is None:
        notes += _nothing(spec, lines)
        if spec.interval != TOTAL and any(one.math in _UNIQUES for one in spec.counted):
            once = 'interval "total" counts them once.'
            notes.append(Note(f"Users active in several intervals are counted in each; {once}"))
    elif not any(line.size for line in lines):
        notes.append(nothing_found([one.label for one in spec.counted], is_filtered=spec.is_filtered()))
    return tuple(notes)


def _gone(lines: Sequence[_TrendLine], earlier: _Lines) -> tuple[Note, ...]:
    """Return the note on values of the previous period alone, which have no row."""
    now = {line.key for line in lines}
    gone = [line for key, line in earlier.items() if key not in now]
    if not gone:
        return ()
    listed = [f"{named(line.label)} ({number(line.size)})" for line in gone[:_MOST_FACTS]]
    more = f" and {len(gone) - len(listed)} more" if len(gone) > len(listed) else ""
    return (Note(f"Present only in the previous period: {', '.join(listed)}{more}."),)


def _nothing(spec: TrendSpec, lines: Sequence[_TrendLine]) -> list[Note]:
    """Return the notes on series without events; PostHog leaves unknown actions out of the results."""
    empty: list[str] = []
    gone: list[str] = []
    for at, series in enumerate(spec.counted):
        own = [line for line in lines if line.base == at]
        if not own and series.action_id is not None and not spec.splits:
            gone.append(str(series.action_id))
        elif not any(line.size for line in own):
            empty.append(f"{series.label} ({_math(series)})" if series.math in PROPERTY_MATHS else series.label)
    notes = [Note(f"Unknown action: {', '.join(gone)}. list_actions lists the ids.")] if gone else []
    if empty:
        notes.append(nothing_found(empty, is_filtered=spec.is_filtered(*spec.counted)))
    return notes


def _leaves_out_open(spec: TrendSpec) -> bool:
    """Return whether one number is compared with another: the day that is not over has no match."""
    return spec.interval == TOTAL and spec.compare is not None


def _rounding(spec: TrendSpec) -> Rounding:
    """Return whole days for users active in the days before each day: they are counted by day."""
    return Rounding.DAYS if any(one.math in _ROLLING for one in spec.counted) else Rounding.SERIES


KIND = Kind(
    name="trends",
    about="Count events or users over time or in total, split by properties, compared, or in a formula.",
    input=QueryTrends,
    read=_read,
    read_stored=_read_stored,
    compile=_compile,
    report=_report,
    headline=headline,
    rounding=_rounding,
    leaves_out_open=_leaves_out_open,
    unread_headline=unread_headline,
)
