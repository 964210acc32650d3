"""Every operation the server offers, in the order it lists them."""

from typing import Any

from . import (
    account,
    actions,
    analytics,
    annotations,
    cohorts,
    connections,
    dashboards,
    definitions,
    experiment_results,
    experiments,
    flags,
    insights,
    persons,
    query,
    query_check,
    query_describe,
    recordings,
    restore,
    survey_stats,
    surveys,
)
from .operation import Operation

OPERATIONS: tuple[Operation[Any], ...] = (
    *query.OPERATIONS,
    *query_check.OPERATIONS,
    *query_describe.OPERATIONS,
    *analytics.OPERATIONS,
    *insights.OPERATIONS,
    *dashboards.OPERATIONS,
    *flags.OPERATIONS,
    *cohorts.OPERATIONS,
    *actions.OPERATIONS,
    *persons.OPERATIONS,
    *recordings.OPERATIONS,
    *annotations.OPERATIONS,
    *surveys.OPERATIONS,
    *survey_stats.OPERATIONS,
    *experiments.OPERATIONS,
    *experiment_results.OPERATIONS,
    *definitions.OPERATIONS,
    *restore.OPERATIONS,
    *account.OPERATIONS,
    *connections.OPERATIONS,
)
