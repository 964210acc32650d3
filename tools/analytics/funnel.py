"""Funnels: who reached each step, where most were lost, and how long it took."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ...schemas.analytics.queries import QueryFunnel
from ...schemas.analytics.results import ConversionTimes, FunnelResult, FunnelTrend
from ..table import (
    Answer,
    Cell,
    Column,
    Role,
    Table,
    change,
    dimension,
    given,
    mean,
    number,
    percent,
    series_columns,
)
from .asking import Asked, results
from .dates import Range, intervals
from .labels import OTHER, Doubt, interval_marks, nobody_reached, nothing_found, span_marks, split_name, value_label

_COLUMNS = (
    dimension("step"),
    Column("persons", Role.COUNT),
    Column("from_previous_percent", Role.SHARE),
    Column("from_first_percent", Role.SHARE),
    Column("median_s", Role.DURATION),
    Column("average_s", Role.DURATION),
)
_BINS = (Column("from_s", Role.DURATION), Column("persons", Role.COUNT))
_UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 31 * 86_400}
_LONGEST_S = 400 * 366 * 86_400.0


def funnel_answer(args: QueryFunnel, asked: Asked, span: Range) -> Answer:
    """The table and facts of a FunnelsQuery."""
    marks = {**span_marks(asked.answer, span), **asked.marks()}
    match args.view:
        case "steps":
            return _steps(args, asked, marks, _still_open(args, span))
        case "trend":
            return _trend(args, asked, span, marks)
        case "time_to_convert":
            return _times(args, asked, marks, _still_open(args, span))


def _steps(args: QueryFunnel, asked: Asked, marks: dict[str, Any], notes: tuple[str, ...]) -> Answer:
    if not args.breakdown:
        steps = results(asked.answer, list[FunnelResult])
        table = Table("funnel", _COLUMNS, tuple(_rows(args, steps)))
        return Answer(table, _facts(args, steps, asked), marks, (*_missing(args, [one.count for one in steps]), *notes))
    groups = [(_value(args, group), group) for group in results(asked.answer, list[list[FunnelResult]])]
    rows = tuple((value, *row) for value, group in groups for row in _rows(args, group))
    sizes = [sum(counts) for counts in zip(*([one.count for one in group] for _, group in groups), strict=False)]
    notes = (*_missing(args, sizes), *notes)
    if any(value == OTHER for value, _ in groups):
        notes = (f"Only {args.breakdown_limit} values are named, the rest is {OTHER}: breakdown_limit.", *notes)
    facts = _facts(args, groups[0][1], asked) if len(groups) == 1 else _best_and_worst(groups)
    return Answer(Table("funnel", (dimension(split_name(args.breakdown)), *_COLUMNS), rows), facts, marks, notes)


def _rows(args: QueryFunnel, steps: Sequence[FunnelResult]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for at, step in enumerate(steps):
        before = steps[_before(args, at)].count
        rows.append(
            (
                _name(args, at, step),
                step.count,
                percent(step.count, before) if at else None,
                percent(step.count, steps[0].count),
                _seconds(step.median_conversion_time),
                _seconds(step.average_conversion_time),
            )
        )
    return rows


def _name(args: QueryFunnel, at: int, step: FunnelResult) -> str:
    """Of unordered steps only how many were taken is known; an action asked for by its id has a name."""
    if args.order == "unordered" or at >= len(args.steps):
        return step.name or f"{at + 1} steps"
    asked = args.steps[at]
    return step.name if asked.action_id is not None and not asked.name and step.name else asked.label


def _is_optional(args: QueryFunnel, at: int) -> bool:
    return at < len(args.steps) and args.steps[at].optional


def _before(args: QueryFunnel, at: int) -> int:
    """The step before that nobody may leave out: conversion is told from there."""
    return next((earlier for earlier in range(at - 1, -1, -1) if not _is_optional(args, earlier)), 0)


def _facts(args: QueryFunnel, steps: Sequence[FunnelResult], asked: Asked) -> dict[str, Any]:
    """Overall conversion, the transition that lost most persons, and the median time where PostHog tells it."""
    if not steps:
        return {"entered": 0}
    first, last = steps[0], steps[-1]
    facts: dict[str, Any] = {"entered": first.count, "completed": last.count}
    facts |= given(conversion_percent=percent(last.count, first.count))
    required = [at for at in range(1, len(steps)) if not _is_optional(args, at)]
    losses = [(steps[_before(args, at)].count - steps[at].count, at) for at in required]
    lost, at = max(losses, key=lambda loss: loss[0], default=(0, 0))
    if lost > 0:
        since = _before(args, at)
        drop = {"from": _name(args, since, steps[since]), "to": _name(args, at, steps[at]), "lost": lost}
        facts["biggest_drop"] = drop | given(lost_percent=percent(lost, steps[since].count))
    whole = last.median_conversion_time if len(steps) == 2 else asked.answer.total_median_conversion_time
    return facts | given(median_total_s=_seconds(whole))


def _best_and_worst(groups: Sequence[tuple[str, Sequence[FunnelResult]]]) -> dict[str, Any]:
    """The values that convert most and least, with how many persons that is of; (other) is no value."""
    told = [
        {"value": value, "entered": group[0].count, "conversion_percent": percent(group[-1].count, group[0].count)}
        for value, group in groups
        if group and group[0].count and value != OTHER
    ]
    if len(told) < 2:
        return {}
    ranked = sorted(told, key=lambda one: -float(one["conversion_percent"] or 0))
    return {"best": ranked[0], "worst": ranked[-1]}


def _trend(args: QueryFunnel, asked: Asked, span: Range, marks: dict[str, Any]) -> Answer:
    found = results(asked.answer, list[FunnelTrend])
    names = [
        value_label(one.breakdown_value, names_other=True) if args.breakdown else "conversion_percent" for one in found
    ]
    days = next((one.days for one in found), list[str]())
    over = intervals(days, span, args.interval)
    rows = [(days[at], *(number(one.data[at]) if at < len(one.data) else None for one in found)) for at in over.begun()]
    facts: list[dict[str, Any]] = []
    for name, one in zip(names, found, strict=True):
        values = [one.data[at] for at in over.complete() if at < len(one.data)]
        fact: dict[str, Any] = {"series": name} | given(average_of_intervals=mean(values))
        if values:
            fact["last_complete"] = [over.days[over.complete()[-1]], number(values[-1])]
        if len(values) > 1:
            fact |= given(vs_one_before_percent=change(values[-2], values[-1]))
        facts.append(fact)
    table = Table("time", (dimension(args.interval, args.interval), *series_columns(names, "percent")), tuple(rows))
    empty = () if any(any(one.data) for one in found) else (_nobody_converted(args),)
    return Answer(table, facts[:5], marks | interval_marks(over), (*empty, *_still_open(args, span)))


def _times(args: QueryFunnel, asked: Asked, marks: dict[str, Any], notes: tuple[str, ...]) -> Answer:
    found = results(asked.answer, ConversionTimes)
    bins = found.bins or []
    converted = sum(count for _, count in bins)
    facts: dict[str, Any] = {"converted": converted} | given(average_s=_seconds(found.average_conversion_time))
    passed = 0
    for at, (edge, count) in enumerate(bins):
        passed += count
        if converted and 2 * passed >= converted:
            upper = bins[at + 1][0] if at + 1 < len(bins) else None
            facts["median_between_s"] = [number(edge), number(upper)]
            break
    table = Table("histogram", _BINS, tuple((number(edge), count) for edge, count in bins))
    return Answer(table, facts, marks, notes if converted else (_nobody_converted(args), *notes))


def _nobody_converted(args: QueryFunnel) -> Doubt:
    return nobody_reached(" or ".join(step.label for step in args.steps))


def _missing(args: QueryFunnel, counts: Sequence[int]) -> tuple[str, ...]:
    """The first step that nobody reached: perhaps it is misspelt."""
    at = next((at for at, count in enumerate(counts) if not count), None if counts else 0)
    if at is None:
        return ()
    label = args.steps[at].label
    return (nobody_reached(label) if at else nothing_found([label], conditions=_has_conditions(args)),)


def _still_open(args: QueryFunnel, span: Range) -> tuple[str, ...]:
    """Conversions after the range do not count, so those who entered late had less than the window."""
    window = timedelta(seconds=min(float(args.window * _UNIT_SECONDS[args.window_unit]), _LONGEST_S))
    said = f"{args.window} {args.window_unit}{'s' if args.window > 1 else ''}"
    since = min(span.now, span.end) - window
    if span.start is not None and since <= span.start:
        return (f"The range is no longer than the window ({said}): later conversions are not counted.",)
    return (f"Who entered after {since:%Y-%m-%d %H:%M} had less than {said} to convert.",)


def _has_conditions(args: QueryFunnel) -> bool:
    return bool(args.filters or any(step.where for step in args.steps))


def _value(args: QueryFunnel, group: Sequence[FunnelResult]) -> str:
    """Of a cohort its name."""
    if not group:
        return ""
    by_cohort = args.breakdown is not None and args.breakdown[0].type == "cohort"
    return value_label((by_cohort and group[0].breakdown) or group[0].breakdown_value, names_other=True)


def _seconds(value: float | None) -> int | float | None:
    return None if value is None else number(round(value, 1))
