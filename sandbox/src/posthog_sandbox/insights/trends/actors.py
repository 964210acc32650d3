"""The events and actors behind a number of a trend."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...errors import invalid
from ...hogql import escape
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row, as_list
from ..actor_source import ActorSource, read_day
from ..breakdowns import NULL, OTHER, Breakdown, Pass, read_breakdown
from ..counting import Counting, counting_query
from ..dates import DateRange, moment_literal, next_interval
from ..filters import all_of, query_condition
from ..requests import choice, malformed_query, number
from ..running import Session, reading
from ..series import Series, read_series
from .range import trend_range
from .request import TrendsRequest, read_trends_request

_ACTIVE_DAYS = {"weekly_active": 7, "monthly_active": 30}
_FIRST_TIME = ("first_time_for_user", "first_matching_event_for_user")
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_BIN = re.compile(rf"\[\s*(?P<lower>{_NUMBER})\s*,\s*(?P<upper>{_NUMBER})\s*\]", re.ASCII)
_MATCHING = "groupUniqArray(100)((timestamp, uuid, $session_id, $window_id)) AS matching_events"


@dataclass(frozen=True, slots=True)
class ParsedTrend:
    """A TrendsQuery, parsed as far as its actors need it.

    Series of unknown actions are missing in `series`; `nodes` is the number of series including them.
    """

    series: tuple[Series, ...]
    nodes: int
    request: TrendsRequest
    breakdown: Breakdown
    condition: str


async def read_trend(call: Call, query: Row, project: Project) -> tuple[ParsedTrend, DateRange]:
    """Parse a TrendsQuery and the range of its numbers. Raises ApiError 400."""
    trend = await reading(lambda: _read(call, query, project))
    return trend, await trend_range(Session(call, project), query, trend.series, trend.request)


def _read(call: Call, query: Row, project: Project) -> ParsedTrend:
    series = read_series(call, query, project, unknown_actions=True)
    nodes = len(as_list(query.get("series")) or [])
    request = read_trends_request(query, nodes)
    return ParsedTrend(
        series=series,
        nodes=nodes,
        request=request,
        breakdown=read_breakdown(call, query, project, request.breakdown_limit),
        condition=query_condition(query, project),
    )


async def events_of_trend(call: Call, query: Row, project: Project) -> tuple[str, Series | None]:
    """Return the HogQL condition of the events of an InsightActorsQuery over a TrendsQuery, and their series.

    The series is None for an unknown action. The events agree with the insight's numbers: PostHog lists the whole first
    and last interval of a range, here both are cut at the ends of the range. Raises ApiError 400.
    """
    trend, whole = await read_trend(call, query["source"], project)
    index = number(query, "series", "", 0)
    if index >= trend.nodes:
        raise malformed_query("series", f"Input should be less than {trend.nodes}, the number of series")
    series = next((item for item in trend.series if item.order == index), None)
    if series is None:
        return "false", None
    start, ends = _bucket(query, trend.request, whole, project)
    value = query.get("breakdown")
    counting = Counting(
        series=series,
        range=ends,
        condition=all_of([trend.condition, _pass_of(trend.breakdown, value).condition]),
        breakdowns=trend.breakdown.expressions,
        bucketed=not trend.request.aggregate,
        cumulative=False,
        project=project,
    )
    counting_query(counting)  # rejects a series that lacks a required option
    return _condition(counting, start, _wanted(trend.breakdown, value)), series


async def actors_of_trend(call: Call, query: Row, project: Project) -> ActorSource:
    """Return the actors of an InsightActorsQuery over a TrendsQuery, with their numbers of events."""
    condition, series = await events_of_trend(call, query, project)
    group = _group(series)
    actor = "person_id" if group is None else f"$group_{group}"
    if group is not None:
        condition = all_of([condition, f"{actor} != ''"])
    columns = [f"{actor} AS actor_id", "count() AS event_count"]
    if group is None:
        columns.append("arraySort(groupUniqArray(distinct_id)) AS event_distinct_ids")
    if query.get("includeRecordings") is True:
        columns.append(_MATCHING)
    if series is None or series.math not in _FIRST_TIME:
        columns.append("max(timestamp) AS last_seen")
    text = f"SELECT {', '.join(columns)} FROM events WHERE {condition} GROUP BY actor_id"
    return ActorSource(hogql=text, context=project.context, group=group)


def _group(series: Series | None) -> int | None:
    index = series.node.get("math_group_type_index") if series and series.math == "unique_group" else None
    return index if isinstance(index, int) else None


def _bucket(query: Row, request: TrendsRequest, ends: DateRange, project: Project) -> tuple[datetime | None, DateRange]:
    """Return the start of the requested interval, None for the whole range, and the range it is in.

    `day` is an interval of the current period; for the previous period it selects the interval with the same index.
    """
    day = query.get("day")
    aggregate = request.aggregate
    if aggregate and day is not None:
        raise invalid("A `day` is forbidden for trends actors queries with total value aggregation")
    if not aggregate and day is None:
        raise invalid("A `day` is required for trends actors queries without total value aggregation")
    start = None if aggregate else read_day(day, project)
    wants_previous = choice(query, "compare", "", ("current", "previous"), "current") == "previous"
    if not (wants_previous and request.compare):
        return start, ends
    previous = ends.previous(request.compare_to)
    if start is not None:
        instants = [bucket.astimezone(UTC) for bucket in ends.buckets()]
        places = dict(zip(instants, previous.buckets(), strict=False))
        start = places.get(start.astimezone(UTC), start - (ends.start - previous.start))
    return start, previous


def _pass_of(breakdown: Breakdown, value: object) -> Pass:
    """Return the cohort of a breakdown value, or all users without one. Raises ApiError 400."""
    if not breakdown.by_cohort or value is None:
        return Pass()
    names = as_list(value) or [value]
    found = next((each for each in breakdown.passes if str(each.value) == str(names[0])), None)
    if found is None:
        raise invalid(f"The insight is not broken down by cohort {str(names[0])[:60]}.")
    return found


type _Wanted = tuple[tuple[str | None, bool], ...]
"""The required value of each breakdown, None for any, and whether it is a bin of numbers: `[10,20]`."""


def _wanted(breakdown: Breakdown, value: object) -> _Wanted:
    """Return the values that `breakdown` requires. As in PostHog, `Other` matches every event."""
    if breakdown.by_cohort or value is None:
        return ((None, False),) * len(breakdown.expressions)
    listed = as_list(value)
    values = [value] if listed is None else listed
    texts = [str(item).lower() if isinstance(item, bool) else str(item) for item in values]
    padded = [*texts, *[OTHER] * len(breakdown.expressions)][: len(breakdown.expressions)]
    binned = (bins is not None for bins in breakdown.bins)
    return tuple((None if text == OTHER else text, bins) for text, bins in zip(padded, binned, strict=True))


def _condition(counting: Counting, start: datetime | None, wanted: _Wanted) -> str:
    if counting.math in _FIRST_TIME:
        return f"uuid IN ({_first_events(counting, start, wanted)})"
    equal = _equations(counting.breakdowns, wanted)
    return all_of([*_within(counting, start), counting.series.condition, counting.condition, *equal])


def _equations(expressions: tuple[str, ...], wanted: _Wanted) -> list[str]:
    pairs = zip(expressions, wanted, strict=True)
    return [_has_value(expression, text, binned) for expression, (text, binned) in pairs if text is not None]


def _has_value(expression: str, text: str, binned: bool) -> str:
    if not binned:
        return f"{expression} = {escape.string(text)}"
    if text == NULL:
        return f"{expression} IS NULL"
    ends = _BIN.fullmatch(text)
    if ends is None:
        raise invalid("Breakdown value must be a valid JSON array of two numbers, such as [10,20].")
    return f"{expression} >= {float(ends['lower'])!r} AND {expression} < {float(ends['upper'])!r}"


def _within(counting: Counting, start: datetime | None, moment: str = "timestamp") -> list[str]:
    """Return the conditions on `moment` for the events behind a number."""
    ends = counting.range
    days = _ACTIVE_DAYS.get(counting.math)
    last = ends.conditions()[1].replace("timestamp", moment, 1)
    if start is None:
        since = ends.end - timedelta(days=days) if days else ends.from_moment
        return [f"{moment} >= {moment_literal(since)}", last]
    since, until = max(start, ends.from_moment, key=datetime.timestamp), next_interval(start, ends.interval)
    if days and ends.interval == "hour":
        since = start.astimezone(UTC) - timedelta(hours=days * 24 - 1)
    elif days:
        since, until = start - timedelta(days=days - 1), start + timedelta(days=1)
    return [f"{moment} >= {moment_literal(since)}", f"{moment} < {moment_literal(until)}", last]


def _first_events(counting: Counting, start: datetime | None, wanted: _Wanted) -> str:
    """Return HogQL for the ids of each person's first event ever, among those that a number counts."""
    series = counting.series
    filters = all_of([series.filters, counting.condition])
    matching = counting.math == "first_matching_event_for_user"
    columns = [
        "argMin(uuid, timestamp) AS insight_uuid",
        "min(timestamp) AS insight_first",
        f"argMin({'true' if matching else filters}, timestamp) AS insight_passes",
        *(
            f"argMin({text}, timestamp) AS {name}"
            for text, name in zip(counting.breakdowns, counting.names, strict=True)
        ),
    ]
    where = all_of([counting.range.conditions()[1], series.entity, *([filters] if matching else [])])
    firsts = f"SELECT {', '.join(columns)} FROM events WHERE {where} GROUP BY person_id"
    kept = ["insight_passes", *_within(counting, start, "insight_first"), *_equations(tuple(counting.names), wanted)]
    return f"SELECT insight_uuid FROM ({firsts}) WHERE {all_of(kept)}"
