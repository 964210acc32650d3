"""Short descriptions of queries for the overview page: `TrendsQuery: $pageview (dau) by $browser, each week`."""

from collections.abc import Iterator

from ..values import Row, as_list, as_object, objects

_WRAPPERS = frozenset({"InsightVizNode", "DataVisualizationNode", "DataTableNode"})
_DEEPEST = 6


def described(query: Row) -> str:
    """Return a HogQL query's text, or for another query its kinds, outermost first, and its innermost subject.

    Accepts any JSON object: parts that do not fit a query are left out.
    """
    nodes = list(_nodes(query)) or [query]
    inner = nodes[-1]
    kinds = " of ".join(str(node.get("kind", "?")) for node in nodes)
    if isinstance(inner.get("query"), str):
        return inner["query"] if len(nodes) == 1 else f"{kinds}: {inner['query']}"
    parts = [part for part in (*_subject(inner), *map(_detail, nodes)) if part]
    return f"{kinds}: {', '.join(parts)}" if parts else kinds


def _nodes(query: Row) -> Iterator[Row]:
    """Yield the query and its nested sources, without the nodes that only define the visualization."""
    node: Row | None = query
    for _ in range(_DEEPEST):
        if node is None:
            return
        source = as_object(node.get("source"))
        if source is None or str(node.get("kind")) not in _WRAPPERS:
            yield node
        node = source


def _subject(node: Row) -> Iterator[str]:
    """Yield the series with their breakdown, the interval and the date range."""
    what = (" then " if node.get("kind") == "FunnelsQuery" else ", ").join(map(_entity, objects(node.get("series"))))
    retention = as_object(node.get("retentionFilter")) or {}
    ends = [as_object(retention.get(name)) for name in ("targetEntity", "returningEntity")]
    what = what or " then ".join(_entity(end) for end in ends if end is not None)
    steps = (as_object(node.get("pathsFilter")) or {}).get("includeEventTypes")
    what = what or ", ".join(str(item) for item in as_list(steps) or [] if _is_short(item))
    breakdown = _breakdown(as_object(node.get("breakdownFilter")) or {})
    yield f"{what} by {breakdown}".strip() if breakdown else what
    interval = node.get("interval") or retention.get("period")
    yield f"each {interval.lower()}" if isinstance(interval, str) else ""
    days = as_object(node.get("dateRange")) or {}
    yield " ".join(
        f"{word} {days[name]}" for word, name in (("from", "date_from"), ("to", "date_to")) if _is_short(days.get(name))
    )


def _entity(node: Row) -> str:
    """Return an event or action with its aggregation unless that is the default."""
    named = next((node[key] for key in ("event", "name", "id") if _is_short(node.get(key))), "any event")
    math = node.get("math")
    return f"{named} ({math})" if isinstance(math, str) and math != "total" else str(named)


def _breakdown(given: Row) -> str:
    several = [item.get("property") for item in objects(given.get("breakdowns"))]
    one = given.get("breakdown")
    return ", ".join(str(item) for item in (several or as_list(one) or [one]) if _is_short(item))


def _detail(node: Row) -> str:
    """Return the details of single kinds, such as the event of a taxonomy query or the step of a funnel's actors."""
    names = ("event", "search", "experiment_id", "funnelStep", "status", "day")
    details = [f"{name} {node[name]}" for name in names if _is_short(node.get(name))]
    metric = as_object(node.get("metric")) or {}
    return ", ".join([*details, *([f"{metric['metric_type']} metric"] if _is_short(metric.get("metric_type")) else [])])


def _is_short(value: object) -> bool:
    """Return whether a value can be shown unchanged."""
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""
