"""The query endpoint: `POST /api/projects/{project_id}/query/`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from .base import InProject, Part, View
from .json.rows import Rows
from .measures import Count, DayIfAny

type QueryId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$"), WithJsonSchema({"type": "string"})]
"""The id of a query that this server started."""


class Plot(Part):
    """The columns of a result to draw: `y` over `x`, one line or bar per value of `series`."""

    x: str = Field(min_length=1, max_length=400)
    y: str = Field(min_length=1, max_length=400)
    series: str | None = Field(default=None, min_length=1, max_length=400)


class RunHogql(InProject):
    query: str = Field(min_length=1, max_length=50_000)
    """One SELECT statement."""
    values: dict[str, Any] | None = None
    """Values of {placeholders}; bound, never formatted into the SQL."""
    limit: int = Field(default=100, ge=1, le=10_000)
    """Row limit if the SQL has none."""
    refresh: bool = False
    """Bypass the cache."""
    name: str | None = Field(default=None, max_length=200)
    """Purpose, for PostHog's query log."""
    check: Literal["full", "off"] = "full"
    """off sends it unchecked."""
    background: bool = False
    """Use it for long queries."""
    export: Literal["csv", "parquet"] | None = None
    """Write all rows to a file."""
    plot: Annotated[Plot, WithJsonSchema({"type": "object"})] | None = None
    """Columns to draw as a PNG: {x, y, series?}."""


class CheckHogql(InProject):
    query: str = Field(min_length=1, max_length=50_000)
    values: dict[str, Any] | None = None


class GetQueryResult(InProject):
    query_id: QueryId
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=1000, ge=1, le=10_000)
    full: bool = False


class CancelQuery(InProject):
    query_id: QueryId


class MetadataProblem(View):
    """An error or a warning of HogQLMetadata; `start` in characters."""

    message: str
    start: Count | None = None
    fix: str | None = None


class MetadataAnswer(View):
    """The result of PostHog's own check of a statement, which does not run it."""

    isValid: bool | None = None  # noqa: N815 (PostHog's name)
    errors: tuple[MetadataProblem, ...] = ()
    warnings: tuple[MetadataProblem, ...] = ()


class QueryProgress(View):
    """The progress of an asynchronous query."""

    rows_read: Count | None = None
    estimated_rows_total: Count | None = None


class QueryStatus(View):
    """The status of an asynchronous query: running, failed, or complete with the whole response in `results`."""

    id: str | None = None
    complete: bool = False
    error: bool = False
    error_message: str | None = None
    results: Any = None
    query_progress: QueryProgress | None = None


class QueryAnswer(View):
    """The rows of a query, or the status of one that is still running."""

    columns: list[str] | None = None
    types: list[Any] | None = None
    results: Rows | None = None
    error: str | None = None
    is_cached: bool | None = None
    last_refresh: DayIfAny = None
    hasMore: bool | None = None  # noqa: N815 (PostHog's name)
    query_status: QueryStatus | None = None


class DescribeData(InProject):
    search: str | None = Field(default=None, min_length=1, max_length=100)
    table: str | None = Field(default=None, min_length=1, max_length=200)
    event: str | None = Field(default=None, min_length=1, max_length=400)
    property: str | None = Field(default=None, min_length=1, max_length=400)
    """Show its values: on event, or else on persons."""

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = [name for name in ("search", "table", "event") if getattr(self, name) is not None]
        if len(asked) > 1 or (self.property is not None and asked not in ([], ["event"])):
            raise ValueError(
                "set only one of `search`, `table`, `event` and `property`; only `event` and `property` can be combined"
            )
        return self


class EventCount(View):
    """A row of TeamTaxonomyQuery: an event and its count in the last 30 days."""

    event: str
    count: Count


class VerifiedMetric(View):
    """A metric of the project's data catalog. `is_drifted`: the insight that it was made from has changed."""

    name: str
    display_name: str | None = None
    description: str | None = None
    unit: str | None = None
    status: str | None = None
    is_drifted: bool | None = None


class PropertySample(View):
    """A row of EventTaxonomyQuery: a property and some of its values."""

    property: str
    sample_values: list[Any] = Field(default_factory=list[Any])
    sample_count: Count | None = None


class PersonValue(View):
    """A value of a person property and the number of persons who have it."""

    name: Any = None
    count: Count | None = None
