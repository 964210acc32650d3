"""StickinessQuery: the number of intervals in which persons were active."""

from dataclasses import dataclass
from typing import Any

from ...errors import invalid
from ...hogql import HogqlError, has_aggregate, parse_expression
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row
from ..dates import DateRange, bucket_expression, read_date_range, wants_all
from ..filters import all_of, query_condition, sampling_factor
from ..requests import choice, malformed_query, number, options
from ..running import Session, reading
from ..series import Series, read_series
from .request import read_compare

_CRITERIA = {"gte": ">=", "lte": "<=", "exact": "="}
_EARLIEST = "2015-01-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stickiness:
    """A parsed and validated StickinessQuery. `criterion` is HogQL on `count()`, null for any event."""

    series: tuple[Series, ...]
    condition: str
    criterion: str | None
    cumulative: bool
    compare: bool
    compare_to: str | None
    sampling: float


@dataclass(frozen=True, slots=True)
class StickinessHalf:
    """A series in one period, `current` or `previous`.

    `actors` is HogQL with one row per actor: `insight_actor` and `insight_intervals`, its number of active intervals.
    """

    series: Series
    range: DateRange
    compare_label: str
    actors: str


async def stickiness_query(call: Call, query: Row, project: Project) -> Row:
    """Return one result per series, each followed by its previous period if compared. Raises ApiError 400."""
    session = Session(call, project)
    stickiness, found = await stickiness_actors(session, query)
    results: list[Row] = []
    for half in found:
        rows = await session.rows(
            f"SELECT insight_intervals, count() FROM ({half.actors}) GROUP BY insight_intervals LIMIT 50000"
        )
        compared = {"compare": True, "compare_label": half.compare_label} if stickiness.compare else {}
        results.append({**_result(stickiness, half.series, half.range, rows), **compared})
    return session.response(query, results)


async def stickiness_actors(session: Session, query: Row) -> tuple[Stickiness, list[StickinessHalf]]:
    """Parse a query and return it with its series, each followed by its previous period. Raises ApiError 400."""
    stickiness = await reading(lambda: _read(session.call, query, session.project))
    earliest = await session.earliest("true", _EARLIEST) if wants_all(query) else None
    ends = read_date_range(query, session.project, explicit_start=True, earliest=earliest)
    halves = [("current", ends)]
    if stickiness.compare:
        halves.append(("previous", ends.previous(stickiness.compare_to)))
    found = [
        StickinessHalf(series, half, label, _actors(stickiness, series, half))
        for series in stickiness.series
        for label, half in halves
    ]
    return stickiness, found


def _read(call: Call, query: Row, project: Project) -> Stickiness:
    given = options(query, "stickinessFilter")
    computed = choice(given, "computedAs", "stickinessFilter.", ("non_cumulative", "cumulative"), "non_cumulative")
    if number(query, "intervalCount", "", 1, least=1) > 1:
        raise invalid("The sandbox does not support an intervalCount above 1.")
    compare, compare_to = read_compare(query)
    return Stickiness(
        series=read_series(call, query, project, unknown_actions=True),
        condition=query_condition(query, project),
        criterion=_criterion(options(given, "stickinessCriteria")),
        cumulative=computed == "cumulative",
        compare=compare,
        compare_to=compare_to,
        sampling=sampling_factor(query),
    )


def _criterion(given: Row) -> str | None:
    if not given:
        return None
    place = "stickinessFilter.stickinessCriteria."
    operator = choice(given, "operator", place, tuple(_CRITERIA), "")
    if not operator or given.get("value") is None:
        raise malformed_query(f"{place}{'value' if operator else 'operator'}", "Field required")
    return f"count() {_CRITERIA[operator]} {number(given, 'value', place, 1, least=1)}"


def _actors(stickiness: Stickiness, series: Series, ends: DateRange) -> str:
    """Return HogQL for actors and their numbers of active intervals."""
    where = all_of([*ends.conditions(), series.condition, stickiness.condition])
    intervals = (
        f"SELECT {_actor(series)} AS insight_actor, {bucket_expression(ends.interval)} AS insight_bucket "
        f"FROM events WHERE {where} GROUP BY insight_actor, insight_bucket"
    )
    if stickiness.criterion:
        intervals += f" HAVING {stickiness.criterion}"
    return (
        f"SELECT insight_actor, count() AS insight_intervals FROM ({intervals}) "
        "WHERE insight_actor IS NOT NULL GROUP BY insight_actor"
    )


def _actor(series: Series) -> str:
    """Return the actor of a series: a person, a group, or the value of an expression. Other maths have no effect."""
    node = series.node
    if series.math == "unique_group":
        index = node.get("math_group_type_index")
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= 4:
            raise invalid("math_group_type_index is required for math unique_group: a number from 0 to 4.")
        return f"nullIf($group_{index}, '')"
    expression = node.get("math_hogql")
    if series.math == "hogql" and isinstance(expression, str) and expression.strip():
        try:
            aggregates = has_aggregate(parse_expression(expression))
        except HogqlError as error:
            raise invalid(error.message, error.code) from error
        if aggregates:
            raise invalid("math_hogql of a stickiness series must be an actor, not an aggregate.")
        return f"toString({expression}\n)"  # the line break ends a trailing comment
    return "person_id"


def _result(stickiness: Stickiness, series: Series, ends: DateRange, rows: list[list[Any]]) -> Row:
    found = {
        int(row[0]): round(row[1] / stickiness.sampling) if stickiness.sampling < 1 else int(row[1]) for row in rows
    }
    width = len(ends.buckets())
    exactly = [found.get(days, 0) for days in range(1, width + 1)]
    data = [sum(exactly[place:]) for place in range(width)] if stickiness.cumulative else exactly
    return {
        "count": sum(found.values()),
        "data": data,
        "days": list(range(1, width + 1)),
        "label": series.label,
        "labels": [_label(days, ends.interval, stickiness.cumulative) for days in range(1, width + 1)],
        "action": {
            "order": series.order,
            "type": "events",
            "name": series.label,
            "id": series.label,
            "custom_name": series.custom_name,
        },
    }


def _label(count: int, interval: str, cumulative: bool) -> str:
    return f"{count} {interval}{'' if count == 1 else 's'}{' or more' if cumulative else ''}"
