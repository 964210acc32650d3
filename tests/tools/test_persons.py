from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.budget import Budget
from maton_posthog.schemas.persons import GetPerson, ListPersons
from maton_posthog.tools.persons import OPERATIONS

from .posthog.fake import PROJECT_ID, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

LIST, GET = OPERATIONS
PERSONS = "/api/projects/{project_id}/persons/"
PERSON = PERSONS + "{person_id}/"
UUID_TEXT = "5d79eecb-93e6-5c8b-90f9-8510ba4040b8"


async def test_list_shows_persons_without_properties_or_a_count() -> None:
    api = FakeCall({f"GET {PERSONS}": answer("person_list_page")})
    shown = await run(LIST, api, limit=1, search="user")
    assert api.last.query == {"search": "user", "limit": 1, "offset": 0}
    assert shown == {
        "persons": [{"uuid": UUID_TEXT, "name": "user@example.com", "is_identified": True, "distinct_ids": ["user-1"]}],
        "next_offset": 1,
    }


async def test_properties_are_sent_as_person_filters() -> None:
    api = FakeCall({f"GET {PERSONS}": answer("person_list_page", next=None)})
    properties = [
        {"key": "plan", "value": "pro"},
        {"key": "age", "value": 3, "operator": "gt"},
        {"key": "beta", "value": True},
        {"key": "email", "operator": "is_set"},
    ]
    shown = await run(LIST, api, email="a@b.c", distinct_id="d", properties=properties, cohort_id=7)
    assert api.last.query == {
        "email": "a@b.c",
        "distinct_id": "d",
        "properties": [
            {"key": "plan", "value": "pro", "operator": "exact", "type": "person"},
            {"key": "age", "value": 3, "operator": "gt", "type": "person"},
            {"key": "beta", "value": True, "operator": "exact", "type": "person"},
            {"key": "email", "value": "is_set", "operator": "is_set", "type": "person"},
        ],
        "cohort": 7,
        "limit": 20,
        "offset": 0,
    }
    assert "next_offset" not in shown


async def test_list_shows_some_of_many_distinct_ids_and_their_number() -> None:
    ids = [f"d{number}" for number in range(11)]
    row = answer("person_list_row", distinct_ids=ids)
    shown = await run(LIST, FakeCall({f"GET {PERSONS}": {"results": [row], "next": None}}))
    assert shown["persons"][0]["distinct_ids"] == ids[:10]
    assert shown["persons"][0]["distinct_ids_in_all"] == 11


async def test_get_shows_the_uuid_and_not_the_integer_id() -> None:
    api = FakeCall({f"GET {PERSON}": answer("person_retrieve")})
    shown = await run(GET, api, person_id=UUID_TEXT.upper())
    assert api.sent == [Sent("GET", f"/api/projects/{PROJECT_ID}/persons/{UUID_TEXT}/")]
    assert shown == {
        "uuid": UUID_TEXT,
        "name": "user@example.com",
        "distinct_ids": ["user-1"],
        "properties": {"email": "user@example.com"},
        "created_at": "2026-11-20T10:00:00.000000Z",
    }


REJECTED: list[tuple[dict[str, Any], str]] = [
    ({"properties": [{"key": "plan"}]}, "exact needs a `value`"),
    ({"properties": [{"key": "plan", "value": []}]}, "exact needs a `value`"),
    ({"properties": [{"key": "plan", "value": "x", "operator": "like"}]}, "icontains"),
    ({"properties": [{"key": "plan", "value": "x", "type": "event"}]}, "Extra inputs"),
    ({"properties": [{"value": "x"}]}, "Field required"),
    ({"cohort": 7}, "Extra inputs"),
]


@pytest.mark.parametrize(("arguments", "message"), REJECTED)
def test_a_filter_that_would_match_other_persons_is_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ListPersons.model_validate(arguments)


@given(st.one_of(st.text(max_size=40), st.uuids().map(str)))
def test_a_person_id_is_valid_if_and_only_if_it_is_a_uuid(text: str) -> None:
    try:
        expected = str(UUID(text))
    except ValueError:
        with pytest.raises(ValidationError, match="list_persons"):
            GetPerson.model_validate({"person_id": text})
    else:
        assert GetPerson.model_validate({"person_id": text}).person_id == expected


@given(st.one_of(st.text(min_size=1), st.integers(), st.booleans(), st.lists(st.integers(), min_size=1)))
def test_a_value_keeps_its_type(value: object) -> None:
    arguments = {"properties": [{"key": "k", "value": value}]}
    (item,) = ListPersons.model_validate(arguments).properties or []
    assert repr(item.as_filter()["value"]) == repr(value)


def test_persons_use_the_analytics_budget() -> None:
    assert {operation.budget for operation in OPERATIONS} == {Budget.ANALYTICS}


@pytest.mark.parametrize("field", [name for name in answer("person_list_row") if name != "uuid"])
async def test_older_servers_can_omit_any_field_but_the_uuid(field: str) -> None:
    old = {name: value for name, value in answer("person_list_row").items() if name != field}
    api = FakeCall({f"GET {PERSON}": old, f"GET {PERSONS}": {"results": [old]}})
    assert (await run(GET, api, person_id=UUID_TEXT))["uuid"] == UUID_TEXT
    assert len((await run(LIST, api))["persons"]) == 1


async def test_long_properties_of_a_person_are_cut_unless_full() -> None:
    person = answer("person_retrieve", properties={"bio": "x" * 5_000, "plan": "pro"})
    api = FakeCall({f"GET {PERSONS}{{person_id}}/": person})
    shown = await run(GET, api, person_id=person["uuid"])
    assert shown["properties"] == {"bio": f"{'x' * 300}… (5000 characters)", "plan": "pro"}
    assert len((await run(GET, api, person_id=person["uuid"], full=True))["properties"]["bio"]) == 5_000
