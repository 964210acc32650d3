"""Every operation the server offers, in the order it lists them."""

from typing import Any

from . import account, actions, annotations, cohorts, connections, definitions, flags, persons, recordings, restore
from .analytics import operations as analytics
from .dashboards import operations as dashboards
from .experiments import results as experiment_results, operations as experiments
from .insights import operations as insights
from .query import operations as query, check as query_check, describe as query_describe
from .surveys import stats as survey_stats, operations as surveys
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
