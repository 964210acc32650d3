"""PostHog's insight queries in an analyst's words: trends, funnels, retention, paths, stickiness, lifecycle."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ..base import InProject
from ..base.dates import Bound, RangeStart, read_bound
from ..base.periods import CLOCK_UNITS, Period
from .events import (
    PROPERTY_MATHS,
    Breakdowns,
    Events,
    Filters,
    Math,
    OneBreakdown,
    OneEvent,
    Series,
    Steps,
    TrendSeries,
)

type Interval = Literal["minute", "hour", "day", "week", "month"]
type TrendInterval = Literal["minute", "hour", "day", "week", "month", "total"]
type PathItem = Literal["$pageview", "$screen", "custom_event"]

_COMPARE_TO = re.compile(r"-[0-9]{1,4}[hdwmqy]")
_FORMULA = re.compile(r"\s*([A-Za-z]|[0-9]+(\.[0-9]+)?|\*\*|[-+*/%()])\s*")


def _compare(value: object) -> object:
    """Accept true as `previous`, its only meaning."""
    word = value.casefold() if isinstance(value, str) else value
    if word in (True, "true", "previous", "previous_period", "previous period"):
        return "previous"
    if word in (False, "false"):
        return None
    if not isinstance(value, str):
        return value
    try:
        shift = read_bound(value)
    except ValueError:
        shift = None
    if isinstance(shift, Period) and shift == Period(shift.unit) and shift.unit not in CLOCK_UNITS:
        return f"-1{shift.unit[0]}"
    if not isinstance(shift, str) or not _COMPARE_TO.fullmatch(shift):
        raise ValueError("must be previous, or a shift such as -7d, -4w, -1m or -1y")
    return shift


type Compare = Annotated[str | None, BeforeValidator(_compare)]


class Analysis(InProject):
    """The arguments of all analytics queries."""

    node: ClassVar[str]
    """PostHog's name for the query."""
    least_series: ClassVar[int] = 0
    """How many series PostHog's query needs."""

    date_to: Bound | None = None
    filters: Filters | None = None
    filter_test_accounts: bool = False
    refresh: bool = False
    chart: bool = False


class Dated(Analysis):
    """The arguments of queries over a date range; relative dates count back from now."""

    date_from: RangeStart = "-30d"


class QueryTrends(Dated):
    node: ClassVar[str] = "TrendsQuery"
    least_series: ClassVar[int] = 1
    filters: Filters | None = None
    """{key, operator (exact, is_not, icontains, gt, is_set...), value, type (event, person, cohort...)}"""
    chart: bool = False
    """Add a PNG."""
    date_from: RangeStart = "-7d"
    """ISO 8601, -7d, last_week, 2026-11 or all."""
    events: Series
    """Names (* for all), or {event | action_id, name, math, property, where: filters}."""
    math: Math = "total"
    """total, dau (unique users), weekly_active, unique_session, first_time_for_user; sum, avg, p90... of property."""
    property: str | None = Field(default=None, min_length=1, max_length=2000)
    """Event property, or person.x."""
    interval: TrendInterval = "day"
    """total: one number for the range, counting each user once."""
    breakdown: Breakdowns | None = None
    """$browser, person.x, organization.x, cohort.7."""
    breakdown_limit: int = Field(default=10, ge=1, le=100)
    compare: Compare = None
    """previous, or a shift: -1w, -1y."""
    formula: str | None = Field(default=None, min_length=1, max_length=400)
    """Over series A, B, ..., such as A/B."""

    def series(self) -> list[TrendSeries]:
        """Return the events, with the query's math and property if they have none themselves."""
        return [
            event.model_copy(update={"math": event.math or self.math, "property": event.property or self.property})
            for event in self.events
        ]

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for series in self.series():
            if series.math in (*PROPERTY_MATHS, "hogql") and not series.property:
                raise ValueError(f"{series.math} needs `property`; PostHog would count events instead")
            if series.math == "unique_group" and series.group_type_index is None:
                raise ValueError("unique_group needs `group_type_index`, from 0 to 4")
        if self.formula is not None:
            _check_formula(self.formula, len(self.events))
        return self


class QueryFunnel(Dated):
    node: ClassVar[str] = "FunnelsQuery"
    least_series: ClassVar[int] = 2
    steps: Steps
    """Two or more names or {event | action_id, name, where: filters, optional}."""
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    """strict: no events in between."""
    window: int = Field(default=14, ge=1, le=1_000_000)
    """Time to convert after step 1."""
    window_unit: Literal["second", "minute", "hour", "day", "week", "month"] = "day"
    exclude: Events | None = None
    """Must not occur in between."""
    breakdown: Breakdowns | None = None
    """As in query_trends."""
    breakdown_limit: int = Field(default=10, ge=1, le=100)
    view: Literal["steps", "trend", "time_to_convert"] = "steps"
    interval: Interval = "day"
    """With view trend."""
    compare: Compare = None
    """As in query_trends."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.compare and self.view != "steps":
            raise ValueError("`compare` needs view steps")
        if self.compare and any(one.type == "cohort" for one in self.breakdown or []):
            raise ValueError("`compare` cannot have a breakdown by cohort: users in several cohorts do not add up")
        if self.steps[0].optional:
            raise ValueError("the first step cannot be optional")
        if self.order == "unordered" and (self.exclude or any(step.optional for step in self.steps)):
            raise ValueError("an unordered funnel cannot have `exclude` or optional steps")
        within = {(step.event, step.action_id) for step in self.steps}
        if any((event.event, event.action_id) in within for event in self.exclude or []):
            raise ValueError("`exclude` cannot name a step of the funnel")
        if len({one.type for one in self.breakdown or []}) > 1:
            raise ValueError("several properties in `breakdown` must all be event properties or all person properties")
        if self.breakdown and self.view == "time_to_convert":
            raise ValueError("view time_to_convert cannot have a `breakdown`")
        return self


class QueryRetention(Analysis):
    node: ClassVar[str] = "RetentionQuery"
    date_from: RangeStart | None = None
    """Default: the latest periods."""
    event: OneEvent
    """Name (* for any), or {event | action_id, where: filters}."""
    returning_event: OneEvent | None = None
    """Default: event."""
    kind: Literal["first_time", "recurring", "first_ever_occurrence"] = "first_time"
    period: Literal["hour", "day", "week", "month"] = "day"
    periods: int = Field(default=8, ge=2, le=52)
    minimum_occurrences: int = Field(default=1, ge=1, le=1_000_000)
    cumulative: bool = False
    """Include later returns."""
    breakdown: OneBreakdown | None = None
    """As in query_trends."""


class QueryPaths(Dated):
    node: ClassVar[str] = "PathsQuery"
    date_from: RangeStart = "-7d"
    include: list[PathItem] = Field(default=["$pageview"])
    """[] for every event."""
    exclude: list[str] | None = None
    """Items (URLs, screens, events)."""
    start: str | None = Field(default=None, min_length=1, max_length=2000)
    end: str | None = Field(default=None, min_length=1, max_length=2000)
    steps: int = Field(default=5, ge=2, le=20)
    edges: int = Field(default=30, ge=1, le=500)
    groupings: list[str] | None = None
    """Wildcards: /user/*."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.exclude and not self.include:
            raise ValueError("`exclude` needs `include`; PostHog would ignore it otherwise")
        return self


class QueryStickiness(Dated):
    node: ClassVar[str] = "StickinessQuery"
    least_series: ClassVar[int] = 1
    events: Events
    """As in query_trends."""
    interval: Interval = "day"
    at_least: int = Field(default=1, ge=1, le=1_000_000)
    """Events needed to count an interval."""
    cumulative: bool = False
    """n intervals or more."""
    compare: Compare = None
    """As in query_trends."""


class QueryLifecycle(Dated):
    node: ClassVar[str] = "LifecycleQuery"
    least_series: ClassVar[int] = 1
    event: OneEvent
    """As in query_retention."""
    interval: Interval = "day"


ANALYSES: tuple[type[Analysis], ...] = (
    QueryTrends,
    QueryFunnel,
    QueryRetention,
    QueryPaths,
    QueryStickiness,
    QueryLifecycle,
)
"""The typed queries."""


def _check_formula(formula: str, count: int) -> None:
    """Raise ValueError for syntax that PostHog's formulas do not support, and for letters without a series."""
    position = 0
    while position < len(formula):
        part = _FORMULA.match(formula, position)
        if part is None:
            raise ValueError("`formula` accepts series letters, numbers, + - * / % ** and parentheses")
        if part[1].isalpha() and ord(part[1].upper()) - ord("A") >= count:
            series = "A" if count == 1 else f"A to {chr(ord('A') + count - 1)}"
            raise ValueError(f"`formula` uses series {part[1].upper()}, but there is only {series}")
        position = part.end()
