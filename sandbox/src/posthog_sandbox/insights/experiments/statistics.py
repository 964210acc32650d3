"""Statistics of experiments: PostHog's Bayesian and frequentist summaries."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ...errors import ApiError, invalid
from ...values import Row, as_object
from .distributions import normal_above, normal_interval, t_beyond, t_reach

type MetricType = Literal["mean", "funnel", "ratio", "retention"]
type Method = Literal["bayesian", "frequentist"]

_FEWEST_SAMPLES = 50
_FEWEST_CONVERSIONS = 5
_FEWEST_FAILURES = 5
_NO_MEAN = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantNumbers:
    """A variant's sums over its samples. Ratios and retention have a denominator, funnels have steps."""

    key: str
    samples: int = 0
    total: float = 0.0
    squares: float = 0.0
    denominator: float | None = None
    denominator_squares: float | None = None
    products: float | None = None
    step_counts: list[int] | None = None
    step_sessions: list[list[Row]] | None = None


@dataclass(frozen=True, slots=True)
class StatsConfig:
    """The statistical configuration. `alpha` is the probability outside the intervals, 0.05 for 95 % intervals."""

    method: Method
    alpha: float
    relative: bool
    baseline: str


class Estimate(NamedTuple):
    """The mean of a variant, and the variance of a single sample."""

    samples: int
    mean: float
    variance: float


class Verdict(NamedTuple):
    """The chance to win or the p-value, its interval, and whether the result is significant."""

    probability: float
    interval: tuple[float, float]
    significant: bool


def read_stats_config(stats_config: Row | None) -> StatsConfig:
    """Return the `stats_config` of an experiment; as in PostHog, invalid parts get defaults. Raises ApiError 400."""
    config = stats_config or {}
    method: Method = "frequentist" if config.get("method") == "frequentist" else "bayesian"
    given = as_object(config.get(method)) or {}
    alpha = _share(given.get("alpha"), 0.05) if method == "frequentist" else 1 - _share(given.get("ci_level"), 0.95)
    if alpha in (0, 1):
        raise unable_to_calculate()
    if given.get("sequential_testing_enabled") is True:
        raise invalid("The sandbox does not support experiments with sequential testing.")
    if (as_object(config.get("cuped")) or {}).get("enabled") is True:
        raise invalid("The sandbox does not support experiments with CUPED.")
    return StatsConfig(
        method=method,
        alpha=alpha,
        relative=given.get("difference_type") != "ABSOLUTE",
        baseline=str(config.get("baseline_variant_key") or "control"),
    )


def _share(value: object, default: float) -> float:
    try:
        share = float(str(value))
    except ValueError:
        return default
    return share if 0 <= share <= 1 else default


def unable_to_calculate() -> ApiError:
    """Return a 400 error for a configuration that PostHog's statistics reject."""
    return invalid(
        "Unable to calculate experiment statistics. Please ensure your experiment has sufficient data and try again."
    )


def summarized(variants: list[VariantNumbers], metric: MetricType, config: StatsConfig) -> Row:
    """Return `baseline` and `variant_results`. Raises ApiError 400 when the baseline is not among the variants."""
    baseline = next((numbers for numbers in variants if numbers.key == config.baseline), None)
    if baseline is None:
        raise invalid(
            "Unable to calculate experiment results from the collected data. "
            "This usually resolves once more exposures are recorded."
        )
    failures = _failures(baseline, metric, is_baseline=True)
    control = None if failures else estimated(baseline, metric)
    results = [_result(numbers, metric, control, config) for numbers in variants if numbers is not baseline]
    return {"baseline": _shown(baseline, failures), "variant_results": results}


def _result(numbers: VariantNumbers, metric: MetricType, control: Estimate | None, config: StatsConfig) -> Row:
    failures = _failures(numbers, metric, is_baseline=False)
    treatment = None if failures else estimated(numbers, metric)
    verdict = None
    if control is not None and treatment is not None:
        verdict = judged(treatment, control, config, proportions=metric == "funnel")
    names = ("chance_to_win", "credible_interval")
    if config.method == "frequentist":
        names = ("p_value", "confidence_interval")
    return {
        **_shown(numbers, failures),
        "method": config.method,
        "significant": None if verdict is None else verdict.significant,
        names[0]: None if verdict is None else verdict.probability,
        names[1]: None if verdict is None else list(verdict.interval),
    }


def _failures(numbers: VariantNumbers, metric: MetricType, *, is_baseline: bool) -> list[str]:
    found = ["not-enough-exposures"] if numbers.samples < _FEWEST_SAMPLES else []
    if metric in ("funnel", "retention") and numbers.total < _FEWEST_CONVERSIONS:
        found.append("not-enough-metric-data")
    if is_baseline and numbers.total == 0:
        found.append("baseline-mean-is-zero")
    return found


def _shown(numbers: VariantNumbers, failures: list[str]) -> dict[str, Any]:
    return {
        "key": numbers.key,
        "number_of_samples": numbers.samples,
        "sum": float(numbers.total),
        "sum_squares": float(numbers.squares),
        "denominator_sum": numbers.denominator,
        "denominator_sum_squares": numbers.denominator_squares,
        "numerator_denominator_sum_product": numbers.products,
        "covariate_sum": None,
        "covariate_sum_squares": None,
        "covariate_sum_product": None,
        "step_counts": numbers.step_counts,
        "step_sessions": numbers.step_sessions,
        "validation_failures": failures,
    }


def estimated(numbers: VariantNumbers, metric: MetricType) -> Estimate | None:
    """Return the mean and its variance; None if they cannot be computed.

    Ratios use the delta method, and so does retention, because the number of users who start is random too.
    """
    if metric == "funnel":
        share = numbers.total / numbers.samples
        return Estimate(numbers.samples, share, share * (1 - share))
    over = _sample(numbers.samples, numbers.total, numbers.squares)
    if metric == "mean" or over is None:
        return over
    under = _sample(numbers.samples, numbers.denominator or 0.0, numbers.denominator_squares or 0.0)
    if under is None or abs(under.mean) < _NO_MEAN:
        return None
    covariance = _spread(numbers.samples, numbers.products or 0.0, numbers.total * (numbers.denominator or 0.0))
    variance = (
        over.variance / under.mean**2
        + over.mean**2 * under.variance / under.mean**4
        - 2 * over.mean * covariance / under.mean**3
    )
    return Estimate(numbers.samples, over.mean / under.mean, variance)


def _sample(samples: int, total: float, squares: float) -> Estimate | None:
    variance = _spread(samples, squares, total * total)
    return None if samples <= 0 or variance < 0 else Estimate(samples, total / samples, variance)


def _spread(samples: int, products: float, product_of_sums: float) -> float:
    return 0.0 if samples <= 1 else (products - product_of_sums / samples) / (samples - 1)


def judged(treatment: Estimate, control: Estimate, config: StatsConfig, *, proportions: bool) -> Verdict | None:
    """Return the verdict on a variant; None where PostHog omits it."""
    if config.method == "frequentist":
        return _frequentist(treatment, control, config)
    if proportions and any(map(_is_hardly_normal, (treatment, control))):
        return None
    return _bayesian(treatment, control, config)


def _is_hardly_normal(estimate: Estimate) -> bool:
    successes = round(estimate.mean * estimate.samples)
    return successes < _FEWEST_CONVERSIONS or estimate.samples - successes < _FEWEST_FAILURES


def _bayesian(treatment: Estimate, control: Estimate, config: StatsConfig) -> Verdict | None:
    """Judge with a flat prior: the posterior of the effect is normal around the measured effect."""
    if config.relative and control.mean <= 0:
        return None
    effect, variance = _effect(treatment, control, relative=config.relative)
    if not (variance > 0 and math.isfinite(variance)):
        return None
    deviation = math.sqrt(variance)
    chance = normal_above(0, effect, deviation)
    interval = normal_interval(effect, deviation, 1 - config.alpha)
    return Verdict(chance, interval, chance > 1 - config.alpha or chance < config.alpha)


def _frequentist(treatment: Estimate, control: Estimate, config: StatsConfig) -> Verdict | None:
    """Judge with Welch's two-sided t-test."""
    if config.relative and abs(control.mean) < _NO_MEAN:
        return None
    effect, variance = _effect(treatment, control, relative=config.relative)
    spreads = [estimate.variance / estimate.samples for estimate in (treatment, control)]
    if not (variance > 0 and math.isfinite(variance) and sum(spreads) > 0):
        return None
    degrees = sum(spreads) ** 2 / sum(
        spread**2 / (estimate.samples - 1) for spread, estimate in zip(spreads, (treatment, control), strict=True)
    )
    deviation = math.sqrt(variance)
    p_value = t_beyond(effect / deviation, degrees)
    reach = t_reach(config.alpha, degrees) * deviation
    return Verdict(p_value, (effect - reach, effect + reach), p_value < config.alpha)


def _effect(treatment: Estimate, control: Estimate, *, relative: bool) -> tuple[float, float]:
    """Return the difference and its variance, relative to the control by the delta method."""
    spread, base = treatment.variance / treatment.samples, control.variance / control.samples
    if not relative:
        return treatment.mean - control.mean, spread + base
    effect = (treatment.mean - control.mean) / control.mean
    return effect, spread / control.mean**2 + treatment.mean**2 * base / control.mean**4
