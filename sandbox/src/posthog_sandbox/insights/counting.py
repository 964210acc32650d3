"""Counting of a series in HogQL: rows of `bucket`, breakdown values and `value`."""

from dataclasses import dataclass, replace
from datetime import timedelta

from ..errors import invalid
from ..hogql import HogqlError, escape, has_aggregate, parse_expression
from ..queries.project import Project
from ..values import Row
from .breakdowns import NULL, OTHER
from .dates import DateRange, bucket_expression, interval_start, later, moment_literal
from .filters import all_of
from .series import ACTOR_MATHS, PROPERTY_MATHS, Series

MOST_ROWS = 200_000
ROUNDED_MATHS = frozenset({"total", "dau", "weekly_active", "monthly_active", "unique_session", "unique_group", "sum"})
"""The maths that a sampling factor scales."""

_WINDOWS = {"weekly_active": 7, "monthly_active": 30}
_QUANTILES = {"median": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """A series to count over a range.

    `condition` is the insight's own condition on events; `breakdowns` are HogQL texts. Without `bucketed` the range is
    one interval. `cumulative` counts a person at the first appearance. With a `limit`, breakdown values beyond it in
    PostHog's order are combined.
    """

    series: Series
    range: DateRange
    condition: str
    breakdowns: tuple[str, ...]
    bucketed: bool
    cumulative: bool
    project: Project
    limit: int | None = None

    @property
    def names(self) -> list[str]:
        """The names of the breakdown columns."""
        return [f"insight_breakdown_{index}" for index in range(len(self.breakdowns))]

    @property
    def values(self) -> list[str]:
        """The breakdowns as columns."""
        return [f"{text} AS {name}" for text, name in zip(self.breakdowns, self.names, strict=True)]

    @property
    def where(self) -> str:
        """The condition of an event in the series and range. Groups are counted only where an event has one."""
        grouped = [f"{_group_key(self.series.node)} != ''"] if self.math == "unique_group" else []
        return all_of([*self.range.conditions(), self.series.condition, self.condition, *grouped])

    def bucket(self, moment: str = "timestamp") -> str:
        """Return the column of the interval, empty text for the whole range."""
        return f"{bucket_expression(self.range.interval, moment) if self.bucketed else _WHOLE} AS insight_bucket"

    @property
    def math(self) -> str:
        """The effective math: a property math without a property is a plain count."""
        math = self.series.math
        interval = self.range.interval
        if math in PROPERTY_MATHS and not self.series.node.get("math_property"):
            return "total"
        if (
            self.bucketed
            and math in _WINDOWS
            and (interval == "month" or (interval, math) == ("week", "weekly_active"))
        ):
            return "dau"
        return math


_WHOLE = "''"


def counting_query(counting: Counting) -> str:
    """Return the SELECT of a series. Raises ApiError 400 for a math that lacks a required option."""
    math = counting.math
    actor = _actor(counting)
    if math in ("first_time_for_user", "first_matching_event_for_user"):
        text = _first_time(counting)
    elif counting.cumulative and math in ("dau", "unique_group") and actor is not None:
        text = _first_appearances(counting, actor)
    elif math in _WINDOWS:
        text = _active(counting, _WINDOWS[math])
    elif math in ACTOR_MATHS:
        text = _per_actor(counting, math.removesuffix("_count_per_actor"))
    elif math in PROPERTY_MATHS and counting.series.node.get("math_property") == "$session_duration":
        text = _per_session(counting, math)
    else:
        text = _plain(counting, _aggregate(counting, actor))
    if counting.limit is not None and counting.breakdowns:
        text = _limited(counting, text, counting.limit)
    return f"{text} LIMIT {MOST_ROWS}"


def _limited(counting: Counting, text: str, limit: int) -> str:
    """Combine the values beyond the limit into one, `OTHER`."""
    names = counting.names
    null = " OR ".join(f"{name} = {escape.string(NULL)}" for name in names)
    total = f"sum(insight_value) OVER (PARTITION BY {', '.join(names)}) AS insight_total"
    numbered = f"SELECT {', '.join([*_keys(counting), 'insight_value', total])} FROM ({text})"
    order = ", ".join([f"({null})", "insight_total DESC", *names])
    rank = f"dense_rank() OVER (ORDER BY {order}) AS insight_rank"
    ranked = f"SELECT {', '.join([*_keys(counting), 'insight_value', rank])} FROM ({numbered})"
    kept = [f"if(insight_rank > {limit}, {escape.string(OTHER)}, {name}) AS insight_kept_{name}" for name in names]
    outer = ["insight_bucket", *kept, "sum(insight_value)"]
    return _select(outer, f"({ranked})", "true", ["insight_bucket", *(f"insight_kept_{name}" for name in names)])


def _actor(counting: Counting) -> str | None:
    """Return the HogQL of the actor that a math counts once, None when it counts events."""
    match counting.math:
        case "dau":
            return "person_id"
        case "unique_group":
            return _group_key(counting.series.node)
        case "unique_session":
            return "nullIf($session_id, '')"
        case _:
            return None


def _group_key(node: Row) -> str:
    index = node.get("math_group_type_index")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= 4:
        raise invalid("math_group_type_index is required for math unique_group: a number from 0 to 4.")
    return f"$group_{index}"


def _aggregate(counting: Counting, actor: str | None) -> str:
    math = counting.math
    node = counting.series.node
    if actor is not None:
        return f"count(DISTINCT {actor})"
    if math == "hogql":
        return _hogql(node)
    if math in PROPERTY_MATHS:
        return _statistic(math, _number(node, counting.project))
    return "count()"


def _statistic(math: str, expression: str) -> str:
    return f"quantile({_QUANTILES[math]})({expression})" if math in _QUANTILES else f"{math}({expression})"


def _hogql(node: Row) -> str:
    text = node.get("math_hogql")
    if not isinstance(text, str) or not text.strip():
        raise invalid("math_hogql is required for math hogql.")
    try:
        aggregates = has_aggregate(parse_expression(text))
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
    if not aggregates:
        raise invalid("math_hogql is an aggregation, such as sum(toFloat(properties.amount)).")
    return f"({text}\n)"  # the line break ends a trailing comment


def _number(node: Row, project: Project) -> str:
    """Return the property of an event as a number; null if it is not one."""
    key = str(node.get("math_property"))
    person = node.get("math_property_type") == "person_properties"
    if key == "$time" and not person:
        number = "toUnixTimestamp(timestamp)"
    else:
        try:
            name = escape.hogql_identifier(key)
        except HogqlError as error:
            raise invalid(error.message, error.code) from error
        kind = project.context.property_types.get(("person" if person else "event", key))
        read = f"{'person.' if person else ''}properties.{name}"
        number = f"toFloat({read})" if kind in (None, "Numeric", "String") else f"toFloat(toString({read}))"
    multiplier = node.get("math_multiplier")
    if isinstance(multiplier, int | float) and not isinstance(multiplier, bool):
        return f"{number} * {escape.constant(multiplier)}"
    return number


def _select(columns: list[str], source: str, where: str, group: list[str]) -> str:
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {where} GROUP BY {', '.join(group)}"


def _keys(counting: Counting) -> list[str]:
    return ["insight_bucket", *counting.names]


def _plain(counting: Counting, aggregate: str) -> str:
    columns = [counting.bucket(), *counting.values, f"{aggregate} AS insight_value"]
    return _select(columns, "events", counting.where, _keys(counting))


def _per_actor(counting: Counting, math: str) -> str:
    columns = [counting.bucket(), *counting.values, "person_id AS insight_actor", "count() AS insight_events"]
    inner = _select(columns, "events", counting.where, [*_keys(counting), "insight_actor"])
    statistic = f"{_statistic(math, 'insight_events')} AS insight_value"
    return _select([*_keys(counting), statistic], f"({inner})", "true", _keys(counting))


def _per_session(counting: Counting, math: str) -> str:
    """Aggregate one duration per session and interval."""
    columns = [
        counting.bucket(),
        *counting.values,
        "$session_id AS insight_session",
        "any(session.$session_duration) AS insight_duration",
    ]
    inner = _select(columns, "events", counting.where, [*_keys(counting), "insight_session"])
    statistic = f"{_statistic(math, 'insight_duration')} AS insight_value"
    return _select([*_keys(counting), statistic], f"({inner})", "true", _keys(counting))


def _first_appearances(counting: Counting, actor: str) -> str:
    """Count each actor once, in the interval of the first event in the range."""
    columns = [f"{actor} AS insight_actor", *counting.values, "min(timestamp) AS insight_first"]
    inner = _select(columns, "events", counting.where, ["insight_actor", *counting.names])
    outer = [counting.bucket("insight_first"), *counting.names, "count() AS insight_value"]
    return _select(outer, f"({inner})", "insight_actor IS NOT NULL", _keys(counting))


def _first_time(counting: Counting) -> str:
    """Count persons at their first event ever: of this name, or among those that match the filters."""
    series = counting.series
    ends = counting.range
    filters = all_of([series.filters, counting.condition])
    matching = counting.math == "first_matching_event_for_user"
    values = [
        f"argMin({text}, timestamp) AS {name}" for text, name in zip(counting.breakdowns, counting.names, strict=True)
    ]
    columns = [
        "person_id AS insight_actor",
        *values,
        "min(timestamp) AS insight_first",
        f"argMin({'true' if matching else filters}, timestamp) AS insight_passes",
    ]
    upper = ends.conditions()[1]
    where = all_of([upper, series.entity, *([filters] if matching else [])])
    inner = _select(columns, "events", where, ["insight_actor"])
    outer = [counting.bucket("insight_first"), *counting.names, "count() AS insight_value"]
    return _select(
        outer,
        f"({inner})",
        f"insight_passes AND insight_first >= {moment_literal(ends.from_moment)}",
        _keys(counting),
    )


def _active(counting: Counting, days: int) -> str:
    """Count active persons of the days up to an interval's first day, or for the whole range up to its end."""
    ends = counting.range
    if not counting.bucketed:
        last = replace(ends, start=ends.end.replace(microsecond=0) - timedelta(days=days), widened_to=None)
        return _plain(replace(counting, range=last), "count(DISTINCT person_id)")
    if ends.interval == "minute":
        raise invalid("The sandbox does not support weekly or monthly active users by minute.")
    hourly = ends.interval == "hour"
    unit, count, add = ("hour", days * 24, "addHours") if hourly else ("day", days, "addDays")
    first = interval_start(ends.start, ends.interval, ends.week_start)
    reach = later(first, -timedelta(hours=count - 1)) if hourly else first - timedelta(days=count - 1)
    wide = replace(ends, start=reach, widened_to=None)
    columns = [
        f"{'toStartOfHour' if unit == 'hour' else 'toDate'}(timestamp) AS insight_active",
        *counting.values,
        "person_id AS insight_actor",
    ]
    inner = _select(
        columns, "events", replace(counting, range=wide).where, ["insight_active", *counting.names, "insight_actor"]
    )
    spread = f"arrayJoin(arrayMap(step -> {add}(insight_active, step), range(0, {count}))) AS insight_bucket"
    middle = f"SELECT {', '.join([spread, *counting.names, 'insight_actor'])} FROM ({inner})"
    counted = "count(DISTINCT insight_actor) AS insight_value"
    return _select([*_keys(counting), counted], f"({middle})", _within(ends), _keys(counting))


def _within(ends: DateRange) -> str:
    """Return the condition that a bucket, an hour or a day, is one of those shown."""
    buckets = ends.buckets()
    if not buckets:
        return "false"
    if ends.interval == "hour":
        first, last = moment_literal(buckets[0]), moment_literal(buckets[-1])
    else:
        first, last = (f"toDate('{bucket:%Y-%m-%d}')" for bucket in (buckets[0], buckets[-1]))
    terms = [f"insight_bucket >= {first}", f"insight_bucket <= {last}"]
    if ends.interval == "week":
        terms.append(f"{bucket_expression('week', 'insight_bucket')} = insight_bucket")
    return all_of(terms)
