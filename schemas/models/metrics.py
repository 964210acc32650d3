"""The models of experiments' metrics by type."""

from collections.abc import Iterator, Mapping

from ..json import is_object
from .check import Check, Model, anything, each, flag, listed, number, text, whole, word
from .flaw import Flaw
from .parts import breakdown_filter, series_node

_KIND = "ExperimentMetric"
_UNITS = word("second", "minute", "hour", "day", "week", "month")
_SHARED: dict[str, Check] = {
    **each(text, "kind metric_type uuid fingerprint name"),
    **each(whole, "conversion_window sharedMetricId"),
    "conversion_window_unit": _UNITS,
    "goal": word("increase", "decrease"),
    "isSharedMetric": flag,
    "breakdownFilter": breakdown_filter,
    **each(anything, "version response"),
}
_OUTLIERS: dict[str, Check] = {
    **each(number, "lower_bound_percentile upper_bound_percentile"),
    "ignore_zeros": flag,
}
_HANDLING = Model("outlier handling", _OUTLIERS)
_METRICS: Mapping[str, Model] = {
    "mean": Model("a mean metric", {**_SHARED, **_OUTLIERS, "source": series_node, "threshold": number}, ("source",)),
    "funnel": Model(
        "a funnel metric",
        {**_SHARED, "series": listed(series_node), "funnel_order_type": word("ordered", "strict", "unordered")},
        ("series",),
    ),
    "ratio": Model(
        "a ratio metric",
        {**_SHARED, **each(series_node, "numerator denominator")}
        | each(_HANDLING, "numerator_outlier_handling denominator_outlier_handling"),
        ("numerator", "denominator"),
    ),
    "retention": Model(
        "a retention metric",
        {**_SHARED, **each(series_node, "start_event completion_event"), "retention_window_unit": _UNITS}
        | each(whole, "retention_window_start retention_window_end")
        | {"start_handling": word("first_seen", "last_seen")},
        (
            *("start_event", "completion_event", "start_handling"),
            *("retention_window_start", "retention_window_end", "retention_window_unit"),
        ),
    ),
}


def metric_flaws(metric: object) -> Iterator[Flaw]:
    """Yield the flaws of a metric. Other kinds, such as those of older experiments, are not checked."""
    if not is_object(metric):
        yield Flaw("must be an object")
        return
    if metric.get("kind") not in (None, _KIND):
        return
    kind = metric.get("metric_type")
    model = _METRICS.get(kind) if isinstance(kind, str) else None
    if model is None:
        yield Flaw(f"must be one of {', '.join(_METRICS)}", ("metric_type",))
        return
    yield from model(metric)
