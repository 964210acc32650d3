"""The resources of a project, one module per area."""

from ..query import QueryEndpoint
from ..resource import routes
from ..routing import Route, Services
from .account import ROUTES as ACCOUNT
from .action_references import ROUTES as ACTIONS
from .activity import ROUTES as ACTIVITY
from .annotations import ROUTES as ANNOTATIONS
from .cohorts import calculate_pending, cohort_persons, cohort_routes
from .dashboards import dashboard_routes
from .definitions import ROUTES as DEFINITIONS
from .experiment_copies import ROUTES as EXPERIMENT_COPIES
from .experiments import ROUTES as EXPERIMENTS
from .flag_bulk import ROUTES as FLAG_BULK
from .flag_cohorts import ROUTES as FLAG_COHORTS
from .flag_copies import ROUTES as FLAG_COPIES
from .flag_dependents import ROUTES as FLAG_DEPENDENTS
from .flag_evaluation import ROUTES as FLAG_EVALUATION
from .flags import FLAGS
from .groups import ROUTES as GROUPS
from .insight_views import insight_view_routes
from .insights import insight_routes
from .person_actions import ROUTES as PERSON_ACTIONS
from .persons import ROUTES as PERSONS
from .recordings import recording_routes
from .surveys import ROUTES as SURVEYS


def resource_routes() -> tuple[Route, ...]:
    """Every route of the data plane."""
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
        *recording_routes(query.compute),
        *GROUPS,
        *ACTIVITY,
        *insight_view_routes(query.cancel),
        *FLAG_DEPENDENTS,
        *FLAG_COPIES,
        *FLAG_BULK,
        *FLAG_COHORTS,
        *FLAG_EVALUATION,
        *EXPERIMENT_COPIES,
    )


async def on_ready(services: Services) -> None:
    """What is to be done once the events are there."""
    await calculate_pending(services)
