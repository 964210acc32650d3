"""LifecycleQuery: new, returning, resurrecting and dormant persons per interval."""

from typing import Any

from ...errors import invalid
from ...hogql import escape
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row, as_object
from ..dates import (
    DateRange,
    Interval,
    bucket_expression,
    bucket_instant,
    interval_start,
    moment_literal,
    next_interval,
    previous_interval,
    read_date_range,
    wants_all,
)
from ..filters import all_of, query_condition, sampling_factor
from ..requests import malformed_query, options
from ..running import Session, reading
from ..series import Series, read_series

STATUSES = ("new", "returning", "resurrecting", "dormant")
_UNITS: dict[Interval, str] = {
    "minute": "Minutes",
    "hour": "Hours",
    "day": "Days",
    "week": "Weeks",
    "month": "Months",
}
_WITH_PERSON = "person_mode != 'propertyless'"
"""The condition that an event has a person profile.

`$process_person_profile` is false on exactly the propertyless events, but to read it from their JSON would take longer
than the rest of the query.
"""


async def lifecycle_query(call: Call, query: Row, project: Project) -> Row:
    """Return four results, one per status, of the first series. Raises ApiError 400."""
    session = Session(call, project)
    series, ends, actors = await lifecycle_actors(session, query)
    rows = await session.rows(
        "SELECT insight_bucket, insight_status, count() "
        f"FROM ({actors}) GROUP BY insight_bucket, insight_status LIMIT 50000"
    )
    results = _results(series, ends, rows, sampling_factor(query), skipped=_skipped(query, ends))
    return {**session.response(query, results), "resolved_date_range": ends.resolved()}


async def lifecycle_actors(session: Session, query: Row) -> tuple[Series, DateRange, str]:
    """Return the series and range of a query, and HogQL with one row per actor and interval.

    Its columns are `insight_actor`, `insight_bucket` and `insight_status`. Raises ApiError 400.
    """
    call, project = session.call, session.project
    series = await reading(lambda: _series(call, query, project))
    earliest = await session.earliest(series.entity) if wants_all(query) else None
    ends = read_date_range(query, project, explicit_start=True, widen=False, earliest=earliest)
    condition = all_of([series.condition, query_condition(query, project), _WITH_PERSON])
    return series, ends, _actors(ends, condition, group_index(query), project.context.timezone)


def _skipped(query: Row, ends: DateRange) -> int:
    """Return how many intervals to skip: with `explicitDate`, a first interval that begins before the range."""
    explicit = (as_object(query.get("dateRange")) or {}).get("explicitDate") is True
    return int(
        explicit and interval_start(ends.start, ends.interval, ends.week_start) < ends.start.replace(microsecond=0)
    )


def _series(call: Call, query: Row, project: Project) -> Series:
    options(query, "lifecycleFilter")
    found = read_series(call, query, project)
    if not found:
        raise invalid("Lifecycle insights require at least one series.", "insight_requires_at_least_one_series")
    return found[0]


def group_index(query: Row) -> int | None:
    """Return the group type that a query counts, None for persons. Raises ApiError 400."""
    index = query.get("aggregation_group_type_index")
    if index is not None and (not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= 4):
        raise malformed_query("aggregation_group_type_index", "Input should be a number from 0 to 4")
    return index


def _actors(ends: DateRange, condition: str, group: int | None, timezone: str) -> str:
    """Return HogQL for the intervals in which each actor has a status. Reads whole intervals and the one before."""
    interval, week_start = ends.interval, ends.week_start
    since = previous_interval(interval_start(ends.start, interval, week_start), interval)
    until = next_interval(interval_start(ends.end, interval, week_start), interval)
    actor, created = ("person_id", "person.created_at")
    terms = [f"timestamp >= {moment_literal(since)}", f"timestamp < {moment_literal(until)}", condition]
    if group is not None:
        actor, created = f"$group_{group}", f"group_{group}.created_at"
        terms.append(f"$group_{group} != ''")
    before, after = f"subtract{_UNITS[interval]}", f"add{_UNITS[interval]}"
    start = _start_expression(interval, "timestamp")
    actors = (
        f"SELECT {actor} AS insight_actor, groupUniqArray({start}) AS insight_active, min({start}) AS insight_first, "
        f"min({_start_expression(interval, created)}) AS insight_created "
        f"FROM events WHERE {all_of(terms)} GROUP BY insight_actor"
    )
    active = (
        "arrayMap(start -> tuple(start, multiIf(start = insight_first AND start = insight_created, 'new', "
        f"has(insight_active, {before}(start, 1)), 'returning', 'resurrecting')), insight_active)"
    )
    gone = (
        f"arrayMap(start -> tuple({after}(start, 1), 'dormant'), "
        f"arrayFilter(start -> not(has(insight_active, {after}(start, 1))), insight_active))"
    )
    pairs = f"SELECT insight_actor, arrayJoin(arrayConcat({active}, {gone})) AS insight_pair FROM ({actors})"
    bucket = "tupleElement(insight_pair, 1)"
    if interval in ("hour", "minute"):
        bucket = f"toTimeZone({bucket}, {escape.string(timezone)})"  # arrayConcat drops the time zone
    return (
        f"SELECT insight_actor, {bucket} AS insight_bucket, "
        f"tupleElement(insight_pair, 2) AS insight_status FROM ({pairs})"
    )


def _start_expression(interval: Interval, moment: str) -> str:
    """Return the start of an interval as HogQL; days as dates, because arrays of times lose the time zone."""
    start = bucket_expression(interval, moment)
    return f"toDate({start})" if interval == "day" else start


def _results(series: Series, ends: DateRange, rows: list[list[Any]], sampling: float, *, skipped: int) -> list[Row]:
    """Return the results by status; as in PostHog, none when no interval is left."""
    keys, days, labels = ends.keys()[skipped:], ends.days()[skipped:], ends.labels()[skipped:]
    counts = {(bucket_instant(row[0], ends.interval), row[1]): row[2] for row in rows}
    results: list[Row] = []
    for status in STATUSES if days else ():
        sign = -1 if status == "dormant" else 1
        found = [counts.get((key, status), 0) for key in keys]
        data = [float(sign * (round(count / sampling) if sampling < 1 else count)) or 0.0 for count in found]
        results.append(
            {
                "action": _action(series),
                "data": data,
                "count": sum(data),
                "labels": labels,
                "days": days,
                "label": f"{series.label} - {status}",
                "status": status,
            }
        )
    return results


def _action(series: Series) -> Row:
    named = {} if series.custom_name is None else {"custom_name": series.custom_name}
    identity = series.key if series.kind == "events" else str(series.key)
    return {
        "id": identity,
        "name": series.label,
        "type": series.kind,
        "order": series.order,
        "math": "total",
        **named,
    }
