"""Dashboards: `/api/projects/{project_id}/dashboards/`."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from .analytics.saved import InsightQuery, ToolQuery, WithQuery
from .base import AskedWrite, Id, InProject, Page, Part, View, Write
from .base.changes import Changes
from .base.forms import Clearable, whole_number
from .base.shown import Author, Fields, IfTrue, Items, Text
from .insights import InsightBrief, InsightId, InsightView
from .json import is_object


class ListDashboards(Page):
    search: str | None = None
    tags: list[str] | None = None
    """Matches any of these."""


class GetDashboard(InProject):
    dashboard_id: Id
    full: bool = False
    numbers: bool = False
    """Show each insight's headline number."""
    refresh: bool = False
    """Recompute the numbers."""


COLUMNS = 12
"""The width of a dashboard's grid."""
_WIDTHS: Mapping[str, int] = {"full": COLUMNS, "two thirds": 8, "half": 6, "third": 4, "quarter": 3}
_NARROWEST = 2


def _columns(value: object) -> object:
    """Return the number of columns that a width means. Raises ValueError for one that does not fit the grid."""
    word = " ".join(value.replace("_", " ").replace("-", " ").casefold().split()) if isinstance(value, str) else value
    found = _WIDTHS[word] if isinstance(word, str) and word in _WIDTHS else whole_number(word)
    if isinstance(found, bool) or not isinstance(found, int) or not _NARROWEST <= found <= COLUMNS:
        raise ValueError(f"must be {', '.join(_WIDTHS)}, or {_NARROWEST} to {COLUMNS} columns")
    return found


type Trimmed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A text without spaces around it, which PostHog drops too."""


class NewTile(Part):
    """A tile of a new dashboard: a new insight or a text."""

    name: Trimmed | None = Field(default=None, max_length=400)
    query: InsightQuery | None = None
    description: str | None = None
    text: Trimmed | None = Field(default=None, max_length=4000)
    width: Annotated[int, BeforeValidator(_columns)] | None = None
    """Columns of the grid."""

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.text is not None:
            if others := self.model_fields_set & {"name", "query", "description"}:
                raise ValueError(f"is either a `text` or an insight; remove `text` or {', '.join(sorted(others))}")
        elif self.query is None or self.name is None:
            raise ValueError("needs `name` and `query`, or `text`")
        return self


class CreateDashboard(WithQuery, Write):
    name: str = Field(min_length=1, max_length=400)
    description: str | None = None
    pinned: bool | None = None
    tags: list[str] | None = None
    tiles: list[Annotated[NewTile, WithJsonSchema({"type": "object"})]] | None = Field(default=None, max_length=20)
    """{name, query} as in create_insight, or {text}; width: full, half, third, quarter. Up to 20."""

    def queries(self) -> Mapping[str, ToolQuery | dict[str, Any]]:
        """Return the queries by their place in the arguments."""
        named = ((f"tiles.{at}.query", tile.query) for at, tile in enumerate(self.tiles or ()))
        return {place: query for place, query in named if query is not None}


class UpdateDashboard(Changes):
    dashboard_id: Id
    name: Clearable | None = Field(default=None, max_length=400)
    description: Clearable | None = None
    pinned: bool | None = None
    tags: list[str] | None = None
    remove_tags: list[str] | None = None
    add_insights: list[InsightId] | None = Field(default=None, max_length=20)
    remove_insights: list[InsightId] | None = Field(default=None, max_length=20)


class DeleteDashboard(AskedWrite):
    dashboard_id: Id
    delete_insights: bool = False
    """Those only on this one."""


class DashboardRow(View):
    """A dashboard in a list."""

    id: int
    name: Text = None
    description: Text = None
    pinned: bool | None = None
    is_shared: bool | None = None
    tags: Items = None
    created_at: str | None = None
    created_by: Author = None
    last_accessed_at: str | None = None


def _body(value: Any) -> Any:
    return value.get("body") if is_object(value) else value


class Tile(View):
    """A tile of a dashboard: an insight without its result, or a text."""

    id: int | None = None
    insight: InsightBrief | None = None
    text: Annotated[str | None, BeforeValidator(_body)] = None


class DashboardView(DashboardRow):
    """A dashboard with its tiles and the filters that apply to all of them."""

    deleted: IfTrue = None
    filters: Fields = None
    variables: Fields = None
    tiles: list[Tile] | None = None


class NumberedTile(View):
    """A tile of a dashboard with the computed result of its insight."""

    insight: InsightView | None = None


class NumberedTiles(View):
    """The tiles of a dashboard, with results."""

    tiles: tuple[NumberedTile, ...] = ()


class DashboardState(View):
    """A deleted dashboard."""

    id: int
    name: Text = None
    deleted: bool | None = None
