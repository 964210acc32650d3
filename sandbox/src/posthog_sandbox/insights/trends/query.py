"""TrendsQuery: numbers over time, or one number each, for events and actions."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ...http.routing import Call
from ...queries.project import Project
from ...values import Row
from ..breakdowns import Breakdown, Pass, read_breakdown
from ..counting import MOST_ROWS, ROUNDED_MATHS, Counting, counting_query
from ..dates import DateRange, iso
from ..filters import all_of, query_condition, sampling_factor
from ..requests import options
from ..running import Session, all_of_them, reading
from ..series import Series, read_series
from .lines import Line, Lines, accumulated, combined, lines_of, scaled
from .range import trend_range
from .request import NamedFormula, TrendsRequest, read_trends_request


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trend:
    """A parsed and validated TrendsQuery."""

    query: Row
    series: tuple[Series, ...]
    request: TrendsRequest
    breakdown: Breakdown
    condition: str
    sampling: float

    def counting(self, series: Series, ends: DateRange, each: Pass, project: Project) -> Counting:
        return Counting(
            series=series,
            range=ends,
            condition=all_of([self.condition, each.condition]),
            breakdowns=self.breakdown.expressions,
            bucketed=not self.request.aggregate,
            cumulative=self.request.cumulative,
            project=project,
        )


@dataclass(frozen=True, slots=True)
class _Half:
    """One period of a comparison, or the only one."""

    range: DateRange
    compare_label: str | None


async def trends_query(call: Call, query: Row, project: Project) -> Row:
    """Return one result per series, formula, breakdown value and period. Raises ApiError 400."""
    trend = await reading(lambda: _read(call, query, project))
    session = Session(call, project)
    ends = await trend_range(session, query, trend.series, trend.request)
    halves = [_Half(ends, "current" if trend.request.compare else None)]
    if trend.request.compare:
        halves.append(_Half(ends.previous(trend.request.compare_to), "previous"))
    parts = [(half, each) for half in halves for each in trend.breakdown.passes]
    jobs = [
        partial(_lines, trend=trend, series=series, ends=half.range, each=each)
        for half, each in parts
        for series in trend.series
    ]
    lines = await all_of_them(session, jobs)
    width = len(trend.series)
    results: list[Row] = []
    for place, (half, each) in enumerate(parts):
        results += _results(trend, half, each, lines[place * width : (place + 1) * width])
    cut = any(found.cut for found in lines)
    if trend.request.formulas:
        results.sort(key=lambda result: result["order"])
    return {**session.response(query, results), "hasMore": cut, "resolved_date_range": ends.resolved()}


def _read(call: Call, query: Row, project: Project) -> _Trend:
    series = read_series(call, query, project, unknown_actions=True)
    request = read_trends_request(query, len(series))
    return _Trend(
        query=query,
        series=series,
        request=request,
        breakdown=read_breakdown(call, query, project, request.breakdown_limit),
        condition=query_condition(query, project),
        sampling=sampling_factor(query),
    )


async def _lines(session: Session, *, trend: _Trend, series: Series, ends: DateRange, each: Pass) -> Lines:
    counting = trend.counting(series, ends, each, session.project)
    if trend.breakdown.has_bins:
        counting = replace(counting, breakdowns=trend.breakdown.binned(await _ends_of_values(session, counting)))
    rows = await session.rows(counting_query(counting))
    if len(rows) >= MOST_ROWS:
        rows = await session.rows(counting_query(replace(counting, limit=trend.breakdown.limit)))
    lines = lines_of(rows, ends, trend.breakdown, trend.request)
    if trend.sampling < 1 and counting.math in ROUNDED_MATHS:
        lines = scaled(lines, trend.sampling)
    if trend.request.cumulative:
        lines = accumulated(lines, trend.request.smoothing)
    return lines


async def _ends_of_values(session: Session, counting: Counting) -> list[tuple[float, float] | None]:
    """Return the minimum and maximum of each breakdown; None without values."""
    columns = ", ".join(f"min({text}), max({text})" for text in counting.breakdowns)
    ((*found,),) = await session.rows(f"SELECT {columns} FROM events WHERE {counting.where} LIMIT 1")
    pairs = zip(found[::2], found[1::2], strict=True)
    return [None if least is None or isinstance(least, str) else (least, greatest) for least, greatest in pairs]


def _results(trend: _Trend, half: _Half, each: Pass, found: list[Lines]) -> list[Row]:
    """Return the results of one period, or of one cohort in it."""
    if trend.request.formulas:
        width = 1 if trend.request.aggregate else len(half.range.buckets())
        return [
            _formula_result(trend, half, each, order, formula, line)
            for order, formula in enumerate(trend.request.formulas)
            for line in combined(found, formula, width)
        ]
    return [
        _series_result(trend, half, each, series, line)
        for series, lines in zip(trend.series, found, strict=True)
        for line in lines.lines
    ]


def _series_result(trend: _Trend, half: _Half, each: Pass, series: Series, line: Line) -> Row:
    text, broken_down = _broken_down(trend, each, line)
    label = series.label
    if text is not None:
        label = text if len(trend.series) == 1 else f"{series.label} - {text}"
    return {
        **_numbers(trend, half, line),
        "label": label,
        "order": series.order,
        "action": _action(trend, half, series),
        "filter": _filter(trend, half),
        **broken_down,
        **_compared(half),
    }


def _formula_result(trend: _Trend, half: _Half, each: Pass, order: int, formula: NamedFormula, line: Line) -> Row:
    _, broken_down = _broken_down(trend, each, line)
    numbers = _numbers(trend, half, line)
    if trend.request.aggregate:
        numbers = {**numbers, "data": None, "aggregated_value": float(line.numbers[0])}
    return {
        **numbers,
        "label": formula.label,
        "order": order,
        "action": None,
        "filter": _filter(trend, half),
        **broken_down,
        **_compared(half),
    }


def _numbers(trend: _Trend, half: _Half, line: Line) -> Row:
    if trend.request.aggregate:
        return {"data": [], "days": [], "count": 0, "aggregated_value": line.numbers[0]}
    total = line.numbers[-1] if trend.request.cumulative and line.numbers else line.total
    ends = half.range
    return {"data": list(line.numbers), "labels": ends.labels(), "days": ends.days(), "count": float(total)}


def _broken_down(trend: _Trend, each: Pass, line: Line) -> tuple[str | None, Row]:
    """Return the label of a breakdown value and its extra keys; none without a breakdown."""
    if each.label is not None:
        return each.label, {"breakdown_value": each.value}
    if not trend.breakdown.expressions:
        return None, {}
    return "::".join(line.value), {"breakdown_value": trend.breakdown.shown(line.value)}


def _compared(half: _Half) -> Row:
    return {} if half.compare_label is None else {"compare": True, "compare_label": half.compare_label}


def _action(trend: _Trend, half: _Half, series: Series) -> Row:
    node = series.node
    return {
        "days": [] if trend.request.aggregate else [iso(bucket) for bucket in half.range.buckets()],
        "id": series.label,
        "type": "events",
        "order": series.order,
        "name": series.label,
        "custom_name": series.custom_name,
        "math": series.math,
        "math_property": node.get("math_property"),
        "math_hogql": node.get("math_hogql"),
        "math_group_type_index": node.get("math_group_type_index"),
        "properties": {},
    }


def _filter(trend: _Trend, half: _Half) -> Row:
    """Return the query with PostHog's legacy key names, without nulls."""
    given: dict[str, Any] = {
        "insight": "TRENDS",
        "properties": trend.query.get("properties") or [],
        "filter_test_accounts": trend.query.get("filterTestAccounts") is True,
        "date_from": iso(half.range.start),
        "date_to": iso(half.range.end),
        "entity_type": "events",
        "interval": half.range.interval,
        "display": options(trend.query, "trendsFilter").get("display"),
    }
    return {name: value for name, value in given.items() if value is not None}
