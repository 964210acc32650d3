"""A running experiment with its metrics, and PostHog's responses to its queries (invented values)."""

from typing import Any

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer

QUERY = f"/api/projects/{PROJECT_ID}/query/"
NOW = "2026-11-23T12:00:00Z"
PURCHASES = {
    "kind": "ExperimentMetric",
    "uuid": "u-1",
    "name": "Purchases",
    "metric_type": "funnel",
    "series": [{"kind": "EventsNode", "event": "purchase"}],
}
REVENUE = {
    "kind": "ExperimentMetric",
    "uuid": "u-2",
    "metric_type": "mean",
    "source": {"kind": "EventsNode", "event": "purchase", "math": "sum", "math_property": "revenue"},
}
REFUNDS = {
    "kind": "ExperimentMetric",
    "uuid": "u-3",
    "goal": "decrease",
    "metric_type": "ratio",
    "numerator": {"kind": "EventsNode", "event": "refund"},
    "denominator": {"kind": "EventsNode", "event": "purchase"},
}


def experiment(**changes: Any) -> dict[str, Any]:
    running = {"start_date": "2026-11-01T00:00:00Z", "status": "running", "metrics": [PURCHASES]}
    return answer("experiment", **running | changes)


def variant(key: str, samples: int, total: float, **more: Any) -> dict[str, Any]:
    return {"key": key, "number_of_samples": samples, "sum": total, "validation_failures": [], **more}


CONTROL = variant("control", 212, 118.0, step_counts=[118], step_sessions=[[{"person_id": "p"}]])
TEST = variant(
    "test",
    205,
    167.0,
    step_counts=[167],
    method="bayesian",
    significant=True,
    chance_to_win=0.9999,
    credible_interval=[0.263, 0.664],
)
NEITHER = TEST | {"significant": False, "chance_to_win": 0.6, "credible_interval": [-0.1, 0.2]}


def result(baseline: dict[str, Any] = CONTROL, *variants: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"baseline": baseline, "variant_results": list(variants or (TEST,)), "last_refresh": NOW, **more}


def exposures(*, p_value: float | None = 0.73, **changes: Any) -> dict[str, Any]:
    return {
        "timeseries": [{"variant": "control", "days": ["2026-11-01"], "exposure_counts": [212.0]}],
        "total_exposures": {"control": 212.0, "test": 205.0},
        "sample_ratio_mismatch": None if p_value is None else {"expected": {"control": 208.5}, "p_value": p_value},
        "bias_risk": None,
        "last_refresh": NOW,
        **changes,
    }


def api_with(of: dict[str, Any], seen: Any = None, **by_uuid: Any) -> FakeCall:
    """Return a fake call; `by_uuid` has the response to each metric, with u_1 for u-1."""

    def reply(sent: Sent) -> Any:
        query = (sent.body or {})["query"]
        if query["kind"] == "ExperimentExposureQuery":
            return seen or exposures()
        found = by_uuid.get(query["metric"]["uuid"].replace("-", "_"), result())
        if isinstance(found, Exception):
            raise found
        return found

    return FakeCall({"GET /api/projects/{project_id}/experiments/{experiment_id}/": of, f"POST {QUERY}": reply})
