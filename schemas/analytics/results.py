"""PostHog's results of insight queries, as far as they are read."""

from typing import Any

from ..base import View
from ..query import QueryStatus

type Label = str | int | float | bool | None
type Labels = Label | list[Label]
"""A value of a breakdown; a list of them with several breakdowns, and in newer servers with one."""


class ResolvedRange(View):
    """What PostHog made of the date range."""

    date_from: str | None = None
    date_to: str | None = None


class InsightAnswer(View):
    """The answer to an insight query, or the status of one that still runs."""

    results: Any = None
    error: str | None = None
    is_cached: bool | None = None
    last_refresh: str | None = None
    hasMore: bool | None = None  # noqa: N815 (PostHog's name)
    query_status: QueryStatus | None = None
    resolved_date_range: ResolvedRange | None = None
    total_median_conversion_time: float | None = None


class Action(View):
    """Which series a result belongs to."""

    order: int | None = None


class TrendResult(View):
    """One line of a trend, or with `aggregated_value` one number."""

    data: list[float | None] | None = None
    days: list[str] | None = None
    label: str | None = None
    order: int | None = None
    action: Action | None = None
    aggregated_value: float | None = None
    breakdown_value: Labels = None
    compare_label: str | None = None


class FunnelResult(View):
    """One step of a funnel: who reached it; times in seconds from the step before."""

    count: int
    order: int | None = None
    name: str | None = None
    average_conversion_time: float | None = None
    median_conversion_time: float | None = None
    breakdown: Labels = None
    breakdown_value: Labels = None


class FunnelTrend(View):
    """Conversion by the interval of the first step, in percent."""

    data: list[float]
    days: list[str]
    breakdown_value: Labels = None


class ConversionTimes(View):
    """Bins of the time to convert: `[lower edge in seconds, actors]`."""

    bins: list[tuple[float, int]] | None = None
    average_conversion_time: float | None = None


class RetentionCell(View):
    """Who came back in a period."""

    count: float


class RetentionRow(View):
    """Those who began in one period, and how many of them came back."""

    date: str
    values: list[RetentionCell]
    breakdown_value: Labels = None


class PathEdge(View):
    """A step of paths; the time in milliseconds."""

    source: str
    target: str
    value: float
    average_conversion_time: float | None = None


class StickinessResult(View):
    """How many were active in 1, 2, ... intervals."""

    data: list[float]
    days: list[int]
    count: float
    label: str | None = None
    action: Action | None = None
    compare_label: str | None = None


class LifecycleResult(View):
    """One of the four statuses by interval; dormant is negative."""

    data: list[float]
    days: list[str]
    status: str
