"""Dashboards: `/api/projects/{project_id}/dashboards/`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .base import AskedWrite, Id, InProject, Page, View, Write
from .base.changes import Changes
from .base.forms import Clearable
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


class CreateDashboard(Write):
    name: str = Field(min_length=1, max_length=400)
    description: str | None = None
    pinned: bool | None = None
    tags: list[str] | None = None


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
