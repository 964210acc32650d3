"""Persons, cohorts and actions over a small dataset."""

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import anyio
import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(3_000) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine), counts_cohorts=True) as running:
        yield running


def count(engine: Engine, sql: str) -> int:
    return engine.select(sql).rows[0][0]


async def calculated(sandbox: Serving, cohort_id: int) -> dict[str, Any]:
    """Return the cohort after its calculation."""
    with anyio.fail_after(20):
        while True:
            cohort = await sandbox.get(f"cohorts/{cohort_id}/")
            if not cohort["is_calculating"]:
                return cohort
            await anyio.lowlevel.checkpoint()


async def cohort_of(sandbox: Serving, *leaves: dict[str, Any], kind: str = "AND") -> dict[str, Any]:
    body = {"name": "Some", "filters": {"properties": {"type": kind, "values": [{"type": kind, "values": leaves}]}}}
    made = await sandbox.make("cohorts/", body)
    assert (made["is_calculating"], made["count"]) == (True, None)
    return await calculated(sandbox, made["id"])


def person(key: str, value: Any = None, operator: str = "exact", **more: Any) -> dict[str, Any]:
    return {"type": "person", "key": key, "value": value, "operator": operator, **more}


def performed(event: str, days: int = 90, value: str = "performed_event", **more: Any) -> dict[str, Any]:
    when = {"time_value": days, "time_interval": "day"}
    return {"type": "behavioral", "key": event, "event_type": "events", "value": value, **when, **more}


async def test_a_page_of_persons_has_no_count_and_uuids_for_ids(sandbox: Serving) -> None:
    page = await sandbox.get("persons/", limit=2)

    assert page.keys() == {"results", "next", "previous"}
    assert [row["id"] for row in page["results"]] == [row["uuid"] for row in page["results"]]
    assert page["next"] == "http://sandbox.test/posthog/api/projects/1/persons/?limit=2&offset=2"
    assert page["previous"] is None


async def test_the_total_of_persons_is_returned_on_request(sandbox: Serving, engine: Engine) -> None:
    page = await sandbox.get("persons/", limit=1, include_total="true")

    assert page["count"] == count(engine, "SELECT count() FROM posthog.persons")


async def test_pages_of_persons_cover_each_person_once(sandbox: Serving, engine: Engine) -> None:
    seen: list[str] = []
    total = count(engine, "SELECT count() FROM posthog.persons")
    while len(seen) < total:
        page = await sandbox.get("persons/", limit=50, offset=len(seen))
        seen += [row["uuid"] for row in page["results"]]

    assert len(set(seen)) == len(seen) == total


async def test_a_person_is_retrieved_by_uuid_or_number_and_shows_the_number(sandbox: Serving) -> None:
    [listed] = (await sandbox.get("persons/", limit=1))["results"]
    by_uuid = await sandbox.get(f"persons/{listed['uuid']}/")

    assert isinstance(by_uuid["id"], int)
    assert by_uuid["uuid"] == listed["uuid"]
    assert await sandbox.get(f"persons/{by_uuid['id']}/") == by_uuid


async def test_a_distinct_id_is_not_a_person_id(sandbox: Serving) -> None:
    status, _, detail, _ = await sandbox.rejection("GET", "persons/user-1/")

    assert status == 400
    assert "does not look like a personID" in detail
    assert (await sandbox.send("GET", "persons/00000000-0000-4000-8000-000000000000/")).status_code == 404


async def test_persons_are_found_by_email_distinct_id_and_properties(sandbox: Serving, engine: Engine) -> None:
    [known] = (await sandbox.get("persons/", search="@mail.example", limit=1))["results"]
    mail = known["properties"]["email"]
    for query in ({"search": mail.upper()}, {"email": mail}, {"distinct_id": known["distinct_ids"][0]}):
        assert known["uuid"] in [row["uuid"] for row in (await sandbox.get("persons/", **query))["results"]]
    paying = json.dumps([person("plan", ["pro", "team"])])
    page = await sandbox.get("persons/", properties=paying, include_total="true", limit=1)

    sql = "SELECT count() FROM posthog.persons WHERE JSONExtractString(properties, 'plan') IN ('pro', 'team')"
    assert page["count"] == count(engine, sql) > 0


@pytest.mark.parametrize("text", ["' OR 1=1 --", "\\", "\\'", "') UNION SELECT 1 --", "\x00", "%"])
async def test_quotes_in_parameters_are_escaped(sandbox: Serving, text: str) -> None:
    for query in ({"email": text}, {"distinct_id": text}, {"properties": json.dumps([person(text, text)])}):
        assert (await sandbox.get("persons/", **query))["results"] == []


async def test_a_deleted_person_does_not_come_back(sandbox: Serving) -> None:
    [listed] = (await sandbox.get("persons/", limit=1))["results"]
    path = f"persons/{listed['uuid']}/"

    assert (await sandbox.send("DELETE", path)).status_code == 202
    assert (await sandbox.send("GET", path)).status_code == 404
    assert (await sandbox.get("persons/", limit=1))["results"] != [listed]


async def test_another_project_has_no_persons(sandbox: Serving) -> None:
    assert (await sandbox.get("/posthog/api/projects/2/persons/"))["results"] == []


async def test_a_new_cohort_is_calculated(sandbox: Serving, engine: Engine) -> None:
    cohort = await cohort_of(sandbox, performed("purchase_completed"))

    assert cohort["count"] == count(
        engine, "SELECT uniqExact(person_id) FROM posthog.events WHERE event = 'purchase_completed'"
    )
    assert (cohort["version"], cohort["errors_calculating"]) == (1, 0)


async def test_a_cohort_supports_counts_and_negation(sandbox: Serving, engine: Engine) -> None:
    often: dict[str, Any] = {"value": "performed_event_multiple", "operator": "gte", "operator_value": 3}
    cohort = await cohort_of(sandbox, performed("$pageview", **often), performed("signed_up", negation=True))

    sql = (
        "SELECT count() FROM (SELECT person_id, countIf(event = '$pageview') AS views, countIf(event = 'signed_up') "
        "AS signed FROM posthog.events WHERE person_id IN (SELECT id FROM posthog.persons) GROUP BY person_id) "
        "WHERE views >= 3 AND signed = 0"
    )
    assert cohort["count"] == count(engine, sql) > 0


async def test_a_cohort_combines_properties_and_another_cohort(sandbox: Serving) -> None:
    paying = await cohort_of(sandbox, person("plan", ["pro", "team"]))
    everybody = await cohort_of(sandbox, person("plan", operator="is_set"), person("plan", "x", "is_not"), kind="OR")
    inner = await cohort_of(sandbox, {"type": "cohort", "key": "id", "value": paying["id"]}, person("plan", "pro"))

    assert 0 < inner["count"] < paying["count"] < everybody["count"]


async def test_deprecated_groups_create_an_empty_cohort_silently(sandbox: Serving) -> None:
    groups = [{"properties": [{"key": "$pageview", "type": "event", "value": "performed_event"}]}]
    made = await sandbox.make("cohorts/", {"name": "Active Users", "groups": groups})
    cohort = await calculated(sandbox, made["id"])

    assert (cohort["count"], cohort["errors_calculating"], cohort["groups"]) == (0, 0, groups)


async def test_a_cohort_that_cannot_be_calculated_reports_the_reason(sandbox: Serving) -> None:
    cohort = await cohort_of(sandbox, performed("$pageview", value="performed_event_regularly"))

    assert (cohort["errors_calculating"], cohort["count"]) == (1, None)
    assert "performed_event_regularly" in cohort["last_error_message"]


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"properties": []},
        {"properties": {"type": "XOR", "values": []}},
        {"properties": {"type": "AND", "values": ["x"]}},
        {"properties": {"type": "AND", "values": [{"type": "event", "key": "a"}]}},
        {"properties": {"type": "AND", "values": [{"type": "person", "key": "a"}]}},
        {"properties": {"type": "AND", "values": [{"type": "behavioral", "key": "a", "value": "performed_event"}]}},
        {"properties": {"type": "AND", "values": [{"type": "cohort", "key": "id", "value": 999}]}},
    ],
)
async def test_invalid_cohort_filters_are_rejected(sandbox: Serving, filters: Any) -> None:
    assert (await sandbox.rejection("POST", "cohorts/", {"name": "x", "filters": filters}))[::3] == (400, "filters")


async def test_a_static_cohort_has_the_given_persons(sandbox: Serving) -> None:
    first, second = (await sandbox.get("persons/", limit=2))["results"]
    body = {"name": "Static", "is_static": True, "_create_static_person_ids": [first["uuid"]]}
    made = await sandbox.make("cohorts/", body)
    path = f"cohorts/{made['id']}"
    await sandbox.patch(f"{path}/add_persons_to_static_cohort/", {"person_ids": [second["uuid"]]})

    assert (await calculated(sandbox, made["id"]))["count"] == 2
    found = await sandbox.get(f"{path}/persons/")
    assert {row["uuid"] for row in found["results"]} == {first["uuid"], second["uuid"]}
    assert "count" not in found


async def test_a_cohort_in_use_by_a_flag_cannot_be_deleted(sandbox: Serving) -> None:
    cohort = await cohort_of(sandbox, person("plan", "pro"))
    path = f"cohorts/{cohort['id']}/"
    item = {"key": "id", "type": "cohort", "value": cohort["id"], "operator": "in"}
    flag = {"key": "for-some", "filters": {"groups": [{"properties": [item]}]}}
    made = await sandbox.make("feature_flags/", flag)

    assert "for-some" in (await sandbox.rejection("PATCH", path, {"deleted": True}))[2]
    await sandbox.patch(f"feature_flags/{made['id']}/", {"active": False})
    assert (await sandbox.patch(path, {"deleted": True}))["deleted"] is True
    assert (await sandbox.get(path))["deleted"] is True
    assert cohort["id"] not in [row["id"] for row in (await sandbox.get("cohorts/"))["results"]]


async def test_the_cohorts_of_a_new_sandbox_are_counted_once_its_events_are_open(sandbox: Serving) -> None:
    for listed in (await sandbox.get("cohorts/"))["results"]:
        assert (await calculated(sandbox, listed["id"]))["count"] > 0


async def test_all_actions_are_listed_without_limit_and_links(sandbox: Serving) -> None:
    for number in range(120):
        await sandbox.make("actions/", {"name": f"Action {number}", "steps": [{"event": "$identify"}]})
    page = await sandbox.get("actions/")

    assert page.keys() == {"count", "results"}
    assert len(page["results"]) == page["count"] == 123
    assert len((await sandbox.get("actions/", limit=5))["results"]) == 5


async def test_the_name_of_an_action_is_unique_until_it_is_deleted(sandbox: Serving) -> None:
    made = await sandbox.make("actions/", {"name": "Twice"})
    taken = f"This project already has an action with this name, ID {made['id']}"

    assert await sandbox.rejection("POST", "actions/", {"name": "Twice"}) == (400, "unique", taken, "name")
    await sandbox.patch(f"actions/{made['id']}/", {"deleted": True})
    assert (await sandbox.make("actions/", {"name": "Twice"}))["id"] != made["id"]
    assert (await sandbox.get(f"actions/{made['id']}/"))["deleted"] is True


async def test_steps_of_an_action_get_defaults_and_are_validated(sandbox: Serving) -> None:
    made = await sandbox.make("actions/", {"name": "Seen", "steps": [{"event": "$pageview"}]})

    assert made["steps"][0]["url_matching"] == "contains"
    body = {"name": "x", "steps": [{"url_matching": "roughly"}]}
    assert (await sandbox.rejection("POST", "actions/", body))[:2] == (400, "invalid_choice")
    assert (await sandbox.rejection("POST", "actions/", {"name": " "}))[:2] == (400, "blank")
