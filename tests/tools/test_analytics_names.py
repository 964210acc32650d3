"""What typed queries say of events that nobody has ever sent."""

from typing import Any

import pytest

from maton_posthog.gateway.errors import Rejected
from maton_posthog.tools.analytics import OPERATIONS

from .fake import QUERY_PATH, FakeCall, Sent, page, run

pytestmark = pytest.mark.anyio

TRENDS, FUNNEL, *_ = OPERATIONS
NAMES = "/api/projects/{project_id}/event_definitions/"
NOTHING = {"data": [0.0], "days": ["2026-11-23"], "count": 0.0, "label": "x", "action": {"order": 0}}


def answering(results: Any, names: Any = None) -> FakeCall:
    seen = page(*({"name": name} for name in ("$pageview", "purchase_completed", "$exception")))
    body = {"results": results, "error": "", "last_refresh": "2026-11-23T12:00:00Z"}
    return FakeCall({f"POST {QUERY_PATH}": body, f"GET {NAMES}": seen if names is None else names})


def steps(*counts: int) -> list[dict[str, Any]]:
    return [{"name": f"{at}", "order": at, "count": count} for at, count in enumerate(counts)]


def looked_up(api: FakeCall) -> int:
    return sum(1 for sent in api.sent if sent.method == "GET")


async def test_a_misspelt_event_is_told_with_what_was_meant() -> None:
    shown = await run(TRENDS, answering([NOTHING]), events=["purchase"])
    assert shown["notes"] == [
        "Nothing counted in this range: purchase.",
        "`purchase` has never been seen: did you mean `purchase_completed`?",
    ]


async def test_an_event_that_was_seen_is_not_doubted() -> None:
    shown = await run(TRENDS, answering([NOTHING]), events=["$pageview"])
    assert shown["notes"] == ["Nothing counted in this range: $pageview."]


async def test_names_are_looked_up_only_when_something_counts_nothing() -> None:
    api = answering([{**NOTHING, "data": [3.0]}])
    await run(TRENDS, api, events=["whatever"])
    api = answering([NOTHING])
    await run(TRENDS, api, events=["*"])
    assert looked_up(api) == 0


async def test_a_misspelt_exclusion_is_told_though_everything_is_counted() -> None:
    api = answering(steps(5, 3))
    shown = await run(FUNNEL, api, steps=["$pageview", "purchase_completed"], exclude=["exception"])
    assert shown["notes"][-1] == "`exception` has never been seen: did you mean `$exception`?"
    assert looked_up(api) == 1


async def test_names_that_cannot_be_looked_up_are_only_doubted() -> None:
    def refused(_: Sent) -> Any:
        raise Rejected("permission_denied", "PostHog refuses.")

    shown = await run(TRENDS, answering([NOTHING], refused), events=["purchase"])
    assert shown["notes"][-1] == "Are the names right? describe_data with search finds names."
