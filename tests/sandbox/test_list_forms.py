"""Filters, orderings and fields of lists that their own tests do not ask for."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from .sandbox_client import FLAG, Serving, serving

pytestmark = pytest.mark.anyio

SQL = {"kind": "DataVisualizationNode", "source": {"kind": "HogQLQuery", "query": "select 1"}}


@pytest.fixture
async def sandbox() -> AsyncGenerator[Serving]:
    async with serving() as running:
        yield running


async def ids(sandbox: Serving, area: str, **query: Any) -> list[Any]:
    return [row["id"] for row in (await sandbox.get(area, **query))["results"]]


async def test_a_basic_list_of_insights_has_no_fields_of_results(sandbox: Serving) -> None:
    whole = (await sandbox.get("insights/"))["results"]
    basic = (await sandbox.get("insights/", basic="true"))["results"]

    assert {"result", "columns", "hasMore", "query_status"} <= whole[0].keys()
    assert not {"result", "columns", "hasMore", "query_status"} & basic[0].keys()
    assert [row["id"] for row in basic] == [row["id"] for row in whole]
    assert {"name", "short_id", "query", "last_refresh"} <= basic[0].keys()


async def test_insights_of_ones_own_are_all_of_them_with_one_user(sandbox: Serving) -> None:
    assert await ids(sandbox, "insights/", user="true") == await ids(sandbox, "insights/")
    assert await ids(sandbox, "insights/", created_by="[99]") == []


async def test_what_was_viewed_is_remembered_and_orders_the_list(sandbox: Serving) -> None:
    made = [await sandbox.make("insights/", {"query": SQL, "name": name}) for name in "ab"]
    for moment, row in (("2026-11-22T10:00:00Z", made[1]), ("2026-11-22T11:00:00Z", made[0])):
        await sandbox.send("POST", "/sandbox/clock", {"now": moment, "frozen": True})
        answer = await sandbox.send("POST", "insights/viewed/", {"insight_ids": [row["id"], 10**6]})
        assert answer.status_code == 201

    wanted = [made[0]["id"], made[1]["id"]]
    assert (await ids(sandbox, "insights/", order="-last_viewed_at"))[:2] == wanted
    assert [row["id"] for row in await sandbox.get("insights/my_last_viewed/")] == wanted
    assert [row["id"] for row in await sandbox.get("insights/trending/", limit=1)] == wanted[:1]
    await sandbox.send("POST", "/sandbox/clock", {"now": "2026-12-22T10:00:00Z"})
    assert await sandbox.get("insights/trending/", days=7) == []
    assert (await sandbox.send("POST", "insights/viewed/", {})).status_code == 400


async def test_flags_that_depend_on_a_flag_are_named(sandbox: Serving) -> None:
    base = await sandbox.make("feature_flags/", {"key": "base", "filters": FLAG})
    on_base = {"key": str(base["id"]), "type": "flag", "value": True, "operator": "flag_evaluates_to"}
    filters = {"groups": [{"properties": [on_base], "rollout_percentage": 100}]}
    above = await sandbox.make("feature_flags/", {"key": "above", "name": "On top", "filters": filters})

    found = await sandbox.get(f"feature_flags/{base['id']}/dependent_flags/")
    assert found == [{"id": above["id"], "key": "above", "name": "On top"}]
    assert await sandbox.get(f"feature_flags/{above['id']}/dependent_flags/") == []


async def test_actions_are_ordered_by_each_of_their_orderings(sandbox: Serving) -> None:
    made = [await sandbox.make("actions/", {"name": name, "steps": []}) for name in ("zz last", "aa first")]

    names = [row["name"] for row in (await sandbox.get("actions/", ordering="name"))["results"]]
    assert names == sorted(names)
    for ordering in ("created_by", "-created_by", "pinned_at", "created_at"):
        assert set(await ids(sandbox, "actions/", ordering=ordering)) >= {row["id"] for row in made}


@pytest.mark.parametrize("limit", ["0", "-1", "many", ""])
@pytest.mark.parametrize("area", ["feature_flags/", "insights/", "dashboards/", "annotations/", "experiments/"])
async def test_a_limit_that_is_no_number_of_rows_means_the_default(sandbox: Serving, area: str, limit: str) -> None:
    assert await ids(sandbox, area, limit=limit) == await ids(sandbox, area)


@pytest.mark.parametrize("area", ["feature_flags/", "surveys/", "cohorts/"])
async def test_beyond_the_end_a_page_is_empty_and_its_count_true(sandbox: Serving, area: str) -> None:
    page = await sandbox.get(area, offset=10_000)

    assert page["results"] == []
    assert page["count"] == len(await ids(sandbox, area)) > 0
