"""Funnels: how many users reach each step, where most are lost, and how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from ...gateway.errors import Refused
from ...schemas.analytics.queries import QueryFunnel
from ...schemas.analytics.results import ConversionTimes, FunnelResult, FunnelTrend
from ...schemas.json import as_list, as_object, as_objects
from ...schemas.text import code
from ..table import (
    SMALLEST_BASE,
    Cell,
    Column,
    Note,
    Report,
    Role,
    Table,
    also,
    change,
    dimension,
    given,
    mean,
    number,
    percent,
    series_columns,
)
from . import inputs, stored
from .comparing import with_comparison
from .compiling import PosthogQuery, event_node, shared, unless_empty
from .computing import Computed, results
from .dates import Range, Rounding, intervals
from .headline import Headline, changed, first_fact, headline_of
from .kind import Kind
from .labels import (
    OTHER,
    interval_marks,
    no_values,
    nobody_reached,
    nothing_found,
    span_marks,
    split_name,
    value_label,
)
from .spec import Spec

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
_MOST_FACTS = 5
_VIEWS = {"steps": "steps", "trend": "trends", "time_to_convert": "time_to_convert"}
"""The views by PostHog's names."""


@dataclass(frozen=True, slots=True)
class _FunnelOptions:
    view: str = "steps"
    order: str = "ordered"
    window: int = 14
    """The time to convert, counted from the first step."""
    window_unit: str = "day"
    one_value_each: bool = True
    """Whether each user counts under one value of a breakdown, so that the values add up."""


def _read(args: QueryFunnel) -> Spec[_FunnelOptions]:
    return Spec(
        options=_FunnelOptions(args.view, args.order, args.window, args.window_unit),
        counted=tuple(inputs.counted(step, optional=step.optional) for step in args.steps),
        excluded=tuple(map(inputs.counted, args.exclude or ())),
        interval=args.interval,
        splits=inputs.splits(args.breakdown),
        most_values=args.breakdown_limit if args.breakdown else None,
        compare=args.compare,
        **inputs.shared(args, args.date_from),
    )


def _read_stored(source: stored.StoredQuery) -> Spec[_FunnelOptions] | None:
    shown = as_object(source.get("funnelsFilter"))
    views = {theirs: view for view, theirs in _VIEWS.items()}
    view = stored.one_of(tuple(views), shown.get("funnelVizType") or "steps")
    steps = stored.series(source)
    if view is None or len(steps) < 2 or shown.get("funnelAggregateByHogQL") or stored.compare_of(source):
        return None
    options = _FunnelOptions(
        views[view],
        stored.text(shown.get("funnelOrderType")) or "ordered",
        stored.whole(shown.get("funnelWindowInterval"), 14),
        stored.one_of(tuple(_UNIT_SECONDS), shown.get("funnelWindowIntervalUnit")) or "day",
        one_value_each=shown.get("breakdownAttributionType") != "all_events",
    )
    return Spec(
        options=options,
        counted=steps,
        excluded=tuple(map(stored.counted, as_objects(shown.get("exclusions")))),
        splits=stored.splits(source),
        most_values=stored.most_values(source),
        interval=stored.interval_of(source),
        **stored.shared(source),
    )


def _compile(spec: Spec[_FunnelOptions]) -> PosthogQuery:
    """Return the query. PostHog counts steps from 0; an exclusion applies from the first to the last."""
    options, last = spec.options, len(spec.counted) - 1
    exclusions = [event_node(event) | {"funnelFromStep": 0, "funnelToStep": last} for event in spec.excluded]
    shown = {
        "funnelVizType": _VIEWS[options.view],
        "funnelOrderType": options.order,
        "funnelWindowInterval": options.window,
        "funnelWindowIntervalUnit": options.window_unit,
        **({"exclusions": exclusions} if exclusions else {}),
    }
    return {
        **shared(KIND.node, spec, interval=_range_interval(spec)),
        "series": [event_node(step) | ({"optionalInFunnel": True} if step.optional else {}) for step in spec.counted],
        "interval": spec.interval,
        "funnelsFilter": shown,
        **unless_empty(breakdownFilter=_breakdown_filter(spec)),
    }


def _breakdown_filter(spec: Spec[_FunnelOptions]) -> PosthogQuery:
    """Return the older form, of one type: funnels read no other."""
    if not spec.splits:
        return {}
    first, names = spec.splits[0], [one.property for one in spec.splits]
    if len({(one.type, one.group_type_index) for one in spec.splits}) > 1:
        kinds = ", ".join(f"{code(one.label())} ({one.type})" for one in spec.splits)
        raise Refused("invalid_argument", f"breakdown: a funnel splits by properties of one type, not {kinds}.")
    single = not spec.is_by_cohort and len(names) == 1
    return {
        "breakdown_type": first.type,
        "breakdown": names[0] if single else names,
        "breakdown_limit": spec.most_values,
        **given(breakdown_group_type_index=first.group_type_index),
    }


def _range_interval(spec: Spec[_FunnelOptions]) -> str:
    return spec.interval if spec.options.view == "trend" else "day"


def _report(spec: Spec[_FunnelOptions], computed: Computed, span: Range) -> Report:
    marks = {**span_marks(span), **computed.marks()}
    match spec.options.view:
        case "trend":
            return _trend(spec, computed, span, marks)
        case "time_to_convert":
            return _times(spec, computed, marks, _still_open(spec, span))
        case _:
            return _steps(spec, computed, marks, _still_open(spec, span))


def _steps(spec: Spec[_FunnelOptions], computed: Computed, marks: dict[str, Any], window: Note) -> Report:
    if not spec.splits:
        steps = results(computed.answer, list[FunnelResult])
        notes = (*_missing(spec, [one.count for one in steps]), window)
        return Report(Table("funnel", _COLUMNS, tuple(_rows(spec, steps))), _facts(spec, steps, computed), marks, notes)
    groups = [(_value(spec, group), group) for group in results(computed.answer, list[list[FunnelResult]])]
    rows = tuple((value, *row) for value, group in groups for row in _rows(spec, group))
    sizes = [sum(counts) for counts in zip(*([one.count for one in group] for _, group in groups), strict=False)]
    notes = (*_missing(spec, sizes), *no_values(spec.splits, [value for value, _ in groups]), window)
    if any(value == OTHER for value, _ in groups):
        cut = f"Only {spec.most_values} values are named; the rest are grouped as {OTHER}."
        notes = (Note(f"{cut} Raise `breakdown_limit` to see more."), *notes)
    facts, small = (_facts(spec, groups[0][1], computed), 0) if len(groups) == 1 else _best_and_worst(groups)
    if sizes and len(groups) > 1 and _adds_up(spec):
        facts = {"all_values": _of_all_values(sizes), **facts}
    if small:
        notes = (*notes, Note(f"Best and worst have at least {SMALLEST_BASE} users that entered; {small} have fewer."))
    return Report(Table("funnel", (dimension(split_name(spec.splits)), *_COLUMNS), rows), facts, marks, notes)


def _rows(spec: Spec[_FunnelOptions], steps: Sequence[FunnelResult]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for at, step in enumerate(steps):
        before = steps[_before(spec, at)].count
        rows.append(
            (
                _name(spec, at, step),
                step.count,
                percent(step.count, before) if at else None,
                percent(step.count, steps[0].count),
                _seconds(step.median_conversion_time),
                _seconds(step.average_conversion_time),
            )
        )
    return rows


def _name(spec: Spec[_FunnelOptions], at: int, step: FunnelResult) -> str:
    """Return the name of a step; PostHog's results have names of actions, but only numbers for unordered steps."""
    if spec.options.order == "unordered" or at >= len(spec.counted):
        return step.name or f"{at + 1} steps"
    requested = spec.counted[at]
    is_unnamed = requested.event is None and not requested.name and not requested.action_name
    return step.name if is_unnamed and step.name else requested.label


def _is_optional(spec: Spec[_FunnelOptions], at: int) -> bool:
    return at < len(spec.counted) and spec.counted[at].optional


def _before(spec: Spec[_FunnelOptions], at: int) -> int:
    """Return the previous required step: conversion is counted from there."""
    return next((earlier for earlier in range(at - 1, -1, -1) if not _is_optional(spec, earlier)), 0)


def _facts(spec: Spec[_FunnelOptions], steps: Sequence[FunnelResult], computed: Computed) -> dict[str, Any]:
    """Return overall conversion, the transition that lost most persons, and the median time if PostHog sends it."""
    if not steps:
        return {"entered": 0}
    first, last = steps[0], steps[-1]
    facts: dict[str, Any] = {"entered": first.count, "completed": last.count}
    facts |= given(conversion_percent=percent(last.count, first.count))
    required = [at for at in range(1, len(steps)) if not _is_optional(spec, at)]
    losses = [(steps[_before(spec, at)].count - steps[at].count, at) for at in required]
    lost = max((loss for loss, _ in losses), default=0)
    if lost > 0:
        at, *others = (at for loss, at in losses if loss == lost)
        since = _before(spec, at)
        drop = {"from": _name(spec, since, steps[since]), "to": _name(spec, at, steps[at]), "lost": lost}
        drop |= given(lost_percent=percent(lost, steps[since].count), of=steps[since].count)
        facts["biggest_drop"] = drop | given(also_to=also([_name(spec, one, steps[one]) for one in others]))
    whole = last.median_conversion_time if len(steps) == 2 else computed.answer.total_median_conversion_time
    return facts | given(median_total_s=_seconds(whole))


def _adds_up(spec: Spec[_FunnelOptions]) -> bool:
    """Return whether no user counts under two values of the breakdown."""
    return not spec.splits or (spec.options.one_value_each and not spec.is_by_cohort)


def _of_all_values(sizes: Sequence[int]) -> dict[str, Any]:
    """Return the conversion of all users; PostHog counts each under one value, that of the first step."""
    entered, completed = sizes[0], sizes[-1]
    shown = {"entered": entered, "completed": completed}
    return shown | given(conversion_percent=percent(completed, entered))


def _best_and_worst(groups: Sequence[tuple[str, Sequence[FunnelResult]]]) -> tuple[dict[str, Any], int]:
    """Return the values that convert most and least, with the number of persons that entered, and how many values are
    too small to be ranked; (other) is no value.
    """
    entered = [(value, group) for value, group in groups if group and group[0].count and value != OTHER]
    large = [(value, group) for value, group in entered if group[0].count >= SMALLEST_BASE]
    small = len(entered) - len(large)
    rates = [group[-1].count / group[0].count for _, group in large]
    if len(large) < 2 or min(rates) == max(rates):
        return {}, small
    return {"best": _ranked(large, rates, max(rates)), "worst": _ranked(large, rates, min(rates))}, small


def _ranked(
    groups: Sequence[tuple[str, Sequence[FunnelResult]]], rates: Sequence[float], rate: float
) -> dict[str, Any]:
    """Return the value with this rate, and the others that share it."""
    (value, group), *others = (one for one, its in zip(groups, rates, strict=True) if its == rate)
    shown = {"value": value, "entered": group[0].count, "conversion_percent": percent(group[-1].count, group[0].count)}
    return shown | given(tied=also([f"{name} ({same[0].count})" for name, same in others]))


def _trend(spec: Spec[_FunnelOptions], computed: Computed, span: Range, marks: dict[str, Any]) -> Report:
    found = results(computed.answer, list[FunnelTrend])
    names = [
        value_label(one.breakdown_value, names_other=True) if spec.splits else "conversion_percent" for one in found
    ]
    days = next((one.days for one in found), list[str]())
    over = intervals(days, span, spec.interval)
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
    columns = (dimension(spec.interval, spec.interval), *series_columns(names, "percent"))
    empty = () if any(any(one.data) for one in found) else (_nobody_converted(spec),)
    notes = (*empty, *no_values(spec.splits, names), _still_open(spec, span))
    return Report(Table("time", columns, tuple(rows)), facts[:_MOST_FACTS], marks | interval_marks(over), notes)


def _times(spec: Spec[_FunnelOptions], computed: Computed, marks: dict[str, Any], window: Note) -> Report:
    found = results(computed.answer, ConversionTimes)
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
    return Report(table, facts, marks, (window,) if converted else (_nobody_converted(spec), window))


def _nobody_converted(spec: Spec[_FunnelOptions]) -> Note:
    return nobody_reached(" or ".join(step.label for step in spec.counted))


def _missing(spec: Spec[_FunnelOptions], counts: Sequence[int]) -> tuple[Note, ...]:
    """Return the note on the first step that no users reached: its name may be misspelled."""
    at = next((at for at, count in enumerate(counts) if not count), None if counts else 0)
    if at is None:
        return ()
    label = spec.counted[at].label
    return (nobody_reached(label) if at else nothing_found([label], is_filtered=spec.is_filtered(*spec.counted)),)


def _still_open(spec: Spec[_FunnelOptions], span: Range) -> Note:
    """Return the note on conversions after the range, which are not counted: late users have less than the window."""
    count, unit = spec.options.window, spec.options.window_unit
    window = timedelta(seconds=min(float(count * _UNIT_SECONDS[unit]), _LONGEST_S))
    length = f"{count} {unit}{'s' if count > 1 else ''}"
    since = min(span.now, span.end) - window
    if span.start is not None and since <= span.start:
        return Note(f"The range is no longer than the conversion window ({length}): later conversions are not counted.")
    return Note(f"Users who entered after {since:%Y-%m-%d %H:%M} have had less than {length} to convert.")


def _value(spec: Spec[_FunnelOptions], group: Sequence[FunnelResult]) -> str:
    """Return the breakdown value of a group; of a cohort its name."""
    if not group:
        return ""
    return value_label((spec.is_by_cohort and group[0].breakdown) or group[0].breakdown_value, names_other=True)


def _seconds(value: float | None) -> int | float | None:
    return None if value is None else number(round(value, 1))


def _headline(spec: Spec[_FunnelOptions], report: Report) -> Headline | None:
    fact = first_fact(report)
    match spec.options.view:
        case "trend":
            last = as_list(fact.get("last_complete")) or [None, None]
            found = headline_of(f"conversion, {spec.interval} of {last[0]}", last[1], "percent")
            return found and {**found, **changed(fact.get("vs_one_before_percent"), f"the {spec.interval} before")}
        case "time_to_convert":
            return headline_of("time to convert, average", fact.get("average_s"), "seconds")
        case _:
            if not _adds_up(spec):
                return None
            entered, completed = _ends(spec, report.table)
            return headline_of(f"conversion, {completed} of {entered}", percent(completed, entered), "percent")


def _ends(spec: Spec[_FunnelOptions], table: Table) -> tuple[int, int]:
    """Return how many persons entered and completed, over all values of a breakdown."""
    (at, *_), steps = table.at(Role.COUNT), len(spec.counted)
    counts = [cast("int", row[at]) for row in table.rows]
    return sum(counts[::steps]), sum(counts[steps - 1 :: steps])


KIND = Kind(
    name="funnel",
    about="How many users go through a series of steps: conversion, biggest drop, time.",
    input=QueryFunnel,
    read=_read,
    read_stored=_read_stored,
    compile=_compile,
    report=_report,
    headline=_headline,
    range_interval=_range_interval,
    rounding=lambda _: Rounding.EXACT,
    leaves_out_open=lambda spec: spec.compare is not None,
    compared=with_comparison,
)
