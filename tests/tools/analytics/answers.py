"""PostHog's documented responses to the typed queries, for tests of the tools' results."""

from typing import Any

from maton_posthog.tools.analytics.operations import OPERATIONS

from ..posthog.fake import QUERY_PATH, FakeCall, page

TRENDS, FUNNEL, RETENTION, PATHS, STICKINESS, LIFECYCLE = OPERATIONS
POST = f"POST {QUERY_PATH}"
POLL = "GET /api/projects/{project_id}/query/{query_id}/"
INSIGHTS = "/api/projects/{project_id}/insights/"
COMPUTED = "2026-11-23T12:00:00Z"
VIEWS = {
    "data": [12.0, 9.0, 14.0], "days": ["2026-11-21", "2026-11-22", "2026-11-23"], "count": 35.0,
    "label": "$pageview", "order": 0, "action": {"order": 0, "id": "$pageview"},
}  # fmt: skip
NULL, OTHER = "$$_posthog_breakdown_null_$$", "$$_posthog_breakdown_other_$$"


def answered(results: Any, **changes: Any) -> FakeCall:
    """Return PostHog's responses for a project with these events and properties."""
    seen = page(*({"name": name} for name in ("$pageview", "signed_up", "purchase_completed", "a", "b", "c")))
    known = page(*({"name": name} for name in ("$browser", "$os", "revenue", "plan")))
    told = {"results": results, "error": "", "last_refresh": COMPUTED, **changes}
    return FakeCall(
        {
            POST: told,
            "GET /api/projects/{project_id}/event_definitions/": seen,
            "GET /api/projects/{project_id}/property_definitions/": known,
        }
    )


def step(name: str, count: int, median: float | None = None) -> dict[str, Any]:
    times = {"median_conversion_time": median, "average_conversion_time": median}
    return {"action_id": name, "name": name, "order": 0, "count": count, "type": "events", "people": [], **times}


def cohort(begin: str, *counts: float) -> dict[str, Any]:
    values = [{"count": count, "label": f"Day {at}"} for at, count in enumerate(counts)]
    return {"values": values, "label": "Day 0", "date": begin, "breakdown_value": None}


GRID = [
    cohort("2026-11-21T00:00:00Z", 120, 41, 22),
    cohort("2026-11-22T00:00:00Z", 98, 30, 0.0),
    cohort("2026-11-23T00:00:00Z", 75, 0.0, 0.0),
]
