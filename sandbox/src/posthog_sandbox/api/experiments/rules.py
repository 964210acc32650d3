"""PostHog's rules for an experiment's variants, metrics and settings."""

import uuid
from datetime import datetime
from typing import Any

from ...errors import invalid
from ...values import Row, as_list, as_object, objects

DEFAULT_VARIANTS: tuple[Row, ...] = (
    {"key": "control", "name": "Control Group", "rollout_percentage": 50},
    {"key": "test", "name": "Test Variant", "rollout_percentage": 50},
)
_MAX_VARIANTS = 20
_TOO_FEW = "Feature flag must have at least 2 variants (control and at least one test variant)"
_NODES = {
    "mean": ("source",),
    "funnel": ("series",),
    "ratio": ("numerator", "denominator"),
    "retention": ("start_event", "completion_event"),
}
"""Keys of the events in each metric type."""


def parameters(value: Any, name: str) -> Row:
    """Check parameters and normalize variants: `split_percent` is the newer name of `rollout_percentage`."""
    found = as_object(value)
    if found is None:
        raise invalid("Parameters must be an object", attr=name)
    given = as_list(found.get("feature_flag_variants")) or []
    variants = [_variant(item, index, name) for index, item in enumerate(given)]
    if not variants:
        return found
    if len(variants) > _MAX_VARIANTS:
        raise invalid("Feature flag variants must be less than 21", attr=name)
    if len(variants) < 2:
        raise invalid(_TOO_FEW, attr=name)
    keys = [variant["key"] for variant in variants]
    if "control" not in keys:
        raise invalid(
            f"Feature flag variants must contain a variant with key 'control' (lowercase, exactly). Got keys: {keys}. "
            "Rename the baseline variant's 'key' to 'control'.",
            attr=name,
        )
    return {**found, "feature_flag_variants": variants}


def _variant(value: Any, index: int, name: str) -> Row:
    variant = as_object(value)
    if variant is None:
        raise invalid(f"Feature flag variant at index {index} must be an object", attr=name)
    if "key" not in variant:
        raise invalid(f"Feature flag variant at index {index} must have a 'key' field", attr=name)
    share = variant.get("split_percent", variant.get("rollout_percentage"))
    if share is None:
        detail = "Each variant must include split_percent (recommended) or rollout_percentage (deprecated)."
        raise invalid(detail, attr=name)
    key = str(variant["key"])
    kept = {word: item for word, item in variant.items() if word != "split_percent"}
    return {**kept, "key": "control" if key.lower() == "control" else key, "rollout_percentage": share}


def check_flag_variants(variants: list[Row]) -> None:
    """Raise ApiError 400 unless an existing flag is suitable for an experiment."""
    if len(variants) < 2:
        raise invalid(_TOO_FEW)
    if "control" not in [variant.get("key") for variant in variants]:
        raise invalid("Feature flag must have a variant with key 'control'")


def metrics(value: Any, name: str) -> list[Row]:
    """Check metrics and give each a `uuid`."""
    items = as_list(value)
    if items is None:
        raise invalid("Metrics must be a list", attr=name)
    return [_metric(item, index, name) for index, item in enumerate(items)]


def _metric(value: Any, index: int, name: str) -> Row:
    metric = as_object(value)
    if metric is None:
        raise invalid(f"Invalid metric at index {index}: must be a dict", attr=name)
    kind = metric.get("kind")
    if kind in ("ExperimentTrendsQuery", "ExperimentFunnelsQuery"):
        raise invalid(
            f"Invalid metric at index {index}: legacy metric kind '{kind}' is no longer supported for new experiments. "
            "Use 'ExperimentMetric' instead.",
            attr=name,
        )
    if kind != "ExperimentMetric":
        raise invalid(f"Invalid metric at index {index}: metric kind must be 'ExperimentMetric'", attr=name)
    needed = _NODES.get(str(metric.get("metric_type")))
    if needed is None:
        raise invalid(
            f"Invalid metric at index {index}: metric_type must be one of {', '.join(sorted(_NODES))}.", attr=name
        )
    for node in needed:
        if not metric.get(node):
            raise invalid(f"Invalid metric at index {index}: {node} is required for {metric['metric_type']}", attr=name)
    return {**metric, "uuid": metric.get("uuid") or str(uuid.uuid4())}


def metric_events(value: Any) -> set[str]:
    """Return the names of the events in metrics."""
    names = [node.get("event") for node in _nodes(value) if node.get("kind") == "EventsNode"]
    return {name for name in names if isinstance(name, str) and name.strip()}


def metric_actions(value: Any) -> set[int]:
    """Return the ids of the actions in metrics."""
    ids = [node.get("id") for node in _nodes(value) if node.get("kind") == "ActionsNode"]
    return {id for id in ids if isinstance(id, int)}


def _nodes(value: Any) -> list[Row]:
    found: list[Row] = []
    for metric in objects(value):
        for name in _NODES.get(str(metric.get("metric_type")), ()):
            node = metric.get(name)
            found += objects(node) if name == "series" else objects([node])
    return found


def exposure_criteria(value: Any, name: str) -> Row:
    """Check the exposure criteria; test accounts are excluded by default."""
    found = as_object(value)
    if found is None:
        raise invalid(f"exposure_criteria must be an object, got {type(value).__name__}.", attr=name)
    if not isinstance(found.get("filterTestAccounts", True), bool):
        raise invalid("exposure_criteria.filterTestAccounts must be a boolean", attr=name)
    if as_object(found.get("exposure_config", {})) is None:
        raise invalid("exposure_criteria.exposure_config must be an object", attr=name)
    return {"filterTestAccounts": True, **found}


def stats_config(value: Any, name: str) -> Row:
    """Check the statistical method, Bayesian by default."""
    found = as_object(value)
    if found is None:
        raise invalid("stats_config must be an object", attr=name)
    method = found.get("method") or "bayesian"
    if method not in ("bayesian", "frequentist"):
        raise invalid(f"Invalid stats method: '{method}'. Must be one of: bayesian, frequentist", attr=name)
    return {**found, "method": method}


def check_dates(row: Row) -> None:
    """Raise ApiError 400 unless the end is after the start."""
    start, end = row["start_date"], row["end_date"]
    if start and end and datetime.fromisoformat(start) >= datetime.fromisoformat(end):
        raise invalid("End date must be after start date")


def ordered_uuids(ordering: list[Any] | None, found: list[Row] | None) -> list[Any] | None:
    """Return the order of metrics by `uuid`: removed ones are dropped, new ones appended."""
    if not found:
        return ordering
    uuids: list[Any] = [metric["uuid"] for metric in found]
    kept = [item for item in ordering or [] if item in uuids]
    return kept + [item for item in uuids if item not in kept]
