"""API resources of a project, one module per area."""

from anyio import to_thread

from ..http.resource import routes
from ..http.routing import Route, Services
from ..query_endpoint.handlers import QueryEndpoint
from ..query_endpoint.runners import load_runners
from .account import ROUTES as ACCOUNT
from .actions.references import ROUTES as ACTIONS
from .activity import ROUTES as ACTIVITY
from .annotations import ROUTES as ANNOTATIONS
from .cohorts.resource import calculate_pending, cohort_persons, cohort_routes
from .dashboards.resource import dashboard_routes
from .data_catalog import ROUTES as DATA_CATALOG
from .definitions import ROUTES as DEFINITIONS
from .error_issues import error_issue_routes
from .experiments.copies import ROUTES as EXPERIMENT_COPIES
from .experiments.resource import ROUTES as EXPERIMENTS
from .experiments.saved_metrics import ROUTES as SAVED_METRICS
from .flags.bulk import ROUTES as FLAG_BULK
from .flags.cohorts import ROUTES as FLAG_COHORTS
from .flags.copies import ROUTES as FLAG_COPIES
from .flags.dependents import ROUTES as FLAG_DEPENDENTS
from .flags.evaluation import ROUTES as FLAG_EVALUATION
from .flags.resource import FLAGS
from .groups import ROUTES as GROUPS
from .insights.resource import insight_routes
from .insights.views import insight_view_routes
from .persons.actions import ROUTES as PERSON_ACTIONS
from .persons.resource import ROUTES as PERSONS
from .recordings.resource import recording_routes
from .surveys.resource import ROUTES as SURVEYS


def resource_routes() -> tuple[Route, ...]:
    """Return all routes of the data plane."""
    query = QueryEndpoint(cohort_persons)
    return (
        *ACCOUNT,
        *query.routes(),
        *dashboard_routes(query.obtain),
        *insight_routes(query.obtain),
        *routes(FLAGS),
        *cohort_routes(query.compute),
        *ACTIONS,
        *PERSONS,
        *PERSON_ACTIONS,
        *ANNOTATIONS,
        *SURVEYS,
        *EXPERIMENTS,
        *DEFINITIONS,
        *DATA_CATALOG,
        *recording_routes(query.compute),
        *error_issue_routes(query.compute),
        *GROUPS,
        *ACTIVITY,
        *insight_view_routes(query.cancel),
        *FLAG_DEPENDENTS,
        *FLAG_COPIES,
        *FLAG_BULK,
        *FLAG_COHORTS,
        *FLAG_EVALUATION,
        *EXPERIMENT_COPIES,
        *SAVED_METRICS,
    )


async def on_ready(services: Services) -> None:
    """Run the work that needs the events, once they are open."""
    await calculate_pending(services)
    await to_thread.run_sync(load_runners, abandon_on_cancel=True)
