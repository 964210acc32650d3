"""The statistics of a change: what was to be expected, how far chance reaches, and since when it differs.

Everything is robust against one odd week, and never calls the numbers more exact than counting allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from statistics import fmean, median, pvariance

_SEEN, _COUNTED = 5.5, 3.5
"""Standard deviations that chance may reach: those of eight windows, which tell them poorly, if there is nothing else;
and those that counting or the days have. Few of 1000 quiet numbers lie outside."""
_EXPLAINED = 1.5
"""The variance of windows, relative to that of counting, up to which counting explains it."""
_AGREE = 0.5
"""Share of all pairs of windows by which rises outnumber falls before a trend is continued."""
_OUTLIER = 4.0
"""Deviations of the others, beyond which a window does not count."""
_LEAST_WINDOWS = 3
_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the windows make expect, and how far chance reaches from there. `weights` has the factor of each window, 0
    for those that are left out.
    """

    expected: float
    reach: float
    weights: tuple[float, ...]
    growth: float = 0.0
    """The growth per window that is continued, as a logarithm."""

    @property
    def band(self) -> tuple[float, float]:
        """The numbers that chance can reach.

        Downwards it reaches on the scale of square roots, on which counts spread alike: windows that differ by a
        quarter say little about a rise, but none of them comes near zero.
        """
        near_zero = 1 - self.reach / (2 * self.expected) if self.expected else 0.0
        return self.expected * max(near_zero, 0.0) ** 2, self.expected + self.reach

    def holds(self, value: float) -> bool:
        """Return whether chance can reach a value."""
        low, high = self.band
        return low <= value <= high

    def mean(self, windows: Sequence[float]) -> float:
        """Return what is expected of a part, by its own windows. Parts add up to the whole."""
        return weighted(windows, self.weights)


def weighted(windows: Sequence[float], weights: Sequence[float]) -> float:
    """Return the weighted mean of windows; each counts once, apart from its factor."""
    counted = sum(1 for weight in weights if weight)
    return sum(value * weight for value, weight in zip(windows, weights, strict=True)) / counted if counted else 0.0


def counted_baseline(windows: Sequence[float], *, spread: float = 1.0, noise: "Noise | None" = None) -> Baseline | None:
    """Return the baseline of counts, the newest window first; None with fewer than three windows.

    `spread` is the least variance of a count relative to a Poisson count: events of one person come together.
    """
    if len(windows) < _LEAST_WINDOWS:
        return None
    rate, kept = _trend(windows, spread)
    level = [value * exp(rate * (at + 1)) for at, value in enumerate(windows)]
    values = [value for value, is_kept in zip(level, kept, strict=True) if is_kept]
    expected = fmean(values)
    counted = sqrt(max(spread, noise.of_windows if noise else 0.0) * max(expected, 1.0))
    # A trend that continues is less certain than a level.
    doubt = sqrt(1 + (5 if rate else 1) / len(values))
    reach = doubt * _reach(_deviation(values, 2 if rate else 1), counted, noise)
    weights = tuple(exp(rate * (at + 1)) if is_kept else 0.0 for at, is_kept in enumerate(kept))
    return Baseline(expected, reach, weights, rate)


def rate_baseline(
    numerators: Sequence[float],
    denominators: Sequence[float],
    *,
    units: float,
    variance: float,
    noise: "Noise | None" = None,
) -> Baseline | None:
    """Return the baseline of a rate, the newest window first; None with fewer than three windows.

    `variance` is the least one of a unit of the denominator, `units` their number in the period.
    """
    if len(denominators) < _LEAST_WINDOWS:
        return None
    rates = [part / whole if whole else 0.0 for part, whole in zip(numerators, denominators, strict=True)]
    counted = sqrt(variance * max(1.0, noise.of_windows if noise else 0.0) / max(units, 1.0))
    kept = _kept(rates, max(counted, 1e-12))
    weights = tuple(float(is_kept) for is_kept in kept)
    whole = weighted(denominators, weights)
    expected = weighted(numerators, weights) / whole if whole else 0.0
    values = [rate for rate, is_kept in zip(rates, kept, strict=True) if is_kept]
    return Baseline(expected, sqrt(1 + 1 / len(values)) * _reach(_deviation(values, 1), counted, noise), weights)


@dataclass(frozen=True, slots=True)
class Noise:
    """The variance of the days of the past, relative to what counting alone has, and how alike neighbors are."""

    of_days: float
    alike: float

    @property
    def of_windows(self) -> float:
        """The relative variance of a sum over days: neighbors that move together do not cancel out."""
        return self.of_days * (1 + self.alike) / (1 - self.alike)


def noise_of(residuals: Sequence[float]) -> Noise | None:
    """Return the noise of scaled residuals in order of time; None for too few of them."""
    if len(residuals) < 20:
        return None
    middle = median(residuals)
    robust = (_MAD * median(abs(one - middle) for one in residuals)) ** 2
    limit = 4 * sqrt(max(robust, 1e-12))
    cut = [min(max(one - middle, -limit), limit) for one in residuals]
    variance = max(robust, fmean(one * one for one in cut))
    both = sum(one * other for one, other in pairwise(cut))
    alike = both / sum(one * one for one in cut) if variance > 1e-9 and any(cut) else 0.0
    return Noise(variance * 8 / 7, min(max(alike, 0.0), 0.85))


def _reach(seen: float, counted: float, noise: Noise | None) -> float:
    """Return how far chance reaches: as counting has it, and further if the windows spread more than that explains."""
    if noise is None:
        return max(_SEEN * seen, _COUNTED * counted)
    return _COUNTED * sqrt(counted**2 + 4 * max(seen**2 - _EXPLAINED * counted**2, 0.0))


def _kept(values: Sequence[float], noise: float) -> list[bool]:
    """Return which values are no outliers, compared with all others; at most a quarter are."""
    kept = [True] * len(values)
    for _ in range(len(values) // 4):
        scored: list[tuple[float, int]] = []
        for at, value in enumerate(values):
            others = [one for place, one in enumerate(values) if kept[place] and place != at]
            if kept[at]:
                scored.append((abs(value - fmean(others)) / max(sqrt(pvariance(others)), noise), at))
        far, at = max(scored)
        if far < _OUTLIER:
            break
        kept[at] = False
    return kept


def _trend(windows: Sequence[float], spread: float) -> tuple[float, list[bool]]:
    """Return the growth per window and the windows that are no outliers, apart from the growth."""

    def without(rate: float) -> list[bool]:
        level = [value * exp(rate * (at + 1)) for at, value in enumerate(windows)]
        return _kept(level, sqrt(spread * max(median(level), 1.0)))

    rate = _growth(list(enumerate(windows)), least=0.0)
    kept = without(rate)
    rate = _growth([one for one, is_kept in zip(enumerate(windows), kept, strict=True) if is_kept], least=_AGREE)
    return (rate, kept) if rate else (0.0, without(0.0))


def _deviation(values: Sequence[float], fitted: int) -> float:
    """Return a deviation that neither one odd value nor a few equal ones decide, after `fitted` numbers were fitted."""
    middle = median(values)
    return max(
        _MAD * median(abs(value - middle) for value in values),
        sqrt(pvariance(values) * len(values) / max(len(values) - fitted, 1)),
    )


def _growth(windows: Sequence[tuple[int, float]], *, least: float) -> float:
    """Return the growth per window, as a logarithm, of windows and their places; 0 unless this share of their pairs
    agrees (Mann-Kendall), or for fewer than six.
    """
    if len(windows) < 6 or min(value for _, value in windows) <= 0:
        return 0.0
    pairs = [(late, early) for at, late in enumerate(windows) for early in windows[at + 1 :]]
    rising = sum((late[1] > early[1]) - (late[1] < early[1]) for late, early in pairs)
    if abs(rising) < least * len(pairs):
        return 0.0
    return median(log(late[1] / early[1]) / (early[0] - late[0]) for late, early in pairs)


def evidence_of_count(actual: float, expected: float) -> float:
    """Return the log likelihood ratio that a count has changed, for a Poisson count."""
    expected = max(expected, 0.5)
    return (actual * log(actual / expected) if actual > 0 else 0.0) - (actual - expected)


def evidence_of_rate(rate: float, expected: float, *, units: float, variance: float) -> float:
    """Return the log likelihood ratio that a rate has changed, for many units."""
    return units * (rate - expected) ** 2 / (2 * variance) if variance > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of a course that differs: its first and last positions."""

    first: int
    last: int


def turn(actual: Sequence[float], expected: Sequence[float], *, until: int) -> Turn | None:
    """Return the stretch that differs most from what was expected, and that reaches into the positions from `until`;
    None when nothing differs.

    A stretch that ends early must explain more than the one that continues, so that noise at the end ends nothing.
    """
    scored: list[tuple[float, Turn]] = []
    for first in range(len(actual)):
        count, normal = 0.0, 0.0
        for last in range(first, len(actual)):
            count, normal = count + actual[last], normal + expected[last]
            if last < until:
                continue
            score = evidence_of_count(count, normal)
            ends = last == len(actual) - 1
            scored.append((score if ends else 0.85 * score - 2, Turn(first, last)))
    best = max(scored, key=lambda one: one[0], default=None)
    return best[1] if best and best[0] > 2 else None


@dataclass(frozen=True, slots=True)
class RateParts:
    """A change of a rate: by rates of parts, and by the mix of parts."""

    by_rates: float
    by_mix: float


def split_of_rate(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> RateParts:
    """Return how much of the change of a rate its parts' rates and its mix make up, the latter at the old rates.

    Parts are pairs of numerator and denominator, in the same order. Both add up to the change.
    """
    old, new = sum(whole for _, whole in before), sum(whole for _, whole in after)
    if not old or not new:
        return RateParts(0.0, 0.0)
    whole_before = sum(part for part, _ in before) / old
    whole_after = sum(part for part, _ in after) / new
    by_mix = 0.0
    for (part, size), (_, now) in zip(before, after, strict=True):
        rate = part / size if size else whole_before
        by_mix += (now / new - size / old) * (rate - whole_before)
    return RateParts(whole_after - whole_before - by_mix, by_mix)
