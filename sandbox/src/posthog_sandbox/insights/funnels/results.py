"""The results of a FunnelsQuery in PostHog's formats: steps, time to convert, conversion over time."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from ...values import Row
from ..dates import DateRange, day_text
from ..series import Series
from .breakdown import FunnelBreakdown, shown
from .request import FunnelRequest
from .steps import Attempt, FunnelRules, StepValue

OTHER = "Other"
"""The shown value of breakdown values beyond the limit."""
_MOST_POINTS = 1_000
_MOST_UNLIMITED = 100
_MOST_AUTOMATIC_BINS = 60
_SECOND = 1_000_000


@dataclass(slots=True)
class Tally:
    """The actors of one breakdown value.

    `taken` counts actors by completed steps (as bits); `timings` has the microseconds between steps of the attempts
    with more than one.
    """

    taken: Counter[int] = field(default_factory=Counter[int])
    timings: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])

    def add(self, attempt: Attempt) -> None:
        self.taken[attempt.taken] += 1
        if len(attempt.times) > 1:
            self.timings.append(attempt.timings)

    def join(self, other: "Tally") -> None:
        self.taken += other.taken
        self.timings += other.timings

    def counts(self, rules: FunnelRules) -> list[int]:
        """Return the number of actors who completed each step."""
        return [sum(count for taken, count in self.taken.items() if taken >> place & 1) for place in range(rules.steps)]

    def seconds(self, rules: FunnelRules) -> list[list[float]]:
        """Return for each step the times since the previous required step, without those of 0."""
        required = [place for place in range(rules.steps) if place + 1 not in rules.optional]
        found: list[list[float]] = [[] for _ in range(rules.steps)]
        for number, place in enumerate(required[1:]):
            found[place] = [t[number] / _SECOND for t in self.timings if len(t) > number and t[number] > 0]
        return found


def step_rows(
    tallies: Mapping[StepValue, Tally], request: FunnelRequest, breakdown: FunnelBreakdown | None, sampling: float
) -> list[list[Row]]:
    """Return one row per step, in a list per breakdown value or one list; nothing when no actors entered."""
    if breakdown is None:
        return [_steps(request, tally, sampling) for tally in tallies.values()]
    return [
        [{**row, **shown(value, breakdown)} for row in _steps(request, tally, sampling)]
        for value, tally in _limited(tallies, request, breakdown).items()
    ]


def shown_values(
    tallies: Mapping[StepValue, Tally], request: FunnelRequest, breakdown: FunnelBreakdown
) -> dict[StepValue, StepValue]:
    """Map each value to the one it is shown as: itself, `Other`, or nothing.

    Values are ranked by their actors at the last step, then at the one before, and so on.
    """
    counts = {value: tally.counts(request.rules)[::-1] for value, tally in tallies.items()}
    ranked = sorted(tallies, key=lambda value: ([-count for count in counts[value]], value))
    if breakdown.is_limited:
        return {value: value if place < breakdown.limit else (OTHER,) for place, value in enumerate(ranked)}
    return {value: value for value in ranked[:_MOST_UNLIMITED]}


def _limited(
    tallies: Mapping[StepValue, Tally], request: FunnelRequest, breakdown: FunnelBreakdown
) -> dict[StepValue, Tally]:
    kept: dict[StepValue, Tally] = {}
    for value, shown_as in shown_values(tallies, request, breakdown).items():
        kept.setdefault(shown_as, Tally()).join(tallies[value])
    ranked = sorted(kept.items(), key=lambda item: [-count for count in item[1].counts(request.rules)[::-1]])
    return dict(ranked)


def _steps(request: FunnelRequest, tally: Tally, sampling: float) -> list[Row]:
    counts, taken = tally.counts(request.rules), tally.seconds(request.rules)
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
        for place, (step, count, seconds) in enumerate(zip(request.series, counts, taken, strict=True))
    ]


def _named(step: Series, rules: FunnelRules) -> Row:
    if rules.order != "unordered":
        name = None if step.key is None and step.node.get("kind") == "EventsNode" else step.label
        return {"action_id": step.key, "name": name, "custom_name": step.custom_name}
    done = step.order + 1
    return {"action_id": None, "name": f"Completed {done} step{'' if done == 1 else 's'}", "custom_name": None}


def times_to_convert(periods: Sequence[Iterable[Tally]], request: FunnelRequest) -> list[Row]:
    """Count for each period the actors by time from `from_step` to `to_step`, in bins of whole seconds.

    Compared periods share their bins; there are none when no actors converted.
    """
    taken = [_seconds_taken(tallies, request) for tallies in periods]
    together = [seconds for one in taken for seconds in one]
    bins = request.bins or _automatic_bins(len(together))
    least, most = math.floor(min(together, default=0)), math.ceil(max(together, default=0))
    width = math.ceil((most - least) / bins) or 60
    edges = range(0, 0) if len(periods) > 1 and not together else range(least, least + (bins + 1) * width, width)
    return [_histogram(seconds, edges) for seconds in taken]


def _seconds_taken(tallies: Iterable[Tally], request: FunnelRequest) -> list[float]:
    return [
        sum(timings[request.from_step : request.to_step]) / _SECOND
        for tally in tallies
        for timings in tally.timings
        if len(timings) >= request.to_step
    ]


def _histogram(seconds: list[float], edges: range) -> Row:
    counts = [0] * len(edges)
    for taken in seconds:
        counts[math.floor((taken - edges.start) / edges.step)] += 1
    return {
        "bins": [[edge, count] for edge, count in zip(edges, counts, strict=True)],
        "average_conversion_time": fmean(seconds) if seconds else None,
    }


def _automatic_bins(actors: int) -> int:
    """Return the cube root of the number of actors, rounded up."""
    root = round(actors ** (1 / 3))
    return min(max(root + (root**3 < actors), 1), _MOST_AUTOMATIC_BINS)


type Entered = list[list[int]]
"""For each interval of the range, the number of actors who entered in it and of those who converted."""


def trend_rows(
    by_value: Mapping[StepValue, Entered], within: DateRange, breakdown: FunnelBreakdown | None
) -> list[Row]:
    """Return the conversion rate in percent for each interval, per breakdown value with the largest first."""
    buckets = within.buckets()
    entered = by_value if breakdown or by_value else {(): [[0, 0] for _ in buckets]}
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
        rows.append(row if breakdown is None else row | {"breakdown_value": trend_value(value, breakdown)})
    return rows


def trend_value(value: StepValue, breakdown: FunnelBreakdown) -> object:
    """Return a breakdown value as conversion over time shows it."""
    if breakdown.form != "list":
        return shown(value, breakdown)["breakdown_value"]
    return [text or "None" for text in value]
