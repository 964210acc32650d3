"""The results of a FunnelsQuery in PostHog's shapes: steps, time to convert, conversion over time."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from ..values import Row
from .actor_breakdown import Breakdown, shown
from .dates import DateRange, day_text
from .funnel_request import FunnelRequest
from .funnel_steps import Attempt, FunnelRules, Value
from .series import Series

_OTHER = "Other"
_MOST_POINTS = 1_000
_MOST_AUTOMATIC_BINS = 60
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Reached:
    """How far an actor came, for one breakdown value."""

    attempt: Attempt
    value: Value


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """An actor's entry in an interval, by its place in the range, and whether it converted."""

    interval: int
    converted: bool
    value: Value


@dataclass(slots=True)
class _Tally:
    """The actors of one breakdown value: how many took each step, and the seconds that it took them to get there."""

    counts: list[int]
    seconds: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = [[] for _ in self.counts]

    def add(self, attempt: Attempt, rules: FunnelRules) -> None:
        required = [step for step in range(1, rules.steps + 1) if step not in rules.optional]
        for step in range(1, rules.steps + 1):
            self.counts[step - 1] += attempt.taken >> (step - 1) & 1
        for step, timing in zip(required[1:], attempt.timings, strict=False):
            if timing > 0:
                self.seconds[step - 1].append(timing / _SECOND)

    def join(self, other: "_Tally") -> None:
        self.counts = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        for mine, theirs in zip(self.seconds, other.seconds, strict=True):
            mine.extend(theirs)


def step_rows(
    reached: Iterable[Reached], request: FunnelRequest, breakdown: Breakdown | None, sampling: float
) -> list[Row] | list[list[Row]]:
    """A row for each step; with a breakdown a list of them for each value. Nothing when nobody entered."""
    tallies: dict[Value, _Tally] = {}
    for item in reached:
        tally = tallies.setdefault(item.value, _Tally([0] * request.rules.steps))
        tally.add(item.attempt, request.rules)
    if breakdown is None:
        return [row for tally in tallies.values() for row in _steps(request, tally, sampling)]
    ranked = sorted(tallies.items(), key=lambda item: ([-count for count in reversed(item[1].counts)], item[0]))
    kept = dict(ranked[: breakdown.limit] if breakdown.is_limited else ranked)
    for _, tally in ranked[len(kept) :]:
        kept.setdefault((_OTHER,), _Tally([0] * request.rules.steps)).join(tally)
    return [
        [{**row, **shown(value, breakdown)} for row in _steps(request, tally, sampling)]
        for value, tally in kept.items()
    ]


def _steps(request: FunnelRequest, tally: _Tally, sampling: float) -> list[Row]:
    return [
        {
            **_named(step, request.rules),
            "order": place,
            "people": [],
            "count": round(count / sampling),
            "type": step.kind,
            "average_conversion_time": fmean(seconds) if seconds else None,
            "median_conversion_time": median(seconds) if seconds else None,
        }
        for place, (step, count, seconds) in enumerate(zip(request.series, tally.counts, tally.seconds, strict=True))
    ]


def _named(step: Series, rules: FunnelRules) -> Row:
    if rules.order != "unordered":
        return {"action_id": step.key, "name": step.label, "custom_name": step.custom_name}
    done = step.order + 1
    return {"action_id": None, "name": f"Completed {done} step{'' if done == 1 else 's'}", "custom_name": None}


def time_to_convert(reached: Iterable[Reached], request: FunnelRequest) -> Row:
    """How many actors took how long from `from_step` to `to_step`, in bins of whole seconds."""
    seconds = [
        sum(item.attempt.timings[request.from_step : request.to_step]) / _SECOND
        for item in reached
        if len(item.attempt.times) > request.to_step
    ]
    bins = request.bins or _automatic_bins(len(seconds))
    least, most = math.floor(min(seconds, default=0)), math.ceil(max(seconds, default=0))
    width = math.ceil((most - least) / bins) or 60
    counts = [0] * (bins + 1)
    for taken in seconds:
        counts[math.floor((taken - least) / width)] += 1
    return {
        "bins": [[least + place * width, count] for place, count in enumerate(counts)],
        "average_conversion_time": fmean(seconds) if seconds else None,
    }


def _automatic_bins(actors: int) -> int:
    """The cube root, rounded up."""
    root = round(actors ** (1 / 3))
    return min(max(root + (root**3 < actors), 1), _MOST_AUTOMATIC_BINS)


def trend_rows(points: Sequence[TrendPoint], within: DateRange, breakdown: Breakdown | None) -> list[Row]:
    """The conversion rate in percent for each interval; with a breakdown for each value, the largest first."""
    buckets = within.buckets()
    entered: dict[Value, list[list[int]]] = {} if breakdown else {(): [[0, 0] for _ in buckets]}
    for point in points:
        counts = entered.setdefault(point.value, [[0, 0] for _ in buckets])[point.interval]
        counts[0] += 1
        counts[1] += point.converted
    ranked = sorted(entered.items(), key=lambda item: (sum(counts[0] for counts in item[1]), item[0]), reverse=True)
    most = _MOST_POINTS
    if breakdown is not None and breakdown.is_limited:
        most = min(breakdown.limit * len(buckets), most)
    rows: list[Row] = []
    for value, counts in ranked:
        kept = buckets[: max(most - sum(row["count"] for row in rows), 0)]
        if not kept:
            break
        row: Row = {
            "count": len(kept),
            "data": [round(converted / all_ * 100, 2) if all_ else 0.0 for all_, converted in counts[: len(kept)]],
            "days": [day_text(bucket, within.interval) for bucket in kept],
            "labels": [f"{bucket.day}-{bucket:%b-%Y}" for bucket in kept],
        }
        rows.append(row if breakdown is None else row | {"breakdown_value": _trend_value(value, breakdown)})
    return rows


def _trend_value(value: Value, breakdown: Breakdown) -> object:
    if breakdown.form != "list":
        return shown(value, breakdown)["breakdown_value"]
    return [text or "None" for text in value]
