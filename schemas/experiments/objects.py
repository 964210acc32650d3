"""Experiments: `/api/projects/{project_id}/experiments/`."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ..base import AskedWrite, Id, InProject, Page, View, Write
from ..base.changes import Changes
from ..base.dates import ClearableInstant
from ..base.forms import Clearable
from ..base.shown import Author, Fields, IfTrue, Items, Text
from ..flags import FlagKey, Variant, check_variants
from ..json import as_object, is_object
from ..measures import DayIfAny
from ..models import as_sentence, metric_flaws, within

CONTROL = "control"
"""The key of the variant that the others are compared with; PostHog requires it."""
type Metrics = list[dict[str, Any]]


def _checked(metrics: Metrics) -> Metrics:
    if flaws := as_sentence(flaw for at, metric in enumerate(metrics) for flaw in within(metric_flaws(metric), at)):
        raise ValueError(flaws)
    return metrics


def _check(variants: list[Variant]) -> None:
    """Raise ValueError unless PostHog can create the experiment's flag from the variants."""
    if len(variants) < 2 or CONTROL not in {variant.key for variant in variants}:
        raise ValueError("`variants` needs at least two, one of them with the key control")
    check_variants([(variant.key, variant.rollout_percentage) for variant in variants])


class ListExperiments(Page):
    search: str | None = None
    status: Literal["draft", "running", "paused", "exposure_frozen", "stopped", "complete", "all"] | None = None


class GetExperiment(InProject):
    experiment_id: Id
    full: bool = False


class CreateExperiment(Write):
    name: str = Field(min_length=1, max_length=400)
    feature_flag_key: FlagKey
    """Created, or reused if it exists with variants and control."""
    description: str | None = Field(default=None, max_length=3000)
    variants: list[Variant] | None = Field(default=None, max_length=20)
    """Must include control and add up to 100. Default: control and test, 50 each."""
    metrics: Annotated[Metrics, AfterValidator(_checked)] | None = None
    """[{"kind": "ExperimentMetric", "metric_type": "mean", "source": {"kind": "EventsNode", "event": "purchase"}}]"""
    type: Literal["product", "web"] | None = None

    @model_validator(mode="after")
    def _have_variants(self) -> Self:
        if self.variants is not None:
            _check(self.variants)
        return self


class UpdateExperiment(Changes, AskedWrite):
    experiment_id: Id
    name: str | None = Field(default=None, min_length=1, max_length=400)
    description: Clearable | None = Field(default=None, max_length=3000)
    metrics: Metrics | None = None
    """Merged by uuid; others are added."""
    remove_metrics: list[str] | None = None
    start_date: ClearableInstant | None = None
    """now launches a draft and turns its flag on."""
    end_date: ClearableInstant | None = None
    """Ends it; the flag stays on."""
    conclusion: Literal["won", "lost", "inconclusive", "stopped_early", "invalid"] | None = None
    conclusion_comment: Clearable | None = None
    archived: bool | None = None


class DeleteExperiment(AskedWrite):
    experiment_id: Id


class ExperimentRow(View):
    """An experiment in a list. Older servers send no `status`, so it is then derived from the dates."""

    id: int
    name: Text = None
    description: Text = None
    feature_flag_key: str | None = None
    status: str | None = None
    type: str | None = None
    start_date: DayIfAny = None
    end_date: DayIfAny = None
    archived: IfTrue = None
    conclusion: str | None = None
    created_at: DayIfAny = None

    @model_validator(mode="after")
    def _say_status(self) -> Self:
        if self.status is None:
            self.status = "draft" if self.start_date is None else "running" if self.end_date is None else "stopped"
        return self


class VariantView(View):
    """A variant and its share in percent."""

    key: str
    name: Text = None
    rollout_percentage: int | float | None = None


class ExperimentFlag(View):
    """The flag that assigns the variants."""

    id: int
    key: str | None = None
    active: bool | None = None
    deleted: IfTrue = None


class Exposure(View):
    """The criteria for counting a user as exposed."""

    filterTestAccounts: bool | None = None  # noqa: N815 (PostHog's spelling)
    exposure_config: Fields = None


class ExperimentView(ExperimentRow):
    """An experiment with variants and metrics, but without results."""

    feature_flag: ExperimentFlag | None = None
    variants: list[VariantView] | None = None
    metrics: Items = None
    metrics_secondary: Items = None
    saved_metrics: Items = None
    exposure_criteria: Exposure | None = None
    holdout_id: int | None = None
    conclusion_comment: Text = None
    deleted: bool | None = None
    created_by: Author = None
    updated_at: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _find_variants(cls, value: Any) -> Any:
        """Read the variants from the flag, or from `parameters` as older servers send them."""
        if not is_object(value):
            return value
        fields = value
        of_flag = _at(fields, "feature_flag", "filters", "multivariate", "variants")
        return {**fields, "variants": of_flag or _at(fields, "parameters", "feature_flag_variants")}


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = as_object(value).get(name)
    return value


class ExperimentState(View):
    """A deleted experiment."""

    id: int
    name: Text = None
    feature_flag_key: str | None = None
    deleted: bool | None = None
