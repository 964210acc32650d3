"""A stored query read back into the words of the typed queries, so that its result is told as theirs are.

Only what the telling of results needs is read: names, maths, intervals, breakdowns. What would be told wrongly (values
that add up over time, smoothed lines, several formulas, counts of groups) is not read back.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from ...schemas.analytics.events import Breakdown, EventChoice, FunnelStep, PropertyFilter, TrendSeries
from ...schemas.analytics.queries import (
    Analysis,
    Interval,
    QueryFunnel,
    QueryLifecycle,
    QueryPaths,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from ..analytics.queries import MOST_EDGES

_LINES = ("ActionsLineGraph", "ActionsAreaGraph", "ActionsBar", "ActionsUnstackedBar", "ActionsStackedBar")
_TOTALS = ("BoldNumber", "ActionsPie", "ActionsBarValue", "ActionsTable", "WorldMap")
_VIEWS = {"steps": "steps", "trends": "trend", "time_to_convert": "time_to_convert"}
_INTERVALS = get_args(Interval.__value__)
_PERIODS = ("Hour", "Day", "Week", "Month")
_UNITS = ("second", "minute", "hour", "day", "week", "month")
_SOME = [PropertyFilter(key="true", type="hogql")]
"""Stands for conditions: a telling only says that there are some."""
_MOST = 2**31
type _Fields = Mapping[str, Any]


def source_of(query: Any) -> dict[str, Any]:
    """The query within the nodes that draw it; empty for what is none."""
    found = fields_of(query)
    while isinstance(found.get("source"), dict):
        found = fields_of(found["source"])
    return found


def read_back(source: _Fields) -> Analysis | None:
    """The typed query that asks the same. None: there is none, or its result would be told wrongly."""
    interval = _one_of(_INTERVALS, source.get("interval") or "day")
    if interval is None or source.get("aggregation_group_type_index") is not None:
        return None
    match source.get("kind"):
        case "TrendsQuery":
            return _trends(source, interval)
        case "FunnelsQuery":
            return _funnel(source, interval)
        case "RetentionQuery":
            return _retention(source)
        case "PathsQuery":
            return _paths(source)
        case "StickinessQuery":
            return _stickiness(source, interval)
        case "LifecycleQuery":
            series = _series(source, EventChoice)
            if not series:
                return None
            return QueryLifecycle.model_construct(event=series[0], interval=interval, filters=_conditions(source))
        case _:
            return None


def is_cumulative(source: _Fields) -> bool:
    """Whether the lines of a trend add up over time."""
    return fields_of(source.get("trendsFilter")).get("display") == "ActionsLineGraphCumulative"


def _trends(source: _Fields, interval: str) -> QueryTrends | None:
    shown = fields_of(source.get("trendsFilter"))
    display, formulas = _one_of((*_LINES, *_TOTALS), shown.get("display") or _LINES[0]), _formulas(shown)
    series = _series(source, TrendSeries)
    if display is None or shown.get("smoothingIntervals") not in (None, 1) or len(formulas) > 1:
        return None
    return QueryTrends.model_construct(
        events=series,
        interval="total" if display in _TOTALS else interval,
        formula=formulas[0] if formulas else None,
        breakdown=_breakdown(source),
        breakdown_limit=_whole(fields_of(source.get("breakdownFilter")).get("breakdown_limit"), 25),
        compare=_compare(source),
        filters=_conditions(source),
    )


def _funnel(source: _Fields, interval: str) -> QueryFunnel | None:
    shown = fields_of(source.get("funnelsFilter"))
    view = _one_of(tuple(_VIEWS), shown.get("funnelVizType") or "steps")
    steps = _series(source, FunnelStep)
    if view is None or len(steps) < 2 or shown.get("funnelAggregateByHogQL") or _compare(source):
        return None
    return QueryFunnel.model_construct(
        steps=steps,
        order=shown.get("funnelOrderType") or "ordered",
        window=_whole(shown.get("funnelWindowInterval"), 14),
        window_unit=_one_of(_UNITS, shown.get("funnelWindowIntervalUnit")) or "day",
        view=_VIEWS[view],
        interval=interval,
        breakdown=_breakdown(source),
        breakdown_limit=_whole(fields_of(source.get("breakdownFilter")).get("breakdown_limit"), 25),
        filters=_conditions(source),
    )


def _retention(source: _Fields) -> QueryRetention | None:
    shown, breakdown = fields_of(source.get("retentionFilter")), _breakdown(source) or []
    period = _one_of(_PERIODS, shown.get("period") or "Day")
    if (
        period is None
        or len(breakdown) > 1
        or shown.get("aggregationType") not in (None, "count")
        or shown.get("retentionCustomBrackets")
    ):
        return None
    target, returning = (fields_of(shown.get(name)) for name in ("targetEntity", "returningEntity"))
    return QueryRetention.model_construct(
        event=_entity(target),
        returning_event=_entity(returning),
        kind=str(shown.get("retentionType") or "retention_first_time").removeprefix("retention_"),
        period=period,
        breakdown=breakdown[0] if breakdown else None,
        filters=_conditions(source),
    )


def _paths(source: _Fields) -> QueryPaths:
    shown = fields_of(source.get("pathsFilter"))
    return QueryPaths.model_construct(
        start=_text(shown.get("startPoint")), end=_text(shown.get("endPoint")), edges=MOST_EDGES
    )


def _stickiness(source: _Fields, interval: str) -> QueryStickiness:
    shown = fields_of(source.get("stickinessFilter"))
    return QueryStickiness.model_construct(
        events=_series(source, EventChoice),
        interval=interval,
        cumulative=shown.get("computedAs") == "cumulative",
        compare=_compare(source),
        filters=_conditions(source),
    )


def _series[E: EventChoice](source: _Fields, takes: type[E]) -> list[E]:
    return [_event(node, takes) for node in _objects(source.get("series"))]


def _event[E: EventChoice](node: _Fields, takes: type[E]) -> E:
    is_action = node.get("kind") == "ActionsNode"
    # A trend has the name of an action in its result, and puts the math beside it.
    own_name = _text(node.get("name")) if is_action and "math" not in takes.model_fields else None
    given: dict[str, Any] = {
        "event": None if is_action else _text(node.get("event")) or _text(node.get("table_name")) or "*",
        "action_id": _whole(node.get("id"), 0) if is_action else None,
        "name": _text(node.get("custom_name")) or own_name,
        "where": _SOME if node.get("properties") else [],
        "math": _text(node.get("math")) or "total",
        "property": _text(node.get("math_property")) or _text(node.get("math_hogql")),
        "optional": node.get("optionalInFunnel") is True,
    }
    return takes.model_construct(None, **{name: value for name, value in given.items() if name in takes.model_fields})


def _entity(entity: _Fields) -> EventChoice:
    name = _text(entity.get("custom_name")) or _text(entity.get("name"))
    return EventChoice.model_construct(event=str(entity.get("id") or "*"), name=name)


def _breakdown(source: _Fields) -> list[Breakdown] | None:
    """Both forms: `breakdowns`, and the older `breakdown` with one type."""
    split = fields_of(source.get("breakdownFilter"))
    found = [(one.get("property"), one.get("type")) for one in _objects(split.get("breakdowns"))]
    if not found and split.get("breakdown") is not None:
        older = split["breakdown"]
        names = cast("list[Any]", older) if isinstance(older, list) else [older]
        found = [(name, split.get("breakdown_type")) for name in names]
    return [Breakdown.model_construct(property=name, type=kind or "event") for name, kind in found] or None


def _compare(source: _Fields) -> str | None:
    compared = fields_of(source.get("compareFilter"))
    return str(compared.get("compare_to") or "previous") if compared.get("compare") else None


def _formulas(shown: _Fields) -> list[str]:
    nodes = [one.get("formula") for one in _objects(shown.get("formulaNodes"))]
    several: Any = shown.get("formulas")
    found = nodes or (cast("list[Any]", several) if isinstance(several, list) else []) or [shown.get("formula")]
    return [str(formula) for formula in found if formula]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any, default: int) -> int:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST
    return cast("int", value) if fits else default


def _one_of(choices: Sequence[str], value: Any) -> str | None:
    return value if isinstance(value, str) and value in choices else None


def _conditions(source: _Fields) -> list[PropertyFilter] | None:
    return _SOME if source.get("properties") else None


def fields_of(value: Any) -> dict[str, Any]:
    """The value if it is an object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
