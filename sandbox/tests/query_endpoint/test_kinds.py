"""EventsQuery, ActorsQuery and the taxonomies: formats and numbers, recounted with HogQL."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio

EVENTS = 3_000
PAGED = {"hasMore", "limit", "offset"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(EVENTS) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


async def ask(sandbox: Serving, kind: str, **query: Any) -> Any:
    response = await sandbox.send("POST", "query/", {"query": {"kind": kind, **query}})
    assert response.status_code == 200, response.text
    return response.json()


async def scalar(sandbox: Serving, text: str) -> Any:
    return (await sandbox.query(text))["results"][0][0]


async def rejection(sandbox: Serving, kind: str, **query: Any) -> str:
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": {"kind": kind, **query}})
    assert status == 400
    return detail


async def test_events_are_whole_objects_by_default(sandbox: Serving) -> None:
    response = await ask(sandbox, "EventsQuery", after="all", limit=5, where=["elements_chain != ''"])

    assert response["columns"] == ["*"]
    assert (response["hasMore"], response["limit"], response["offset"]) == (True, 5, 0)
    event = response["results"][0][0]
    assert list(event) == [
        "uuid", "event", "properties", "timestamp", "distinct_id", "team_id", "elements_chain", "created_at",
        "person_mode", "elements",
    ]  # fmt: skip
    assert isinstance(event["properties"], dict)
    assert event["timestamp"].endswith("Z")
    assert event["elements"][0]["tag_name"] in ("a", "button")
    assert event["elements"][0]["text"]
    assert event["elements"][0]["order"] == 0
    assert event["elements"][-1]["tag_name"] == "body"


async def test_events_of_a_day_are_listed_latest_first_between_exclusive_bounds(sandbox: Serving) -> None:
    day = await ask(sandbox, "EventsQuery", select=["timestamp"], limit=1000)
    now = "toDateTime('2026-11-23T07:00:00Z')"
    recent = f"timestamp > {now} - interval 1 day and timestamp < {now} + interval 5 second"
    times = [row[0] for row in day["results"]]
    assert len(times) == await scalar(sandbox, f"select count() from events where {recent}") > 0
    assert times == sorted(times, reverse=True)

    every = await sandbox.query("select distinct timestamp from events order by timestamp limit 3")
    first, second, third = (row[0] for row in every["results"])
    between = await ask(sandbox, "EventsQuery", select=["timestamp"], after=first, before=third)
    assert {row[0] for row in between["results"]} == {second}


async def test_an_aggregate_groups_by_the_other_columns_and_is_the_default_order(sandbox: Serving) -> None:
    response = await ask(sandbox, "EventsQuery", select=["count()", "event"], after="all")

    assert response["columns"] == ["count()", "event"]
    assert response["types"] == ["UInt64", "String"]
    expected = await sandbox.query("select count(), event from events group by event order by count() desc")
    assert {event: count for count, event in response["results"]} == {event: n for n, event in expected["results"]}
    counts = [row[0] for row in response["results"]]
    assert counts == sorted(counts, reverse=True)


async def test_columns_can_have_comments_aliases_and_persons(sandbox: Serving) -> None:
    select = ["person -- who", "distinct_id", "person_display_name", "properties.$browser as browser -- b"]
    response = await ask(
        sandbox, "EventsQuery", select=select, after="all", limit=50, where=["person.properties.email is not null"]
    )

    assert response["columns"] == select
    assert response["results"]
    for person, distinct_id, name, _browser in response["results"]:
        assert person.keys() == {"uuid", "created_at", "properties", "distinct_id"}
        assert person["distinct_id"] == distinct_id
        assert name == {"display_name": person["properties"]["email"], "id": person["uuid"], "distinct_id": distinct_id}


async def test_an_event_without_a_person_shows_only_its_distinct_id(sandbox: Serving) -> None:
    where = ["distinct_id not in (select distinct_id from person_distinct_ids)"]
    response = await ask(sandbox, "EventsQuery", select=["person", "distinct_id"], after="all", where=where, limit=3)

    assert response["results"]
    assert all(person == {"distinct_id": distinct_id} for person, distinct_id in response["results"])


async def test_events_are_filtered_by_every_option(sandbox: Serving) -> None:
    action = await sandbox.make("actions/", {"name": "Viewed", "steps": [{"event": "$pageview"}]})
    person = await scalar(sandbox, "select person_id from events where event = '$pageview' limit 1")
    chrome = {"key": "$browser", "value": ["Chrome"], "type": "event"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"event": "$pageview"}, "event = '$pageview'"),
        ({"events": ["$pageview", "$pageleave"]}, "event in ('$pageview', '$pageleave')"),
        ({"actionId": action["id"]}, "event = '$pageview'"),
        ({"personId": person}, f"person_id = '{person}'"),
        ({"properties": [chrome]}, "properties.$browser = 'Chrome'"),
        ({"fixedProperties": [chrome]}, "properties.$browser = 'Chrome'"),
        ({"where": ["event = '$pageview' -- views", "properties.$browser = 'Chrome' or 0"]},
         "event = '$pageview' and properties.$browser = 'Chrome'"),
    ]  # fmt: skip
    for query, condition in cases:
        response = await ask(sandbox, "EventsQuery", select=["count()"], after="all", **query)
        assert response["results"] == [[await scalar(sandbox, f"select count() from events where {condition}")]], query
    assert (await ask(sandbox, "EventsQuery", personId="nobody", after="all"))["results"] == []


async def test_events_are_paginated(sandbox: Serving) -> None:
    query = {"select": ["uuid"], "after": "all", "orderBy": ["timestamp", "uuid"], "limit": 7}
    first = await ask(sandbox, "EventsQuery", **query)
    second = await ask(sandbox, "EventsQuery", offset=7, **query)
    both = await ask(sandbox, "EventsQuery", **{**query, "limit": 14})

    assert first["results"] + second["results"] == both["results"]
    assert second["offset"] == 7


async def test_the_persons_of_many_events_are_found(sandbox: Serving) -> None:
    response = await ask(sandbox, "EventsQuery", select=["person", "person_id"], after="all", limit=EVENTS)
    people = await sandbox.query("select id from persons limit 50000")
    known = {row[0] for row in people["results"]}

    assert len(response["results"]) == EVENTS
    assert len({person["distinct_id"] for person, _ in response["results"]}) > 100
    assert all(("uuid" in person) == (person_id in known) for person, person_id in response["results"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"select": ["nowhere"]}, "Unable to resolve field: nowhere"),
        ({"select": ["event) from events --"]}, ""),
        ({"select": "event"}, "query.select"),
        ({"where": ["event = "]}, ""),
        ({"where": ["1) or (1"]}, ""),
        ({"orderBy": ["event; drop"]}, ""),
        ({"limit": -1}, "query.limit"),
        ({"limit": "many"}, "query.limit"),
        ({"actionId": 99999}, "99999"),
        ({"source": {"kind": "InsightActorsQuery"}}, "source"),
        ({"properties": [{"key": "a", "value": "b", "type": "moon"}]}, "moon"),
    ],
)
async def test_an_invalid_events_query_is_rejected(sandbox: Serving, query: dict[str, Any], message: str) -> None:
    assert message in await rejection(sandbox, "EventsQuery", **query)


async def test_actors_are_persons_with_their_distinct_ids(sandbox: Serving) -> None:
    response = await ask(sandbox, "ActorsQuery", limit=10)

    assert response["columns"] == ["person", "id", "person.$delete"]
    assert (response["hasMore"], response["limit"], response["offset"], response["missing_actors_count"]) == (
        True,
        10,
        0,
        0,
    )
    assert all(isinstance(kind, str) for kind in response["types"])
    for person, identity, delete in response["results"]:
        assert person.keys() == {"id", "properties", "is_identified", "created_at", "distinct_ids"}
        assert (person["id"], delete) == (identity, 1)
        assert isinstance(person["properties"], dict)
        assert person["distinct_ids"]
    first = await sandbox.query("select id from persons order by id limit 10")
    assert [row[1] for row in response["results"]] == [row[0] for row in first["results"]]


async def test_actors_are_found_by_email_name_id_and_distinct_id(sandbox: Serving) -> None:
    found = await sandbox.query(
        "select id, properties.email, properties.name, pdi.distinct_id from persons "
        "where properties.email is not null limit 1"
    )
    identity, email, name, distinct_id = found["results"][0]
    for text in (email.upper(), name[:-1].lower(), identity, distinct_id):
        response = await ask(sandbox, "ActorsQuery", select=["id"], search=text)
        assert [identity] in response["results"], text
    assert (await ask(sandbox, "ActorsQuery", search="100%_' or 1=1 --"))["results"] == []


async def test_actors_are_filtered_ordered_and_counted(sandbox: Serving) -> None:
    chrome = {"key": "$browser", "value": ["Chrome"], "type": "person"}
    cohort = await sandbox.make(
        "cohorts/",
        {"name": "C", "filters": {"properties": {"type": "OR", "values": [{"type": "AND", "values": [chrome]}]}}},
    )
    expected = await scalar(sandbox, "select count() from persons where properties.$browser = 'Chrome'")
    for item in (
        chrome,
        {"key": "id", "value": cohort["id"], "type": "cohort"},
        {"key": "properties.$browser = 'Chrome'", "type": "hogql"},
    ):
        assert (await ask(sandbox, "ActorsQuery", select=["count()"], properties=[item]))["results"] == [[expected]]
    newest = await ask(sandbox, "ActorsQuery", select=["id", "created_at"], limit=4)
    times = [row[1] for row in newest["results"]]
    assert times == sorted(times, reverse=True)
    oldest = await ask(sandbox, "ActorsQuery", select=["created_at"], orderBy=["created_at ASC"], limit=4)
    assert [row[0] for row in oldest["results"]] == sorted(row[0] for row in oldest["results"])
    browsers = await ask(sandbox, "ActorsQuery", select=["properties.$browser", "count()"])
    assert sum(row[1] for row in browsers["results"]) == await scalar(sandbox, "select count() from persons")
    assert "event" in await rejection(sandbox, "ActorsQuery", properties=[{**chrome, "type": "event"}])
    assert "source" in await rejection(sandbox, "ActorsQuery", source={"kind": "InsightActorsQuery"})


async def test_the_recordings_of_the_sessions_behind_a_number_are_matched(sandbox: Serving) -> None:
    trend = {
        "kind": "TrendsQuery",
        "series": [{"kind": "EventsNode", "event": "$pageview"}],
        "dateRange": {"date_from": "-30d"},
        "trendsFilter": {"display": "BoldNumber"},
    }
    source = {"kind": "InsightActorsQuery", "source": trend, "includeRecordings": True}
    select = ["actor", "matched_recordings", "event_count"]
    response = await ask(sandbox, "ActorsQuery", source=source, select=select, limit=1000)

    assert response["columns"] == [*select, "event_distinct_ids"]
    matched = [recording for row in response["results"] for recording in row[1]]
    assert matched
    assert all(recording.keys() == {"session_id", "events"} for recording in matched)
    assert all(
        event.keys() == {"uuid", "timestamp", "window_id"} for recording in matched for event in recording["events"]
    )
    ids = [recording["session_id"] for recording in matched]
    listed = ", ".join(f"'{identity}'" for identity in set(ids))
    recorded = await scalar(sandbox, f"select count() from session_replay_events where session_id in ({listed})")
    assert recorded == len(set(ids)) == len(ids)


async def test_the_team_taxonomy_counts_the_events_of_thirty_days(sandbox: Serving) -> None:
    response = await ask(sandbox, "TeamTaxonomyQuery")
    expected = await sandbox.query(
        "select event, count() from events where timestamp >= now() - interval 30 day group by event"
    )

    assert [list(row) for row in response["results"]] == [["event", "count"]] * len(expected["results"])
    assert {row["event"]: row["count"] for row in response["results"]} == dict(expected["results"])
    counts = [row["count"] for row in response["results"]]
    assert counts == sorted(counts, reverse=True)


async def test_the_taxonomy_of_an_event_samples_its_properties(sandbox: Serving) -> None:
    response = await ask(sandbox, "EventTaxonomyQuery", event="$pageview")

    assert response.keys() >= PAGED
    assert (response["limit"], response["offset"]) == (500, 0)
    names = [row["property"] for row in response["results"]]
    assert "$current_url" in names
    assert not {"$set", "$set_once", "$ip", "distinct_id"} & set(names)
    for row in response["results"]:
        assert list(row) == ["property", "sample_values", "sample_count"]
        assert 0 < len(row["sample_values"]) == min(5, row["sample_count"])
        assert all(isinstance(value, str) and not value.startswith('"') for value in row["sample_values"])
    counts = [row["sample_count"] for row in response["results"]]
    assert counts == sorted(counts, reverse=True)
    assert max(counts) <= 100


async def test_the_taxonomy_of_named_properties_reads_all_events(sandbox: Serving) -> None:
    query = {"properties": ["$browser", "nothing"], "maxPropertyValues": 2}
    response = await ask(sandbox, "EventTaxonomyQuery", event="$pageview", **query)
    expected = await scalar(
        sandbox,
        "select count(distinct properties.$browser) from events "
        "where event = '$pageview' and timestamp >= now() - interval 30 day",
    )

    assert [row["property"] for row in response["results"]] == ["$browser"]
    assert response["results"][0]["sample_count"] == expected
    assert len(response["results"][0]["sample_values"]) == 2


async def test_the_taxonomy_of_an_action_and_its_pages(sandbox: Serving) -> None:
    action = await sandbox.make("actions/", {"name": "Viewed", "steps": [{"event": "$pageview"}]})
    by_event = await ask(sandbox, "EventTaxonomyQuery", event="$pageview")
    by_action = await ask(sandbox, "EventTaxonomyQuery", actionId=action["id"])
    page = await ask(sandbox, "EventTaxonomyQuery", event="$pageview", limit=2, offset=1)

    assert by_action["results"] == by_event["results"]
    assert page["hasMore"] is True
    assert [row["property"] for row in page["results"]] == [row["property"] for row in by_event["results"][1:3]]
    assert "event or actionId" in await rejection(sandbox, "EventTaxonomyQuery")
