"""The headline number of each insight on a dashboard, one row per insight."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ...gateway.call import Call
from ...schemas.dashboards import NumberedTiles
from ...schemas.insights import InsightView
from ...schemas.text import named
from ..insights.numbers import computed
from ..insights.results import age_of, is_analysis, shown_result
from ..operation.dates import calendar_of
from ..query.seen_names import first_event

_COLUMNS = ("insight", "short_id", "what", "value", "unit", "change_percent", "change_of", "age_s")


async def numbers_of(api: Call, dashboard_id: int, dashboard: NumberedTiles, *, refresh: bool) -> dict[str, Any]:
    """Return `{"columns", "rows", "notes"}`. `refresh` computes each insight with the dashboard's filters, a few at a
    time; otherwise the numbers come from PostHog's cache.
    """
    insights = [tile.insight for tile in dashboard.tiles if tile.insight and not tile.insight.deleted]
    failed: list[str] = []
    if refresh:
        insights, failed = await _computed(api, dashboard_id, insights)
    began = await first_event(api) if any(map(is_analysis, insights)) else None
    rows = [_line(api, insight, began) for insight in insights]
    notes = [f"Insights that could not be computed: {'; '.join(failed)}."] if failed else []
    if any(insight.result is None for insight in insights) and not refresh:
        notes.append("Insights without a value have no cached result. Set `refresh` to true to compute them.")
    return {"columns": _COLUMNS, "rows": rows, **({"notes": notes} if notes else {})}


async def _computed(
    api: Call, dashboard_id: int, insights: Sequence[InsightView]
) -> tuple[list[InsightView], list[str]]:
    """Return the insights with fresh results, and why some failed; those keep their cached result."""
    query = {"refresh": "force_blocking", "from_dashboard": dashboard_id}
    found = await computed(api, [insight.id for insight in insights], query)
    pairs = list(zip(insights, found, strict=True))
    failed = [f"{named(_name(old))} ({new})" for old, new in pairs if isinstance(new, str)]
    return [old if isinstance(new, str) else new for old, new in pairs], sorted(failed)


def _line(api: Call, insight: InsightView, began: datetime | None) -> list[Any]:
    now = api.now()
    headline = shown_result(insight, calendar_of(api), began).headline or {}
    return [
        _name(insight),
        insight.short_id,
        *(headline.get(name) for name in ("what", "value", "unit", "change_percent", "change_of")),
        age_of(insight, now).get("age_s") if insight.result is not None else None,
    ]


def _name(insight: InsightView) -> str:
    return insight.name or insight.derived_name or f"insight {insight.id}"
