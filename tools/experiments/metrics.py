"""The metrics of an experiment: the table of PostHog's numbers for each, and which variant wins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...gateway.errors import Refused
from ...schemas.experiments.results import ExperimentSource, MetricAnswer, VariantNumbers
from ...schemas.json import as_list, as_object
from ...schemas.text import named
from ..table import Cell, Column, Role, number

type MetricOutcome = Literal["wins", "loses", "undecided"]
_MEAN = (Column("sum", Role.VALUE), Column("mean", Role.VALUE))
_COLUMNS: Mapping[str, tuple[Column, Column]] = {
    "funnel": (Column("conversions", Role.COUNT), Column("conversion_percent", Role.SHARE)),
    "retention": (Column("returned", Role.COUNT), Column("retention_percent", Role.SHARE)),
    "mean": _MEAN,
    "ratio": (Column("numerator", Role.VALUE), Column("ratio", Role.VALUE)),
}
"""The sum and the value of a variant, by the type of the metric."""
_LACKS = {
    "not-enough-exposures": "too few exposures",
    "not-enough-metric-data": "too few conversions",
    "baseline-mean-is-zero": "no conversions in the baseline",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as it is stored, and its name for readers."""

    name: str
    query: dict[str, Any]
    is_primary: bool

    @property
    def type(self) -> str:
        return str(self.query.get("metric_type") or self.query.get("kind") or "unknown")

    @property
    def is_decrease(self) -> bool:
        """Whether less is better."""
        return self.query.get("goal") == "decrease"

    @property
    def uuid(self) -> str | None:
        uuid: object = self.query.get("uuid")
        return uuid if isinstance(uuid, str) else None


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers of a metric as they are shown, and the outcome of each variant."""

    metric: Metric
    shown: Mapping[str, Any]
    outcomes: Mapping[str, MetricOutcome]
    lacking: tuple[str, ...] = ()
    """Reasons why PostHog's statistics have no verdict yet."""


def metrics_of(experiment: ExperimentSource) -> list[Metric]:
    """Return the metrics, primary ones first; the metadata of shared ones (`saved_metrics`) has their place."""
    found = [
        *(_metric(query, is_primary=True) for query in experiment.metrics or []),
        *(_metric(query, is_primary=False) for query in experiment.metrics_secondary or []),
    ]
    for shared in experiment.saved_metrics or []:
        query = as_object(shared.get("query"))
        metadata = as_object(shared.get("metadata"))
        named = {**query, "name": shared.get("name") or query.get("name")}
        found.append(
            Metric(_metric(named, is_primary=True).name, query, is_primary=metadata.get("type") != "secondary")
        )
    return sorted(found, key=lambda metric: not metric.is_primary)


def chosen(metrics: list[Metric], requested: str) -> list[Metric]:
    """Return the primary, secondary or all metrics, or those with this name or uuid. Raises Refused
    (`invalid_argument`).
    """
    match requested:
        case "all":
            return metrics
        case "primary" | "secondary":
            return [metric for metric in metrics if metric.is_primary is (requested == "primary")]
        case _:
            found = [one for one in metrics if requested == one.uuid or requested.casefold() == one.name.casefold()]
    if not found:
        names = ", ".join(named(metric.name) for metric in metrics[:20]) or "none"
        raise Refused(
            "invalid_argument",
            f"metric: unknown metric {named(requested)}.",
            f"Available: {names}; or primary, secondary, all.",
        )
    return found


def reading_of(metric: Metric, answer: MetricAnswer, *, relative: bool) -> Reading:
    """Return the numbers of a metric. `relative`: intervals are of the relative difference, and shown in percent."""
    baseline, variants = answer.baseline, answer.variant_results or []
    if baseline is None:
        return failed(metric, "PostHog sent no results.")
    is_frequentist = any(one.p_value is not None or one.confidence_interval for one in variants)
    unit, scale = ("_percent", 100) if relative else ("", 1)
    columns = (
        "variant",
        "samples",
        *(column.name for column in _COLUMNS.get(metric.type, _MEAN)),
        "lift_percent",
        f"{'lift' if relative else 'difference'}_low{unit}",
        f"{'lift' if relative else 'difference'}_high{unit}",
        "p_value" if is_frequentist else "chance_to_win_percent",
        "significant",
    )
    outcomes: dict[str, MetricOutcome] = {
        one.key: _outcome(metric, one, _lift(metric, one, baseline, relative=relative)) for one in variants
    }
    lacking = tuple(dict.fromkeys(_lacking(baseline, variants)))
    shown = {
        **({} if metric.is_primary else {"secondary": True}),
        "name": metric.name,
        "type": metric.type,
        **({"goal": "decrease"} if metric.is_decrease else {}),
        "columns": columns,
        "rows": [
            [*_numbers(metric, baseline), None, None, None, None, None],
            *([*_numbers(metric, one), *_verdict(metric, one, baseline, scale, relative=relative)] for one in variants),
        ],
        **_steps([baseline, *variants]),
        "outcome": _sentence(outcomes, lacking),
    }
    return Reading(metric, shown, outcomes, lacking)


def failed(metric: Metric, why: str) -> Reading:
    """Return the reading of a metric without numbers."""
    shown = {**({} if metric.is_primary else {"secondary": True}), "name": metric.name, "error": why}
    return Reading(metric, shown, {}, ("could not be computed",))


def _metric(query: dict[str, Any], *, is_primary: bool) -> Metric:
    name: object = query.get("name")
    return Metric(name if isinstance(name, str) and name else _described(query), query, is_primary)


def _described(query: dict[str, Any]) -> str:
    """Return what a metric counts; PostHog allows metrics without a name."""
    match query.get("metric_type"):
        case "funnel":
            return " to ".join(map(_label, as_list(query.get("series")))) or "funnel"
        case "ratio":
            return f"{_label(query.get('numerator'))} / {_label(query.get('denominator'))}"
        case "retention":
            return f"{_label(query.get('start_event'))} then {_label(query.get('completion_event'))}"
        case _:
            return _label(query.get("source"))


def _label(node: Any) -> str:
    fields = as_object(node)
    name = fields.get("custom_name") or fields.get("name") or fields.get("event") or fields.get("table_name")
    label = str(name or (f"action {fields['id']}" if "id" in fields else "All events"))
    math = fields.get("math")
    return label if math in (None, "total") else f"{math} of {fields.get('math_property') or label}"


def _value(metric: Metric, one: VariantNumbers) -> float | None:
    """Return the mean of a variant: per sample, or per denominator for ratios and retention."""
    of = one.denominator_sum if metric.type in ("ratio", "retention") else one.number_of_samples
    return one.sum / of if of else None


def _numbers(metric: Metric, one: VariantNumbers) -> list[Cell]:
    value = _value(metric, one)
    if value is not None and _COLUMNS.get(metric.type, _MEAN)[1].role is Role.SHARE:
        value = round(100 * value, 2)
    return [one.key, one.number_of_samples, number(one.sum), number(value)]


def _interval(one: VariantNumbers) -> tuple[float, float] | None:
    return one.credible_interval or one.confidence_interval


def _lift(metric: Metric, one: VariantNumbers, baseline: VariantNumbers, *, relative: bool) -> float | None:
    """Return how much higher the mean is than the baseline's, as a fraction: the center of PostHog's interval."""
    interval = _interval(one)
    if relative and interval:
        return sum(interval) / 2
    value, before = _value(metric, one), _value(metric, baseline)
    return value / before - 1 if value is not None and before else None


def _verdict(
    metric: Metric, one: VariantNumbers, baseline: VariantNumbers, scale: int, *, relative: bool
) -> list[Cell]:
    low, high = _interval(one) or (None, None)
    chance = one.chance_to_win
    if chance is not None:
        chance = round(100 * (1 - chance if metric.is_decrease else chance), 2)
    return [
        _times(_lift(metric, one, baseline, relative=relative), 100),
        _times(low, scale),
        _times(high, scale),
        number(chance if one.p_value is None else one.p_value),
        one.significant,
    ]


def _times(value: float | None, scale: int) -> int | float | None:
    return None if value is None else number(round(value * scale, 1 if scale > 1 else 4))


def _outcome(metric: Metric, one: VariantNumbers, lift: float | None) -> MetricOutcome:
    if not one.significant or not lift:
        return "undecided"
    return "wins" if (lift < 0) is metric.is_decrease else "loses"


def _lacking(baseline: VariantNumbers, variants: list[VariantNumbers]) -> Iterator[str]:
    for one in [baseline, *variants]:
        for failure in one.validation_failures or []:
            yield f"{named(one.key)}: {_LACKS.get(failure) or named(failure)}"


def _steps(variants: list[VariantNumbers]) -> dict[str, Any]:
    """Return how many users reached each step, for funnels with several."""
    counts = {one.key: one.step_counts for one in variants}
    return {"step_counts": counts} if any(len(steps or ()) > 1 for steps in counts.values()) else {}


_OUTCOMES: Mapping[MetricOutcome, str] = {
    "wins": "{} wins",
    "loses": "{} loses",
    "undecided": "{} does not differ significantly",
}


def _sentence(outcomes: Mapping[str, MetricOutcome], lacking: tuple[str, ...]) -> str:
    if lacking:
        return f"PostHog has no verdict yet: {'; '.join(lacking)}."
    return f"{', '.join(_OUTCOMES[outcome].format(named(key)) for key, outcome in outcomes.items())}."
