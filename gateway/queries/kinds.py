"""The queries that are sent to `POST /api/projects/{project_id}/query/`: kinds that only read."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from ...schemas.json import is_list, is_object
from ..errors import Refused

QUERY_PATH = "/api/projects/{project_id}/query/"
QUERY_KINDS = frozenset(
    [
        "HogQLQuery",
        "HogQLMetadata",
        "DatabaseSchemaQuery",
        "EventTaxonomyQuery",
        "TeamTaxonomyQuery",
        "EventsQuery",
        "ActorsQuery",
        "InsightActorsQuery",
        "FunnelsActorsQuery",
        "TrendsQuery",
        "FunnelsQuery",
        "RetentionQuery",
        "PathsQuery",
        "StickinessQuery",
        "LifecycleQuery",
        "ErrorTrackingQuery",
        "ExperimentQuery",
        "ExperimentExposureQuery",
        "InsightVizNode",
        "DataVisualizationNode",
        "DataTableNode",
    ]
)
"""Query kinds that only read. PostHog's HogQuery, which runs code, is never sent."""
INSTANT_KINDS = frozenset({"DatabaseSchemaQuery", "HogQLMetadata"})
"""Kinds that PostHog answers without running a query."""
type Finish[T] = Callable[[Any], Awaitable[T]]
"""Makes the result of the response to a query; for one that PostHog runs asynchronously, it waits for its end, because
the query counts there until then.
"""
_HINT = f"Accepted: {', '.join(sorted(QUERY_KINDS))}."


async def unchanged(response: Any) -> Any:
    """Return the response."""
    return response


def check_query(query: object) -> None:
    """Raise Refused (`invalid_argument`) unless the query and every query in it have a kind of QUERY_KINDS."""
    if not is_object(query):
        raise Refused("invalid_argument", "`query` must be an object with a kind.", _HINT)
    for kind in _kinds(query):
        if not isinstance(kind, str) or kind not in QUERY_KINDS:
            raise Refused("invalid_argument", "`query` has a kind that this server does not send.", _HINT)


def _kinds(query: dict[str, Any]) -> Iterator[object]:
    """Yield the kind of the query and of each query nested in it, at any depth."""
    yield query.get("kind")
    left: list[Any] = list(query.values())
    while left:
        value = left.pop()
        if is_list(value):
            left += value
        elif is_object(value):
            if isinstance(kind := value.get("kind"), str) and kind.endswith("Query"):
                yield kind
            left += value.values()
