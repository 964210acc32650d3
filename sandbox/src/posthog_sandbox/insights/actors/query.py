"""InsightActorsQuery and related kinds: the actors behind a number of an insight."""

from collections.abc import Awaitable, Callable, Mapping

from ...http.routing import Call
from ...queries.project import Project
from ...queries.running import page_of, response_fields, run_hogql
from ...values import Row, as_object
from ..actor_events import unsupported
from ..actor_source import ActorSource
from ..funnels.actors import actors_of_funnel
from ..paths.actors import actors_of_paths
from ..requests import malformed_query
from ..retention.actors import actors_of_retention
from ..trends.actors import actors_of_trend, events_of_trend
from ..trends.statuses import actors_of_lifecycle, actors_of_stickiness

type _Actors = Callable[[Call, Row, Project], Awaitable[ActorSource]]

_SOURCES: Mapping[str, _Actors] = {
    "TrendsQuery": actors_of_trend,
    "LifecycleQuery": actors_of_lifecycle,
    "StickinessQuery": actors_of_stickiness,
    "PathsQuery": actors_of_paths,
    "FunnelsQuery": actors_of_funnel,
    "RetentionQuery": actors_of_retention,
}
_OWN_KINDS = {"FunnelsActorsQuery": "FunnelsQuery", "StickinessActorsQuery": "StickinessQuery"}


async def insight_actors(call: Call, query: Row, project: Project) -> ActorSource:
    """Return the actors of a query of one of `KINDS`. Raises ApiError 400."""
    source = as_object(query.get("source"))
    if source is None:
        raise malformed_query("source", "Field required")
    wanted = _OWN_KINDS.get(str(query.get("kind")))
    kind = str(source.get("kind"))
    if wanted is not None and kind != wanted:
        raise malformed_query("source.kind", f"Input should be '{wanted}'")
    actors = _SOURCES.get(kind)
    if actors is None:
        raise unsupported(f"the actors of {kind[:60]}")
    return await actors(call, query, project)


async def insight_events(call: Call, query: Row, project: Project) -> str:
    """Return the HogQL condition of the events behind a number of a trend. Raises ApiError 400."""
    if query.get("kind") != "InsightActorsQuery":
        raise malformed_query("source.kind", "Input should be 'InsightActorsQuery'")
    source = as_object(query.get("source"))
    if source is None:
        raise malformed_query("source.source", "Field required")
    if source.get("kind") != "TrendsQuery":
        raise unsupported(f"the events of {str(source.get('kind'))[:60]}")
    return (await events_of_trend(call, query, project))[0]


async def insight_actors_query(call: Call, query: Row, project: Project) -> Row:
    """Return actors in the form of HogQLQuery rows, 100 in total or per series. Raises ApiError 400."""
    source = await insight_actors(call, query, project)
    ran = await run_hogql(call, source.hogql, source.context)
    rows = ran.table.rows
    page = {"hasMore": None, "limit": None, "offset": None}
    if ran.translated.limit is not None:
        rows, page = page_of(ran, ran.translated.limit, 0)
    return {
        **response_fields(call, query, project),
        "clickhouse": ran.translated.sql,
        "hogql": ran.translated.hogql,
        "columns": list(ran.translated.columns),
        "types": [[name, kind] for name, kind in zip(ran.translated.columns, ran.table.types, strict=True)],
        "results": rows,
        "error": None,
        "modifiers": {},
        "timings": ran.timings,
        **page,
    }
