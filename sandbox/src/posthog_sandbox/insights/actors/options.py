"""InsightActorsQueryOptions: the choices for listing the actors of an insight."""

from typing import Any

from ...http.routing import Call
from ...queries.project import Project
from ...queries.running import response_fields
from ...values import Row, as_list, as_object
from ..actor_source import KINDS
from ..breakdowns import NULL, OTHER
from ..dates import DateRange, iso
from ..requests import malformed_query
from ..running import Session
from ..trends.actors import read_trend
from ..trends.lifecycle import STATUSES, lifecycle_actors
from ..trends.query import trends_query

_NAMES = {NULL: "None (i.e. no value)", OTHER: "Other (i.e. all remaining values)"}
_PARTS = ("day", "status", "interval", "breakdown", "breakdowns", "series", "compare")


async def actors_options(call: Call, query: Row, project: Project) -> Row:
    """Return lists of `{"label", "value"}` for trends and lifecycle, nulls for other insights. Raises ApiError 400."""
    actors = as_object(query.get("source")) or {}
    source = as_object(actors.get("source"))
    if source is None or actors.get("kind") not in KINDS:
        raise malformed_query("source.kind", f"Input should be {', '.join(map(repr, sorted(KINDS)))}")
    found: Row = {}
    if source.get("kind") == "TrendsQuery":
        found = await _of_trend(call, source, project)
    elif source.get("kind") == "LifecycleQuery":
        _, ends, _ = await lifecycle_actors(Session(call, project), source)
        found = {"day": _days(ends), "status": [_item(name.capitalize(), name) for name in sorted(STATUSES)]}
    return {**response_fields(call, query, project), **dict.fromkeys(_PARTS), **found}


async def _of_trend(call: Call, query: Row, project: Project) -> Row:
    trend, ends = await read_trend(call, query, project)
    breakdown = trend.breakdown
    found: Row = {"series": [_item(series.label, series.order) for series in trend.series]}
    if not trend.request.aggregate:
        found["day"] = _days(ends)
    if trend.request.compare:
        found["compare"] = [_item("Current", "current"), _item("Previous", "previous")]
    if breakdown.expressions or breakdown.by_cohort:
        plain = {**query, "trendsFilter": {"display": trend.request.display}}
        results: list[Row] = (await trends_query(call, plain, project))["results"]
        values = [result["breakdown_value"] for result in results]
        if breakdown.listed:
            columns = zip(*(as_list(value) or [] for value in values), strict=True)
            found["breakdowns"] = [{"values": _values(list(column))} for column in columns]
        elif breakdown.by_cohort:
            found["breakdown"] = [_item(str(each.label), each.value) for each in breakdown.passes]
        else:
            found["breakdown"] = _values(values)
    return found


def _days(ends: DateRange) -> list[Row]:
    return [_item(label, iso(bucket)) for label, bucket in zip(ends.labels(), ends.buckets(), strict=True)]


def _values(values: list[Any]) -> list[Row]:
    return [_item(_NAMES.get(value) or str(value), value) for value in dict.fromkeys(values)]


def _item(label: str, value: Any) -> Row:
    return {"label": label, "value": value}
