"""The function for each query kind. HogQL is loaded with the application, the other kinds after it.

Those are a third of the application, so a start does not wait for them: `load_runners` loads them once the sandbox is
ready, and an earlier query loads the module of its kind.
"""

from collections.abc import Mapping
from importlib import import_module

from anyio import to_thread

from ..http.routing import Call
from ..insights.actor_source import KINDS as ACTOR_KINDS
from ..queries.project import Project
from ..queries.running import Runner
from ..values import Row
from .hogql import database_schema, hogql_metadata, hogql_query
from .taxonomy import event_taxonomy, team_taxonomy

_PACKAGE = __name__.split(".", 1)[0]
_LATER: Mapping[str, str] = {
    "EventsQuery": "query_endpoint.events:events_query",
    "ActorsQuery": "query_endpoint.actors:actors_query",
    "TrendsQuery": "insights.trends.query:trends_query",
    "LifecycleQuery": "insights.trends.lifecycle:lifecycle_query",
    "StickinessQuery": "insights.trends.stickiness:stickiness_query",
    "FunnelsQuery": "insights.funnels.query:funnels_query",
    "PathsQuery": "insights.paths.query:paths_query",
    "RetentionQuery": "insights.retention.query:retention_query",
    **dict.fromkeys(ACTOR_KINDS, "insights.actors.query:insight_actors_query"),
    "InsightActorsQueryOptions": "insights.actors.options:actors_options",
    "ErrorTrackingQuery": "query_endpoint.error_tracking:error_tracking_query",
    "ExperimentQuery": "insights.experiments.query:experiment_query",
    "ExperimentExposureQuery": "insights.experiments.exposures:experiment_exposure_query",
}
"""Modules and functions of the kinds that are loaded later."""


def load_runners() -> None:
    """Load the functions of all kinds."""
    for place in _LATER.values():
        _load(place)


def _load(place: str) -> Runner:
    module, name = place.split(":")
    return getattr(import_module(f"{_PACKAGE}.{module}"), name)


def _later(place: str) -> Runner:
    """Return a function that loads the one at `place` and calls it."""

    async def run(call: Call, query: Row, project: Project) -> Row:
        return await (await to_thread.run_sync(_load, place))(call, query, project)

    return run


RUNNERS: Mapping[str, Runner] = {
    "HogQLQuery": hogql_query,
    "HogQLMetadata": hogql_metadata,
    "DatabaseSchemaQuery": database_schema,
    "EventTaxonomyQuery": event_taxonomy,
    "TeamTaxonomyQuery": team_taxonomy,
    **{kind: _later(place) for kind, place in _LATER.items()},
}
"""The function for each query kind."""
