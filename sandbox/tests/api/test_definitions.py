"""Event and property definitions over a generated dataset."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest

from posthog_sandbox.api.definitions import ROUTES
from posthog_sandbox.storage.engine import Engine

from ..shared_data import open_shared
from .resource_calls import Resources

pytestmark = pytest.mark.anyio

EVENTS = "event_definitions/"
PROPERTIES = "property_definitions/"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(3000) as opened:
        yield opened


@pytest.fixture
def api(engine: Engine) -> Iterator[Resources]:
    with closing(Resources(ROUTES, engine)) as opened:
        yield opened


async def test_the_latest_seen_event_comes_first(api: Resources) -> None:
    page = await api.get(EVENTS)

    seen = [row["last_seen_at"] for row in page["results"]]
    assert seen == sorted(seen, reverse=True)
    assert page["count"] == len(page["results"]) > 10
    assert page["results"][0].keys() == {
        "id",
        "name",
        "created_at",
        "last_seen_at",
        "last_updated_at",
        "tags",
        "is_action",
        "action_id",
        "is_calculating",
        "last_calculated_at",
        "created_by",
        "post_to_slack",
    }


async def test_events_are_searched_by_every_word_and_ordered(api: Resources) -> None:
    assert (await api.send("GET", EVENTS, search="SURVEY sent")).names == ["survey sent"]
    names = (await api.send("GET", EVENTS, ordering="-name", limit="3")).names
    assert names == sorted((await api.send("GET", EVENTS)).names, reverse=True)[:3]


async def test_event_types_separate_posthogs_events_from_the_products_events(api: Resources) -> None:
    posthogs = (await api.send("GET", EVENTS, event_type="event_posthog")).names
    own = (await api.send("GET", EVENTS, event_type="event_custom")).names

    assert "$pageview" in posthogs
    assert all(name.startswith("$") for name in posthogs)
    assert "signed_up" in own
    assert not any(name.startswith("$") for name in own)
    assert sorted(posthogs + own) == sorted((await api.send("GET", EVENTS)).names)
    assert (await api.send("GET", EVENTS, event_type="custom")).detail == '"custom" is not a valid choice.'


async def test_a_definition_keeps_its_uuid_and_is_found_by_it(api: Resources) -> None:
    row = (await api.get(EVENTS, search="signed_up"))["results"][0]

    UUID(row["id"])
    assert await api.get(f"{EVENTS}{row['id']}/") == row
    assert (await api.send("GET", f"{EVENTS}signed_up/")).status == 404


async def test_describing_a_definition_is_402(api: Resources) -> None:
    event = (await api.get(EVENTS, search="signed_up"))["results"][0]
    property = (await api.get(PROPERTIES, search="$browser"))["results"][0]

    for path in (f"{EVENTS}{event['id']}/", f"{PROPERTIES}{property['id']}/"):
        rejected = await api.send("PATCH", path, {"description": "A new account."})
        assert rejected.status == 402
        assert rejected.body["type"] == "server_error"
        assert rejected.body["code"] == "payment_required"
        assert rejected.detail.startswith("Ingestion taxonomy is part of")


async def test_a_deleted_definition_is_gone(api: Resources) -> None:
    path = f"{EVENTS}{(await api.get(EVENTS, search='signed_up'))['results'][0]['id']}/"

    assert (await api.send("DELETE", path)).status == 204
    assert (await api.send("GET", path)).status == 404
    assert "signed_up" not in (await api.send("GET", EVENTS)).names


async def test_another_project_has_no_definitions(api: Resources) -> None:
    assert (await api.get("/2/event_definitions/"))["results"] == []
    assert (await api.get("/2/property_definitions/"))["results"] == []


async def test_properties_of_events_exclude_those_of_persons(api: Resources) -> None:
    names = (await api.send("GET", PROPERTIES, limit="1000")).names

    assert "$browser" in names
    assert "signed_up_at" not in names
    assert names == sorted(names)


async def test_properties_are_limited_to_those_of_the_given_events(api: Resources) -> None:
    marked = await api.get(PROPERTIES, event_names=["survey sent"], limit="1000")
    narrowed = await api.get(PROPERTIES, event_names=["survey sent"], filter_by_event_names="true")

    assert {row["is_seen_on_filtered_events"] for row in marked["results"]} == {True, False}
    assert marked["results"][0]["is_seen_on_filtered_events"] is True
    assert {row["is_seen_on_filtered_events"] for row in narrowed["results"]} == {True}
    assert "$survey_response" in {row["name"] for row in narrowed["results"]}
    assert 0 < narrowed["count"] < marked["count"]


async def test_numerical_properties_are_filtered(api: Resources) -> None:
    numerical = (await api.get(PROPERTIES, is_numerical="true", limit="1000"))["results"]
    other = (await api.get(PROPERTIES, is_numerical="false", limit="1000"))["results"]

    assert {row["property_type"] for row in numerical} == {"Numeric"}
    assert "Numeric" not in {row["property_type"] for row in other}


async def test_properties_are_included_excluded_and_searched_by_name(api: Resources) -> None:
    assert (await api.send("GET", PROPERTIES, properties="$os,$browser")).names == ["$browser", "$os"]
    assert (await api.send("GET", PROPERTIES, properties="$os,$browser", excluded_properties=["$os"])).names == [
        "$browser"
    ]
    core = (await api.send("GET", PROPERTIES, exclude_core_properties="true", limit="1000")).names
    assert core
    assert not any(name.startswith("$") for name in core)
    searched = (await api.send("GET", PROPERTIES, search="utm source")).names
    assert searched
    assert all("utm" in name and "source" in name for name in searched)


async def test_virtual_properties_extend_the_last_page_of_persons_beyond_its_limit(api: Resources) -> None:
    count = (await api.get(PROPERTIES, type="person"))["count"]
    page = await api.get(PROPERTIES, type="person", limit=str(count))

    assert page["next"] is None
    assert len(page["results"]) > count
    assert page["results"][-1]["id"].startswith("$builtin_$virt_")
    assert page["results"][-1]["virtual"] is True
    first = await api.get(PROPERTIES, type="person", limit=str(count - 1))
    assert len(first["results"]) == count - 1


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"type": "user"}, '"user" is not a valid choice.'),
        ({"type": "group"}, "`group_type_index` must be set for `group` type"),
        ({"group_type_index": "0"}, "`group_type_index` can only set for `group` type"),
        ({"type": "group", "group_type_index": "9"}, "Invalid value for `group_type_index`"),
        ({"type": "person", "event_names": ["x"]}, "`event_names` can only be set for `event` type"),
        ({"event_names": "x"}, "Expected a JSON list in `event_names`."),
    ],
)
async def test_an_invalid_filter_is_400(api: Resources, query: dict[str, Any], detail: str) -> None:
    rejected = await api.send("GET", PROPERTIES, **query)

    assert (rejected.status, rejected.detail) == (400, detail)


async def test_groups_and_sessions_have_properties(api: Resources) -> None:
    assert "industry" in (await api.send("GET", PROPERTIES, type="group", group_type_index="0")).names
    assert "industry" not in (await api.send("GET", PROPERTIES, type="group", group_type_index="1")).names
    assert "$session_duration" in (await api.send("GET", PROPERTIES, type="session")).names


async def test_the_type_of_a_property_can_be_corrected(api: Resources) -> None:
    row = (await api.get(PROPERTIES, search="$browser_version"))["results"][0]
    path = f"{PROPERTIES}{row['id']}/"

    changed = await api.patch(path, property_type="Numeric")

    assert changed["property_type"] == "Numeric"
    assert changed["is_numerical"] is True
    assert await api.get(path) == changed
    assert (await api.send("PATCH", path, {"property_type": "Text"})).detail == '"Text" is not a valid choice.'


async def test_a_property_reports_the_events_that_have_it(api: Resources) -> None:
    seen = await api.get(
        f"{PROPERTIES}seen_together/", property_name="$survey_response", event_names=["survey sent", "$pageview"]
    )

    assert seen == {"survey sent": True, "$pageview": False}
