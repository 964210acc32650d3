"""The headline number of each insight on a dashboard, one row per insight."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import anyio

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.dashboards import NumberedTiles
from ...schemas.insights import InsightView
from ...schemas.text import named
from ..analytics.finding import INSIGHT
from ..insights.results import age_of, is_analysis, shown_result
from ..insights.withheld import without_persons
from ..operation import read
from ..operation.dates import calendar_of
from ..query.seen_names import first_event

_AT_ONCE = 3
"""The number of queries that PostHog runs for one key at the same time."""
_LEAST_S = 5.0
"""The time that the call must have left to compute one more insight."""
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
    found, failed = list(insights), list[str]()
    room, far = anyio.CapacityLimiter(_AT_ONCE), api.counted_as(Budget.ANALYTICS)

    async def compute(at: int, insight: InsightView) -> None:
        async with room:
            if api.left_s < _LEAST_S:
                failed.append(f"{named(_name(insight))} (no time left)")
                return
            try:
                query = {"refresh": "force_blocking", "from_dashboard": dashboard_id}
                answer = await far.get(INSIGHT, query, insight_id=insight.id)
                found[at] = read(InsightView, without_persons(api.privacy, answer))
            except GatewayError as error:
                failed.append(f"{named(_name(insight))} ({error.code})")

    async with anyio.create_task_group() as tasks:
        for at, insight in enumerate(insights):
            tasks.start_soon(compute, at, insight)
    return found, sorted(failed)


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
