"""Operations on persons, the activity log and groups, each with its own pagination."""

import csv
import io
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import FLAG, Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(20_000) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine), counts_cohorts=True) as running:
        yield running


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def somebody(sandbox: Serving) -> dict[str, Any]:
    return (await sandbox.get("persons/", limit=1, search="@"))["results"][0]


async def properties_of(sandbox: Serving, uuid: str) -> dict[str, Any]:
    return (await sandbox.get(f"persons/{uuid}/"))["properties"]


async def test_a_changed_person_property_is_202_without_a_body_and_shows_afterwards(sandbox: Serving) -> None:
    person = await somebody(sandbox)
    path = f"persons/{person['uuid']}/update_property/"
    for value in ("it's \\ new", {"deep": ["ü"]}):
        response = await sandbox.send("POST", path, {"key": "plan", "value": value})
        assert (response.status_code, response.content) == (202, b"")

        assert await properties_of(sandbox, person["uuid"]) == {**person["properties"], "plan": value}


async def test_lists_filter_by_changed_properties_and_leave_other_persons_unchanged(sandbox: Serving) -> None:
    total = (await sandbox.get("persons/", include_total="true"))["count"]
    person = await somebody(sandbox)
    await sandbox.send("PATCH", f"persons/{person['uuid']}/", {"properties": {"shoe": "42"}})
    wanted = '[{"key":"shoe","value":"42","operator":"exact","type":"person"}]'
    found = await sandbox.get("persons/", properties=wanted, include_total="true")

    assert [row["uuid"] for row in found["results"]] == [person["uuid"]]
    assert found["count"] == 1
    assert (await sandbox.get("persons/", include_total="true"))["count"] == total


async def test_a_property_of_a_person_is_removed(sandbox: Serving) -> None:
    person = await somebody(sandbox)
    path = f"persons/{person['uuid']}/delete_property/"
    response = await sandbox.send("POST", path, {"$unset": "email"})

    assert (response.status_code, response.json()) == (201, {"success": True})
    assert "email" not in await properties_of(sandbox, person["uuid"])


@pytest.mark.parametrize(
    ("action", "body", "attr"),
    [
        ("update_property", {}, "value"),
        ("update_property", {"value": 1}, "key"),
        ("delete_property", {}, "$unset"),
    ],
)
async def test_a_missing_field_is_reported_with_code_and_detail_swapped(
    sandbox: Serving, action: str, body: Any, attr: str
) -> None:
    person = await somebody(sandbox)

    assert await sandbox.rejection("POST", f"persons/{person['uuid']}/{action}/", body) == (
        400,
        "This field is required.",
        "required",
        attr,
    )


async def test_values_of_a_property_are_counted_and_searched(sandbox: Serving, engine: Engine) -> None:
    found = await sandbox.get("persons/values/", key="email", value="@QUILLBOARD")
    everything = await sandbox.get("persons/values/", key="email")

    assert found
    assert all("@quillboard" in row["name"].lower() and row["count"] >= 1 for row in found)
    assert len(everything) == 20
    assert await sandbox.get("persons/values/") == []


async def test_the_cohorts_of_a_person_are_listed(sandbox: Serving) -> None:
    person = await somebody(sandbox)
    body = {"name": "Hers", "is_static": True, "_create_static_person_ids": [person["uuid"]]}
    made = await sandbox.make("cohorts/", body)

    assert made["id"] in [
        row["id"] for row in (await sandbox.get("persons/cohorts/", person_id=person["uuid"]))["results"]
    ]
    assert (await sandbox.get("persons/cohorts/", person_id=NOBODY))["results"] == []
    assert (await sandbox.rejection("GET", "persons/cohorts/", person_id="7"))[3] == "person_id"


async def test_persons_are_deleted_in_bulk(sandbox: Serving) -> None:
    first, second, third = (await sandbox.get("persons/", limit=3, search="@"))["results"]
    kept = await sandbox.send("POST", "persons/bulk_delete/", {"ids": [third["id"]], "keep_person": True})
    by_id = await sandbox.send("POST", "persons/bulk_delete/", {"ids": [first["id"], NOBODY, "'"]})
    by_distinct_id = await sandbox.send("POST", "persons/bulk_delete/", {"distinct_ids": second["distinct_ids"]})
    gone = [(await sandbox.send("GET", f"persons/{row['id']}/")).status_code for row in (first, second, third)]

    assert {response.status_code for response in (kept, by_id, by_distinct_id)} == {202}
    assert gone == [404, 404, 200]
    assert (await sandbox.send("POST", "persons/bulk_delete/", {})).status_code == 400
    assert (await sandbox.send("POST", "persons/bulk_delete/", {"ids": [NOBODY] * 1001})).status_code == 400


async def test_deleting_only_the_events_of_a_person_keeps_the_person(sandbox: Serving) -> None:
    path = f"persons/{(await somebody(sandbox))['id']}/"

    assert (await sandbox.send("DELETE", path, delete_events="true", keep_person="true")).status_code == 202
    assert (await sandbox.send("GET", path)).status_code == 200


async def test_persons_are_exported_as_csv_on_request(sandbox: Serving) -> None:
    response = await sandbox.send("GET", "persons/", format="csv", limit=5, search="@")
    lines = list(csv.DictReader(io.StringIO(response.text)))
    persons = (await sandbox.get("persons/", limit=5, search="@"))["results"]

    assert response.headers["content-type"].startswith("text/csv")
    assert [line["id"] for line in lines] == [person["id"] for person in persons]
    assert [line["properties.email"] for line in lines] == [person["properties"]["email"] for person in persons]


async def test_activity_is_paginated_by_number_with_a_total(sandbox: Serving) -> None:
    flag = await sandbox.make("feature_flags/", {"key": "watched", "filters": FLAG})
    path = f"feature_flags/{flag['id']}/"
    await sandbox.patch(path, {"active": False})
    await sandbox.patch(path, {"deleted": True})
    first = await sandbox.get(f"{path}activity/", limit=2, page=1)
    second = await sandbox.get(f"{path}activity/", limit=2, page=2)

    assert first.keys() == {"results", "next", "previous", "total_count"}
    assert (first["total_count"], first["previous"], second["next"]) == (3, None, None)
    assert query_of(first["next"]) == {"limit": "2", "page": "2"}
    assert [row["activity"] for row in (*first["results"], *second["results"])] == ["deleted", "updated", "created"]
    change = {"type": "FeatureFlag", "action": "changed", "field": "active", "before": True, "after": False}
    assert first["results"][1]["detail"]["changes"] == [change]
    assert {row["item_id"] for row in first["results"]} == {str(flag["id"])}


@pytest.mark.parametrize("area", ["insights", "cohorts", "surveys"])
async def test_other_resources_have_activity_too(sandbox: Serving, area: str) -> None:
    row = (await sandbox.get(f"{area}/", limit=1))["results"][0]
    found = await sandbox.get(f"{area}/{row.get('short_id') or row['id']}/activity/")

    assert found["results"][-1]["activity"] == "created"
    assert (await sandbox.send("GET", f"{area}/{NOBODY}/activity/")).status_code == 404


async def test_a_person_has_no_logged_activity(sandbox: Serving) -> None:
    person = await somebody(sandbox)

    assert (await sandbox.get(f"persons/{person['uuid']}/activity/"))["total_count"] == 0


async def test_groups_are_paginated_with_a_cursor(
    sandbox: Serving, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthog_sandbox.api.groups._PAGE", 10)
    total = engine.select("SELECT count() FROM posthog.groups WHERE index = 0").rows[0][0]
    seen: list[str] = []
    page = await sandbox.get("groups/", group_type_index=0)
    for _ in range(total):
        seen += [row["group_key"] for row in page["results"]]
        if page["next"] is None:
            break
        page = await sandbox.get("groups/", **query_of(page["next"]))

    assert total > 10
    assert len(set(seen)) == len(seen) == total


async def test_a_group_is_found_by_its_key(sandbox: Serving) -> None:
    group = (await sandbox.get("groups/", group_type_index=0))["results"][0]

    assert await sandbox.get("groups/find/", group_type_index=0, group_key=group["group_key"]) == group
    assert group["group_key"] in [
        row["group_key"]
        for row in (await sandbox.get("groups/", group_type_index=0, search=group["group_key"]))["results"]
    ]
    assert (await sandbox.send("GET", "groups/find/", group_type_index=0, group_key="'")).status_code == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"group_type_index": "x"}, 400),
        ({"group_type_index": 5}, 400),
        ({"group_type_index": 0, "cursor": "bad"}, 404),
        ({"group_type_index": 0, "cursor": "bz0tMQ"}, 404),
    ],
)
async def test_a_list_of_groups_needs_a_type_and_a_valid_cursor(
    sandbox: Serving, query: dict[str, Any], status: int
) -> None:
    assert (await sandbox.send("GET", "groups/", **query)).status_code == status


async def test_group_types_are_those_of_the_project(sandbox: Serving) -> None:
    assert [row["group_type"] for row in await sandbox.get("groups_types/")] == ["organization"]
    assert await sandbox.get("/posthog/api/projects/2/groups_types/") == []


async def test_the_data_catalog_has_no_metrics_in_the_list_and_in_hogql(sandbox: Serving) -> None:
    assert (await sandbox.get("data_catalog/metrics/"))["results"] == []
    assert (await sandbox.query("SELECT name FROM system.information_schema.metrics"))["results"] == []


async def test_recordings_are_filtered_by_actions(sandbox: Serving, engine: Engine) -> None:
    steps = [{"event": "purchase_completed"}, {"event": "$pageview", "url": "://app."}]
    made = [await sandbox.make("actions/", {"name": step["event"], "steps": [step]}) for step in steps]
    actions = json.dumps([{"id": row["id"], "type": "actions"} for row in made])
    since = {"date_from": "-400d", "limit": 10_000}
    both = await sandbox.get("session_recordings/", actions=actions, **since)
    either = await sandbox.get("session_recordings/", actions=actions, operand="OR", **since)

    bought = "countIf(event = 'purchase_completed') > 0"
    in_app = "countIf(event = '$pageview' AND JSONExtractString(properties, '$current_url') LIKE '%://app.%') > 0"
    for found, condition in ((both, f"{bought} AND {in_app}"), (either, f"{bought} OR {in_app}")):
        sessions = f"SELECT `$session_id` FROM posthog.events GROUP BY 1 HAVING {condition}"
        expected = engine.select(
            f"SELECT session_id FROM posthog.session_replays WHERE session_id IN ({sessions})"
        ).rows
        assert {row["id"] for row in found["results"]} == {row[0] for row in expected} != set()


async def test_a_dashboard_is_computed_on_request_and_a_failing_tile_stays_null(sandbox: Serving) -> None:
    dashboard = await sandbox.make("dashboards/", {"name": "Computed"})
    for name, text in (("good", "select count() as events from events"), ("bad", "select nothing_such from events")):
        query = {"kind": "DataVisualizationNode", "source": {"kind": "HogQLQuery", "query": text}}
        await sandbox.make("insights/", {"name": name, "query": query, "dashboards": [dashboard["id"]]})
    path = f"dashboards/{dashboard['id']}/"

    def results(shown: Any) -> dict[str, Any]:
        return {tile["insight"]["name"]: tile["insight"]["result"] for tile in shown["tiles"]}

    assert results(await sandbox.get(path)) == {"good": None, "bad": None}
    assert results(await sandbox.get(path, refresh="blocking")) == {"good": [[20_000]], "bad": None}


async def test_an_unknown_action_is_rejected_by_the_list_of_recordings(sandbox: Serving) -> None:
    assert (await sandbox.send("GET", "session_recordings/", actions='[{"id": 99999}]')).status_code == 400


async def test_the_project_log_covers_all_resources(sandbox: Serving) -> None:
    flag = await sandbox.make("feature_flags/", {"key": "logged", "filters": FLAG})
    board = await sandbox.make("dashboards/", {"name": "Logged"})
    await sandbox.patch(f"feature_flags/{flag['id']}/", {"name": "again"})

    found = (await sandbox.get("activity_log/", limit=2))["results"]
    assert [(row["scope"], row["activity"], row["item_id"]) for row in found] == [
        ("FeatureFlag", "updated", str(flag["id"])),
        ("Dashboard", "created", str(board["id"])),
    ]
    of_flag = await sandbox.get("activity_log/", scope="FeatureFlag", item_id=flag["id"])
    assert [row["activity"] for row in of_flag["results"]] == ["updated", "created"]
    several = await sandbox.get("activity_log/", scopes="FeatureFlag,Survey", limit=1000)
    assert {row["scope"] for row in several["results"]} == {"FeatureFlag", "Survey"}
    assert (await sandbox.get("activity_log/", scope="Nothing"))["total_count"] == 0


async def test_a_flag_reports_its_status_and_lists_exclude_keys(sandbox: Serving) -> None:
    flag = await sandbox.make("feature_flags/", {"key": "told", "filters": FLAG})
    path = f"feature_flags/{flag['id']}/"
    assert (await sandbox.get(f"{path}status/"))["status"] == "ACTIVE"
    await sandbox.patch(path, {"active": False})
    assert (await sandbox.get(f"{path}status/"))["status"] == "INACTIVE"
    assert (await sandbox.send("GET", "feature_flags/999999/status/")).status_code == 404

    every = await sandbox.get("feature_flags/")
    others = await sandbox.get("feature_flags/", excluded_properties='["told"]')
    assert others["count"] == every["count"] - 1
    assert "told" not in {row["key"] for row in others["results"]}


async def test_a_cohort_is_duplicated_with_its_current_persons(sandbox: Serving) -> None:
    definition = {"type": "person", "key": "email", "operator": "is_set", "value": "is_set"}
    filters = {"properties": {"type": "OR", "values": [{"type": "AND", "values": [definition]}]}}
    cohort = await sandbox.make("cohorts/", {"name": "Known", "filters": filters})
    copy = await sandbox.get(f"cohorts/{cohort['id']}/duplicate_as_static_cohort/")

    assert (copy["name"], copy["is_static"], copy["id"] != cohort["id"]) == ("Known (static copy)", True, True)
    persons = [await sandbox.get(f"cohorts/{row['id']}/persons/", limit=1000) for row in (cohort, copy)]
    assert persons[0]["results"] == persons[1]["results"] != []


async def calculated(sandbox: Serving, identity: int) -> dict[str, Any]:
    """Return the cohort after its calculation."""
    with anyio.fail_after(30):
        while True:
            cohort = await sandbox.get(f"cohorts/{identity}/")
            if not cohort["is_calculating"]:
                return cohort
            await anyio.sleep(0.01)


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "HogQLQuery",
         "query": "select person_id, count() from events where event = 'signed_up' group by 1 -- all"},
        {"kind": "ActorsQuery", "source": {"kind": "HogQLQuery",
         "query": "select distinct person_id from events where event = 'signed_up' limit 10000"}},
    ],
)  # fmt: skip
async def test_a_static_cohort_is_created_from_the_persons_of_a_query(sandbox: Serving, query: dict[str, Any]) -> None:
    cohort = await sandbox.make("cohorts/", {"name": "Signed up", "is_static": True, "query": query})
    done = await calculated(sandbox, cohort["id"])
    people = "select count() from persons where id in (select person_id from events where event = 'signed_up')"
    wanted = (await sandbox.query(people))["results"][0][0]

    assert (done["count"], done["errors_calculating"], done["last_error_message"]) == (wanted, 0, None)
    inside = f"select count() from persons where id in cohort {cohort['id']}"
    assert (await sandbox.query(inside))["results"] == [[wanted]]
    assert wanted > 100


async def test_a_query_without_person_ids_creates_a_cohort_with_an_error(sandbox: Serving) -> None:
    for text, reason in (("select event from events", "person_id"), ("select foo from events", "foo")):
        query = {"kind": "HogQLQuery", "query": text}
        cohort = await sandbox.make("cohorts/", {"name": "Nobody", "is_static": True, "query": query})
        done = await calculated(sandbox, cohort["id"])
        assert (done["count"], done["errors_calculating"]) == (None, 1)
        assert reason in done["last_error_message"]
    rejected = {"name": "No", "is_static": True, "query": {"kind": "TrendsQuery"}}
    assert (await sandbox.rejection("POST", "cohorts/", rejected))[3] == "query"


COPY = "/posthog/api/organizations/@current/feature_flags/copy_flags/"


async def test_a_flag_is_copied_to_other_projects_of_its_organization(sandbox: Serving) -> None:
    flag = await sandbox.make("feature_flags/", {"key": "shared", "name": "First", "filters": FLAG})
    sent = {"feature_flag_key": "shared", "from_project": 1, "target_project_ids": [2, 999]}
    copied = (await sandbox.send("POST", COPY, sent)).json()

    assert [(row["key"], row["name"], row["filters"]) for row in copied["success"]] == [
        ("shared", "First", flag["filters"])
    ]
    assert copied["failed"] == [{"project_id": 999, "error_message": "Target project not found."}]
    await sandbox.patch(f"feature_flags/{flag['id']}/", {"name": "Second"})
    again = (await sandbox.send("POST", COPY, {**sent, "target_project_ids": [2], "disable_copied_flag": True})).json()
    assert [(row["id"], row["name"], row["active"]) for row in again["success"]] == [
        (copied["success"][0]["id"], "Second", False)
    ]
    there = await sandbox.get("/posthog/api/projects/2/feature_flags/", search="shared")
    assert [row["id"] for row in there["results"]] == [again["success"][0]["id"]]


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"feature_flag_key": "shared"}, "Missing required fields"),
        ({"feature_flag_key": "nothing", "from_project": 1, "target_project_ids": [2]},
         "Feature flag to copy does not exist."),
    ],
)  # fmt: skip
async def test_copying_a_missing_flag_is_rejected(sandbox: Serving, sent: dict[str, Any], error: str) -> None:
    response = await sandbox.send("POST", COPY, sent)
    assert (response.status_code, response.json()) == (400, {"error": error})
