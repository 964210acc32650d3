"""Probabilities of the normal, t and chi-squared distributions, without a numerical library."""

import math
from statistics import NormalDist

_TINY = 1e-300
_PRECISION = 1e-15
_MOST_TERMS = 10_000
_HALVINGS = 200


def normal_above(value: float, mean: float, deviation: float) -> float:
    """Return the probability that a normal variable is greater than a value, exact in both tails."""
    return 0.5 * math.erfc((value - mean) / (deviation * math.sqrt(2)))


def normal_interval(mean: float, deviation: float, level: float) -> tuple[float, float]:
    """Return the central interval that contains a normal variable with probability `level`."""
    reach = -NormalDist().inv_cdf((1 - level) / 2) * deviation
    return mean - reach, mean + reach


def t_beyond(value: float, degrees: float) -> float:
    """Return the probability that a t variable is farther from 0 than a value: the two-sided p-value."""
    return _beta_share(degrees / 2, 0.5, degrees / (degrees + value * value))


def t_reach(chance: float, degrees: float) -> float:
    """Return the distance from 0 that a t variable exceeds with this probability, which must be above 0."""
    low, high = 0.0, 1.0
    while t_beyond(high, degrees) > chance:
        low, high = high, high * 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_beyond(middle, degrees) > chance else (low, middle)
    return high


def chi_squared_above(value: float, degrees: float) -> float:
    """Return the probability that a chi-squared variable is greater than a value."""
    if value <= 0:
        return 1.0
    shape = degrees / 2
    half = value / 2
    weight = math.exp(shape * math.log(half) - half - math.lgamma(shape))
    if half < shape + 1:
        return 1.0 - weight * _gamma_series(shape, half)
    return weight * _gamma_fraction(shape, half)


def _gamma_series(shape: float, value: float) -> float:
    term = total = 1 / shape
    for step in range(1, _MOST_TERMS):
        term *= value / (shape + step)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _gamma_fraction(shape: float, value: float) -> float:
    """Evaluate the continued fraction of the upper incomplete gamma function with Lentz's method."""
    base = value + 1 - shape
    upper, lower = 1 / _TINY, 1 / base
    result = lower
    for step in range(1, _MOST_TERMS):
        factor = -step * (step - shape)
        base += 2
        lower = 1 / _nonzero(factor * lower + base)
        upper = _nonzero(base + factor / upper)
        result *= upper * lower
        if abs(upper * lower - 1) < _PRECISION:
            break
    return result


def _beta_share(first: float, second: float, share: float) -> float:
    """Return the regularized incomplete beta function."""
    if share <= 0 or share >= 1:
        return min(max(share, 0.0), 1.0)
    weight = math.exp(
        math.lgamma(first + second)
        - math.lgamma(first)
        - math.lgamma(second)
        + first * math.log(share)
        + second * math.log1p(-share)
    )
    if share < (first + 1) / (first + second + 2):
        return weight * _beta_fraction(first, second, share) / first
    return 1.0 - weight * _beta_fraction(second, first, 1 - share) / second


def _beta_fraction(first: float, second: float, share: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function with Lentz's method."""
    upper = 1.0
    lower = 1 / _nonzero(1 - (first + second) * share / (first + 1))
    result = lower
    for step in range(1, _MOST_TERMS):
        even = step * (second - step) * share / ((first + 2 * step - 1) * (first + 2 * step))
        odd = -(first + step) * (first + second + step) * share / ((first + 2 * step) * (first + 2 * step + 1))
        for factor in (even, odd):
            lower = 1 / _nonzero(1 + factor * lower)
            upper = _nonzero(1 + factor / upper)
            result *= upper * lower
        if abs(upper * lower - 1) < _PRECISION:
            break
    return result


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
