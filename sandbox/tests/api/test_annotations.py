"""Annotations: scopes, parents, soft deletion, visibility in other projects."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from posthog_sandbox.api.annotations import ROUTES
from posthog_sandbox.api.dashboards.resource import DASHBOARDS
from posthog_sandbox.api.insights.resource import INSIGHTS
from posthog_sandbox.http.resource import routes

from .resource_calls import Resources

pytestmark = pytest.mark.anyio

QUERY: dict[str, Any] = {"kind": "InsightVizNode", "source": {"kind": "TrendsQuery", "series": []}}


@pytest.fixture
def api() -> Iterator[Resources]:
    with closing(Resources((*ROUTES, *routes(DASHBOARDS), *routes(INSIGHTS)))) as opened:
        yield opened


async def test_an_empty_body_creates_an_annotation_of_an_insight(api: Resources) -> None:
    made = await api.make("annotations/")

    assert made["scope"] == "dashboard_item"
    assert made["creation_type"] == "USR"
    assert made["content"] is made["date_marker"] is made["dashboard_item"] is None
    assert made["deleted"] is False
    assert made["tags"] == []
    assert not [name for name in made if name.startswith("_")]


async def test_an_annotation_names_its_insight_and_dashboard(api: Resources) -> None:
    insight = await api.make("insights/", name="Sign-ups", query=QUERY)
    dashboard = await api.make("dashboards/", name="Growth")

    made = await api.make(
        "annotations/", content="Launch", dashboard_item=insight["id"], dashboard_id=dashboard["id"], emoji=""
    )

    assert made["insight_short_id"] == insight["short_id"]
    assert made["insight_name"] == "Sign-ups"
    assert made["dashboard_name"] == "Growth"
    assert made["emoji"] is None


@pytest.mark.parametrize(
    ("body", "detail", "code", "attr"),
    [
        ({"scope": "recording"}, "Recording scope is deprecated", "invalid_input", None),
        ({"scope": "person"}, '"person" is not a valid choice.', "invalid_choice", "scope"),
        ({"dashboard_id": 99}, "Dashboard not found.", "invalid_input", "dashboard_id"),
        ({"dashboard_item": 99}, 'Invalid pk "99" - object does not exist.', "does_not_exist", "dashboard_item"),
        ({"content": "x" * 8193}, "Ensure this field has no more than 8192 characters.", "max_length", "content"),
        ({"creation_type": "BOT"}, '"BOT" is not a valid choice.', "invalid_choice", "creation_type"),
        (
            {"scope": "tag"},
            "Tags are required for the tag scope, and only allowed there.",
            "invalid_input",
            "tags",
        ),
    ],
)
async def test_an_invalid_value_is_400(
    api: Resources, body: dict[str, Any], detail: str, code: str, attr: str | None
) -> None:
    rejected = await api.send("POST", "annotations/", body)

    assert rejected.status == 400
    assert rejected.body == {"type": "validation_error", "code": code, "detail": detail, "attr": attr}
    assert (await api.get("annotations/"))["count"] == 0


async def test_a_parent_of_another_project_is_not_found(api: Resources) -> None:
    dashboard = await api.make("/2/dashboards/", name="Other")

    assert (await api.send("POST", "annotations/", {"dashboard_id": dashboard["id"]})).detail == "Dashboard not found."


async def test_a_page_has_1000_annotations(api: Resources) -> None:
    first = await api.make("annotations/", scope="project")
    with api.store.transaction() as rows:
        for _ in range(1000):
            rows.insert("annotations", 1, {name: value for name, value in first.items() if name != "id"})

    page = await api.get("annotations/")

    assert page["count"] == 1001
    assert len(page["results"]) == 1000
    assert page["next"] == "https://us.posthog.com/api/projects/1/annotations/?limit=1000&offset=1000"


async def test_annotations_within_the_requested_dates_are_listed_latest_first(api: Resources) -> None:
    for day in (3, 1, 2, 4):
        await api.make("annotations/", content=f"day {day}", date_marker=f"2026-11-0{day}T12:00:00+02:00")

    page = await api.get("annotations/", date_from="2026-11-02T00:00:00Z", date_to="2026-11-04")

    assert [row["content"] for row in page["results"]] == ["day 3", "day 2"]
    assert page["results"][0]["date_marker"] == "2026-11-03T10:00:00Z"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"scope": "person"}, "Invalid scope: person"),
        ({"date_from": "-7d"}, "Invalid date range: date_from must be a valid ISO 8601 date"),
        ({"date_from": "2026-11-02", "date_to": "2026-11-01"}, "Invalid date range: date_from must be before date_to"),
    ],
)
async def test_an_invalid_filter_is_400(api: Resources, query: dict[str, str], detail: str) -> None:
    rejected = await api.send("GET", "annotations/", **query)

    assert (rejected.status, rejected.detail) == (400, detail)


async def test_lists_are_searched_and_filtered(api: Resources) -> None:
    await api.make("annotations/", content="Deploy 1", scope="project", hidden_in_user_interface=True)
    await api.make("annotations/", content="Deploy 2", scope="dashboard")
    await api.make("annotations/", content="Outage")

    async def contents(**query: str) -> set[str]:
        return {row["content"] for row in (await api.get("annotations/", **query))["results"]}

    assert await contents(search="dePLOY") == {"Deploy 1", "Deploy 2"}
    assert await contents(scope="insight") == {"Outage"}
    assert await contents(hidden_in_user_interface="true") == {"Deploy 1"}
    assert await contents(hidden_in_user_interface="no") == {"Deploy 2", "Outage"}


async def test_a_deleted_annotation_is_only_visible_to_patch(api: Resources) -> None:
    path = f"annotations/{(await api.make('annotations/', content='gone'))['id']}/"

    assert (await api.send("DELETE", path)).status == 405
    assert (await api.patch(path, deleted=True))["deleted"] is True

    assert (await api.get("annotations/"))["count"] == 0
    assert (await api.send("GET", path)).status == 404
    assert (await api.send("PUT", path, {"deleted": False})).status == 404
    assert (await api.patch(path, deleted=False))["deleted"] is False
    assert (await api.get(path))["content"] == "gone"


async def test_an_annotation_hides_with_its_deleted_dashboard(api: Resources) -> None:
    dashboard = await api.make("dashboards/", name="Growth")
    made = await api.make("annotations/", scope="dashboard", dashboard_id=dashboard["id"])
    path = f"annotations/{made['id']}/"

    await api.patch(f"dashboards/{dashboard['id']}/", deleted=True)
    assert (await api.send("PATCH", path, {"content": "new"})).status == 404
    assert (await api.get("annotations/"))["count"] == 0

    await api.patch(f"dashboards/{dashboard['id']}/", deleted=False)
    assert (await api.get("annotations/"))["count"] == 1


async def test_organization_annotations_show_in_every_project_and_move_to_the_project_that_edits_them(
    api: Resources,
) -> None:
    shared = await api.make("annotations/", content="shared", scope="organization")
    own = await api.make("annotations/", content="own", scope="project")

    assert [row["content"] for row in (await api.get("/2/annotations/"))["results"]] == ["shared"]
    assert (await api.send("GET", f"/2/annotations/{own['id']}/")).status == 404

    await api.patch(f"/2/annotations/{shared['id']}/", scope="project")
    assert [row["content"] for row in (await api.get("annotations/"))["results"]] == ["own"]
    assert (await api.get(f"/2/annotations/{shared['id']}/"))["scope"] == "project"
