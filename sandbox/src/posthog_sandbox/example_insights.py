"""The insights of a new sandbox: one of each kind, in the form that PostHog's own pages save."""

from .dataset import product
from .values import Row


def example_insights() -> dict[str, list[tuple[str, Row]]]:
    """Return the names and queries of the insights by dashboard name; "" groups those on no dashboard."""
    return {
        "Product overview": [
            ("Daily active users", _shown(_trends(_event("$pageview", math="dau")))),
            ("Sign-up to purchase", _shown(_funnel("$pageview", product.EVENT_SIGNED_UP, product.EVENT_PURCHASE))),
            ("Weekly retention", _shown(_retention())),
            ("Days of use", _shown({**_trends(_event("task_created", math="total")), "kind": "StickinessQuery"})),
        ],
        "Revenue": [
            ("Revenue by day", _shown(_trends(_event(product.EVENT_PURCHASE, math="sum", math_property="revenue")))),
            ("Purchases by browser", _table(_PURCHASES_BY_BROWSER)),
        ],
        "": [
            ("New, returning, resurrecting and dormant users", _shown(_lifecycle())),
            ("Paths from the landing page", _shown(_paths())),
            ("Most frequent exceptions", _table(_EXCEPTIONS)),
        ],
    }


_PURCHASES_BY_BROWSER = (
    "SELECT properties.$browser AS browser, count() AS purchases, sum(toFloat(properties.revenue)) AS revenue "
    f"FROM events WHERE event = '{product.EVENT_PURCHASE}' AND timestamp > now() - INTERVAL 30 DAY "
    "GROUP BY browser ORDER BY purchases DESC LIMIT 20"
)
_EXCEPTIONS = (
    "SELECT properties.$exception_types AS types, count() AS occurrences, uniq(person_id) AS people "
    "FROM events WHERE event = '$exception' AND timestamp > now() - INTERVAL 30 DAY "
    "GROUP BY types ORDER BY occurrences DESC LIMIT 20"
)


def _event(name: str, **more: str) -> Row:
    return {"kind": "EventsNode", "event": name, "name": name, **more}


def _shown(source: Row) -> Row:
    return {"kind": "InsightVizNode", "source": source}


def _table(sql: str) -> Row:
    return {"kind": "DataVisualizationNode", "source": {"kind": "HogQLQuery", "query": sql}}


def _trends(series: Row) -> Row:
    return {"kind": "TrendsQuery", "series": [series], "interval": "day", "dateRange": {"date_from": "-30d"}}


def _funnel(*names: str) -> Row:
    window = {"funnelWindowInterval": 14, "funnelWindowIntervalUnit": "day"}
    return {
        "kind": "FunnelsQuery",
        "series": [_event(name) for name in names],
        "dateRange": {"date_from": "-30d"},
        "funnelsFilter": {"funnelVizType": "steps", "funnelOrderType": "ordered", **window},
    }


def _retention() -> Row:
    entity = {"id": "$pageview", "type": "events"}
    kind = {"period": "Week", "totalIntervals": 8, "retentionType": "retention_first_time"}
    return {"kind": "RetentionQuery", "retentionFilter": {**kind, "targetEntity": entity, "returningEntity": entity}}


def _lifecycle() -> Row:
    return {**_trends(_event("$pageview")), "kind": "LifecycleQuery", "interval": "week"}


def _paths() -> Row:
    start = {"includeEventTypes": ["$pageview"], "startPoint": f"{product.SITE}/", "stepLimit": 5, "edgeLimit": 50}
    return {"kind": "PathsQuery", "pathsFilter": start, "dateRange": {"date_from": "-30d"}}
