"""Results of experiments: PostHog's ExperimentQuery (one metric) and ExperimentExposureQuery (exposures)."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..analytics.results import InsightAnswer
from ..base import Id, InProject, View
from ..base.shown import Fields
from ..json import is_object
from .objects import ExperimentRow


class GetExperimentResults(InProject):
    experiment_id: Id
    metric: str = Field(default="primary", min_length=1, max_length=400)
    """primary, secondary, all, or a metric's name or uuid."""
    refresh: bool = False


class ExperimentSource(ExperimentRow):
    """An experiment as stored, with the fields that its queries need."""

    feature_flag: Fields = None
    holdout: Fields = None
    exposure_criteria: Fields = None
    stats_config: Fields = None
    metrics: list[dict[str, Any]] | None = None
    metrics_secondary: list[dict[str, Any]] | None = None
    saved_metrics: list[dict[str, Any]] | None = None


class VariantNumbers(View):
    """A variant: its sums over `number_of_samples` entities, and its statistics against the baseline.

    Intervals are for the relative difference of means, or the absolute one if the experiment is configured so. Either
    `chance_to_win` (Bayesian, of a higher mean) or `p_value` (frequentist) is set, or neither if a check failed.
    """

    key: str
    number_of_samples: int
    sum: float
    denominator_sum: float | None = None
    step_counts: list[int] | None = None
    validation_failures: list[str] | None = None
    significant: bool | None = None
    chance_to_win: float | None = None
    credible_interval: tuple[float, float] | None = None
    p_value: float | None = None
    confidence_interval: tuple[float, float] | None = None


class MetricAnswer(InsightAnswer):
    """The response to an ExperimentQuery. It has no `results`."""

    baseline: VariantNumbers | None = None
    variant_results: list[VariantNumbers] | None = None


def _counts(value: Any) -> Any:
    if not is_object(value):
        return value
    return {name: count for name, count in value.items() if isinstance(count, (int, float))}


class SampleRatio(View):
    """The probability of the exposures, given the rollout of the flag's variants."""

    p_value: float


class BiasRisk(View):
    """The percentage of users who saw several variants and are excluded from an uneven split."""

    multiple_variant_percentage: float


class ExposureAnswer(InsightAnswer):
    """The response to an ExperimentExposureQuery."""

    total_exposures: Annotated[dict[str, float] | None, BeforeValidator(_counts)] = None
    sample_ratio_mismatch: SampleRatio | None = None
    bias_risk: BiasRisk | None = None
