"""Insights: `/api/projects/{project_id}/insights/`."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from .analytics.saved import InsightQuery, WithQuery
from .base import AskedWrite, Id, InProject, Page, View, Write
from .base.changes import Changes
from .base.forms import Clearable, whole_number
from .base.shown import Author, Fields, IfTrue, Items, Text
from .json import as_list, is_list, is_object

_ACTIONS = (
    *("activity", "all_activity", "cancel", "funnel", "my_last_viewed", "path", "retention", "timing", "trend"),
    *("trending", "viewed"),
)
"""Words that follow the path of insights in PostHog's API, and are no short ids."""


def _a_short_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", value) or value in _ACTIONS:
        raise ValueError("is not an insight; pass its number or short id exactly as a list tool returns it")
    return value


type InsightId = Annotated[Id | Annotated[str, AfterValidator(_a_short_id)], BeforeValidator(whole_number)]
"""The number of an insight or its short id. Digits are its number."""


type InsightKind = Literal["TRENDS", "FUNNELS", "RETENTION", "PATHS", "STICKINESS", "LIFECYCLE", "JSON", "SQL"]
_NODES = {"HOGQL": "SQL", "FUNNEL": "FUNNELS", "EVENTS": "JSON", "ACTORS": "JSON"}


def _kind_word(value: object) -> object:
    """Return PostHog's word for a kind that is written as the node (`TrendsQuery`) or the tool (`query_trends`)."""
    if not isinstance(value, str):
        return value
    word = value.strip().upper().removeprefix("QUERY_").removesuffix("QUERY")
    return _NODES.get(word, word)


class ListInsights(Page):
    search: str | None = None
    saved: bool | None = None
    insight: Annotated[InsightKind, BeforeValidator(_kind_word)] | None = None
    """Insight kind."""
    dashboards: list[Id] | None = None
    """Matches insights on all of these."""


class GetInsight(InProject):
    insight_id: InsightId
    """Id or short id."""
    refresh: bool = False
    """Recompute the result."""
    full: bool = False


class CreateInsight(WithQuery, Write):
    name: str = Field(min_length=1, max_length=400)
    query: InsightQuery
    """{tool, arguments} as in a call of query_trends, run_hogql...; or PostHog's own: {kind: TrendsQuery...}."""
    description: str | None = None
    tags: list[str] | None = None
    add_to_dashboards: list[Id] | None = None
    dashboards: SkipJsonSchema[list[Id] | None] = None
    """The former name of add_to_dashboards."""
    saved: bool = True


class UpdateInsight(WithQuery, Changes):
    insight_id: InsightId
    """Id or short id."""
    name: Clearable | None = Field(default=None, max_length=400)
    query: InsightQuery | None = None
    description: Clearable | None = None
    tags: list[str] | None = None
    remove_tags: list[str] | None = None
    add_to_dashboards: list[Id] | None = None
    remove_from_dashboards: list[Id] | None = None
    dashboards: SkipJsonSchema[list[Id] | None] = None
    """The former name of add_to_dashboards."""
    saved: bool | None = None


class DeleteInsight(AskedWrite):
    insight_id: InsightId
    """Id or short id."""


def _kind(query: Any) -> Any:
    """Return the kind of a query or of the query inside a node, such as `TrendsQuery`."""
    if not is_object(query):
        return None
    source: object = query.get("source")
    return _kind(source) if is_object(source) else query.get("kind")


type KindOfQuery = Annotated[str | None, BeforeValidator(_kind)]
"""The kind of an insight's query, shown instead of the query."""


class InsightName(View):
    """The name of an insight; PostHog derives one from the query if none was set."""

    id: int
    short_id: str | None = None
    name: Text = None
    derived_name: Text = None


class InsightBrief(InsightName):
    """An insight as other objects refer to it."""

    kind: KindOfQuery = Field(default=None, validation_alias="query")
    deleted: IfTrue = None


def dashboards_of(insight: Mapping[str, Any]) -> Sequence[Any]:
    """Return the ids of the dashboards of an insight; newer servers list them only in `dashboard_tiles`."""
    named, tiles = as_list(insight.get("dashboards")), as_list(insight.get("dashboard_tiles"))
    return named or [tile.get("dashboard_id") for tile in tiles if is_object(tile) and not tile.get("deleted")]


class InsightFields(InsightName):
    """The fields shared by lists and single insights."""

    saved: bool | None = None
    favorited: bool | None = None
    dashboards: Items = None
    tags: Items = None
    last_modified_at: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _dashboards_of_tiles(cls, value: Any) -> Any:
        if not is_object(value) or value.get("dashboards") or not is_list(value.get("dashboard_tiles")):
            return value
        return {**value, "dashboards": dashboards_of(value)}


class InsightRow(InsightFields):
    """An insight in a list."""

    kind: KindOfQuery = Field(default=None, validation_alias="query")


class StoredInsight(InsightFields):
    """An insight as stored, without its result."""

    description: Text = None
    query: Fields = None
    filters: Fields = None
    created_at: str | None = None
    created_by: Author = None
    last_modified_by: Author = None


class InsightView(InsightName):
    """An insight with its last computed result."""

    deleted: bool | None = None
    query: Any = None
    last_refresh: str | None = None
    is_cached: bool | None = None
    columns: list[Any] | None = None
    hasMore: bool | None = None  # noqa: N815 (PostHog's name)
    resolved_date_range: Any = None
    result: Any = None


class InsightState(View):
    """A deleted insight."""

    id: int
    short_id: str | None = None
    name: Text = None
    deleted: bool | None = None
