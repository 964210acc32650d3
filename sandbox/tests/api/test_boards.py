"""Dashboards, insights and the tiles between them."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ..sandbox_client import Serving, serving

pytestmark = pytest.mark.anyio

QUERY: dict[str, Any] = {"kind": "InsightVizNode", "source": {"kind": "TrendsQuery", "series": []}}
LATEST = ["Most frequent exceptions", "New, returning, resurrecting and dormant users", "Paths from the landing page"]


@pytest.fixture
async def sandbox() -> AsyncGenerator[Serving]:
    async with serving() as running:
        yield running


async def board(sandbox: Serving, name: str = "Board", **more: Any) -> dict[str, Any]:
    return await sandbox.make("dashboards/", {"name": name, **more})


async def insight(sandbox: Serving, *dashboards: int, **more: Any) -> dict[str, Any]:
    return await sandbox.make("insights/", {"name": "Insight", "query": QUERY, "dashboards": dashboards, **more})


def names(page: Any) -> list[str]:
    return [row["name"] for row in page["results"]]


async def test_a_dashboard_has_no_required_fields(sandbox: Serving) -> None:
    made = await sandbox.make("dashboards/", {})

    assert made["name"] is None
    assert made["tiles"] == []


async def test_the_list_of_dashboards_ignores_search_and_shows_no_tiles(sandbox: Serving) -> None:
    page = await sandbox.get("dashboards/", search="no such name")

    assert names(page)[0] == "Product overview"
    assert all("tiles" not in row for row in page["results"])


async def test_pinned_dashboards_come_first_then_by_name(sandbox: Serving) -> None:
    await board(sandbox, "A", tags=["Mine "])
    await board(sandbox, "Z", pinned=True)

    assert names(await sandbox.get("dashboards/")) == ["Product overview", "Z", "A", "Revenue"]
    assert names(await sandbox.get("dashboards/", tags="mine")) == ["A"]


async def test_an_insight_is_added_to_and_removed_from_dashboards(sandbox: Serving) -> None:
    first, second = await board(sandbox), await board(sandbox)
    made = await insight(sandbox, first["id"])
    moved = await sandbox.patch(f"insights/{made['id']}/", {"dashboards": [second["id"]]})

    assert (made["dashboards"], moved["dashboards"]) == ([first["id"]], [second["id"]])
    assert (await sandbox.get(f"dashboards/{first['id']}/"))["tiles"] == []
    [tile] = (await sandbox.get(f"dashboards/{second['id']}/"))["tiles"]
    assert tile["insight"]["short_id"] == made["short_id"]


async def test_an_insight_on_a_missing_dashboard_is_rejected_as_a_whole(sandbox: Serving) -> None:
    before = (await sandbox.get("insights/"))["count"]
    body = {"name": "x", "query": QUERY, "dashboards": [999]}

    assert (await sandbox.rejection("POST", "insights/", body))[0] == 400
    assert (await sandbox.get("insights/"))["count"] == before


async def test_deleting_a_dashboard_can_delete_its_own_insights_and_restoring_it_restores_them(
    sandbox: Serving,
) -> None:
    doomed, other = await board(sandbox), await board(sandbox)
    own = await insight(sandbox, doomed["id"])
    shared = await insight(sandbox, doomed["id"], other["id"])
    path = f"dashboards/{doomed['id']}/"
    await sandbox.patch(path, {"deleted": True, "delete_insights": True})

    assert (await sandbox.send("GET", path)).status_code == 404
    assert (await sandbox.send("GET", f"insights/{own['id']}/")).status_code == 404
    assert (await sandbox.get(f"insights/{shared['id']}/"))["dashboards"] == [other["id"]]
    assert len((await sandbox.patch(path, {"deleted": False}))["tiles"]) == 2
    assert (await sandbox.get(f"insights/{own['id']}/"))["deleted"] is False


async def test_a_dashboard_is_copied_or_created_from_a_template_but_not_both(sandbox: Serving) -> None:
    [source] = [row for row in (await sandbox.get("dashboards/"))["results"] if row["name"] == "Product overview"]
    copy = await board(sandbox, use_dashboard=source["id"])

    assert (copy["creation_mode"], len(copy["tiles"])) == ("duplicate", 4)
    body = {"use_dashboard": source["id"], "use_template": "DEFAULT_APP"}
    assert (await sandbox.rejection("POST", "dashboards/", body))[0] == 400


async def test_tiles_are_moved_and_texts_are_added(sandbox: Serving) -> None:
    made = await board(sandbox)
    await insight(sandbox, made["id"])
    [tile] = (await sandbox.get(f"dashboards/{made['id']}/"))["tiles"]
    changes = [{"id": tile["id"], "color": "blue"}, {"text": {"body": "# Notes"}}]
    changed = await sandbox.patch(f"dashboards/{made['id']}/", {"tiles": changes})

    assert [item["color"] for item in changed["tiles"]] == ["blue", None]
    assert [item["text"] and item["text"]["body"] for item in changed["tiles"]] == [None, "# Notes"]


async def test_tiles_are_shown_from_top_to_bottom_and_those_without_a_layout_last(sandbox: Serving) -> None:
    made = await board(sandbox)
    for _ in range(3):
        await insight(sandbox, made["id"])
    tiles = (await sandbox.get(f"dashboards/{made['id']}/"))["tiles"]
    first, second, third = (tile["id"] for tile in tiles)
    assert [tile["layouts"] for tile in tiles] == [{}, {}, {}], "PostHog's app places new insights, not its API"
    boxes = {second: {"x": 6, "y": 0, "w": 6, "h": 5}, third: {"x": 0, "y": 0, "w": 6, "h": 5}}
    changes = [{"id": number, "layouts": {"sm": box}, "order": 9} for number, box in boxes.items()]
    changed = await sandbox.patch(f"dashboards/{made['id']}/", {"tiles": changes})

    assert [(tile["id"], tile["order"]) for tile in changed["tiles"]] == [(third, 0), (second, 1), (first, 2)]
    assert changed["tiles"][0]["layouts"] == {"sm": boxes[third]}


async def test_a_text_has_an_id_and_an_author_of_its_own_and_its_body_is_trimmed(sandbox: Serving) -> None:
    made = await board(sandbox)
    path = f"dashboards/{made['id']}/"
    box = {"sm": {"x": 0, "y": 0, "w": 12, "h": 1}}
    changed = await sandbox.patch(path, {"tiles": [{"text": {"body": "  # Notes\n"}, "layouts": box}]})
    [tile] = changed["tiles"]
    assert (tile["text"]["body"], tile["layouts"], tile["insight"]) == ("# Notes", box, None)
    assert tile["text"]["id"] != tile["id"]
    assert tile["text"]["created_by"]["email"] == "sandbox@quillboard.example"
    edited = {"id": tile["id"], "text": {**tile["text"], "body": "New"}}
    [after] = (await sandbox.patch(path, {"tiles": [edited]}))["tiles"]
    assert (after["id"], after["text"]["id"], after["text"]["body"]) == (tile["id"], tile["text"]["id"], "New")
    assert after["layouts"] == box


async def test_tiles_of_another_dashboard_are_left_alone_and_insights_are_not_placed_by_a_patch(
    sandbox: Serving,
) -> None:
    made, other = await board(sandbox), await board(sandbox)
    placed = await insight(sandbox, other["id"])
    [tile] = (await sandbox.get(f"dashboards/{other['id']}/"))["tiles"]
    changes: list[Any] = [
        {"id": tile["id"], "color": "blue"},
        {"insight": placed["id"], "layouts": {}},
        {"id": 999, "color": "red"},
    ]

    assert (await sandbox.patch(f"dashboards/{made['id']}/", {"tiles": changes}))["tiles"] == []
    assert (await sandbox.get(f"dashboards/{other['id']}/"))["tiles"][0]["color"] is None


@pytest.mark.parametrize(
    ("wrong", "status", "attr"),
    [
        ({"text": {"body": "x" * 4001}}, 400, "text__body"),
        ({"text": {"body": ["x"]}}, 400, "text__body"),
        ({"text": {"body": "x", "id": 7}}, 400, "text"),
        ({"text": "x"}, 500, None),
        ("x", 500, None),
        ({"id": 1, "layouts": None}, 500, None),
    ],
)
async def test_tiles_before_a_rejected_one_are_stored(
    sandbox: Serving, wrong: Any, status: int, attr: str | None
) -> None:
    made = await board(sandbox)
    path = f"dashboards/{made['id']}/"
    sent = {"name": "Renamed", "tiles": [{"text": {"body": "First"}}, wrong, {"text": {"body": "Last"}}]}
    response = await sandbox.send("PATCH", path, sent)
    after = await sandbox.get(path)

    assert (response.status_code, response.json()["attr"]) == (status, attr)
    assert [tile["text"]["body"] for tile in after["tiles"]] == ["First"]
    assert after["name"] == "Renamed"


async def test_tiles_of_a_new_dashboard_are_ignored(sandbox: Serving) -> None:
    assert (await board(sandbox, tiles=[{"text": {"body": "x"}}]))["tiles"] == []


async def test_an_insight_is_found_by_its_number_and_its_short_id(sandbox: Serving) -> None:
    made = await insight(sandbox)

    assert len(made["short_id"]) == 8
    assert (await sandbox.get(f"insights/{made['short_id']}/"))["id"] == made["id"]
    assert (await sandbox.get(f"insights/{made['id']}/"))["short_id"] == made["short_id"]
    assert (await sandbox.send("GET", "insights/@current/")).status_code == 404


async def test_a_bare_query_is_stored_unchanged_and_not_saved_by_default(sandbox: Serving) -> None:
    made = await insight(sandbox, query={"kind": "TrendsQuery", "series": []})

    assert made["query"] == {"kind": "TrendsQuery", "series": []}
    assert made["saved"] is False
    assert made["result"] is None
    assert "Insight" not in names(await sandbox.get("insights/", saved="true"))


async def test_an_insight_needs_a_query_object_and_no_legacy_filters(sandbox: Serving) -> None:
    assert (await sandbox.rejection("POST", "insights/", {"query": "select 1"}))[:2] == (400, "not_a_dict")
    assert (await sandbox.rejection("POST", "insights/", {"filters": {"insight": "TRENDS"}}))[0] == 403


@pytest.mark.parametrize("wrong", ["false", 0, None])
async def test_only_false_as_json_in_a_patch_restores_an_insight(sandbox: Serving, wrong: Any) -> None:
    made = await insight(sandbox)
    path = f"insights/{made['id']}/"
    await sandbox.patch(path, {"deleted": True})

    for method, body in (("PATCH", {"deleted": wrong}), ("PUT", {"deleted": False}), ("GET", None)):
        assert (await sandbox.send(method, path, body)).status_code == 404
    assert (await sandbox.patch(path, {"deleted": False}))["deleted"] is False


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"insight": "FUNNELS"}, ["Sign-up to purchase"]),
        ({"insight": "SQL"}, ["Purchases by browser", "Most frequent exceptions"]),
        ({"search": "RETENTION"}, ["Weekly retention"]),
        ({"events": '["subscription_renewed"]'}, []),
        ({"date_from": "-55d", "order": "name"}, LATEST),
        ({"created_date_from": "-55d", "order": "-name"}, LATEST[::-1]),
        ({"favorited": "true"}, []),
    ],
)
async def test_the_list_of_insights_is_filtered(sandbox: Serving, query: dict[str, str], found: list[str]) -> None:
    assert names(await sandbox.get("insights/", **query)) == found


async def test_insights_are_filtered_by_all_of_the_given_dashboards(sandbox: Serving) -> None:
    first, second = await board(sandbox), await board(sandbox)
    both = await insight(sandbox, first["id"], second["id"])
    await insight(sandbox, first["id"])
    page = await sandbox.get("insights/", dashboards=f"[{first['id']}, {second['id']}]")

    assert [row["id"] for row in page["results"]] == [both["id"]]
    assert (await sandbox.rejection("GET", "insights/", dashboards="{}"))[0] == 400


@pytest.mark.parametrize(
    ("limit", "offset", "shown"), [("2", "1", 2), ("0", "0", 9), ("-3", "x", 9), ("many", "-1", 9), ("5", "100", 0)]
)
async def test_invalid_limits_mean_the_default_and_an_offset_past_the_end_keeps_the_count(
    sandbox: Serving, limit: str, offset: str, shown: int
) -> None:
    page = await sandbox.get("insights/", limit=limit, offset=offset)

    assert page["count"] == 9
    assert len(page["results"]) == shown


async def test_the_links_of_a_page_keep_the_query(sandbox: Serving) -> None:
    page = await sandbox.get("insights/", limit=3, offset=3, saved="true")

    link = "http://sandbox.test/posthog/api/projects/1/insights/?limit=3"
    assert page["next"] == f"{link}&offset=6&saved=true"
    assert page["previous"] == f"{link}&saved=true"
