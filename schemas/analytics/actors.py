"""The arguments of list_actors."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from ..base import Page
from ..base.forms import number_as_text
from ..json import is_list
from ..query import RunHogql
from .saved import ToolQuery


def _texts(value: object) -> object:
    """Return a single value as a list; numbers as text."""
    listed: list[Any] = value if is_list(value) else [value]
    return [number_as_text(one) for one in listed]


class ListActors(Page):
    of: Annotated[ToolQuery, WithJsonSchema({"type": "object"})]
    """The query: {tool: query_funnel, arguments}."""
    series: str | None = Field(default=None, min_length=1, max_length=400)
    """Its column in the result, or 1, 2..."""
    day: str | None = Field(default=None, min_length=1, max_length=40)
    """The row's interval: of trends, lifecycle, a funnel trend; or when a retention cohort began."""
    breakdown: (
        Annotated[list[str], BeforeValidator(_texts), WithJsonSchema({"type": "array", "items": {"type": "string"}})]
        | None
    ) = None
    """The value as shown."""
    step: int | None = Field(default=None, ge=1, le=30)
    """Of a funnel or path, from 1."""
    outcome: Literal["entered", "dropped"] = "entered"
    """Reached the step, or left before it."""
    period: int | None = Field(default=None, ge=0, le=52)
    """Retention: 0 began, 1 came back in the next..."""
    days: int | None = Field(default=None, ge=1, le=1500)
    """Stickiness: active intervals."""
    status: Literal["new", "returning", "resurrecting", "dormant"] | None = None
    edge: list[str] | None = Field(default=None, min_length=2, max_length=2)
    """Path: [from, to] after `step`."""
    properties: list[str] | None = Field(default=None, max_length=20)
    """To show."""
    recordings: bool = False

    @model_validator(mode="after")
    def _of_a_typed_query(self) -> Self:
        if isinstance(self.of.arguments, RunHogql):
            raise ValueError("`of` must be a query tool such as query_funnel; SQL can select person_id itself")
        return self
