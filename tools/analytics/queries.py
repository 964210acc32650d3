"""An analyst's words into PostHog's query objects (TrendsQuery, FunnelsQuery, RetentionQuery, PathsQuery,
StickinessQuery, LifecycleQuery).
"""

from collections.abc import Sequence
from typing import Any

from ...schemas.analytics.events import PROPERTY_MATHS, Breakdown, EventChoice, FunnelStep, TrendSeries, scoped
from ...schemas.analytics.queries import (
    Analysis,
    QueryFunnel,
    QueryLifecycle,
    QueryPaths,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from .dates import End, as_sent

type Query = dict[str, Any]

TOTAL = "ActionsBarValue"
"""The display of one number for the whole range: its range is that of a chart, not that of a BoldNumber."""
MOST_EDGES = 1000
_VIEWS = {"steps": "steps", "trend": "trends", "time_to_convert": "time_to_convert"}


def trends(args: QueryTrends) -> Query:
    """A TrendsQuery."""
    query = {
        **_shared("TrendsQuery", args, args.date_from, args.interval),
        "series": [_series(series) for series in args.series()],
        "interval": "day" if args.interval == "total" else args.interval,
    }
    shown: Query = {"display": TOTAL} if args.interval == "total" else {}
    if args.formula:
        shown["formulaNodes"] = [{"formula": args.formula.upper()}]
    return query | _unless_empty(
        trendsFilter=shown,
        breakdownFilter=_breakdowns(args.breakdown, args.breakdown_limit),
        compareFilter=_compared(args.compare),
    )


def funnel(args: QueryFunnel) -> Query:
    """A FunnelsQuery. Steps are counted from 0 there; an exclusion holds from the first to the last."""
    last = len(args.steps) - 1
    exclusions = [_node(event) | {"funnelFromStep": 0, "funnelToStep": last} for event in args.exclude or []]
    shown = {
        "funnelVizType": _VIEWS[args.view],
        "funnelOrderType": args.order,
        "funnelWindowInterval": args.window,
        "funnelWindowIntervalUnit": args.window_unit,
        **({"exclusions": exclusions} if exclusions else {}),
    }
    return {
        **_shared("FunnelsQuery", args, args.date_from, args.interval if args.view == "trend" else "day"),
        "series": [_step(step) for step in args.steps],
        "interval": args.interval,
        "funnelsFilter": shown,
        **_unless_empty(breakdownFilter=_funnel_breakdown(args.breakdown, args.breakdown_limit)),
    }


def retention(args: QueryRetention) -> Query:
    """A RetentionQuery. `totalIntervals` is always sent: PostHog's versions differ in what they take for absent."""
    shown: Query = {
        "targetEntity": _entity(args.event),
        "returningEntity": _entity(args.returning_event or args.event),
        "retentionType": f"retention_{args.kind}",
        "period": args.period,
        "totalIntervals": args.periods,
    }
    if args.minimum_occurrences > 1:
        shown["minimumOccurrences"] = args.minimum_occurrences
    if args.cumulative:
        shown["cumulative"] = True
    breakdown = [args.breakdown] if args.breakdown else None
    return {
        **_shared("RetentionQuery", args, args.date_from, "day"),
        "retentionFilter": shown,
        **_unless_empty(breakdownFilter=_breakdowns(breakdown)),
    }


def paths(args: QueryPaths) -> Query:
    """A PathsQuery."""
    shown = {
        "includeEventTypes": list(args.include),
        "excludeEvents": args.exclude,
        "startPoint": args.start,
        "endPoint": args.end,
        "stepLimit": args.steps,
        "edgeLimit": args.edges,
        "pathGroupings": args.groupings,
    }
    return {**_shared("PathsQuery", args, args.date_from, "day"), "pathsFilter": _unless_empty(**shown)}


def with_all_edges(query: Query) -> Query:
    """The same PathsQuery for as many edges as one could want. PostHog applies `edgeLimit` first and then leaves out
    the edges that no longer hang together, so that nobody can tell whether there were more.
    """
    return {**query, "pathsFilter": {**query["pathsFilter"], "edgeLimit": MOST_EDGES}}


def stickiness(args: QueryStickiness) -> Query:
    """A StickinessQuery."""
    shown: Query = {"computedAs": "cumulative"} if args.cumulative else {}
    if args.at_least > 1:
        shown["stickinessCriteria"] = {"operator": "gte", "value": args.at_least}
    return {
        **_shared("StickinessQuery", args, args.date_from, args.interval),
        "series": [_node(event) for event in args.events],
        "interval": args.interval,
        **_unless_empty(stickinessFilter=shown, compareFilter=_compared(args.compare)),
    }


def lifecycle(args: QueryLifecycle) -> Query:
    """A LifecycleQuery."""
    return {
        **_shared("LifecycleQuery", args, args.date_from, args.interval),
        "series": [_node(args.event)],
        "interval": args.interval,
    }


def _shared(kind: str, args: Analysis, date_from: End, interval: str) -> Query:
    dates = _unless_empty(
        date_from=as_sent(date_from),
        date_to=as_sent(args.date_to, interval=interval, end=True),
    )
    return {
        "kind": kind,
        **_unless_empty(
            dateRange=dates,
            properties=[condition.as_filter() for condition in args.filters or []],
            filterTestAccounts=args.filter_test_accounts,
        ),
    }


def _node(event: EventChoice) -> Query:
    conditions = [condition.as_filter() for condition in event.where]
    if event.action_id is not None:
        node: Query = {"kind": "ActionsNode", "id": event.action_id}
    else:
        everything = event.event == "*"
        name = "All events" if everything else event.event
        node = {"kind": "EventsNode", "event": None if everything else event.event, "name": name}
    return node | _unless_empty(custom_name=event.name, properties=conditions)


def _series(series: TrendSeries) -> Query:
    node = _node(series) | {"math": series.math}
    if series.math == "hogql":
        node["math_hogql"] = series.property
    elif series.math in PROPERTY_MATHS:
        name, scope = scoped(series.property or "")
        node["math_property"] = name
        if scope == "person":
            node["math_property_type"] = "person_properties"
    if series.group_type_index is not None:
        node["math_group_type_index"] = series.group_type_index
    return node


def _step(step: FunnelStep) -> Query:
    return _node(step) | ({"optionalInFunnel": True} if step.optional else {})


def _entity(event: EventChoice) -> Query:
    """What retention calls an event or action."""
    kind, identity = ("events", event.event) if event.action_id is None else ("actions", event.action_id)
    identity = None if identity == "*" else identity
    conditions = [condition.as_filter() for condition in event.where]
    return {"id": identity, "type": kind, "name": event.label, **_unless_empty(properties=conditions)}


def _breakdowns(breakdowns: Sequence[Breakdown] | None, limit: int | None = None) -> Query:
    """By properties, or by one cohort, which only the older form knows."""
    if not breakdowns:
        return {}
    limited = {"breakdown_limit": limit} if limit else {}
    if breakdowns[0].type == "cohort":
        return {"breakdown_type": "cohort", "breakdown": [breakdowns[0].property], **limited}
    return {"breakdowns": [{"property": one.property, "type": one.type} for one in breakdowns], **limited}


def _funnel_breakdown(breakdowns: Sequence[Breakdown] | None, limit: int) -> Query:
    """Funnels read the older form alone, of one type."""
    if not breakdowns:
        return {}
    names = [one.property for one in breakdowns]
    single = breakdowns[0].type != "cohort" and len(names) == 1
    return {
        "breakdown_type": breakdowns[0].type,
        "breakdown": names[0] if single else names,
        "breakdown_limit": limit,
    }


def _compared(compare: str | None) -> Query:
    if compare is None:
        return {}
    return {"compare": True, **({} if compare == "previous" else {"compare_to": compare})}


def _unless_empty(**fields: Any) -> Query:
    return {name: value for name, value in fields.items() if value}
