"""Queries that use the project's own objects: cohorts, actions, filters, variables, system tables."""

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import FLAG, Serving, Shared, serving
from ..shared_data import open_shared
from .hogql_calls import rejection, scalar

pytestmark = pytest.mark.anyio

EVENTS = 3_000


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(EVENTS) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def cohort(*values: dict[str, Any], joint: str = "AND") -> dict[str, Any]:
    return {"properties": {"type": "OR", "values": [{"type": joint, "values": list(values)}]}}


PURCHASED = {
    "type": "behavioral", "key": "$pageview", "event_type": "events", "value": "performed_event",
    "time_value": 30, "time_interval": "day",
}  # fmt: skip
OFTEN = {**PURCHASED, "value": "performed_event_multiple", "operator": "gte", "operator_value": 5}
CHROME = {"type": "person", "key": "$browser", "operator": "exact", "value": ["Chrome"]}


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        (cohort(CHROME), "properties.$browser = 'Chrome'"),
        (
            cohort(PURCHASED),
            "id in (select person_id from events where event = '$pageview' and timestamp >= now() - interval 30 day)",
        ),
        (
            cohort(OFTEN, CHROME),
            "properties.$browser = 'Chrome' and id in (select person_id from events where event = '$pageview' "
            "and timestamp >= now() - interval 30 day group by person_id having count() >= 5)",
        ),
        (cohort({**CHROME, "negation": True}), "properties.$browser != 'Chrome'"),
    ],
)
async def test_a_cohort_in_a_query_has_the_persons_that_match_its_filters(
    sandbox: Serving, filters: dict[str, Any], condition: str
) -> None:
    made = await sandbox.make("cohorts/", {"name": "Mine", "filters": filters})
    expected = await scalar(sandbox, f"select count() from persons where {condition}")
    everyone = await scalar(sandbox, "select count() from persons")

    assert 0 < expected < everyone
    assert await scalar(sandbox, f"select count() from persons where id in cohort {made['id']}") == expected
    assert await scalar(sandbox, "select count() from persons where id in cohort 'Mine'") == expected
    assert await scalar(sandbox, "select count() from persons where id not in cohort 'Mine'") == everyone - expected
    assert await scalar(sandbox, f"select count() from cohort_people where cohort_id = {made['id']}") == expected
    assert len((await sandbox.get(f"cohorts/{made['id']}/persons/", limit=1000))["results"]) == expected


async def test_a_cohort_can_refer_to_a_cohort(sandbox: Serving) -> None:
    inner = await sandbox.make("cohorts/", {"name": "Chrome", "filters": cohort(CHROME)})
    nested = cohort({"type": "cohort", "key": "id", "value": inner["id"], "negation": True})
    await sandbox.make("cohorts/", {"name": "Others", "filters": nested})
    chrome = await scalar(sandbox, "select count() from persons where id in cohort 'Chrome'")
    others = await scalar(sandbox, "select count() from persons where id in cohort 'Others'")

    assert chrome > 0
    assert others > 0
    assert chrome + others == await scalar(sandbox, "select count() from persons")


async def test_a_static_cohort_in_a_query_has_its_members(sandbox: Serving) -> None:
    listed = await sandbox.query("select id from persons order by id limit 3")
    people = [row[0] for row in listed["results"]]
    made = await sandbox.make("cohorts/", {"name": "Listed", "is_static": True, "_create_static_person_ids": people})
    found = await sandbox.query("select id from persons where id in cohort 'Listed' order by id")
    stored = await sandbox.query(
        f"select person_id, person.created_at from static_cohort_people where cohort_id = {made['id']} order by 1"
    )

    assert [row[0] for row in found["results"]] == people
    assert [row[0] for row in stored["results"]] == people
    assert all(row[1] for row in stored["results"])
    assert await scalar(sandbox, f"select count() from cohort_people where cohort_id = {made['id']}") == 0


async def test_unsupported_cohorts_are_rejected(sandbox: Serving) -> None:
    for _ in range(2):
        await sandbox.make("cohorts/", {"name": "Twice", "filters": cohort(CHROME)})
    lifecycle = {**PURCHASED, "value": "performed_event_regularly"}
    odd = await sandbox.make("cohorts/", {"name": "Odd", "filters": cohort(lifecycle)})
    text = "select count() from persons where id in cohort "

    assert "Could not find a cohort with id 99999" in await rejection(sandbox, text + "99999")
    assert "Found multiple cohorts" in await rejection(sandbox, text + "'Twice'")
    assert "performed_event_regularly" in await rejection(sandbox, text + str(odd["id"]))
    await sandbox.patch(f"cohorts/{odd['id']}/", {"deleted": True})
    assert "Could not find a cohort" in await rejection(sandbox, text + str(odd["id"]))


@pytest.mark.parametrize(
    ("steps", "condition"),
    [
        ([{"event": "$pageview"}], "event = '$pageview'"),
        (
            [{"event": "$pageview", "url": "/pricing"}],
            "event = '$pageview' and properties.$current_url like '%/pricing%'",
        ),
        (
            [{"event": "$pageview", "url": "example/$", "url_matching": "regex"}],
            "event = '$pageview' and match(properties.$current_url, 'example/$')",
        ),
        (
            [{"event": "$pageview", "url": "https://www.quillboard.example/", "url_matching": "exact"}],
            "event = '$pageview' and properties.$current_url = 'https://www.quillboard.example/'",
        ),
        (
            [{"event": "$pageview", "properties": [{"key": "$browser", "value": ["Chrome"], "type": "event"}]}],
            "event = '$pageview' and properties.$browser = 'Chrome'",
        ),
        ([{"event": "$pageview"}, {"event": "$autocapture"}], "event in ('$pageview', '$autocapture')"),
        ([{"event": "$autocapture", "text": "Share"}], "event = '$autocapture' and has(elements_chain_texts, 'Share')"),
        ([{"event": "$autocapture", "href": "/signup"}], "event = '$autocapture' and elements_chain_href = '/signup'"),
        ([{"event": "$autocapture", "tag_name": "button"}], "elements_chain like 'button%'"),
        (
            [{"event": "$autocapture", "selector": "div.actions > button.btn"}],
            "elements_chain like 'button.btn.%;div.actions:%'",
        ),
        ([{"event": "$autocapture", "selector": "body a[href='/signup']"}], "elements_chain_href = '/signup'"),
        ([{"event": "$autocapture", "selector": "a.btn-primary.btn"}], "elements_chain like 'a.btn.btn-primary:%'"),
    ],
)
async def test_an_action_in_a_query_matches_its_steps(
    sandbox: Serving, steps: list[dict[str, Any]], condition: str
) -> None:
    made = await sandbox.make("actions/", {"name": "Did it", "steps": steps})
    expected = await scalar(sandbox, f"select count() from events where {condition}")

    assert 0 < expected < EVENTS
    assert await scalar(sandbox, f"select count() from events where matchesAction({made['id']})") == expected
    assert await scalar(sandbox, "select countIf(matchesAction('Did it')) from events") == expected


async def test_an_action_applies_to_the_events_among_joined_tables(sandbox: Serving) -> None:
    steps = [{"event": "$pageview", "properties": [{"key": "$browser", "value": ["Chrome"], "type": "event"}]}]
    await sandbox.make("actions/", {"name": "Did it", "steps": steps})
    joined = "from events e join persons p on e.person_id = p.id"
    expected = f"select count() {joined} where e.event = '$pageview' and e.properties.$browser = 'Chrome'"

    found = await scalar(sandbox, f"select countIf(matchesAction('Did it')) as event {joined}")
    assert found == await scalar(sandbox, expected) > 0
    assert "only be used on events" in await rejection(sandbox, "select matchesAction('Did it') from persons")


async def test_unsupported_actions_are_rejected(sandbox: Serving) -> None:
    await sandbox.make("actions/", {"name": "Odd", "steps": [{"event": "$autocapture", "selector": "a:has(b)"}]})
    await sandbox.make("actions/", {"name": "Empty", "steps": []})

    assert "a:has(b)" in await rejection(sandbox, "select count() from events where matchesAction('Odd')")
    assert "Could not find an action 'Nobody'" in await rejection(sandbox, "select matchesAction('Nobody') from events")
    assert await scalar(sandbox, "select count() from events where matchesAction('Empty')") == 0


async def test_variables_are_values_and_the_request_overrides_them(sandbox: Serving) -> None:
    text = "select count() from events where event = {variables.name}"
    given = {"v1": {"variableId": "v1", "code_name": "name", "value": "$pageview"}}
    other = {"v1": {"variableId": "v1", "code_name": "name", "value": "$autocapture"}}
    views = await scalar(sandbox, "select count() from events where event = '$pageview'")
    clicks = await scalar(sandbox, "select count() from events where event = '$autocapture'")
    body = {"query": {"kind": "HogQLQuery", "query": text, "variables": given}, "variables_override": other}

    assert await scalar(sandbox, text, variables=given) == views
    assert (await sandbox.send("POST", "query/", body)).json()["results"] == [[clicks]]
    assert await scalar(sandbox, text, variables={"v1": {**given["v1"], "isNull": True}}) == 0
    assert "Variable name is missing" in await rejection(sandbox, text)


async def test_a_new_flag_is_visible_to_a_query(sandbox: Serving) -> None:
    key = "hostile'\\`{}-- \n\u2028/*"
    flag = await sandbox.make("feature_flags/", {"key": "fresh", "name": key, "filters": FLAG})
    response = await sandbox.query(
        "select id, key, name, active, deleted, filters, filters.groups, created_at "
        "from system.feature_flags where key = 'fresh'"
    )

    row = response["results"][0]
    assert row[:5] == [flag["id"], "fresh", key, True, False]
    assert json.loads(row[5]) == flag["filters"]
    assert json.loads(row[6]) == flag["filters"]["groups"]
    assert row[7].startswith("2026-11-23T07:00:00")
    assert response["types"][0] == ["id", "Int64"]


@pytest.mark.parametrize(
    "name", ["actions", "annotations", "cohorts", "dashboards", "experiments", "feature_flags", "insights", "surveys"]
)
async def test_system_tables_have_the_rows_of_the_lists(sandbox: Serving, name: str) -> None:
    deleted = "0" if name == "surveys" else "deleted"
    listed = await sandbox.get(f"{name}/", limit=500)
    table = await sandbox.query(f"select id from system.{name} where not {deleted} limit 1000")

    rows = {str(row["id"]) for row in listed["results"]}
    assert rows <= {str(row[0]) for row in table["results"]}
    assert await sandbox.query(f"select * from system.{name} limit 1")
    body = {"query": {"kind": "HogQLQuery", "query": f"select count() from system.{name}"}}
    other = (await sandbox.send("POST", "/posthog/api/projects/2/query/", body)).json()
    assert other["results"] == [[0]]


async def test_experiments_join_to_their_flags_and_a_project_sees_only_itself(sandbox: Serving) -> None:
    response = await sandbox.query(
        "select e.name, f.key from system.experiments e join system.feature_flags f on e.feature_flag_id = f.id"
    )
    listed = {item["name"]: item["feature_flag_key"] for item in (await sandbox.get("experiments/"))["results"]}

    assert listed.items() <= dict(response["results"]).items()
    assert listed
    assert await scalar(sandbox, "select groupArray(id) from system.teams") == [1]


async def test_system_tables_join_with_events(sandbox: Serving) -> None:
    response = await sandbox.query(
        "select f.key, count() from events e join system.feature_flags f "
        "on e.properties.$feature_flag = f.key group by 1"
    )
    assert response["results"]


async def test_a_table_beyond_the_parsers_limit_is_still_read(sandbox: Serving) -> None:
    for number in range(3):
        await sandbox.make("annotations/", {"content": f"{number}" * 8_000, "scope": "project", "date_marker": None})
    for number in range(20):
        body = {"name": f"Long {number}", "description": "x" * 20_000}
        await sandbox.make("dashboards/", body)

    assert await scalar(sandbox, "select max(length(description)) from system.dashboards") == 20_000
