"""PostHog's insight queries in an analyst's words: trends, funnels, retention, paths, stickiness, lifecycle."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ..base import InProject
from ..dates import Bound, RangeStart
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

_COMPARE_TO = re.compile(r"previous|-[0-9]{1,4}[hdwmqy]")
_FORMULA = re.compile(r"\s*([A-Za-z]|[0-9]+(\.[0-9]+)?|\*\*|[-+*/%()])\s*")


def _compare(value: object) -> object:
    """True has one meaning: the period before."""
    if isinstance(value, bool):
        return "previous" if value else None
    if isinstance(value, str) and not _COMPARE_TO.fullmatch(value):
        raise ValueError("must be previous, or a shift such as -7d, -4w, -1m, -1y")
    return value


type Compare = Annotated[str | None, BeforeValidator(_compare)]


class Analysis(InProject):
    """Arguments of all analytics queries."""

    node: ClassVar[str]
    """PostHog's name for the query."""
    least_series: ClassVar[int] = 0
    """How many series PostHog's query needs."""

    date_to: Bound | None = None
    filters: Filters | None = None
    """{key, operator (exact, is_not, icontains, gt, is_set...), value, type (event, person, cohort...)}"""
    filter_test_accounts: bool = False
    refresh: bool = False
    chart: bool = False
    """PNG."""
    save_as: str | None = Field(default=None, min_length=1, max_length=400)
    """Store as insight."""


class Dated(Analysis):
    """Arguments of those that count over a range; relative dates go back from now."""

    date_from: RangeStart = "-30d"
    """ISO 8601, or -24h, -7d, -1m (month), all."""


class QueryTrends(Dated):
    node: ClassVar[str] = "TrendsQuery"
    least_series: ClassVar[int] = 1
    date_from: RangeStart = "-7d"
    """ISO 8601, or -24h, -7d, -1m (month), all."""
    events: Series
    """Names (* is all), or {event | action_id, name, math, property, where: filters}."""
    math: Math = "total"
    """total, dau (unique users), weekly_active, unique_session, first_time_for_user; sum, avg, p90... of property."""
    property: str | None = Field(default=None, min_length=1, max_length=2000)
    """Event's, or person.x."""
    interval: TrendInterval = "day"
    """total: one number for the range; users count once."""
    breakdown: Breakdowns | None = None
    """$browser, person.x, cohort.7."""
    breakdown_limit: int = Field(default=10, ge=1, le=100)
    compare: Compare = None
    """previous, or a shift: -1w, -1y."""
    formula: str | None = Field(default=None, min_length=1, max_length=400)
    """A/B: series are A, B, ..."""

    def series(self) -> list[TrendSeries]:
        """The events, with the math and property of the whole where they have none of their own."""
        return [
            event.model_copy(update={"math": event.math or self.math, "property": event.property or self.property})
            for event in self.events
        ]

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for series in self.series():
            if series.math in (*PROPERTY_MATHS, "hogql") and not series.property:
                raise ValueError(f"{series.math} needs property: PostHog would count events instead")
            if series.math == "unique_group" and series.group_type_index is None:
                raise ValueError("unique_group needs group_type_index, 0 to 4")
        if self.formula is not None:
            _check_formula(self.formula, len(self.events))
        return self


class QueryFunnel(Dated):
    node: ClassVar[str] = "FunnelsQuery"
    least_series: ClassVar[int] = 2
    steps: Steps
    """Two or more: names, or {event | action_id, name, where: filters, optional}."""
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    """strict: nothing in between."""
    window: int = Field(default=14, ge=1, le=1_000_000)
    """To convert, from step 1."""
    window_unit: Literal["second", "minute", "hour", "day", "week", "month"] = "day"
    exclude: Events | None = None
    """Must not happen between."""
    breakdown: Breakdowns | None = None
    """$browser, person.x, cohort.7."""
    breakdown_limit: int = Field(default=10, ge=1, le=100)
    view: Literal["steps", "trend", "time_to_convert"] = "steps"
    interval: Interval = "day"
    """Of the trend."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.steps[0].optional:
            raise ValueError("the first step cannot be optional")
        if self.order == "unordered" and (self.exclude or any(step.optional for step in self.steps)):
            raise ValueError("an unordered funnel has neither exclude nor optional steps")
        within = {(step.event, step.action_id) for step in self.steps}
        if any((event.event, event.action_id) in within for event in self.exclude or []):
            raise ValueError("exclude must not name a step of the funnel")
        if len({one.type for one in self.breakdown or []}) > 1:
            raise ValueError("breakdown: several properties must be all of the event or all of the person")
        if self.breakdown and self.view == "time_to_convert":
            raise ValueError("time_to_convert takes no breakdown")
        return self


class QueryRetention(Analysis):
    node: ClassVar[str] = "RetentionQuery"
    date_from: RangeStart | None = None
    """Default: the newest periods."""
    event: OneEvent
    """Name (* is any), or {event | action_id, where: filters}."""
    returning_event: OneEvent | None = None
    """Default: event."""
    kind: Literal["first_time", "recurring", "first_ever_occurrence"] = "first_time"
    period: Literal["Hour", "Day", "Week", "Month"] = "Day"
    periods: int = Field(default=8, ge=2, le=52)
    minimum_occurrences: int = Field(default=1, ge=1, le=1_000_000)
    cumulative: bool = False
    """Returned then or later."""
    breakdown: OneBreakdown | None = None
    """$browser, person.x, cohort.7."""


class QueryPaths(Dated):
    node: ClassVar[str] = "PathsQuery"
    date_from: RangeStart = "-7d"
    """ISO 8601, or -24h, -7d, -1m (month), all."""
    include: list[PathItem] = Field(default=["$pageview"])
    """[]: every event."""
    exclude: list[str] | None = None
    """Items (URLs, screens, events)."""
    start: str | None = Field(default=None, min_length=1, max_length=2000)
    """Item."""
    end: str | None = Field(default=None, min_length=1, max_length=2000)
    steps: int = Field(default=5, ge=2, le=20)
    edges: int = Field(default=30, ge=1, le=500)
    """Most frequent ones."""
    groupings: list[str] | None = None
    """Wildcards: /user/*."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.exclude and not self.include:
            raise ValueError("exclude works only with include: PostHog would ignore it")
        return self


class QueryStickiness(Dated):
    node: ClassVar[str] = "StickinessQuery"
    least_series: ClassVar[int] = 1
    events: Events
    """Names (* is all), or {event | action_id, name, where: filters}."""
    interval: Interval = "day"
    at_least: int = Field(default=1, ge=1, le=1_000_000)
    """Events in an interval to count it."""
    cumulative: bool = False
    """n intervals or more."""
    compare: Compare = None
    """previous, or a shift: -1w, -1y."""


class QueryLifecycle(Dated):
    node: ClassVar[str] = "LifecycleQuery"
    least_series: ClassVar[int] = 1
    event: OneEvent
    """Name (* is any), or {event | action_id, where: filters}."""
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
    """Raises ValueError for what PostHog's formulas do not know, and for letters that stand for no series."""
    position = 0
    while position < len(formula):
        part = _FORMULA.match(formula, position)
        if part is None:
            raise ValueError("formula takes the letters of series, numbers, + - * / % ** and parentheses")
        if part[1].isalpha() and ord(part[1].upper()) - ord("A") >= count:
            series = "A alone" if count == 1 else f"A to {chr(ord('A') + count - 1)}"
            raise ValueError(f"formula names {part[1].upper()}, but there is {series}")
        position = part.end()
