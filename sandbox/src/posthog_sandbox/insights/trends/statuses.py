"""The actors behind the statuses of a LifecycleQuery and the intervals of a StickinessQuery."""

from datetime import datetime

from ...hogql import escape
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row
from ..actor_source import ActorSource, read_day
from ..dates import DateRange, interval_start, moment_literal
from ..filters import all_of
from ..requests import choice, malformed_query
from ..running import Session
from ..series import Series
from .lifecycle import group_index, lifecycle_actors
from .stickiness import stickiness_actors

_OPERATORS = {"gte": ">=", "lte": "<=", "exact": "="}


async def actors_of_lifecycle(call: Call, query: Row, project: Project) -> ActorSource:
    """Return the actors with the `status` in the interval of `day`; both are optional. Raises ApiError 400."""
    source: Row = query["source"]
    _, ends, actors = await lifecycle_actors(Session(call, project), source)
    terms: list[str] = []
    if query.get("day") is not None:
        terms.append(_is_interval(ends, read_day(query["day"], project)))
    if query.get("status") is not None:
        terms.append(f"insight_status = {escape.string(str(query['status']))}")
    text = f"SELECT DISTINCT insight_actor AS actor_id FROM ({actors}) WHERE {all_of(terms)}"
    return ActorSource(hogql=text, context=project.context, group=group_index(source))


def _is_interval(ends: DateRange, moment: datetime) -> str:
    start = interval_start(moment, ends.interval, ends.week_start)
    if ends.interval in ("hour", "minute"):
        return f"insight_bucket = {moment_literal(start)}"
    return f"toDate(insight_bucket) = toDate('{start:%Y-%m-%d}')"


async def actors_of_stickiness(call: Call, query: Row, project: Project) -> ActorSource:
    """Return the actors active in `day` intervals, or at least that many if the insight is cumulative.

    `operator` changes "in `day`" to "at most" or "at least". Without `series` the actors of all series are returned one
    after the other; without `compare` those of the current period. Raises ApiError 400.
    """
    stickiness, halves = await stickiness_actors(Session(call, project), query["source"])
    period = choice(query, "compare", "", ("current", "previous"), "current")
    wanted = [half for half in halves if half.compare_label == period or not stickiness.compare]
    if query.get("series") is not None:
        wanted = [half for half in wanted if half.series.order == query["series"]]
    operator = choice(query, "operator", "", tuple(_OPERATORS), "exact")
    intervals = _intervals(query.get("day"))
    term = "true"
    if intervals is not None:
        term = f"insight_intervals {'>=' if stickiness.cumulative else _OPERATORS[operator]} {intervals}"
    texts = [f"SELECT insight_actor AS actor_id FROM ({half.actors}) WHERE {term}" for half in wanted]
    if not texts:
        texts = ["SELECT id AS actor_id FROM persons WHERE false"]
    series = [half.series for half in wanted]
    return ActorSource(hogql=" UNION ALL ".join(texts), context=project.context, group=_group(series))


def _intervals(day: object) -> int | None:
    if day is None:
        return None
    if isinstance(day, str) and day.isascii() and day.isdecimal() and len(day) < 10:
        return int(day)
    if not isinstance(day, int) or isinstance(day, bool):
        raise malformed_query("day", "Input should be a number of intervals")
    return day


def _group(series: list[Series]) -> int | None:
    """Return the group type of the first series that counts groups."""
    node = series[0].node if series and series[0].math == "unique_group" else {}
    index = node.get("math_group_type_index")
    return index if isinstance(index, int) else None
