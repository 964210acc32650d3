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
    """{tool: query_funnel, arguments}; the other arguments select a number of its result."""
    series: str | None = Field(default=None, min_length=1, max_length=400)
    day: str | None = Field(default=None, min_length=1, max_length=40)
    """The row; of retention, when it began."""
    breakdown: Annotated[list[str], BeforeValidator(_texts), WithJsonSchema({"type": "string"})] | None = None
    step: int | None = Field(default=None, ge=1, le=1_000_000)
    outcome: Literal["entered", "dropped"] = "entered"
    """Dropped: before step."""
    period: int | None = Field(default=None, ge=0, le=1_000_000)
    """Of retention, from 0."""
    days: int | None = Field(default=None, ge=1, le=1_000_000)
    """Of stickiness."""
    status: Literal["new", "returning", "resurrecting", "dormant"] | None = None
    edge: list[str] | None = Field(default=None, max_length=2)
    """Of paths: [from, to] at step."""
    properties: list[str] | None = Field(default=None, max_length=20)
    recordings: bool = False

    @model_validator(mode="after")
    def _of_a_typed_query(self) -> Self:
        if isinstance(self.of.arguments, RunHogql):
            raise ValueError("`of` must be a query tool such as query_funnel; SQL can select person_id itself")
        return self
