"""ExperimentQuery: the results of an experiment's metric by variant, and their significance."""

from collections.abc import Callable, Mapping

from anyio import to_thread

from ...http.routing import Call
from ...queries.project import Project
from ...queries.running import response_fields
from ...values import Row
from ..running import Session
from .funnels import FunnelMetric, funnel_numbers, read_funnel_metric
from .request import MULTIPLE, Exposures, analysis_window, metric_of, read_exposures, stored_experiment
from .retention import RetentionMetric, read_retention_metric, retention_numbers
from .statistics import MetricType, StatsConfig, VariantNumbers, read_stats_config, summarized
from .values import ValueMetric, read_value_metric, value_numbers

type _Metric = FunnelMetric | RetentionMetric | ValueMetric

_LEGACY = (
    "insight",
    "metric",
    "variants",
    "probability",
    "significant",
    "significance_code",
    "stats_version",
    "p_value",
    "credible_intervals",
    "breakdown_results",
)


async def experiment_query(call: Call, query: Row, project: Project) -> Row:
    """Return `baseline` and `variant_results`, without `results`. Raises ApiError 400."""
    kind, metric, exposures, config = await to_thread.run_sync(_read, call, query, project)
    session = Session(call, project)
    if isinstance(metric, FunnelMetric):
        found = await funnel_numbers(session, metric, exposures)
    elif isinstance(metric, RetentionMetric):
        found = await retention_numbers(session, metric, exposures)
    else:
        found = await value_numbers(session, metric, exposures)
    return {
        **response_fields(call, query, project),
        "kind": "ExperimentQuery",
        **summarized(_in_order(found, exposures), kind, config),
        **dict.fromkeys(_LEGACY),
        "is_precomputed": False,
        "hogql": session.hogql,
        "clickhouse_sql": session.sql,
        "query_status": None,
    }


def _read(call: Call, query: Row, project: Project) -> tuple[MetricType, _Metric, Exposures, StatsConfig]:
    experiment, flag = stored_experiment(call, query)
    given = metric_of(query)
    config = read_stats_config(experiment["stats_config"])
    start, end = analysis_window(project, experiment["start_date"], experiment["end_date"])
    exposures = read_exposures(call, project, flag=flag, criteria=experiment["exposure_criteria"], start=start, end=end)
    kind: MetricType = given["metric_type"]
    return kind, _METRICS[kind](call, project, given), exposures, config


_METRICS: Mapping[MetricType, Callable[[Call, Project, Row], _Metric]] = {
    "mean": read_value_metric,
    "ratio": read_value_metric,
    "funnel": read_funnel_metric,
    "retention": read_retention_metric,
}


def _in_order(found: list[VariantNumbers], exposures: Exposures) -> list[VariantNumbers]:
    """Return the variants in the flag's order, those without exposures last and empty; without `$multiple`."""
    seen = {numbers.key: numbers for numbers in found if numbers.key != MULTIPLE}
    missing = [VariantNumbers(key=key) for key in exposures.variants if key not in seen]
    return [seen[key] for key in exposures.variants if key in seen] + missing
