"""Which queries are sent to `POST /api/projects/{project_id}/query/`: only kinds that read."""

from collections.abc import Iterator
from typing import Any, cast

from .errors import Refused

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
        "ExperimentQuery",
        "ExperimentExposureQuery",
        "InsightVizNode",
        "DataVisualizationNode",
        "DataTableNode",
    ]
)
"""Query kinds that only read. PostHog has one that runs code (HogQuery); it is never sent."""
_HINT = f"Accepted: {', '.join(sorted(QUERY_KINDS))}."


def check_query(query: object) -> None:
    """Raises Refused (`invalid_argument`) unless the query has a kind of QUERY_KINDS, and so has every query in it."""
    if not isinstance(query, dict):
        raise Refused("invalid_argument", "query: must be an object with a kind.", _HINT)
    for kind in _kinds(cast("dict[str, Any]", query)):
        if not isinstance(kind, str) or kind not in QUERY_KINDS:
            raise Refused("invalid_argument", "query: its kind is not one that this server sends.", _HINT)


def _kinds(query: dict[str, Any]) -> Iterator[object]:
    """The kind of the query, and of each one nested in it, however deep."""
    yield query.get("kind")
    left: list[Any] = list(query.values())
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += cast("list[Any]", value)
        elif isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            if isinstance(kind := fields.get("kind"), str) and kind.endswith("Query"):
                yield kind
            left += fields.values()
