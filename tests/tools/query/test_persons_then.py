"""The note on person properties of events."""

import pytest

from maton_posthog.tools.analytics.operations import OPERATIONS

from ..posthog.fake import QUERY_PATH, FakeCall, page
from ..posthog.fake import run as run_tool
from .running import POST, RUN, rows, run

pytestmark = pytest.mark.anyio

PLAN = "SELECT person.properties.plan, count() FROM events GROUP BY 1"


async def test_a_query_over_person_properties_of_events_says_when_they_are_from_and_how_to_get_todays() -> None:
    shown = await run(RUN, FakeCall({POST: rows(1)}), query=PLAN)
    assert shown["person_values"] == (
        "person.properties.plan is the value at the time of each event in most projects. "
        "Today's: person_id IN (SELECT id FROM persons WHERE properties.plan = ...)."
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT properties.plan FROM persons",
        "SELECT person.properties.email, person.properties.$initial_referrer FROM events",
        "SELECT count() FROM events",
    ],
)
async def test_other_queries_do_not_pay_for_it(sql: str) -> None:
    assert "person_values" not in await run(RUN, FakeCall({POST: rows(1)}), query=sql)


@pytest.mark.parametrize(
    ("arguments", "is_noted"),
    [
        ({"breakdown": "person.plan"}, True),
        ({"filters": [{"key": "person.plan", "value": "pro"}]}, True),
        ({"math": "sum", "property": "person.age"}, True),
        ({"breakdown": "person.email"}, False),
        ({"breakdown": "$browser"}, False),
    ],
)
async def test_typed_queries_say_it_once(arguments: dict[str, object], is_noted: bool) -> None:
    names = page(*({"name": name} for name in ("plan", "age", "email", "$browser")))
    line = {"data": [3], "days": ["2026-11-23"], "label": "x", "breakdown_value": ["x"], "action": {"order": 0}}
    api = FakeCall(
        {
            f"POST {QUERY_PATH}": {"results": [line]},
            "GET /api/projects/{project_id}/property_definitions/": names,
        }
    )
    notes = (await run_tool(OPERATIONS[0], api, events=["a"], interval="total", **arguments)).get("notes", [])
    assert [note for note in notes if "at the time of each event" in note] == notes
    assert len(notes) == is_noted
