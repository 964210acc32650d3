"""Results of experiments: PostHog's ExperimentQuery (one metric) and ExperimentExposureQuery (who saw what)."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..analytics.results import InsightAnswer
from ..base import Id, InProject, View
from ..json import is_object
from ..shown import Fields
from .objects import ExperimentRow


class GetExperimentResults(InProject):
    experiment_id: Id
    metric: str = Field(default="primary", min_length=1, max_length=400)
    """primary, secondary, all, or one by name or uuid."""
    refresh: bool = False


class ExperimentSource(ExperimentRow):
    """An experiment with what its queries are made of, as it is stored."""

    feature_flag: Fields = None
    holdout: Fields = None
    exposure_criteria: Fields = None
    stats_config: Fields = None
    metrics: list[dict[str, Any]] | None = None
    metrics_secondary: list[dict[str, Any]] | None = None
    saved_metrics: list[dict[str, Any]] | None = None


class VariantNumbers(View):
    """A variant: its sums over `number_of_samples` entities, and against the baseline what the statistics say.

    An interval is of the relative difference of means, or of the absolute one where the experiment says so. Either
    `chance_to_win` (bayesian, of a higher mean) or `p_value` (frequentist) comes, or neither when a check failed.
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
    """The answer to an ExperimentQuery. It has no `results`."""

    baseline: VariantNumbers | None = None
    variant_results: list[VariantNumbers] | None = None


def _counts(value: Any) -> Any:
    if not is_object(value):
        return value
    return {name: count for name, count in value.items() if isinstance(count, (int, float))}


class SampleRatio(View):
    """How likely the exposures are with the shares that the flag gives out."""

    p_value: float


class BiasRisk(View):
    """How many percent saw several variants and are left out of an uneven split."""

    multiple_variant_percentage: float


class ExposureAnswer(InsightAnswer):
    """The answer to an ExperimentExposureQuery."""

    total_exposures: Annotated[dict[str, float] | None, BeforeValidator(_counts)] = None
    sample_ratio_mismatch: SampleRatio | None = None
    bias_risk: BiasRisk | None = None
