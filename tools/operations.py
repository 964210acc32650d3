"""All operations of the server, in the order in which it lists them."""

from typing import Any

from . import account, actions, annotations, cohorts, connections, definitions, persons, recordings, restore
from .analytics import operations as analytics
from .analytics.actors import operations as actors
from .analytics.changes import operations as changes
from .dashboards import operations as dashboards
from .errors import operations as errors
from .experiments import operations as experiments
from .experiments import results as experiment_results
from .flags import operations as flags
from .insights import operations as insights
from .operation import Operation
from .query import check as query_check
from .query import describe as query_describe
from .query import operations as query
from .surveys import operations as surveys
from .surveys import stats as survey_stats

OPERATIONS: tuple[Operation[Any], ...] = (
    *query.OPERATIONS,
    *query_check.OPERATIONS,
    *query_describe.OPERATIONS,
    *analytics.OPERATIONS,
    *changes.OPERATIONS,
    *actors.OPERATIONS,
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
    *errors.OPERATIONS,
    *definitions.OPERATIONS,
    *restore.OPERATIONS,
    *account.OPERATIONS,
    *connections.OPERATIONS,
)
