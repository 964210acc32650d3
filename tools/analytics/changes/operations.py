"""The tool that explains a change: at most three HogQL queries, and none more when nothing is real."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import exp, sqrt
from statistics import median
from typing import Any

from ....gateway.budget import Budget
from ....gateway.call import Call
from ....gateway.errors import Refused
from ....schemas.analytics.changes import ExplainChange
from ....schemas.json import as_object
from ...operation import Effect, Operation, Result, Toolset
from ...operation.dates import calendar_of, in_plain
from ...table import number
from ..finding import find_insight
from ..groups import reject_single_persons
from ..kind import Kind
from ..kinds import KINDS, kind_of, read_stored, read_typed
from ..names import unseen_event_notes
from ..spec import Spec, Split
from ..stored import source_of
from .causes import (
    Explanation,
    NumberChange,
    clear_pair,
    inside,
    may_hide_a_pair,
    pair_candidates,
    pairs_of,
    ranked,
    same_way,
    singles,
)
from .counts import Counts
from .dimensions import Dimension, dimensions_for
from .happenings import happenings
from .metric import MeasuredNumber, metric_of_funnel, metric_of_trend
from .queries import TOOL, Around, Scan, around, combinations, scan
from .report import Found, report
from .statistics import Baseline, Noise, counted_baseline, noise_of, rate_baseline, turn
from .windows import Stretch, Windows, windows_of

_OF_EVENTS = "query_trends"
_METRICS = {_OF_EVENTS: metric_of_trend, "query_funnel": metric_of_funnel}
_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_MOST_PAIRED = 10
_MISSING_SHARE = 0.5
"""Share of a change that missing properties must make up to come first."""
_TELLING = 10.0
"""The number expected in a time without any, from which chance does not explain it."""


async def _explain(api: Call, args: ExplainChange) -> Result:
    spec, metric = await _asked(api, args)
    if api.privacy.aggregate_only:
        splits = tuple(Split(name) for name in args.dimensions or ())
        reject_single_persons(replace(spec, splits=splits))
    start, end = in_plain(args.date_from, args.date_to, calendar_of(api))
    windows = windows_of(start, end, now=api.now(), zone=api.timezone)
    dimensions = await dimensions_for(api, metric.event, args.dimensions or ())
    scanned = await scan(api, metric, windows, dimensions)
    notes = [metric.note] if metric.note else []
    if windows.cut:
        notes.append("The interval that is still running is left out.")
    judged = _judged(metric, windows, scanned)
    if judged is None:
        return await _without_baseline(api, metric, windows, scanned, notes)
    change, recorded = judged
    if recorded < len(windows.before):
        notes.append(f"Only {recorded} of the {len(windows.before)} periods before have data throughout.")
        scanned = _recorded(scanned, recorded)
    versions = [one.name for one in dimensions if one.is_version]
    single = singles(change, scanned.parts, versions, both_ways=not change.is_real)
    found = Found(metric, windows, change, notes=notes)
    if not change.is_real and not inside(change, single, scanned.parts) and not may_hide_a_pair(single):
        return report(found, api.privacy)
    effects = await _effects(api, found, scanned, dimensions, single)
    found = replace(found, effects=effects)
    return report(await _with_circumstances(api, found, scanned) if effects else found, api.privacy)


async def _asked(api: Call, args: ExplainChange) -> tuple[Spec[Any], MeasuredNumber]:
    """Return the analysis that is meant, and its number."""
    if args.of is not None:
        return await _typed(api, args.of.tool, args.of.arguments)
    if args.insight_id is not None:
        source = source_of(as_object(await find_insight(api.counted_as(Budget.CRUD), args.insight_id)).get("query"))
        kind = kind_of(source)
        spec = read_stored(kind, source) if kind else None
        if kind is None or spec is None or kind.tool not in _METRICS:
            raise Refused(
                "invalid_argument",
                "insight_id: this insight is no trend or funnel that can be explained.",
                "Pass `event`, or `of` with query_trends or query_funnel.",
            )
        return spec, _METRICS[kind.tool](spec)
    fields: dict[str, Any] = {"events": [args.event], "math": args.math}
    if args.filters:
        fields["filters"] = [one.model_dump(exclude_none=True) for one in args.filters]
    return await _typed(api, _OF_EVENTS, _kind(_OF_EVENTS).input.model_validate(fields))


async def _typed(api: Call, tool: str, arguments: Any) -> tuple[Spec[Any], MeasuredNumber]:
    if tool not in _METRICS:
        raise Refused("invalid_argument", f"of: {tool} cannot be explained.", "Use query_trends or query_funnel.")
    spec = await read_typed(api, _kind(tool), arguments)
    return spec, _METRICS[tool](spec)


def _kind(tool: str) -> Kind[Any, Any]:
    return next(one for one in KINDS if one.tool == tool)


def _judged(metric: MeasuredNumber, windows: Windows, scanned: Scan) -> tuple[NumberChange, int] | None:
    """Return the change and the number of windows with data; None when they are too few."""
    recorded = _many_recorded(metric, windows, scanned)
    total = _shortened(scanned.total, recorded)
    if not metric.is_rate:
        spread = _spread(metric, scanned)
        rough = counted_baseline(total.counts[1:], spread=spread)
        noise = _noise(metric, windows, scanned, rough, spread)
        baseline = counted_baseline(total.counts[1:], spread=spread, noise=noise)
        scale = max(spread, noise.of_days if noise else 0.0)
        return None if baseline is None else (NumberChange(total, baseline, scale), recorded)
    units, parts = sum(total.units), sum(total.counts)
    rate = parts / units if units else 0.0
    variance = scanned.squares / units - rate**2 if metric.is_measured and units else rate * (1 - rate)
    variance = variance if variance > 0 else max(rate, 1e-9)
    rough = rate_baseline(total.counts[1:], total.units[1:], units=total.units[0], variance=variance)
    noise = _noise(metric, windows, scanned, rough, variance)
    baseline = rate_baseline(total.counts[1:], total.units[1:], units=total.units[0], variance=variance, noise=noise)
    scale = variance * max(1.0, noise.of_days if noise else 0.0)
    return None if baseline is None else (NumberChange(total, baseline, scale), recorded)


def _noise(
    metric: MeasuredNumber, windows: Windows, scanned: Scan, rough: Baseline | None, variance: float
) -> Noise | None:
    """Return the noise of the days before the period, compared with the same weekdays, without unusual windows; None
    for hours.
    """
    if windows.step < _DAY or rough is None or len(rough.weights) < len(windows.before) or metric.once:
        return None
    unusual = [one for one, weight in zip(windows.before, rough.weights, strict=True) if not weight]
    weeks = (windows.period.start - windows.start) // _WEEK
    first = windows.period.start - weeks * _WEEK
    rate = rough.growth / ((windows.period.start - windows.before[0].start) // _WEEK)
    days = windows.steps(first, windows.period.start)
    levels = [exp(rate * ((windows.period.start - day) // _WEEK)) for day in days]
    counts = [_at(scanned, day)[0] * (1 if metric.is_rate else level) for day, level in zip(days, levels, strict=True)]
    units = [_at(scanned, day)[1] for day in days]
    residuals: list[float] = []
    for at, count in enumerate(counts):
        if any(one.start <= days[at] < one.end for one in unusual):
            continue
        same = range(at % 7, len(days), 7)
        if metric.is_rate:
            whole = sum(units[one] for one in same)
            usual = units[at] * sum(counts[one] for one in same) / whole if whole else 0.0
            residuals.append((count - usual) / sqrt(variance * max(units[at], 1.0)))
        else:
            usual = median(counts[one] for one in same)
            residuals.append((count - usual) / sqrt(max(usual, 1.0)))
    return noise_of(residuals)


def _spread(metric: MeasuredNumber, scanned: Scan) -> float:
    """Return the variance of the number relative to its size: amounts differ, and persons do an event several times."""
    if metric.is_measured:
        whole = sum(scanned.total.counts)
        return max(scanned.squares / whole, 1e-9) if whole else 1.0
    if metric.once:
        return 1.0
    each = scanned.total.counts[0] / scanned.total.people if scanned.total.people else 1.0
    return max(1.0, 0.5 * (1 + each))


def _many_recorded(metric: MeasuredNumber, windows: Windows, scanned: Scan) -> int:
    """Return how many windows there are since the first with data, without one in which the data only begin: it is
    silent at first, where the later windows have numbers.
    """
    many = max((at for at, size in enumerate(scanned.total.sizes) if at and size), default=0)
    if many < 2:
        return many

    def sizes(window: Stretch) -> list[float]:
        return [_at(scanned, moment)[metric.is_rate] for moment in windows.steps(window.start, window.end)]

    *later, oldest = (sizes(one) for one in windows.before[:many])
    silent = next((at for at, size in enumerate(oldest) if size), len(oldest))
    usual = sum(sum(one[:silent]) for one in later) / len(later)
    return many - 1 if usual >= _TELLING else many


def _shortened(cell: Counts, recorded: int) -> Counts:
    return replace(cell, counts=cell.counts[: recorded + 1], units=cell.units[: recorded + 1])


def _recorded(scanned: Scan, recorded: int) -> Scan:
    """Return the scan without windows before the first data."""
    parts = {
        name: {value: _shortened(cell, recorded) for value, cell in values.items()}
        for name, values in scanned.parts.items()
    }
    return replace(scanned, total=_shortened(scanned.total, recorded), parts=parts)


async def _without_baseline(
    api: Call, metric: MeasuredNumber, windows: Windows, scanned: Scan, notes: Sequence[str]
) -> Result:
    """Return the result when there is too little before to compare with."""
    value = scanned.total.counts[0]
    seen = "" if api.privacy.aggregate_only else scanned.total.first_seen[:16]
    first = f" Its first event is from {seen}." if seen else ""
    summary = f"Nothing to compare with: fewer than 3 of the {len(windows.before)} periods before have data.{first}"
    unseen = await unseen_event_notes(api, [metric.event]) if metric.event and not any(scanned.total.counts) else []
    shown: dict[str, Any] = {
        "number": metric.label,
        "range": windows.period.shown,
        "value": number(value),
        "real": None,
        "summary": summary,
    }
    return shown | ({"notes": [*notes, *unseen]} if notes or unseen else {})


async def _effects(
    api: Call,
    found: Found,
    scanned: Scan,
    dimensions: Sequence[Dimension],
    single: Sequence[Explanation],
) -> list[Explanation]:
    """Return what explains the change, the best first; of a whole that did not change, the parts that did."""
    change = found.change
    many = len(change.baseline.weights)
    by_name = {one.name: one for one in dimensions}
    towards = single if change.is_real else same_way(single)
    chosen = pair_candidates(towards, _MOST_PAIRED)
    pairs: list[Explanation] = []
    if len({name for name, _ in chosen}) > 1:
        wanted = [(by_name[name], value) for name, value in chosen]
        masks = await combinations(api, found.metric, found.windows, wanted)
        pairs = pairs_of(change, chosen, [(mask, _shortened(cell, many)) for mask, cell in masks])
    if change.is_real:
        return ranked(change, scanned.parts, single, pairs, [one.name for one in dimensions if one.is_version])
    up = towards[0].actual > towards[0].expected
    best = clear_pair([one for one in pairs if (one.actual > one.expected) is up], towards)
    return [*([best] if best else []), *inside(change, single, scanned.parts)]


async def _with_circumstances(api: Call, found: Found, scanned: Scan) -> Found:
    """Return the change with when it began and what else happened then."""
    change, windows = found.change, found.windows
    many = len(change.baseline.weights)
    volume = await around(api, found.metric, windows)
    since, until = _turned(change, windows, scanned)
    happened, unread = await happenings(api, since or windows.period.start, windows.step)
    notes = [*found.notes, *([f"Not read: {', '.join(unread)}."] if unread else [])]
    return replace(
        found, effects=[*_missing(change, volume, many), *found.effects], since=since, until=until,
        around=_shortened_around(volume, many), happenings=happened, notes=notes,
    )  # fmt: skip


def _shortened_around(volume: Around, many: int) -> Around:
    return replace(
        volume,
        everything=_shortened(volume.everything, many),
        errors=_shortened(volume.errors, many),
        libraries={name: _shortened(cell, many) for name, cell in volume.libraries.items()},
    )


def _missing(change: NumberChange, volume: Around, many: int) -> list[Explanation]:
    """Return the properties that are missing more often than before and so explain most of a drop."""
    if change.is_rate or change.by >= 0:
        return []
    found: list[Explanation] = []
    candidates = _shortened(volume.candidates, many)
    usual = change.baseline.mean(candidates.counts[1:])
    for name, cell in volume.missing.items():
        known = _shortened(cell, many)
        before = change.baseline.mean(known.counts[1:])
        if usual <= before:
            continue
        extra = known.counts[0] - before / usual * candidates.counts[0]
        share = extra * change.baseline.expected / (usual - before) / -change.by
        if share >= _MISSING_SHARE:
            found.append(
                Explanation(((name, ""),), known.counts[0], before, min(share, 1.0), share, "property_missing")
            )
    return sorted(found, key=lambda one: -one.share)


def _turned(change: NumberChange, windows: Windows, scanned: Scan) -> tuple[datetime | None, datetime | None]:
    """Return since when the number differs, and until when if that ended within the period."""
    length = windows.period.end - windows.period.start
    lead = length if windows.step < _DAY else max(length, 14 * _DAY)
    steps = windows.steps(max(windows.period.start - lead, windows.start + 21 * _DAY), windows.period.end)
    scale = 1.0 if change.is_rate else change.scale
    actual: list[float] = []
    expected: list[float] = []
    for moment in steps:
        usual = [_at(scanned, moment - _WEEK * back) for back in range(1, (moment - windows.start) // _WEEK + 1)]
        count, units = _at(scanned, moment)
        actual.append(count / scale)
        if change.is_rate:
            expected.append(units * median(one / size if size else 0.0 for one, size in usual))
        else:
            expected.append(median(one for one, _ in usual) / scale)
    turned = turn(actual, expected, until=steps.index(windows.period.start))
    if turned is None:
        return None, None
    ended = steps[turned.last] + windows.step if turned.last < len(steps) - 1 else None
    return steps[turned.first], ended


def _at(scanned: Scan, moment: datetime) -> tuple[float, float]:
    """Return numerator and denominator of an interval of the course."""
    return scanned.course.get(f"{moment:%Y-%m-%d %H:%M:%S}", (0.0, 0.0))


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name=TOOL,
        about="Explain a change of a number: is it real, since when, which users explain it, what happened then.",
        toolset=Toolset.ANALYTICS,
        effect=Effect.READ,
        budget=Budget.QUERY,
        input=ExplainChange,
        run=_explain,
    ),
)
