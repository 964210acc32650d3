"""Headline numbers of stored insights, computed a few at a time and only while the call has time."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.insights import InsightView
from ...schemas.json import as_object
from ..analytics.finding import INSIGHT
from ..operation import read
from ..operation.dates import calendar_of
from ..query.seen_names import first_event
from .results import is_analysis, shown_result
from .withheld import without_persons

_AT_ONCE = 3
"""The number of queries that PostHog runs for one key at the same time."""
_LEAST_S = 5.0
"""The time that the call must have left to compute one more insight."""
_LONGEST_S = 20.0
"""The longest that the result of a write waits for numbers."""
_RESERVE_S = 3.0
"""The time that a write keeps to return its result."""
LATER = "Everything is stored. get_insight with refresh computes a missing number."


async def computed(api: Call, insights: Sequence[int], query: Mapping[str, Any]) -> list[InsightView | str]:
    """Return each insight with its result, computed as `query` tells PostHog, or why it could not be computed."""
    found: list[InsightView | str] = ["no time left"] * len(insights)
    room, far = anyio.CapacityLimiter(_AT_ONCE), api.counted_as(Budget.ANALYTICS)

    async def compute(at: int) -> None:
        async with room:
            if api.left_s < _LEAST_S:
                return
            try:
                answer = await far.get(INSIGHT, query, insight_id=insights[at])
                if as_object(answer).get("id") != insights[at]:
                    found[at] = "PostHog responded with another insight"
                else:
                    found[at] = read(InsightView, without_persons(api.privacy, answer))
            except GatewayError as error:
                found[at] = error.code

    async with anyio.create_task_group() as tasks:
        for at in range(len(insights)):
            tasks.start_soon(compute, at)
    return found


async def headlines(api: Call, insights: Sequence[int], dashboard_id: int | None = None) -> list[dict[str, Any]]:
    """Return `{"headline"}` of each new insight, or `{"no_headline"}` with the reason. Raises nothing: the insights are
    stored, also when their numbers cannot be had.
    """
    bounded = api.detached(min(api.left_s - _RESERVE_S, _LONGEST_S))
    found = await computed(bounded, insights, {"refresh": "blocking", "from_dashboard": dashboard_id})
    views = [each for each in found if isinstance(each, InsightView)]
    began = await first_event(bounded) if any(map(is_analysis, views)) else None

    async def shown(insight: InsightView) -> dict[str, Any]:
        if insight.result is None:
            return {"no_headline": "withheld" if api.privacy.aggregate_only else "no result"}
        try:
            headline = (await api.apart(lambda: shown_result(insight, calendar_of(api), began))).headline
        except (GatewayError, ValueError, LookupError, TypeError):
            return {"no_headline": "unknown result"}
        return {"headline": headline} if headline else {"no_headline": "no number in the result"}

    return [{"no_headline": each} if isinstance(each, str) else await shown(each) for each in found]
