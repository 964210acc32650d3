"""The arguments of explain_change."""

from typing import Annotated, Self

from pydantic import Field, WithJsonSchema, model_validator

from ..base import InProject
from ..base.dates import Bound, RangeStart
from ..insights import InsightId
from .events import PROPERTY_MATHS, Filters, Math
from .saved import ToolQuery

type Explained = Annotated[ToolQuery, WithJsonSchema({"type": "object"})]
"""The call of a query tool whose number is meant."""


class ExplainChange(InProject):
    event: str | None = Field(default=None, min_length=1, max_length=400)
    math: Math = "total"
    filters: Filters | None = None
    of: Explained | None = None
    """{tool: query_trends | query_funnel, arguments}, instead of event."""
    insight_id: InsightId | None = None
    date_from: RangeStart | None = None
    """Default: the last 7 whole days."""
    date_to: Bound | None = None
    dimensions: list[str] | None = Field(default=None, max_length=8)
    """More to look at: plan, person.x, session.x, organization.x."""

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        given = [name for name in ("event", "of", "insight_id") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("set one of `event`, `of` and `insight_id`")
        if self.event is None and (self.filters or self.math != "total"):
            raise ValueError("`math` and `filters` belong to `event`; write those of `of` in its arguments")
        if self.math in (*PROPERTY_MATHS, "hogql", "unique_group"):
            raise ValueError(f"{self.math} needs more arguments: pass `of` with query_trends instead of `event`")
        return self
