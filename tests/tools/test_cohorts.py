from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.schemas.cohorts import CreateCohort, UpdateCohort
from maton_posthog.tools.cohorts import OPERATIONS

from .posthog.fake import PROJECT_ID, FakeCall, Sent, answer, page, run

pytestmark = pytest.mark.anyio

LIST, GET, CREATE, UPDATE, DELETE = OPERATIONS
COHORTS = "/api/projects/{project_id}/cohorts/"
FLAGS = "/api/projects/{project_id}/feature_flags/"
COHORT = COHORTS + "{cohort_id}/"
ONE = f"/api/projects/{PROJECT_ID}/cohorts/7/"
PAGEVIEW = {
    "type": "behavioral",
    "key": "$pageview",
    "event_type": "events",
    "value": "performed_event",
    "time_value": 30,
    "time_interval": "day",
    "negation": False,
}


def cohort(**changes: Any) -> dict[str, Any]:
    return answer("cohort", **changes)


def stored(sent: Sent) -> dict[str, Any]:
    return cohort(**(sent.body or {}))


def tree(*leaves: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"type": "OR", "values": [{"type": "AND", "values": list(leaves)}]}}


async def test_list_shows_names_and_counts_but_no_filters() -> None:
    api = FakeCall({f"GET {COHORTS}": page(cohort(count=12, is_calculating=False), count=3, next_offset=1)})
    shown = await run(LIST, api, search="act", limit=1)
    assert api.last.query == {"search": "act", "limit": 1, "offset": 0}
    assert shown == {
        "cohorts": [
            {
                "id": 7,
                "name": "Active Users",
                "count": 12,
                "is_calculating": False,
                "created_at": "2026-11-20T10:00:00.000000Z",
            }
        ],
        "count": 3,
        "next_offset": 1,
    }


async def test_get_shows_the_filters() -> None:
    api = FakeCall({f"GET {COHORT}": cohort()})
    shown = await run(GET, api, cohort_id="7")
    assert api.sent == [Sent("GET", ONE)]
    assert shown["filters"] == tree(PAGEVIEW)
    assert shown["created_by"] == "ann@example.com"
    assert shown["deleted"] is False


async def test_groups_are_converted_to_performed_in_the_last_30_days() -> None:
    api = FakeCall({f"POST {COHORTS}": stored})
    groups = [{"properties": [{"key": "$pageview", "type": "event", "value": "performed_event"}]}]
    shown = await run(CREATE, api, name="Active Users", groups=groups)
    assert api.last.body == {"name": "Active Users", "filters": tree(PAGEVIEW)}
    assert shown["filters"] == tree(PAGEVIEW)
    assert shown["is_calculating"] is True
    assert "is_calculating is false" in shown["note"]


async def test_groups_are_alternatives_and_keep_their_person_conditions() -> None:
    api = FakeCall({f"POST {COHORTS}": stored})
    groups = [
        {
            "properties": [
                {"key": "plan", "type": "person", "value": ["pro"]},
                {"key": "id", "type": "cohort", "value": 3},
            ]
        },
        {"event_id": "paid", "days": 7},
        {"action_id": 9},
    ]
    await run(CREATE, api, name="x", description="d", groups=groups)
    assert api.last.body is not None
    assert api.last.body["filters"]["properties"] == {
        "type": "OR",
        "values": [
            {
                "type": "AND",
                "values": [
                    {"type": "person", "key": "plan", "operator": "exact", "value": ["pro"], "negation": False},
                    {"type": "cohort", "key": "id", "value": 3, "negation": False},
                ],
            },
            {"type": "AND", "values": [PAGEVIEW | {"key": "paid", "time_value": 7}]},
            {"type": "AND", "values": [PAGEVIEW | {"key": 9, "event_type": "actions"}]},
        ],
    }


async def test_filters_are_sent_unchanged() -> None:
    api = FakeCall({f"POST {COHORTS}": lambda sent: cohort(is_calculating=False, **(sent.body or {}))})
    shown = await run(CREATE, api, name="x", filters=tree(PAGEVIEW))
    assert api.last.body == {"name": "x", "filters": tree(PAGEVIEW)}
    assert "note" not in shown


REJECTED: list[tuple[dict[str, Any], str]] = [
    ({}, "`filters` or `groups`"),
    ({"filters": tree(PAGEVIEW), "groups": [{"event_id": "x"}]}, "`filters` or `groups`"),
    ({"groups": []}, "at least 1"),
    ({"groups": [{}]}, "a group needs exactly one"),
    ({"groups": [{"event_id": "x", "action_id": 1}]}, "a group needs exactly one"),
    ({"groups": [{"properties": [{"key": "$browser", "type": "event", "value": "Chrome"}]}]}, "Use type person"),
    ({"groups": [{"properties": [{"key": "plan", "value": "pro"}]}]}, "Use type person"),
    ({"groups": [{"properties": [{"key": "plan", "type": "person"}]}]}, "needs a `value`"),
    ({"groups": [{"properties": [{"key": "id", "type": "cohort", "value": "three"}]}]}, "cohort's id"),
    ({"groups": [{"event": "x"}]}, "Extra inputs"),
    ({"filters": {}}, "no other keys"),
    ({"filters": {"type": "OR", "values": []}}, "no other keys"),
    ({"filters": {"properties": []}}, "type AND or OR"),
    ({"filters": {"properties": PAGEVIEW}}, "type AND or OR"),
    ({"filters": {"properties": {"type": "OR", "values": []}}}, "at least one condition"),
    ({"filters": tree({"type": "event", "key": "x"})}, "`properties.0.0` must"),
]


@pytest.mark.parametrize(("arguments", "message"), REJECTED)
def test_a_cohort_that_would_be_empty_or_misread_is_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CreateCohort.model_validate({"name": "x", **arguments})


@given(st.lists(st.lists(st.text(min_size=1), min_size=1, max_size=3), min_size=1, max_size=3))
def test_every_event_in_groups_becomes_one_behavioral_condition(groups: list[list[str]]) -> None:
    properties = [[{"key": event, "value": "performed_event"} for event in events] for events in groups]
    given_groups = [{"properties": conditions} for conditions in properties]
    filters = CreateCohort.model_validate({"name": "x", "groups": given_groups}).definition()
    branches = filters["properties"]["values"]
    assert [[leaf["key"] for leaf in branch["values"]] for branch in branches] == groups
    assert CreateCohort.model_validate({"name": "x", "filters": filters}).definition() == filters


async def test_update_sends_only_the_given_fields() -> None:
    api = FakeCall({f"GET {COHORT}": cohort(), f"PATCH {COHORT}": stored})
    await run(UPDATE, api, cohort_id=7, description="d", name=None)
    assert api.sent == [Sent("GET", ONE), Sent("PATCH", ONE, {}, {"description": "d"})]


def test_an_update_without_changes_is_rejected() -> None:
    with pytest.raises(ValidationError, match="nothing to change; set `name`, `description` or `filters`"):
        UpdateCohort.model_validate({"cohort_id": 7, "project_id": 1})


async def test_a_deleted_cohort_shows_its_undo() -> None:
    api = FakeCall({f"GET {COHORT}": cohort(), f"GET {FLAGS}": page(), f"PATCH {COHORT}": cohort(deleted=True)})
    shown = await run(DELETE, api, cohort_id=7)
    assert api.last == Sent("PATCH", ONE, {}, {"deleted": True})
    assert (shown["name"], shown["deleted"]) == ("Active Users", True)
    assert shown["undo"]["arguments"] == {"resource": "cohort", "id": "7", "project_id": str(PROJECT_ID)}


@pytest.mark.parametrize("field", [name for name in cohort() if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in cohort().items() if name != field}
    api = FakeCall({f"GET {COHORT}": old, f"GET {COHORTS}": page(old)})
    assert (await run(GET, api, cohort_id=7))["id"] == 7
    assert len((await run(LIST, api))["cohorts"]) == 1


PLAN = {"type": "person", "key": "plan", "operator": "exact", "value": ["pro"]}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "AND", "values": [PLAN, PLAN]}, {"type": "AND", "values": [{"type": "AND", "values": [PLAN, PLAN]}]}),
        (
            {"type": "OR", "values": [PLAN, {"type": "AND", "values": [PLAN]}]},
            {"type": "OR", "values": [{"type": "OR", "values": [PLAN]}, {"type": "AND", "values": [PLAN]}]},
        ),
        ({"type": "OR", "values": [{"type": "AND", "values": [PLAN]}]},) * 2,
    ],
)
async def test_conditions_are_sent_in_groups_so_that_posthogs_page_can_open_the_cohort(
    given: dict[str, Any], sent: dict[str, Any]
) -> None:
    api = FakeCall({f"POST {COHORTS}": answer("cohort")})
    await run(CREATE, api, name="x", filters={"properties": given})
    assert api.last.body is not None
    assert api.last.body["filters"] == {"properties": sent}
