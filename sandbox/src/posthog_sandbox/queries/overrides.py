"""Filters of a dashboard or request that override those of a query (PostHog's DashboardFilter)."""

from ..values import Row, as_list, as_object

_INSIGHTS = frozenset(
    {"TrendsQuery", "FunnelsQuery", "RetentionQuery", "PathsQuery", "StickinessQuery", "LifecycleQuery"}
)
_BROKEN_DOWN = frozenset({"TrendsQuery", "FunnelsQuery", "RetentionQuery"})
_DATES = ("date_from", "date_to", "explicitDate")


def with_filters_override(query: Row, override: Row) -> Row:
    """Return an insight's query with dates replaced and properties added; other kinds apply overrides themselves."""
    if query.get("kind") not in _INSIGHTS or not override:
        return query
    changed: Row = {}
    if override.get("date_from") or override.get("date_to"):
        dates = as_object(query.get("dateRange")) or {}
        changed["dateRange"] = {**dates, **{name: override.get(name) for name in _DATES}}
    if override.get("properties"):
        changed["properties"] = _both(query.get("properties"), override["properties"])
    if override.get("interval") and "interval" in query:
        changed["interval"] = override["interval"]
    if isinstance(override.get("filterTestAccounts"), bool):
        changed["filterTestAccounts"] = override["filterTestAccounts"]
    if override.get("breakdown_filter") and query["kind"] in _BROKEN_DOWN:
        changed["breakdownFilter"] = override["breakdown_filter"]
    return {**query, **changed}


def _both(own: object, more: object) -> object:
    if not own:
        return more
    group: object = own if as_list(own) is None else {"type": "AND", "values": own}
    return {"type": "AND", "values": [group, {"type": "AND", "values": more}]}
