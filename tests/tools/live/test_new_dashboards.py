"""Drawn dashboards in a sandbox: all tiles are stored in their order, or nothing is left of them."""

import json
import random
from collections.abc import Generator, Mapping
from typing import Any

import pytest

from maton_posthog.gateway.errors import GatewayError
from posthog_sandbox import Sandbox

from ...oracle import examples
from ..posthog.live import NOW, LiveSandbox

pytestmark = pytest.mark.anyio

BOARDS, INSIGHTS = "/api/projects/{project_id}/dashboards/", "/api/projects/{project_id}/insights/"
QUERIES: tuple[dict[str, Any], ...] = (
    {"tool": "query_trends", "arguments": {"events": ["$pageview"]}},
    {"tool": "query_funnel", "arguments": {"steps": ["$pageview", "purchase_completed"]}},
    {"tool": "run_hogql", "arguments": {"query": "select count() from events"}},
    {"kind": "HogQLQuery", "query": "select event from events limit 2"},
    {"kind": "TrendsQuery", "series": [{"kind": "EventsNode", "event": "$pageview", "math": "dau"}]},
)
WIDTHS: Mapping[Any, int] = {"full": 12, "half": 6, "third": 4, "Quarter": 3, "two-thirds": 8, 5: 5, "7": 7}
REJECTION = {"type": "validation_error", "code": "invalid_input", "detail": "No.", "attr": None}
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 400, "body": REJECTION},
    {"status": 500, "body": {**REJECTION, "type": "server_error"}},
    {"status": 200, "body": "<html>Log in</html>"},
    {"drop": "before"},
    {"drop": "after"},
    {"drop": "half"},
)


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with Sandbox(events=500, today=NOW.date(), now=NOW) as running:
        yield running


def drawn_tiles(draw: random.Random) -> list[dict[str, Any]]:
    tiles: list[dict[str, Any]] = []
    for number in range(draw.randrange(1, 7)):
        width = {"width": draw.choice(list(WIDTHS))} if draw.random() < 0.7 else {}
        if draw.random() < 0.3:
            tiles.append({"text": f"# Part {number}\n" + "Words. " * draw.randrange(60), **width})
        else:
            tiles.append({"name": f"Tile {number}", "query": draw.choice(QUERIES), **width})
    return tiles


async def stored(live: LiveSandbox) -> str:
    """Return all dashboards and insights as they are stored."""
    boards = (await live.get(BOARDS, id=0))["results"]
    whole = [await live.get(BOARDS + "{id}/", id=board["id"]) for board in boards]
    return json.dumps([whole, (await live.get(INSIGHTS, id=0))["results"]], sort_keys=True)


@pytest.mark.parametrize("seed", range(examples(12, 300)))
async def test_a_failure_at_any_request_leaves_everything_as_it_was(sandbox: Sandbox, seed: int) -> None:
    live, draw = LiveSandbox(sandbox.url), random.Random(seed)
    tiles, fault = drawn_tiles(draw), draw.choice(FAULTS)
    insights = sum("query" in tile for tile in tiles)
    failing = draw.randrange(insights + 1)
    method, path = ("POST", "*/insights/") if failing < insights else ("PATCH", "*/dashboards/*")
    before = await stored(live)
    if 0 < failing < insights:
        sandbox.add_fault(method=method, path=path, times=failing)  # these are not disturbed
    sandbox.add_fault(method=method, path=path, times=1, **fault)
    try:
        with pytest.raises(GatewayError) as caught:
            await live.call("create_dashboard", name="Growth", tiles=tiles)
    finally:
        sandbox.clear_faults()
    assert await stored(live) == before, f"{tiles} {fault} at {failing}"
    assert "deleted again" in caught.value.message
    assert caught.value.outcome == ("rejected" if fault.get("status") == 400 else "unknown")


@pytest.mark.parametrize("seed", range(examples(6, 200)))
async def test_all_tiles_are_stored_as_they_were_given_and_the_undo_deletes_them(sandbox: Sandbox, seed: int) -> None:
    live, tiles = LiveSandbox(sandbox.url), drawn_tiles(random.Random(1000 + seed))
    before = await stored(live)
    shown = await live.call("create_dashboard", name="Growth", description="Weekly", tags=["team"], tiles=tiles)
    board = await live.get(BOARDS + "{id}/", id=shown["id"])
    assert (board["name"], board["description"], board["tags"]) == ("Growth", "Weekly", ["team"])
    assert [tile["id"] for tile in board["tiles"]] == [tile["id"] for tile in shown["tiles"]]
    right, below = 0, 0
    for given, kept, answered in zip(tiles, board["tiles"], shown["tiles"], strict=True):
        box = kept["layouts"]["sm"]
        assert box["w"] == (WIDTHS[given["width"]] if "width" in given else 12 if "text" in given else 6)
        assert (box["x"], box["y"] < below) in ((right, True), (0, False)), "left to right, then below the whole row"
        right, below = box["x"] + box["w"], box["y"] + box["h"]
        assert right <= 12
        if "text" in given:
            assert kept["text"]["body"] == given["text"].strip()
            continue
        insight = await live.call("get_insight", insight_id=answered["insight"]["id"], refresh=True)
        assert (insight["name"], insight["saved"], insight["dashboards"]) == (given["name"], True, [shown["id"]])
        alone = await live.call("create_insight", name="Alone", query=given["query"])
        assert kept["insight"]["query"] == alone["query"]
        assert answered.get("headline") == insight.get("headline") == alone.get("headline")
        assert answered["url"] == f"insights/{insight['short_id']}"
        await live.call("delete_insight", insight_id=alone["id"])
    undone = await live.call(shown["undo"]["tool"], **shown["undo"]["arguments"])
    assert len(undone.get("deleted_insights", [])) == sum("query" in tile for tile in tiles)
    assert await stored(live) == before
    await live.call(undone["undo"]["tool"], **undone["undo"]["arguments"])
    assert (await live.get(BOARDS + "{id}/", id=shown["id"]))["tiles"] == [
        {**tile, "text": tile["text"] and {**tile["text"], "dashboard_tiles": after["text"]["dashboard_tiles"]}}
        for tile, after in zip(board["tiles"], (await live.get(BOARDS + "{id}/", id=shown["id"]))["tiles"], strict=True)
    ]
    await live.call("delete_dashboard", dashboard_id=shown["id"], delete_insights=True)
