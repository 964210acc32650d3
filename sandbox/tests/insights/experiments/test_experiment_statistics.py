"""Verdicts on variants, against sums over raw samples, numerical integrals and simulations."""

import math
import random
import statistics
from collections.abc import Callable

import pytest

from posthog_sandbox.insights.experiments.distributions import chi_squared_above, normal_above, t_beyond, t_reach
from posthog_sandbox.insights.experiments.statistics import (
    Estimate,
    MetricType,
    StatsConfig,
    VariantNumbers,
    estimated,
    judged,
    read_stats_config,
    summarized,
)

from ...oracle import SEEDS

BAYESIAN = StatsConfig("bayesian", alpha=0.05, relative=True, baseline="control")
FREQUENTIST = StatsConfig("frequentist", alpha=0.05, relative=True, baseline="control")


def integral(density: Callable[[float], float], low: float, high: float, parts: int = 4_000) -> float:
    """Integrate with Simpson's rule."""
    width = (high - low) / parts
    inner = sum((4 if part % 2 else 2) * density(low + part * width) for part in range(1, parts))
    return (density(low) + inner + density(high)) * width / 3


def t_density(degrees: float) -> Callable[[float], float]:
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    return lambda value: scale * (1 + value * value / degrees) ** (-(degrees + 1) / 2)


def chi_squared_density(degrees: int) -> Callable[[float], float]:
    scale = 2 ** (-degrees / 2) / math.gamma(degrees / 2)
    return lambda value: scale * value ** (degrees / 2 - 1) * math.exp(-value / 2)


@pytest.mark.parametrize("degrees", [1, 2.5, 9, 61.7, 800])
@pytest.mark.parametrize("value", [0.1, 1, 2.3, 5])
def test_probabilities_of_t_are_integrals_of_its_density(degrees: float, value: float) -> None:
    inside = 2 * integral(t_density(degrees), 0, value)

    assert t_beyond(value, degrees) == pytest.approx(1 - inside, abs=1e-9)
    assert t_beyond(-value, degrees) == t_beyond(value, degrees)


@pytest.mark.parametrize(
    ("chance", "degrees", "reach"),
    [(0.05, 10, 2.228139), (0.05, 120, 1.979930), (0.01, 5, 4.032143), (0.1, 1, 6.313752)],
)
def test_quantiles_of_t_match_printed_tables(chance: float, degrees: float, reach: float) -> None:
    assert t_reach(chance, degrees) == pytest.approx(reach, abs=1e-6)


@pytest.mark.parametrize("degrees", [2, 3, 4, 9])
@pytest.mark.parametrize("value", [0.2, 1.7, 6, 30])
def test_probabilities_of_chi_squared_are_integrals_of_its_density(degrees: int, value: float) -> None:
    inside = integral(chi_squared_density(degrees), 0, value, 100_000)

    assert chi_squared_above(value, degrees) == pytest.approx(1 - inside, abs=1e-6)
    assert chi_squared_above(value, 1) == pytest.approx(2 * normal_above(math.sqrt(value), 0, 1), rel=1e-9)


def numbers(key: str, values: list[float], under: list[float] | None = None) -> VariantNumbers:
    ratio = under or []
    return VariantNumbers(
        key=key,
        samples=len(values),
        total=sum(values),
        squares=sum(value**2 for value in values),
        denominator=sum(ratio) if under else None,
        denominator_squares=sum(value**2 for value in ratio) if under else None,
        products=sum(one * other for one, other in zip(values, ratio, strict=True)) if under else None,
    )


def test_the_estimate_of_a_mean_matches_its_samples() -> None:
    draw = random.Random(1)
    values = [draw.expovariate(0.2) for _ in range(500)]
    found = estimated(numbers("test", values), "mean")

    assert found == pytest.approx((500, statistics.fmean(values), statistics.variance(values)))


def test_the_variance_of_a_ratio_matches_the_jackknife() -> None:
    draw = random.Random(2)
    under = [float(draw.randint(0, 9)) for _ in range(2_000)]
    over = [value * 1.3 + draw.gauss(2, 1) for value in under]
    found = estimated(numbers("test", over, under), "ratio")
    left_out = [(sum(over) - one) / (sum(under) - other) for one, other in zip(over, under, strict=True)]
    jackknife = statistics.pvariance(left_out) * (len(over) - 1)

    assert found is not None
    assert found.mean == pytest.approx(sum(over) / sum(under))
    assert found.variance / found.samples == pytest.approx(jackknife, rel=0.02)


PAIRS = (
    (Estimate(90_000, 1.006, 1.2), Estimate(95_000, 1.0, 1.1)),
    (Estimate(80_000, 0.348, 0.348 * 0.652), Estimate(76_000, 0.35, 0.35 * 0.65)),
    (Estimate(50_000, 12.1, 300.0), Estimate(50_000, 12.0, 280.0)),
)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("treatment", "control", "relative"),
    [(*pair, way) for place, pair in enumerate(PAIRS) for way in ((False, True) if SEEDS else (place != 1,))],
)
def test_the_bayesian_verdict_matches_a_simulation_of_both_means(
    treatment: Estimate, control: Estimate, relative: bool
) -> None:
    draw = random.Random(3)

    def mean_of(estimate: Estimate) -> float:
        return draw.gauss(estimate.mean, math.sqrt(estimate.variance / estimate.samples))

    effects: list[float] = []
    for _ in range(200_000):
        base, other = mean_of(control), mean_of(treatment)
        effects.append((other - base) / base if relative else other - base)
    effects.sort()
    config = StatsConfig("bayesian", 0.05, relative, "control")
    found = judged(treatment, control, config, proportions=False)

    assert found is not None
    assert found.probability == pytest.approx(sum(effect > 0 for effect in effects) / len(effects), abs=0.006)
    deviation = statistics.stdev(effects)
    for bound, place in zip(found.interval, (0.025, 0.975), strict=True):
        assert bound == pytest.approx(effects[int(place * len(effects))], abs=0.12 * deviation)


def test_the_bayesian_chance_and_interval_are_integrals_of_the_posterior() -> None:
    treatment, control = Estimate(700, 2.3, 4.0), Estimate(650, 2.1, 3.5)
    effect = 2.3 / 2.1 - 1
    deviation = math.sqrt(4.0 / 700 / 2.1**2 + 2.3**2 * 3.5 / 650 / 2.1**4)
    found = judged(treatment, control, BAYESIAN, proportions=False)

    def density(value: float) -> float:
        return math.exp(-(((value - effect) / deviation) ** 2) / 2) / deviation / math.sqrt(2 * math.pi)

    assert found is not None
    assert found.probability == pytest.approx(integral(density, 0, effect + 12 * deviation), abs=1e-9)
    assert integral(density, *found.interval) == pytest.approx(0.95, abs=1e-9)
    assert sum(found.interval) / 2 == pytest.approx(effect)
    assert found.significant is (found.probability > 0.95)


def test_the_frequentist_verdict_is_welchs_test() -> None:
    treatment, control = Estimate(120, 5.6, 9.0), Estimate(80, 5.0, 4.0)
    absolute = StatsConfig("frequentist", 0.05, relative=False, baseline="control")
    found = judged(treatment, control, absolute, proportions=False)
    spread = 9 / 120 + 4 / 80
    degrees = spread**2 / ((9 / 120) ** 2 / 119 + (4 / 80) ** 2 / 79)
    beyond = 1 - 2 * integral(t_density(degrees), 0, 0.6 / math.sqrt(spread))

    assert found is not None
    assert found.probability == pytest.approx(beyond, abs=1e-9)
    assert found.significant is False
    low, high = ((bound - 0.6) / math.sqrt(spread) for bound in found.interval)
    inside = integral(t_density(degrees), low, high)
    assert inside == pytest.approx(0.95, abs=1e-9)


def test_a_frequentist_p_value_is_below_its_level_as_often_as_expected_without_a_difference() -> None:
    draw = random.Random(4)
    judgements = 0
    rounds = 400
    for _ in range(rounds):
        first, second = ([draw.gauss(10, 3) for _ in range(60)] for _ in "ab")
        estimates = [estimated(numbers("any", values), "mean") for values in (first, second)]
        assert estimates[0] is not None
        assert estimates[1] is not None
        found = judged(estimates[0], estimates[1], FREQUENTIST, proportions=False)
        judgements += found is not None and found.significant
    assert 0.02 < judgements / rounds < 0.09


def summary(
    control: VariantNumbers, test: VariantNumbers, metric: MetricType = "mean"
) -> tuple[list[str], list[str], object]:
    found = summarized([control, test], metric, BAYESIAN)
    (other,) = found["variant_results"]
    return found["baseline"]["validation_failures"], other["validation_failures"], other["chance_to_win"]


def counted(key: str, samples: int, total: float) -> VariantNumbers:
    return VariantNumbers(key=key, samples=samples, total=total, squares=total)


def test_verdicts_are_omitted_for_too_few_samples_or_conversions_or_no_baseline() -> None:
    enough = counted("test", 60, 20)

    assert summary(counted("control", 49, 20), enough) == (["not-enough-exposures"], [], None)
    assert summary(counted("control", 60, 0), enough) == (["baseline-mean-is-zero"], [], None)
    assert summary(counted("control", 60, 20), counted("test", 60, 4), "funnel") == (
        [],
        ["not-enough-metric-data"],
        None,
    )
    assert summary(counted("control", 60, 4), counted("test", 3, 1), "funnel") == (
        ["not-enough-metric-data"],
        ["not-enough-exposures", "not-enough-metric-data"],
        None,
    )
    assert summary(counted("control", 60, 57), enough, "funnel") == ([], [], None)
    assert summary(counted("control", 60, 20), enough, "funnel")[2] == pytest.approx(0.5)


def test_equal_samples_have_no_verdict() -> None:
    alike = VariantNumbers(key="control", samples=60, total=60.0, squares=60.0)
    also = VariantNumbers(key="test", samples=60, total=120.0, squares=240.0)

    assert summary(alike, also) == ([], [], None)


def test_a_negative_baseline_has_an_absolute_lift_but_no_relative_lift() -> None:
    treatment, control = Estimate(100, 1.0, 2.0), Estimate(100, -1.0, 2.0)
    absolute = StatsConfig("bayesian", 0.05, relative=False, baseline="control")

    assert judged(treatment, control, BAYESIAN, proportions=False) is None
    assert judged(treatment, control, absolute, proportions=False) is not None
    assert judged(treatment, control, FREQUENTIST, proportions=False) is not None


def test_an_invalid_stats_config_gets_the_defaults() -> None:
    assert read_stats_config(None) == read_stats_config({"method": "guess", "bayesian": {"ci_level": "much"}})
    assert read_stats_config({"bayesian": {"ci_level": 0.9}}).alpha == pytest.approx(0.1)
    given = {"method": "frequentist", "frequentist": {"alpha": 0.01, "difference_type": "ABSOLUTE"}}
    assert read_stats_config({**given, "baseline_variant_key": "b"}) == StatsConfig("frequentist", 0.01, False, "b")
