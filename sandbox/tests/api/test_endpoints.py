"""Endpoints other than list, create and update: references of actions, the reach of flags, copies, streams."""

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import anyio
import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import FLAG, Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(20_000) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine), counts_cohorts=True) as running:
        yield running


def trends(**series: Any) -> dict[str, Any]:
    return {"kind": "InsightVizNode", "source": {"kind": "TrendsQuery", "series": [series]}}


async def calculated(sandbox: Serving, id: int) -> dict[str, Any]:
    while True:
        cohort = await sandbox.get(f"cohorts/{id}/")
        if not cohort["is_calculating"]:
            return cohort
        await anyio.sleep(0.01)


async def test_an_action_lists_its_references(sandbox: Serving) -> None:
    action = await sandbox.make("actions/", {"name": "Used", "steps": []})
    other = await sandbox.make("actions/", {"name": "Unused", "steps": []})
    query = trends(kind="ActionsNode", id=action["id"])
    insight = await sandbox.make("insights/", {"name": "By action", "query": query})
    await sandbox.make("insights/", {"name": "Gone", "query": query})
    gone = (await sandbox.get("insights/", search="Gone"))["results"][0]
    await sandbox.patch(f"insights/{gone['id']}/", {"deleted": True})
    done = {"type": "behavioral", "key": action["id"], "event_type": "actions", "value": "performed_event"}
    values = [{"type": "AND", "values": [{**done, "time_value": 7, "time_interval": "day"}]}]
    cohort = await sandbox.make(
        "cohorts/", {"name": "Did it", "filters": {"properties": {"type": "OR", "values": values}}}
    )

    found = await sandbox.get(f"actions/{action['id']}/references/")
    assert [(row["type"], row["id"], row["name"], row["url"]) for row in found] == [
        ("insight", insight["short_id"], "By action", f"/insights/{insight['short_id']}"),
        ("cohort", str(cohort["id"]), "Did it", f"/cohorts/{cohort['id']}"),
    ]
    assert found[0]["created_by"]["email"]
    assert await sandbox.get(f"actions/{other['id']}/references/") == []

    plain = await sandbox.get("actions/")
    counted = await sandbox.get("actions/", include_reference_count="true")
    assert not any("reference_count" in row for row in plain["results"])
    assert {row["name"]: row["reference_count"] for row in counted["results"] if row["name"] in {"Used", "Unused"}} == {
        "Used": 2,
        "Unused": 0,
    }


async def test_the_blast_radius_of_a_condition_is_counted_over_persons(sandbox: Serving, engine: Engine) -> None:
    everybody = engine.select("SELECT count() FROM posthog.persons").rows[0][0]
    with_mail = (await sandbox.query("select count() from persons where properties.email is not null"))["results"][0][0]
    mail = {"key": "email", "type": "person", "operator": "is_set", "value": "is_set"}
    path = "feature_flags/user_blast_radius/"

    for properties, affected in (([], everybody), ([mail], with_mail)):
        condition = {"properties": properties, "rollout_percentage": 10}
        response = await sandbox.send("POST", path, {"condition": condition})
        assert (response.status_code, response.json()) == (200, {"affected": affected, "total": everybody})
    assert 0 < with_mail < everybody
    status, _, detail, _ = await sandbox.rejection("POST", path, {})
    assert (status, detail) == (400, "Missing condition for which to get blast radius")


async def test_evaluation_reasons_explain_the_value_of_a_flag(sandbox: Serving) -> None:
    person = (await sandbox.get("persons/", limit=1, search="@"))["results"][0]
    somebody = person["distinct_ids"][0]
    mail = {"key": "email", "type": "person", "operator": "exact", "value": person["properties"]["email"]}
    groups: dict[str, list[dict[str, Any]]] = {
        "for-all": [{"properties": [], "rollout_percentage": 100}],
        "for-nobody": [{"properties": [], "rollout_percentage": 0}],
        "by-mail": [{"properties": [{**mail, "value": "x@y.z"}]}, {"properties": [mail]}],
    }
    for key, conditions in groups.items():
        await sandbox.make("feature_flags/", {"key": key, "filters": {"groups": conditions}})
    await sandbox.make("feature_flags/", {"key": "off", "filters": FLAG, "active": False})

    found = await sandbox.get("feature_flags/evaluation_reasons/", distinct_id=somebody)
    assert found["for-all"] == {"value": True, "evaluation": {"reason": "condition_match", "condition_index": 0}}
    assert found["for-nobody"]["evaluation"] == {"reason": "out_of_rollout_bound", "condition_index": 0}
    assert found["by-mail"] == {"value": True, "evaluation": {"reason": "condition_match", "condition_index": 1}}
    assert found["off"] == {"value": False, "evaluation": {"reason": "disabled", "condition_index": None}}
    stranger = await sandbox.get("feature_flags/evaluation_reasons/", distinct_id="nobody at all")
    assert stranger["for-all"]["value"] is True
    assert stranger["by-mail"]["evaluation"]["reason"] == "no_condition_match"
    assert (await sandbox.send("GET", "feature_flags/evaluation_reasons/")).status_code == 400


async def test_variants_are_assigned_to_distinct_ids_by_share_and_never_change(sandbox: Serving) -> None:
    variants = [{"key": "control", "rollout_percentage": 25}, {"key": "test", "rollout_percentage": 75}]
    filters: dict[str, Any] = {
        "groups": [{"properties": [], "rollout_percentage": 100}],
        "multivariate": {"variants": variants},
    }
    await sandbox.make("feature_flags/", {"key": "shared-out", "filters": filters})

    async def value(number: int) -> Any:
        found = await sandbox.get("feature_flags/evaluation_reasons/", distinct_id=f"visitor {number}")
        return found["shared-out"]["value"]

    first = [await value(number) for number in range(60)]
    assert first == [await value(number) for number in range(60)]
    assert set(first) == {"control", "test"}
    assert 5 < first.count("control") < 25


async def test_the_user_and_the_sdks_get_the_flags_of_the_project(sandbox: Serving) -> None:
    everybody: list[dict[str, Any]] = [{"properties": [], "rollout_percentage": 100}]
    flag = await sandbox.make("feature_flags/", {"key": "mine", "filters": {"groups": everybody}})
    mine = await sandbox.get("feature_flags/my_flags/")
    definitions = await sandbox.get("feature_flags/local_evaluation/", send_cohorts="")

    assert mine[0]["feature_flag"]["id"] == flag["id"]
    assert mine[0]["value"] is True
    assert "mine" in {item["key"] for item in definitions["flags"]}
    assert definitions["group_type_mapping"] == {"0": "organization"}
    with_cohort = {"key": "id", "type": "cohort", "operator": "in"}
    named = {"type": "person", "key": "email", "operator": "is_set", "value": "is_set"}
    values = {"properties": {"type": "OR", "values": [{"type": "AND", "values": [named]}]}}
    cohort = await sandbox.make("cohorts/", {"name": "With mail", "filters": values})
    filters = {"groups": [{"properties": [{**with_cohort, "value": cohort["id"]}], "rollout_percentage": 100}]}
    await sandbox.make("feature_flags/", {"key": "for-a-cohort", "filters": filters})
    sent = await sandbox.get("feature_flags/local_evaluation/", send_cohorts="")
    assert sent["cohorts"][str(cohort["id"])] == values["properties"]
    assert (await sandbox.get("feature_flags/local_evaluation/"))["cohorts"] == {}
    person = (await sandbox.get(f"cohorts/{cohort['id']}/persons/", limit=1))["results"][0]
    for distinct_id, value in ((person["distinct_ids"][0], True), ("nobody at all", False)):
        found = await sandbox.get("feature_flags/evaluation_reasons/", distinct_id=distinct_id)
        assert found["for-a-cohort"]["value"] is value


async def test_a_flag_without_a_dashboard_gets_exactly_one(sandbox: Serving) -> None:
    body = {"key": "unwatched", "filters": FLAG, "_should_create_usage_dashboard": False}
    path = f"feature_flags/{(await sandbox.make('feature_flags/', body))['id']}/"
    responses = [(await sandbox.send("POST", f"{path}dashboard/")).json() for _ in range(2)]
    dashboards = [row for row in (await sandbox.get("dashboards/"))["results"] if "unwatched" in row["name"]]

    assert responses == [{"success": True}] * 2
    assert [row["id"] for row in dashboards] == [(await sandbox.get(path))["usage_dashboard"]]


async def test_flags_are_deleted_in_bulk_and_each_rejection_is_reported(sandbox: Serving) -> None:
    free = await sandbox.make("feature_flags/", {"key": "free", "filters": FLAG})
    base = await sandbox.make("feature_flags/", {"key": "needed", "filters": FLAG})
    on_base = {"key": str(base["id"]), "type": "flag", "value": True, "operator": "flag_evaluates_to"}
    await sandbox.make("feature_flags/", {"key": "needs", "filters": {"groups": [{"properties": [on_base]}]}})
    ids = [free["id"], base["id"], 999_999, free["id"]]

    response = await sandbox.send("POST", "feature_flags/bulk_delete/", {"ids": ids})
    assert response.status_code == 200
    assert response.json()["deleted"] == [
        {"id": free["id"], "key": "free", "rollout_state": "partial", "active_variant": None}
    ]
    assert [(error["id"], error.get("key")) for error in response.json()["errors"]] == [
        (base["id"], "needed"),
        (999_999, None),
        (free["id"], None),
    ]
    assert (await sandbox.get(f"feature_flags/{free['id']}/"))["deleted"] is True
    assert (await sandbox.get(f"feature_flags/{base['id']}/"))["deleted"] is False


async def test_flags_are_deleted_by_the_filters_of_their_list(sandbox: Serving) -> None:
    for key in ("old-one", "old-two", "kept"):
        await sandbox.make("feature_flags/", {"key": key, "filters": FLAG})
    before = (await sandbox.get("feature_flags/"))["count"]

    response = await sandbox.send("POST", "feature_flags/bulk_delete/", {"filters": {"search": "old-"}})
    assert {row["key"] for row in response.json()["deleted"]} == {"old-one", "old-two"}
    assert (await sandbox.get("feature_flags/"))["count"] == before - 2


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"filters": {}}, {"ids": [1], "filters": {"search": "a"}}])
async def test_a_bulk_deletion_without_ids_or_filters_deletes_nothing(sandbox: Serving, body: dict[str, Any]) -> None:
    before = (await sandbox.get("feature_flags/"))["count"]

    assert (await sandbox.send("POST", "feature_flags/bulk_delete/", body)).status_code == 400
    assert (await sandbox.get("feature_flags/"))["count"] == before


async def test_the_keys_of_flags_are_returned_by_id(sandbox: Serving) -> None:
    flag = await sandbox.make("feature_flags/", {"key": "asked-for", "filters": FLAG})

    response = await sandbox.send("POST", "feature_flags/bulk_keys/", {"ids": [flag["id"], 999_999]})
    assert response.json() == {"keys": {str(flag["id"]): "asked-for"}}


async def test_a_copy_of_an_experiment_is_a_draft_on_the_same_flag(sandbox: Serving) -> None:
    source = (await sandbox.get("experiments/", status="running"))["results"][0]
    path = f"experiments/{source['id']}/duplicate/"
    first, second = [(await sandbox.send("POST", path)).json() for _ in range(2)]

    assert (first["name"], second["name"]) == (f"{source['name']} (Copy)", f"{source['name']} (Copy) 2")
    assert (first["status"], first["start_date"], first["end_date"]) == ("draft", None, None)
    assert first["feature_flag"]["id"] == source["feature_flag"]["id"]
    assert [metric["metric_type"] for metric in first["metrics"]] == [
        metric["metric_type"] for metric in source["metrics"]
    ]
    assert not {metric["uuid"] for metric in first["metrics"]} & {metric["uuid"] for metric in source["metrics"]}
    own = (await sandbox.send("POST", path, {"feature_flag_key": "of-the-copy", "name": "Again"})).json()
    assert (own["name"], own["feature_flag_key"], own["feature_flag"]["active"]) == ("Again", "of-the-copy", False)


async def test_the_exposure_cohort_of_an_experiment_has_its_exposed_persons(sandbox: Serving) -> None:
    source = (await sandbox.get("experiments/", status="running"))["results"][0]
    path = f"experiments/{source['id']}/create_exposure_cohort_for_experiment/"
    response = await sandbox.send("POST", path)
    cohort = response.json()["cohort"]

    assert response.status_code == 201
    assert cohort["name"] == f'Users exposed to experiment "{source["name"]}"'
    assert cohort["experiment_set"] == [source["id"]]
    key = source["feature_flag_key"]
    exposed = await sandbox.query(
        "select uniq(person_id) from events where event = '$feature_flag_called' "
        f"and properties.`$feature/{key}` in ('control', 'test') and timestamp >= '{source['start_date'][:19]}'"
    )
    assert (await calculated(sandbox, cohort["id"]))["count"] == exposed["results"][0][0] > 0
    assert (await sandbox.get(f"experiments/{source['id']}/"))["exposure_cohort"] == cohort["id"]
    assert (await sandbox.rejection("POST", path))[2] == "Experiment already has an exposure cohort"
    draft = await sandbox.make("experiments/", {"name": "Not yet", "feature_flag_key": "not-yet"})
    rejected = await sandbox.rejection("POST", f"experiments/{draft['id']}/create_exposure_cohort_for_experiment/")
    assert rejected[2] == "Experiment does not have a start date"


async def test_a_cohort_counts_only_events_with_the_required_properties(sandbox: Serving) -> None:
    done = {"type": "behavioral", "key": "$pageview", "event_type": "events", "value": "performed_event"}
    chrome = {"key": "$browser", "type": "event", "operator": "exact", "value": ["Chrome"]}
    within = {"time_value": 30, "time_interval": "day"}
    counts: list[int] = []
    for more in ({}, {"event_filters": [chrome]}, {"event_filters": [{**chrome, "value": ["no such browser"]}]}):
        values = [{"type": "AND", "values": [{**done, **within, **more}]}]
        filters = {"properties": {"type": "OR", "values": values}}
        made = await sandbox.make("cohorts/", {"name": "Looked", "filters": filters})
        counts.append((await calculated(sandbox, made["id"]))["count"])

    assert counts[0] > counts[1] > counts[2] == 0


async def test_a_dashboard_streams_its_tiles_one_by_one(sandbox: Serving) -> None:
    board = await sandbox.make("dashboards/", {"name": "Streamed"})
    for name in ("first", "second"):
        query = trends(kind="EventsNode", event="$pageview")
        await sandbox.make("insights/", {"name": name, "query": query, "dashboards": [board["id"]]})

    response = await sandbox.send("GET", f"dashboards/{board['id']}/stream_tiles/", refresh="blocking")
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in response.text.strip().split("\n\n")]
    assert [event["type"] for event in events] == ["metadata", "tile", "tile", "complete"]
    assert (events[0]["dashboard"]["name"], events[0]["dashboard"]["tiles"]) == ("Streamed", [])
    assert [event["tile"]["insight"]["name"] for event in events[1:3]] == ["first", "second"]
    assert all(event["tile"]["insight"]["result"] for event in events[1:3])
    assert (await sandbox.send("GET", "dashboards/999999/stream_tiles/")).status_code == 404


async def test_a_recording_has_no_snapshots_to_play(sandbox: Serving) -> None:
    recording = (await sandbox.get("session_recordings/", date_from="-30d", limit=1))["results"][0]
    path = f"session_recordings/{recording['id']}/snapshots/"

    assert await sandbox.get(path) == {"sources": []}
    assert (await sandbox.send("GET", path, source="blob_v2", start_blob_key=0)).status_code == 404
    assert (await sandbox.send("GET", "session_recordings/none/snapshots/")).status_code == 404


async def test_a_definition_reports_its_query_usage(sandbox: Serving) -> None:
    event = (await sandbox.get("event_definitions/", limit=1))["results"][0]

    assert await sandbox.get(f"event_definitions/{event['id']}/metrics/") == {"query_usage_30_day": 0}
    assert (await sandbox.send("GET", "event_definitions/none/metrics/")).status_code == 404


async def test_splitting_a_person_is_rejected_and_changes_nothing(sandbox: Serving) -> None:
    person = (await sandbox.get("persons/", limit=1))["results"][0]

    status, _, detail, _ = await sandbox.rejection("POST", f"persons/{person['uuid']}/split/", {})
    assert status == 400
    assert "does not split persons" in detail
    assert (await sandbox.get("persons/", limit=1))["results"][0] == person


async def test_the_project_log_is_filtered_by_user(sandbox: Serving) -> None:
    await sandbox.make("dashboards/", {"name": "Logged"})
    me = await sandbox.get("/posthog/api/users/@me/")

    every = (await sandbox.get("activity_log/"))["total_count"]
    assert (await sandbox.get("activity_log/", user=me["id"]))["total_count"] == every > 0
    assert (await sandbox.get("activity_log/", user=99))["total_count"] == 0


async def test_the_log_of_a_resource_covers_all_of_its_rows(sandbox: Serving) -> None:
    made = [await sandbox.make("feature_flags/", {"key": key, "filters": FLAG}) for key in ("first-one", "second-one")]
    await sandbox.make("cohorts/", {"name": "Between", "is_static": True})
    await sandbox.patch(f"feature_flags/{made[0]['id']}/", {"active": False})

    page = await sandbox.get("feature_flags/activity/", limit=3)
    assert [(row["detail"]["name"], row["activity"]) for row in page["results"]] == [
        ("first-one", "updated"),
        ("second-one", "created"),
        ("first-one", "created"),
    ]
    assert page["total_count"] >= 3
    assert (await sandbox.get("persons/activity/"))["total_count"] == 0


async def test_cancelling_for_an_insight_is_201_even_if_nothing_is_running(sandbox: Serving) -> None:
    response = await sandbox.send("POST", "insights/cancel/", {"client_query_id": "nothing"})

    assert (response.status_code, response.content) == (201, b"")
    assert (await sandbox.rejection("POST", "insights/cancel/", {}))[3] == "client_query_id"


async def test_a_static_cohort_has_the_persons_a_flag_is_on_for(sandbox: Serving) -> None:
    mail = {"key": "email", "type": "person", "operator": "is_set", "value": "is_set"}
    filters = {"groups": [{"properties": [mail], "rollout_percentage": 50}]}
    flag = await sandbox.make("feature_flags/", {"key": "half", "filters": filters})
    response = await sandbox.send("POST", f"feature_flags/{flag['id']}/create_static_cohort_for_flag/")
    cohort = await calculated(sandbox, response.json()["cohort"]["id"])
    with_mail = (await sandbox.query("select count() from persons where properties.email is not null"))["results"][0][0]

    assert (response.status_code, cohort["is_static"]) == (201, True)
    assert cohort["name"].startswith("Users with feature flag half enabled at 2026-11-23 ")
    assert 0.35 * with_mail < cohort["count"] < 0.65 * with_mail
    member = (await sandbox.get(f"cohorts/{cohort['id']}/persons/", limit=1))["results"][0]
    reasons = await sandbox.get("feature_flags/evaluation_reasons/", distinct_id=min(member["distinct_ids"]))
    assert reasons["half"]["value"] is True
    await sandbox.patch(f"feature_flags/{flag['id']}/", {"active": False})
    off = await sandbox.send("POST", f"feature_flags/{flag['id']}/create_static_cohort_for_flag/")
    assert (await calculated(sandbox, off.json()["cohort"]["id"]))["count"] == 0
