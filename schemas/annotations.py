"""Annotations: `/api/projects/{project_id}/annotations/`. PostHog's `dashboard_item` is an insight."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .base import AskedWrite, Id, Page, View
from .base.changes import Changes
from .base.dates import Bound, Instant
from .base.shown import Author, Items, Text
from .insights import InsightId

type Scope = Literal["project", "organization", "dashboard", "insight"]


def _scope(value: Any) -> Any:
    return "insight" if value == "dashboard_item" else value


class ListAnnotations(Page):
    search: str | None = None
    scope: Annotated[Scope, BeforeValidator(_scope)] | None = None
    date_from: Bound | None = None
    """ISO 8601."""
    date_to: Bound | None = None


class CreateAnnotation(AskedWrite):
    content: str = Field(min_length=1, max_length=8192)
    date_marker: Instant | None = None
    """ISO 8601; default now."""
    scope: Scope = "project"
    insight_id: InsightId | None = None
    """Needed for scope insight."""
    dashboard_id: Id | None = None
    """Needed for scope dashboard."""

    @model_validator(mode="after")
    def _fit_the_scope(self) -> Self:
        for scope, identifier in (("insight", self.insight_id), ("dashboard", self.dashboard_id)):
            if self.scope == scope and identifier is None:
                raise ValueError(f"scope {scope} needs `{scope}_id`")
            if self.scope != scope and identifier is not None:
                raise ValueError(f"`{scope}_id` is only valid with scope {scope}, not with scope {self.scope}")
        return self


class UpdateAnnotation(Changes, AskedWrite):
    annotation_id: Id
    content: str | None = Field(default=None, min_length=1, max_length=8192)
    date_marker: Instant | None = None
    """ISO 8601."""


class DeleteAnnotation(AskedWrite):
    annotation_id: Id


class AnnotationView(View):
    """An annotation, the same in lists because it is short. `scope` is the set of charts that show it."""

    id: int
    content: Text = None
    date_marker: str | None = None
    scope: Annotated[str | None, BeforeValidator(_scope)] = None
    insight_id: int | None = Field(default=None, validation_alias="dashboard_item")
    insight_name: Text = None
    dashboard_id: int | None = None
    dashboard_name: Text = None
    tags: Items = None
    emoji: Text = None
    created_by: Author = None
    created_at: str | None = None


class AnnotationState(View):
    """A deleted annotation."""

    id: int
    content: Text = None
    deleted: bool | None = None
