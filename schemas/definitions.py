"""Event and property definitions: `/api/projects/{project_id}/event_definitions/`, `.../property_definitions/`.

Descriptions, tags and verification belong to a paid add-on; without it PostHog leaves these fields out.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Page, View
from .base.shown import IfTrue, Items, Text


class ListEventDefinitions(Page):
    search: str | None = None
    event_type: Literal["event", "event_custom", "event_posthog"] | None = None
    """event_posthog: names starting with $."""


class ListPropertyDefinitions(Page):
    search: str | None = None
    type: Literal["event", "person", "group", "session"] = "event"
    event_names: Annotated[list[str], Field(min_length=1)] | None = None
    """Only properties seen on these events."""
    group_type_index: Annotated[int, Field(ge=0, le=4)] | None = None
    """Needed for type group."""

    @model_validator(mode="after")
    def _fit_the_type(self) -> Self:
        if self.event_names and self.type != "event":
            raise ValueError(f"`event_names` is only valid with type event, not with type {self.type}")
        if (self.group_type_index is None) == (self.type == "group"):
            raise ValueError(
                "`group_type_index` is required with type group and invalid with other types; "
                "get_project shows the group types"
            )
        return self


class EventDefinitionRow(View):
    """An event by name. PostHog's id of the definition is left out because no tool takes it."""

    name: str
    description: Text = None
    last_seen_at: str | None = None
    created_at: str | None = None
    tags: Items = None
    verified: IfTrue = None
    hidden: IfTrue = None


class PropertyDefinitionRow(View):
    """A property by name. `virtual` ones are computed by PostHog."""

    name: str
    property_type: str | None = None
    description: Text = None
    tags: Items = None
    verified: IfTrue = None
    hidden: IfTrue = None
    virtual: IfTrue = None
