"""Actions: `/api/projects/{project_id}/actions/`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from .base import OBJECTS, Id, InProject, Page, Part, View, Write
from .base.changes import Changes
from .base.forms import Clearable
from .base.shown import Author, Items, Text

type Matching = Literal["contains", "regex", "exact"]


class Step(Part):
    """Conditions that an event must all meet."""

    event: str | None = None
    url: str | None = None
    url_matching: Matching | None = None
    selector: str | None = None
    text: str | None = None
    text_matching: Matching | None = None
    href: str | None = None
    href_matching: Matching | None = None
    tag_name: str | None = None
    properties: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _match_something(self) -> Self:
        conditions = (self.event, self.url, self.selector, self.text, self.href, self.tag_name, self.properties)
        if not any(conditions):
            raise ValueError(
                "a step without conditions would match every event; set `event`, `url`, `selector`, `text` or `href`"
            )
        for name in ("url", "text", "href"):
            if getattr(self, f"{name}_matching") and not getattr(self, name):
                raise ValueError(f"`{name}_matching` needs `{name}`, the value to compare")
        return self

    @field_validator("properties")
    @classmethod
    def _name_properties(cls, properties: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        if any(not isinstance(item.get("key"), str) for item in properties or ()):
            raise ValueError(
                'each must be an object such as {"key": "$browser", "value": ["Chrome"], "operator": "exact"}'
            )
        return properties


class ListActions(Page):
    search: str | None = None


class GetAction(InProject):
    action_id: Id


class CreateAction(Write):
    name: str = Field(min_length=1, max_length=400)
    steps: Annotated[list[Step], OBJECTS] = Field(min_length=1)
    """{event, url, url_matching (contains by default, regex, exact), selector, text, href, tag_name, properties}. An
    event matches if it meets all conditions of any step."""
    description: str | None = None
    tags: list[str] | None = None


class UpdateAction(Changes):
    action_id: Id
    name: str | None = Field(default=None, min_length=1, max_length=400)
    steps: Annotated[list[Step], OBJECTS, Field(min_length=1)] | None = None
    """Replaces all; see create_action."""
    description: Clearable | None = None
    tags: list[str] | None = None
    remove_tags: list[str] | None = None


class DeleteAction(Write):
    action_id: Id


class ActionRow(View):
    """An action in a list."""

    id: int
    name: Text = None
    description: Text = None
    tags: Items = None
    created_at: str | None = None
    pinned_at: str | None = None


class StepView(View):
    """A step with the conditions that are set."""

    event: str | None = None
    url: Text = None
    url_matching: str | None = None
    selector: Text = None
    text: Text = None
    text_matching: str | None = None
    href: Text = None
    href_matching: str | None = None
    tag_name: Text = None
    properties: Items = None

    @model_validator(mode="after")
    def _leave_out_idle_matching(self) -> Self:
        for name in ("url", "text", "href"):
            if getattr(self, name) is None:
                setattr(self, f"{name}_matching", None)
        return self


class ActionView(ActionRow):
    """An action with its steps. `bytecode_error` is the reason why PostHog cannot match it in real time."""

    steps: list[StepView] | None = None
    deleted: bool | None = None
    created_by: Author = None
    post_to_slack: bool | None = None
    last_calculated_at: str | None = None
    bytecode_error: Text = None


class ActionState(View):
    """A deleted action."""

    id: int
    name: Text = None
    deleted: bool | None = None
