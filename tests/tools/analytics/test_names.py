"""Notes of typed queries about events without data."""

from typing import Any

import pytest

from maton_posthog.gateway.errors import Rejected
from maton_posthog.tools.analytics.operations import OPERATIONS

from ..posthog.fake import QUERY_PATH, FakeCall, Sent, page, run

pytestmark = pytest.mark.anyio

TRENDS, FUNNEL, *_ = OPERATIONS
NAMES = "/api/projects/{project_id}/event_definitions/"
PROPERTIES = "/api/projects/{project_id}/property_definitions/"
NOTHING = {"data": [0.0], "days": ["2026-11-23"], "count": 0.0, "label": "x", "action": {"order": 0}}


def answering(results: Any, names: Any = None) -> FakeCall:
    seen = page(*({"name": name} for name in ("$pageview", "purchase_completed", "$exception")))
    body = {"results": results, "error": "", "last_refresh": "2026-11-23T12:00:00Z"}

    def properties(sent: Sent) -> Any:
        known = ("email", "plan") if sent.query["type"] == "person" else ("$browser", "revenue", "plan")
        return page(*({"name": name} for name in known))

    events = seen if names is None else names
    return FakeCall({f"POST {QUERY_PATH}": body, f"GET {NAMES}": events, f"GET {PROPERTIES}": properties})


def steps(*counts: int) -> list[dict[str, Any]]:
    return [{"name": f"{at}", "order": at, "count": count} for at, count in enumerate(counts)]


def looked_up(api: FakeCall) -> int:
    return sum(1 for sent in api.sent if sent.method == "GET")


async def test_a_misspelled_event_is_reported_with_the_likely_name() -> None:
    shown = await run(TRENDS, answering([NOTHING]), events=["purchase"])
    assert shown["notes"] == [
        "No matching events in this range: purchase.",
        "`purchase` has never been seen: did you mean `purchase_completed`?",
    ]


async def test_a_known_event_is_not_questioned() -> None:
    shown = await run(TRENDS, answering([NOTHING]), events=["$pageview"])
    assert shown["notes"] == ["No matching events in this range: $pageview."]


async def test_an_empty_sum_is_not_reported_as_a_missing_event() -> None:
    shown = await run(TRENDS, answering([NOTHING]), events=["$pageview"], math="sum", property="revenue")
    assert shown["notes"] == ['No matching events in this range: "$pageview (sum of revenue)".']


async def test_names_are_looked_up_only_when_something_counts_nothing() -> None:
    api = answering([{**NOTHING, "data": [3.0]}])
    await run(TRENDS, api, events=["whatever"])
    api = answering([NOTHING])
    await run(TRENDS, api, events=["*"])
    assert looked_up(api) == 0


async def test_a_misspelled_exclusion_is_reported_even_if_all_steps_have_numbers() -> None:
    api = answering(steps(5, 3))
    shown = await run(FUNNEL, api, steps=["$pageview", "purchase_completed"], exclude=["exception"])
    assert shown["notes"][-1] == "`exception` has never been seen: did you mean `$exception`?"
    assert looked_up(api) == 1


async def test_names_that_cannot_be_looked_up_are_only_questioned() -> None:
    def refused(_: Sent) -> Any:
        raise Rejected("permission_denied", "PostHog refuses.")

    shown = await run(TRENDS, answering([NOTHING], refused), events=["purchase"])
    assert shown["notes"][-1] == "Check the names: describe_data with search finds names."


SOME = {**NOTHING, "data": [3.0]}
VALUED = {**SOME, "breakdown_value": ["x"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"breakdown": "brwser"}, "`brwser` has never been seen as a property of events: did you mean `$browser`?"),
        ({"breakdown": "person.pln"}, "`pln` has never been seen as a property of persons: did you mean `plan`?"),
        ({"math": "sum", "property": "revnue"}, "`revnue` has never been seen as a property of events: did you mean "
         "`revenue`?"),
        ({"filters": [{"key": "email", "operator": "!=", "value": "x"}]}, "`email` is a property of persons: write "
         "`person.email`."),
        ({"filters": [{"key": "person.revenue", "operator": "is_not_set"}]}, "`revenue` is a property of events: write "
         "`revenue`."),
    ],
)  # fmt: skip
async def test_an_unused_property_is_reported_even_if_something_is_counted(
    arguments: dict[str, Any], said: str
) -> None:
    shown = await run(TRENDS, answering([SOME]), events=["$pageview"], **arguments)
    assert said in shown["notes"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"breakdown": "$browser"},
        {"breakdown": "$feature/new-checkout"},
        {"breakdown": "cohort.7"},
        {"breakdown": "session.$channel_type"},
        {"filters": [{"key": "person.email", "operator": "is_set"}]},
        {"math": "hogql", "property": "count()"},
        {"math": "dau", "property": "unused"},
    ],
)
async def test_a_property_that_is_known_or_cannot_be_known_is_not_questioned(arguments: dict[str, Any]) -> None:
    assert "notes" not in await run(TRENDS, answering([VALUED]), events=["$pageview"], interval="total", **arguments)


async def test_conditions_of_steps_are_checked_too() -> None:
    steps_of = ["$pageview", {"event": "purchase_completed", "where": [{"key": "pln", "value": "pro"}]}]
    shown = await run(FUNNEL, answering(steps(5, 3)), steps=steps_of)
    assert shown["notes"][-1] == "`pln` has never been seen as a property of events: did you mean `plan`?"
