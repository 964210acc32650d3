"""Experiments: `/api/projects/{project_id}/experiments/`."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from ..base import AskedWrite, Id, InProject, Page, Part, View, Write
from ..base.changes import Changes
from ..base.dates import ClearableInstant
from ..base.forms import Clearable
from ..base.shown import Author, Fields, IfTrue, Items, Text
from ..flags import FlagKey, Variant, Variants, check_variants
from ..json import as_object, is_list, is_object
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


class SavedMetric(Part):
    """A shared metric of the project, and whether it is a primary or secondary one of the experiment."""

    id: Id
    type: Literal["primary", "secondary"] = "primary"

    def as_link(self) -> dict[str, Any]:
        """Return what PostHog stores for it in `saved_metrics_ids`."""
        return {"id": self.id, "metadata": {"type": self.type}}


def _with_ids(value: object) -> object:
    """Return a list of shared metrics with ids as objects."""
    return (
        [{"id": item} if isinstance(item, str | int | float) else item for item in value] if is_list(value) else value
    )


type SavedMetrics = Annotated[
    list[SavedMetric], BeforeValidator(_with_ids), WithJsonSchema({"type": "array", "items": {"type": "string"}})
]


_PLAN = ("minimum_detectable_effect", "recommended_sample_size", "recommended_running_time")
"""In percent of the baseline, of all variants together, and in days: what PostHog's page calculates."""


def _checked_plan(plan: dict[str, Any]) -> dict[str, Any]:
    for name, value in plan.items():
        if name not in _PLAN:
            raise ValueError(f"`{name}` is not one of {', '.join(_PLAN)}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not (is_number and value > 0):
            raise ValueError(f"`{name}` must be a number above 0, or null to remove it")
    return plan


type RunningTime = Annotated[dict[str, Any], AfterValidator(_checked_plan)]


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
    variants: Variants | None = Field(default=None, max_length=20)
    """{key, rollout_percentage, name}; must include control and add up to 100. Default: control and test, 50 each."""
    metrics: Annotated[Metrics, AfterValidator(_checked)] | None = None
    """[{"kind": "ExperimentMetric", "metric_type": "mean", "source": {"kind": "EventsNode", "event": "purchase"}}]"""
    secondary_metrics: Annotated[Metrics, AfterValidator(_checked)] | None = None
    saved_metrics: SavedMetrics | None = None
    """Ids of shared metrics, or {id, type: secondary}."""
    running_time_calculation: RunningTime | None = None
    """{minimum_detectable_effect (%), recommended_sample_size, recommended_running_time (days)}"""
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
    secondary_metrics: Metrics | None = None
    saved_metrics: SavedMetrics | None = None
    """Added. See create_experiment."""
    remove_metrics: list[str] | None = None
    """Uuids of metrics, or ids of shared ones."""
    running_time_calculation: RunningTime | None = None
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


class SharedMetric(View):
    """A shared metric in an experiment: its id in the project, and whether it is a primary or secondary one."""

    id: int
    name: Text = None
    type: str | None = None
    query: Fields = None

    @model_validator(mode="before")
    @classmethod
    def _read_the_link(cls, value: Any) -> Any:
        """Read PostHog's link between experiment and metric, whose own id no request takes."""
        if not is_object(value):
            return value
        return {**value, "id": value.get("saved_metric", value.get("id")), "type": _at(value, "metadata", "type")}


class ExperimentView(ExperimentRow):
    """An experiment with variants and metrics, but without results."""

    feature_flag: ExperimentFlag | None = None
    variants: list[VariantView] | None = None
    metrics: Items = None
    metrics_secondary: Items = None
    saved_metrics: list[SharedMetric] | None = None
    running_time_calculation: Fields = None
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
        variants = of_flag or _at(fields, "parameters", "feature_flag_variants")
        return {**fields, "variants": variants, "saved_metrics": fields.get("saved_metrics") or None}


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
