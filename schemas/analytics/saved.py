"""The query of an insight: as a query tool takes it, or as PostHog stores it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from ..base import InProject, Part
from ..json import as_list, is_object
from ..query import RunHogql
from .queries import ANALYSES, QueryFunnel, QueryLifecycle, QueryPaths, QueryRetention, QueryStickiness, QueryTrends

_CHARTS = tuple(model.node for model in ANALYSES)
_TABLES = ("EventsQuery", "ActorsQuery")
_NODES = ("InsightVizNode", "DataVisualizationNode", "DataTableNode")
_SERIES_NEEDED = {model.node: model.least_series for model in ANALYSES}
_INPUTS: Mapping[str, type[InProject]] = {
    "query_trends": QueryTrends,
    "query_funnel": QueryFunnel,
    "query_retention": QueryRetention,
    "query_paths": QueryPaths,
    "query_stickiness": QueryStickiness,
    "query_lifecycle": QueryLifecycle,
    "run_hogql": RunHogql,
}
type QueryTool = Literal[
    "query_trends",
    "query_funnel",
    "query_retention",
    "query_paths",
    "query_stickiness",
    "query_lifecycle",
    "run_hogql",
]


def _of_tool(value: object, info: ValidationInfo) -> object:
    """Return the arguments as the input of their tool. Its errors keep their place inside the arguments."""
    takes = _INPUTS.get(info.data.get("tool", ""))
    return takes.model_validate(value) if takes and is_object(value) else value


class ToolQuery(Part):
    """A query as the call of a tool that runs it."""

    tool: QueryTool
    arguments: Annotated[InProject, BeforeValidator(_of_tool)]


def wrapped(query: dict[str, Any]) -> dict[str, Any]:
    """Return the query wrapped in the node that PostHog needs to draw it; a node is returned unchanged.

    PostHog stores any object, so a bare query or one without series would fail only when a user opens the insight.
    Raises ValueError for a query that cannot be drawn.
    """
    kind = query.get("kind")
    if kind in _NODES:
        source: object = query.get("source")
        if not is_object(source):
            raise ValueError(f"{kind} needs a `source`: one of {', '.join((*_CHARTS, 'HogQLQuery'))}")
        if not _is_other(source):
            _check(source)
        return query
    _check(query)
    if kind in _CHARTS:
        return {"kind": "InsightVizNode", "source": query}
    if kind in _TABLES:
        return {"kind": "DataTableNode", "source": query}
    return {"kind": "DataVisualizationNode", "source": query}


def _is_other(source: dict[str, Any]) -> bool:
    """Return whether a query is of a kind that is not known here, such as a newer one. HogQuery runs code."""
    kind = source.get("kind")
    known = (*_CHARTS, *_TABLES, "HogQLQuery", "HogQuery")
    return isinstance(kind, str) and kind.endswith("Query") and kind not in known


def _check(source: dict[str, Any]) -> None:
    kind = source.get("kind")
    if kind not in (*_CHARTS, *_TABLES, "HogQLQuery"):
        raise ValueError(
            f"`kind` must be one of {', '.join((*_CHARTS, 'HogQLQuery'))}; or pass `tool` and `arguments` of a query"
        )
    if kind == "HogQLQuery" and not isinstance(source.get("query"), str):
        raise ValueError("HogQLQuery needs its SQL in `query`")
    count = len(as_list(source.get("series")))
    if count < (needed := _SERIES_NEEDED.get(kind, 0)):
        raise ValueError(
            f'{kind} needs `series` with at least {needed}, such as {{"kind": "EventsNode", "event": "$pageview"}}'
        )


def _either(value: object) -> ToolQuery | dict[str, Any]:
    if isinstance(value, ToolQuery):
        return value
    if not is_object(value):
        raise ValueError("must be an object")
    return ToolQuery.model_validate(value) if "tool" in value else wrapped(value)


type InsightQuery = Annotated[ToolQuery | dict[str, Any], PlainValidator(_either), WithJsonSchema({"type": "object"})]
"""The query of an insight. PostHog's own is wrapped in the node that draws it."""


class WithQuery(InProject):
    """The arguments of tools that store insights' queries. They act on the project and connection that these name."""

    def queries(self) -> Mapping[str, ToolQuery | dict[str, Any]]:
        """Return the queries by their place in the arguments."""
        query: ToolQuery | dict[str, Any] | None = getattr(self, "query", None)
        return {} if query is None else {"query": query}

    @model_validator(mode="after")
    def _aim_like_the_queries(self) -> Self:
        aim: dict[str, Any] = {}
        for place, query in self.queries().items():
            named = _target(query.arguments) if isinstance(query, ToolQuery) else {}
            for name, value in named.items():
                other = getattr(self, name) if name in self.model_fields_set else aim.get(name, value)
                if other != value:
                    raise ValueError(f"`{name}` differs from the one in `{place}.arguments`; pass one of them")
            aim |= named
        return self.model_copy(update=aim) if aim else self


def _target(arguments: InProject) -> dict[str, Any]:
    """Return the project and the connection that the arguments name."""
    named = {"project_id": arguments.project_id, "connection_id": arguments.connection_id}
    return {name: value for name, value in named.items() if value not in (None, "@current")}
