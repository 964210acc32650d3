"""The numbers of a trend as lines, one per series and breakdown value, before formatting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import floor
from typing import Any

from ..breakdowns import NULL, OTHER, Breakdown, Value, ranked
from ..dates import DateRange, bucket_instant
from .request import NamedFormula, TrendsRequest

type Numbers = tuple[float, ...]
"""One number per interval, or a single one for the whole range."""


@dataclass(frozen=True, slots=True)
class Line:
    """The numbers of one breakdown value. `value` is empty without a breakdown."""

    value: Value
    numbers: Numbers

    @property
    def total(self) -> float:
        """The sum over the intervals."""
        return sum(self.numbers)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a series in PostHog's order. `cut` is whether values were left out or combined."""

    lines: tuple[Line, ...]
    cut: bool = False


def lines_of(rows: list[list[Any]], ends: DateRange, breakdown: Breakdown, request: TrendsRequest) -> Lines:
    """Convert rows of bucket, breakdown values and number to lines: filled with zeros, smoothed, ranked, limited."""
    keys = [""] if request.aggregate else ends.keys()
    places = {key: index for index, key in enumerate(keys)}
    found: dict[Value, list[float]] = {} if breakdown.expressions else {(): [0] * len(keys)}
    for row in rows:
        place = places.get("" if request.aggregate else bucket_instant(row[0], ends.interval))
        if place is not None:
            numbers = found.setdefault(tuple(row[1:-1]), [0] * len(keys))
            numbers[place] += row[-1] or 0
    if request.smoothing > 1 and not request.aggregate and not request.cumulative:
        found = {value: smoothed(numbers, request.smoothing) for value, numbers in found.items()}
    if not breakdown.expressions:
        return Lines((Line((), tuple(found[()])),))
    summed = found.pop((OTHER,) * len(breakdown.expressions), None)
    shown, rest = ranked({value: sum(numbers) for value, numbers in found.items()}, breakdown)
    lines = [Line(value, tuple(found[value])) for value in shown]
    if summed is not None:
        found[()], rest = summed, [*rest, ()]
    if rest and not breakdown.hide_other:
        other = tuple(sum(column) for column in zip(*(found[value] for value in rest), strict=True))
        lines.append(Line((OTHER,) * len(breakdown.expressions), other))
    return Lines(tuple(lines), cut=bool(rest))


def scaled(lines: Lines, factor: float) -> Lines:
    """Scale sampled numbers to all persons."""
    return _each(lines, lambda number: round(number / factor))


def accumulated(lines: Lines, smoothing: int) -> Lines:
    """Return smoothed running totals, ordered by their sums."""
    found = [replace(line, numbers=tuple(accumulate(line.numbers))) for line in lines.lines]

    def rank(line: Line) -> tuple[bool, bool, float, Value]:
        return OTHER in line.value, NULL in line.value, -line.total, line.value

    totals = sorted(found, key=rank)
    return replace(
        lines, lines=tuple(replace(line, numbers=tuple(smoothed(line.numbers, smoothing))) for line in totals)
    )


def smoothed(numbers: Sequence[float], intervals: int) -> list[float]:
    """Replace each number by the floor of the average of the last `intervals`, fewer at the start."""
    if intervals == 1:
        return list(numbers)
    windows = [numbers[max(0, place + 1 - intervals) : place + 1] for place in range(len(numbers))]
    return [floor(sum(window) / len(window)) for window in windows]


def combined(series: Sequence[Lines], formula: NamedFormula, width: int) -> tuple[Line, ...]:
    """Apply a formula to the series, per breakdown value of any series; missing values count as 0."""
    by_value = [{line.value: line.numbers for line in lines.lines} for lines in series]
    values = list(dict.fromkeys(value for lines in by_value for value in lines))
    nothing = (0.0,) * width
    lines: list[Line] = []
    for value in values:
        columns = zip(*(lines_by.get(value, nothing) for lines_by in by_value), strict=True)
        lines.append(Line(value, tuple(formula.formula.value(column) for column in columns)))
    return tuple(sorted(lines, key=lambda line: (OTHER in line.value, NULL in line.value, -line.total)))


def _each(lines: Lines, change: Callable[[float], float]) -> Lines:
    return replace(lines, lines=tuple(replace(line, numbers=tuple(map(change, line.numbers))) for line in lines.lines))
