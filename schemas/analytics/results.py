"""PostHog's results of insight queries: the fields that are read."""

from typing import Any

from ..base import View
from ..measures import Count, Day, DayIfAny, Number
from ..query import QueryStatus

type Label = str | int | float | bool | None
type Labels = Label | list[Label]
"""A value of a breakdown; a list of values for several breakdowns, and in newer servers for one."""


class ResolvedRange(View):
    """The date range as PostHog resolved it."""

    date_from: DayIfAny = None
    date_to: DayIfAny = None


class InsightAnswer(View):
    """The response to an insight query, or the status of one that is still running."""

    results: Any = None
    error: str | None = None
    is_cached: bool | None = None
    last_refresh: DayIfAny = None
    hasMore: bool | None = None  # noqa: N815 (PostHog's name)
    query_status: QueryStatus | None = None
    resolved_date_range: ResolvedRange | None = None
    total_median_conversion_time: Number | None = None


class Action(View):
    """The series that a result belongs to."""

    order: Count | None = None


class TrendResult(View):
    """One line of a trend, or one number if `aggregated_value` is set."""

    data: list[Number | None] | None = None
    days: list[Day] | None = None
    label: str | None = None
    order: Count | None = None
    action: Action | None = None
    aggregated_value: Number | None = None
    breakdown_value: Labels = None
    compare_label: str | None = None


class FunnelResult(View):
    """One step of a funnel and the number of users who reached it; times are seconds since the previous step."""

    count: Count
    order: Count | None = None
    name: str | None = None
    average_conversion_time: Number | None = None
    median_conversion_time: Number | None = None
    breakdown: Labels = None
    breakdown_value: Labels = None


class FunnelTrend(View):
    """Conversion in percent, by the interval of the first step."""

    data: list[Number]
    days: list[Day]
    breakdown_value: Labels = None


class ConversionTimes(View):
    """Bins of the time to convert: `[lower edge in seconds, actors]`."""

    bins: list[tuple[Number, Count]] | None = None
    average_conversion_time: Number | None = None


class RetentionCell(View):
    """The number of users who returned in a period."""

    count: Number


class RetentionRow(View):
    """The users who started in one period, and how many of them returned."""

    date: Day
    values: list[RetentionCell]
    breakdown_value: Labels = None


class PathEdge(View):
    """An edge of paths; the time is in milliseconds."""

    source: str
    target: str
    value: Number
    average_conversion_time: Number | None = None


class StickinessResult(View):
    """The number of users active in 1, 2, ... intervals."""

    data: list[Number]
    days: list[Count]
    count: Number
    label: str | None = None
    action: Action | None = None
    compare_label: str | None = None


class LifecycleResult(View):
    """One of the four statuses by interval; dormant counts are negative."""

    data: list[Number]
    days: list[Day]
    status: str
