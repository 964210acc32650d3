"""A dashboard and its tiles are made in one call: all of it is stored, or it is taken back."""

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway.approval import Proposal
from maton_posthog.gateway.errors import Failed, GatewayError, Refused, Rejected
from maton_posthog.tools.dashboards.operations import OPERATIONS

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

CREATE = next(each for each in OPERATIONS if each.name == "create_dashboard")
DELETE = next(each for each in OPERATIONS if each.name == "delete_dashboard")
BOARDS, INSIGHTS = "/api/projects/{project_id}/dashboards/", "/api/projects/{project_id}/insights/"
BOARD, INSIGHT = BOARDS + "{dashboard_id}/", INSIGHTS + "{insight_id}/"
SERIES = [{"data": [4, 6], "days": ["2026-01-01", "2026-01-02"], "label": "$pageview", "action": {"order": 0}}]
VIEWS = {"kind": "TrendsQuery", "series": [{"kind": "EventsNode", "event": "$pageview", "math": "dau"}]}
TILES: list[dict[str, Any]] = [
    {"text": "# Growth"},
    {"name": "Views", "query": VIEWS},
    {"name": "One", "query": {"tool": "run_hogql", "arguments": {"query": "select 1"}}, "width": "third"},
]
NO = Rejected("permission_denied", "You cannot edit this.")
LOST = Failed("timeout", "Too late.", outcome="unknown")


class PostHog:
    """Dashboard 9 and its insights, from 31 on."""

    def __init__(self, *, older: bool = False) -> None:
        self.older = older
        self.insights: dict[int, dict[str, Any]] = {}
        self.tiles: list[dict[str, Any]] = []
        self.deleted: list[int] = []
        self.fails: dict[str, list[Exception | None]] = {}
        """Errors of the next requests by method and path template."""
        self.api = FakeCall(
            {
                f"POST {BOARDS}": lambda sent: self.do(f"POST {BOARDS}", lambda: self.board(**(sent.body or {}))),
                f"GET {BOARD}": lambda _: self.board(),
                f"PATCH {BOARD}": lambda sent: self.do(f"PATCH {BOARD}", lambda: self.change(sent)),
                f"POST {INSIGHTS}": lambda sent: self.do(f"POST {INSIGHTS}", lambda: self.add(sent)),
                f"GET {INSIGHT}": self.computed,
                f"PATCH {INSIGHT}": lambda sent: self.do(f"PATCH {INSIGHT}", lambda: self.delete(sent)),
            }
        )

    def do(self, what: str, work: Any) -> Any:
        left = self.fails.get(what, [])
        if left and (error := left.pop(0)) is not None:
            raise error
        return work()

    def board(self, **fields: Any) -> dict[str, Any]:
        return answer("dashboard_retrieve", **{"name": "Growth", **fields}, tiles=self.tiles)

    def add(self, sent: Sent) -> dict[str, Any]:
        number, body = 31 + len(self.insights), sent.body or {}
        tile = {"id": 70 + len(self.tiles), "dashboard_id": 9, "deleted": None}
        insight = answer(
            "insight", id=number, short_id=f"short{number}", dashboard_tiles=None if self.older else [tile], **body
        )
        self.insights[number] = insight
        self.tiles.append({"id": tile["id"], "insight": insight, "text": None, "layouts": {}})
        return insight

    def change(self, sent: Sent) -> dict[str, Any]:
        body = sent.body or {}
        if body.get("deleted"):
            self.deleted += [9, *(self.insights if body.get("delete_insights") else ())]
            return self.board(deleted=True)
        for item in body["tiles"]:
            found = next((tile for tile in self.tiles if tile["id"] == item.get("id")), None)
            if found is None:
                self.tiles.append({"id": 90 + len(self.tiles), "insight": None, **item})
            else:
                found |= item
        self.tiles.sort(key=lambda tile: tile["layouts"]["sm"]["y"], reverse=True)
        return self.board()

    def computed(self, sent: Sent) -> dict[str, Any]:
        number = int(sent.path.rstrip("/").rpartition("/")[2])
        if number in self.deleted:
            raise Rejected("not_found", "Not found.", status=404)
        insight = self.insights[number]
        rows = SERIES if insight["query"]["kind"] == "InsightVizNode" else [[1]]
        return {**insight, "result": rows, "columns": ["n"], "last_refresh": "2026-01-03T09:00:00Z"}

    def delete(self, sent: Sent) -> dict[str, Any]:
        number = int(sent.path.rstrip("/").rpartition("/")[2])
        self.deleted.append(number)
        return {**self.insights[number], "deleted": True}

    def sent(self) -> list[str]:
        return [f"{sent.method} {sent.path.split('/', 4)[4]}" for sent in self.api.sent]

    async def failure(self, **arguments: Any) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await run(CREATE, self.api, **{"name": "Growth", "tiles": TILES, **arguments})
        return self.api.settle(caught.value)


async def test_the_tiles_are_made_in_their_order_and_shown_with_their_numbers() -> None:
    posthog = PostHog()
    shown = await run(CREATE, posthog.api, name="Growth", description="Weekly", tiles=TILES)
    assert posthog.sent() == [
        "POST dashboards/",
        "POST insights/",
        "POST insights/",
        "PATCH dashboards/9/",
        "GET insights/31/",
        "GET insights/32/",
    ]
    board, views, one, layout, *numbers = posthog.api.sent
    assert board.body == {"name": "Growth", "description": "Weekly"}
    node = {"kind": "InsightVizNode", "source": VIEWS}
    assert views.body == {"name": "Views", "query": node, "dashboards": [9], "saved": True}
    assert one.body
    assert one.body["query"]["source"] == {"kind": "HogQLQuery", "query": "select 1"}
    assert layout.body == {
        "tiles": [
            {"text": {"body": "# Growth"}, "layouts": {"sm": {"x": 0, "y": 0, "w": 12, "h": 1}}},
            {"id": 70, "layouts": {"sm": {"x": 0, "y": 1, "w": 6, "h": 5}}},
            {"id": 71, "layouts": {"sm": {"x": 6, "y": 1, "w": 4, "h": 5}}},
        ]
    }
    assert [sent.query for sent in numbers] == [{"refresh": "blocking", "from_dashboard": "9"}] * 2
    text, first, second = shown["tiles"]
    assert text == {"id": 92, "text": "# Growth"}
    assert first["insight"] == {"id": 31, "name": "Views"}
    assert (first["id"], first["url"], first["headline"]["value"]) == (70, "insights/short31", 6)
    assert second["headline"] == {"what": "n", "value": 1}
    assert shown["undo"] == {
        "tool": "delete_dashboard",
        "arguments": {"dashboard_id": "9", "delete_insights": True, "project_id": str(PROJECT_ID)},
    }
    assert "note" not in shown


async def test_older_servers_show_the_tile_of_an_insight_only_with_the_dashboard() -> None:
    posthog = PostHog(older=True)
    shown = await run(CREATE, posthog.api, name="Growth", tiles=TILES)
    assert [tile["id"] for tile in shown["tiles"]] == [92, 70, 71]
    assert "GET dashboards/9/" in posthog.sent()


@pytest.mark.parametrize(
    ("what", "after", "says"),
    [
        (f"POST {INSIGHTS}", 0, "tiles.1 (Views)"),
        (f"POST {INSIGHTS}", 1, "tiles.2 (One)"),
        (f"PATCH {BOARD}", 0, "The layout"),
    ],
)
async def test_what_was_made_before_a_rejection_is_deleted(what: str, after: int, says: str) -> None:
    posthog = PostHog()
    posthog.fails[what] = [*[None] * after, NO]
    error = await posthog.failure()
    assert set(posthog.deleted) == {9, *posthog.insights}
    assert (error.code, error.outcome) == ("permission_denied", "rejected")
    assert error.message == f"{says} could not be made: You cannot edit this. What was made before was deleted again."


async def test_an_insight_whose_response_is_lost_is_deleted_with_the_dashboard() -> None:
    posthog = PostHog()
    posthog.fails[f"POST {INSIGHTS}"] = [None, LOST]
    error = await posthog.failure()
    assert posthog.api.sent[3].body == {"deleted": True, "delete_insights": True}
    assert error.outcome == "unknown"
    assert "look with list_insights" in (error.hint or "")


async def test_a_rejected_dashboard_leaves_nothing_to_delete() -> None:
    posthog = PostHog()
    posthog.fails[f"POST {BOARDS}"] = [NO]
    error = await posthog.failure()
    assert (error.message, error.outcome) == ("You cannot edit this.", "rejected")
    assert posthog.sent() == ["POST dashboards/"]


async def test_what_could_not_be_deleted_is_named_with_the_call_that_deletes_it() -> None:
    posthog = PostHog()
    posthog.fails[f"POST {INSIGHTS}"] = [None, NO]
    posthog.fails[f"PATCH {BOARD}"] = [NO]
    error = await posthog.failure()
    assert error.message.endswith("These are left, and could not be deleted: dashboard 9, insight 31.")
    assert error.hint == "Call delete_dashboard with dashboard_id 9 and delete_insights true."
    assert error.outcome == "applied"


async def test_insights_that_posthog_keeps_are_deleted_one_by_one() -> None:
    posthog = PostHog()
    posthog.fails[f"POST {INSIGHTS}"] = [None, NO]

    def keeps(sent: Sent) -> dict[str, Any]:
        body = {name: value for name, value in (sent.body or {}).items() if name != "delete_insights"}
        return posthog.change(Sent(sent.method, sent.path, {}, body))

    posthog.api.respond({f"PATCH {BOARD}": keeps})
    error = await posthog.failure()
    assert posthog.deleted == [9, 31]
    assert error.outcome == "rejected"
    posthog = PostHog()
    posthog.api.respond({f"PATCH {BOARD}": keeps})
    posthog.fails = {f"POST {INSIGHTS}": [None, NO], f"PATCH {INSIGHT}": [NO]}
    error = await posthog.failure()
    assert error.message.endswith("could not be deleted: insight 31.")
    assert error.hint == "Call delete_insight with insight_id 31."


async def test_a_deletion_with_an_unknown_outcome_is_repeated() -> None:
    posthog = PostHog()
    posthog.fails = {f"POST {INSIGHTS}": [None, NO], f"PATCH {BOARD}": [LOST]}
    assert (await posthog.failure()).outcome == "rejected"
    assert posthog.deleted == [9, 31]


@pytest.mark.parametrize("last", ["POST", "PATCH"])
async def test_a_cancelled_call_leaves_nothing(last: str) -> None:
    posthog = PostHog()
    original_post, original_patch = posthog.api.post, posthog.api.patch
    async with anyio.create_task_group() as tasks:

        async def cancelled(method: str, work: Any) -> Any:
            done = await work
            if method == last:
                tasks.cancel_scope.cancel()
            await anyio.lowlevel.checkpoint()
            return done

        async def post(path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
            return await cancelled("" if path == BOARDS else "POST", original_post(path, body, **identifiers))

        async def patch(path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
            return await cancelled("PATCH", original_patch(path, body, **identifiers))

        posthog.api.post, posthog.api.patch = post, patch
        posthog.api.counted_as = lambda budget: posthog.api
        await run(CREATE, posthog.api, name="Growth", tiles=TILES)
    assert set(posthog.deleted) == {9, *posthog.insights}
    assert posthog.insights


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": {"body": "# Other"}}, "tiles.0.text"),
        ({"text": None}, "tiles.0"),
        ({"insight": None, "text": None}, "tiles.1"),
    ],
)
async def test_tiles_that_posthog_does_not_store_are_an_error(changes: dict[str, Any], says: str) -> None:
    posthog = PostHog()

    def loses(sent: Sent) -> dict[str, Any]:
        board = posthog.change(sent)
        at = 0 if says.startswith("tiles.1") else -1
        board["tiles"] = [{**tile, **(changes if tile is posthog.tiles[at] else {})} for tile in posthog.tiles]
        return board

    posthog.api.respond({f"PATCH {BOARD}": loses})
    error = await posthog.failure()
    assert f"did not store {says}." in error.message
    assert (error.code, error.outcome) == ("bad_upstream_response", "rejected")
    assert posthog.deleted == [9, 31, 32]


async def test_what_posthog_stores_differently_is_reported() -> None:
    posthog = PostHog()

    def other(sent: Sent) -> dict[str, Any]:
        insight = posthog.add(sent)
        return {**insight, "query": {**insight["query"], "source": {**insight["query"]["source"], "kind": "X"}}}

    def moved(sent: Sent) -> dict[str, Any]:
        board = posthog.change(sent)
        return (
            {**board, "tiles": [{**tile, "layouts": {}} for tile in board["tiles"]]}
            if "tiles" in (sent.body or {})
            else board
        )

    posthog.api.respond({f"POST {INSIGHTS}": other, f"PATCH {BOARD}": moved})
    shown = await run(CREATE, posthog.api, name="Growth", tiles=TILES)
    assert "a query for tiles.1 that differs" in shown["note"]
    assert "placed these tiles differently: tiles.0, tiles.1, tiles.2." in shown["note"]
    assert posthog.deleted == []


async def test_numbers_that_cannot_be_had_in_time_leave_the_dashboard_stored() -> None:
    posthog = PostHog()
    posthog.api.end_in(7)  # of which three are kept for the result
    shown = await run(CREATE, posthog.api, name="Growth", tiles=TILES)
    assert [tile.get("no_headline") for tile in shown["tiles"]] == [None, "no time left", "no time left"]
    assert "Everything is stored" in shown["note"]
    assert posthog.deleted == []
    assert posthog.api.wrote


async def test_a_dry_run_shows_the_tiles_and_sends_nothing() -> None:
    posthog = PostHog()
    shown = await run(CREATE, posthog.api, name="Growth", tiles=TILES, dry_run=True)
    assert posthog.sent() == []
    text, views, _ = shown["would_send"]["tiles"]
    assert text == {"text": "# Growth", "layout": {"x": 0, "y": 0, "w": 12, "h": 1}}
    assert views["query"]["source"] == VIEWS
    assert shown["would_change"]["tiles"]["after"] == ["text: # Growth", "Views (TrendsQuery)", "One (HogQLQuery)"]


async def test_a_person_sees_the_whole_dashboard_before_it_is_made() -> None:
    seen: list[Proposal] = []

    async def refuse(proposal: Proposal, _: object) -> float:
        seen.append(proposal)
        raise Refused("confirmation_required", "Nothing was sent yet.")

    posthog = PostHog()
    posthog.api._approve = refuse  # pyright: ignore[reportPrivateUsage]
    assert (await posthog.failure()).code == "confirmation_required"
    assert posthog.sent() == []
    assert seen[0].title == "Create dashboard Growth with 3 tiles"
    assert [tile.get("name") for tile in seen[0].body["tiles"]] == [None, "Views", "One"]


async def test_a_dashboard_is_deleted_with_the_insights_that_are_only_on_it() -> None:
    posthog = PostHog()
    await run(CREATE, posthog.api, name="Growth", tiles=TILES)
    posthog.tiles[0]["insight"]["dashboards"] = [9, 4]
    shown = await run(DELETE, posthog.api, dashboard_id=9, delete_insights=True, dry_run=True)
    (shared,) = {31, 32} - set(shown["would_delete_insights"])
    assert shown["would_send"] == {"deleted": True, "delete_insights": True}
    assert shown["asks_first"][1] == "The insights only on it are deleted too: 1."
    shown = await run(DELETE, posthog.api, dashboard_id=9, delete_insights=True)
    assert shown["deleted_insights"] == [({31, 32} - {shared}).pop()]
    assert shown["undo"]["tool"] == "restore_deleted"


async def test_it_is_reported_if_posthog_keeps_the_insights() -> None:
    posthog = PostHog()
    await run(CREATE, posthog.api, name="Growth", tiles=TILES)
    posthog.api.respond({f"PATCH {BOARD}": posthog.board(deleted=True)})
    shown = await run(DELETE, posthog.api, dashboard_id=9, delete_insights=True)
    assert "deleted_insights" not in shown
    assert "kept its insights" in shown["note"]
