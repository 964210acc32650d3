"""Insights are put on a dashboard and taken off it: all of a change is stored, or none of it."""

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway.approval import Approve, Proposal, approved
from maton_posthog.gateway.errors import Failed, GatewayError, Refused, Rejected
from maton_posthog.tools.dashboards.operations import OPERATIONS

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

UPDATE = next(each for each in OPERATIONS if each.name == "update_dashboard")
BOARD = "/api/projects/{project_id}/dashboards/{dashboard_id}/"
INSIGHT = "/api/projects/{project_id}/insights/{insight_id}/"
NO = Rejected("permission_denied", "You cannot edit this.")


class Stored:
    """Dashboard 9 and insights, each with the dashboards that it is on."""

    def __init__(
        self,
        insights: Mapping[int, list[int]],
        *,
        fails: Mapping[int, Exception] | None = None,
        approve: Approve = approved,
    ) -> None:
        self.insights = {number: list(boards) for number, boards in insights.items()}
        self.name = "My Dashboard"
        self.fails = dict(fails or {})
        """Errors of the next PATCH of an insight."""
        self.api = FakeCall(
            {
                f"GET {BOARD}": lambda _: self.board(),
                f"PATCH {BOARD}": self.rename,
                f"GET {INSIGHT}": lambda sent: self.insight(self.number(sent)),
                f"PATCH {INSIGHT}": self.move,
            },
            approve=approve,
        )

    def number(self, sent: Sent) -> int:
        return int(sent.path.rstrip("/").rpartition("/")[2])

    def board(self) -> dict[str, Any]:
        tiles = [{"id": 70 + at, "insight": self.insight(at)} for at, on in self.insights.items() if 9 in on]
        return answer("dashboard_retrieve", name=self.name, tiles=tiles)

    def insight(self, number: int) -> Any:
        if number not in self.insights:
            raise Rejected("not_found", "Not found.", status=404)
        return answer("insight", id=number, dashboards=self.insights[number], dashboard_tiles=None)

    def rename(self, sent: Sent) -> Any:
        self.name = (sent.body or {})["name"]
        return self.board()

    def move(self, sent: Sent) -> Any:
        number = self.number(sent)
        if (error := self.fails.pop(number, None)) is not None:
            raise error
        self.insights[number] = (sent.body or {})["dashboards"]
        return self.insight(number)

    def changes(self) -> list[tuple[int, Any]]:
        return [(self.number(sent), sent.body) for sent in self.api.sent if sent.method == "PATCH"]


async def failure(stored: Stored, **arguments: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await run(UPDATE, stored.api, dashboard_id=9, **arguments)
    return stored.api.settle(caught.value)


async def test_insights_keep_their_other_dashboards_and_the_undo_moves_them_back() -> None:
    stored = Stored({31: [9, 4], 32: [5], 33: [9]})
    shown = await run(UPDATE, stored.api, dashboard_id=9, add_insights=[32, 33], remove_insights=["31"])
    assert stored.changes() == [(32, {"dashboards": [5, 9]}), (31, {"dashboards": [4]})], "33 is on it already"
    assert shown["changed"] == {"insights": {"before": [31, 33], "after": [32, 33]}}
    assert "also_changed" not in shown
    assert [tile["insight"]["id"] for tile in shown["tiles"]] == [32, 33]
    undo = shown["undo"]
    assert undo == {
        "tool": "update_dashboard",
        "arguments": {
            "dashboard_id": "9",
            "add_insights": ["31"],
            "remove_insights": ["32"],
            "project_id": str(PROJECT_ID),
        },
    }
    await run(UPDATE, stored.api, **{name: value for name, value in undo["arguments"].items() if name != "project_id"})
    assert {number: set(on) for number, on in stored.insights.items()} == {31: {9, 4}, 32: {5}, 33: {9}}


async def test_nothing_is_sent_if_all_insights_are_where_they_should_be() -> None:
    stored = Stored({31: [9], 32: [5]})
    shown = await run(UPDATE, stored.api, dashboard_id=9, add_insights=[31], remove_insights=[32])
    assert shown["changed"] == {}
    assert stored.changes() == []


async def test_a_dry_run_shows_the_insights_and_sends_nothing() -> None:
    stored = Stored({31: [9], 32: [5]})
    shown = await run(UPDATE, stored.api, dashboard_id=9, add_insights=[32], dry_run=True)
    assert shown["would_change"] == {"insights": {"before": [31], "after": [31, 32]}}
    assert stored.changes() == []


async def test_an_insight_that_is_not_there_is_named_and_nothing_is_sent() -> None:
    stored = Stored({31: [9], 32: [5]})
    error = await failure(stored, add_insights=[32, 77], name="x")
    assert (error.code, error.message) == ("not_found", "Insight 77: Not found.")
    assert stored.changes() == []


async def test_what_was_changed_before_a_rejection_is_taken_back_and_the_error_reports_it() -> None:
    stored = Stored({31: [9], 32: [5], 33: []}, fails={33: NO})
    error = await failure(stored, name="New", add_insights=[32, 33], remove_insights=[31])
    assert stored.insights == {31: [9], 32: [5], 33: []}
    assert stored.name == "My Dashboard"
    assert (error.code, error.outcome) == ("permission_denied", "rejected")
    assert error.message == (
        "Insight 33 could not be changed: You cannot edit this. What was changed before was taken back."
    )


async def test_the_first_rejection_leaves_nothing_to_take_back() -> None:
    stored = Stored({31: [9], 32: []}, fails={32: NO})
    error = await failure(stored, add_insights=[32])
    assert error.message == "Insight 32 could not be changed: You cannot edit this."
    assert stored.changes() == [(32, {"dashboards": [9]})]


async def test_a_change_whose_outcome_is_unknown_is_taken_back_too() -> None:
    stored = Stored({31: [9], 32: [5], 33: [6]}, fails={33: Failed("timeout", "Too late.", outcome="unknown")})
    error = await failure(stored, add_insights=[32, 33])
    assert stored.changes()[2:] == [(33, {"dashboards": [6]}), (32, {"dashboards": [5]})]
    assert error.outcome == "unknown"


async def test_what_could_not_be_taken_back_is_named() -> None:
    stored = Stored({31: [9], 32: [5], 33: []})

    def reject(sent: Sent) -> Any:
        if stored.number(sent) == 33:
            stored.fails[32] = NO
            raise NO
        return stored.move(sent)

    stored.api.respond({f"PATCH {INSIGHT}": reject})
    error = await failure(stored, add_insights=[32, 33])
    assert error.message.endswith("What was changed before could not be taken back: insight 32.")
    assert error.outcome == "applied"
    assert stored.insights[32] == [5, 9]


async def test_a_cancelled_change_is_taken_back() -> None:
    stored = Stored({31: [9], 32: [5], 33: []})
    async with anyio.create_task_group() as tasks:

        def cancelled(sent: Sent) -> Any:
            moved = stored.move(sent)
            if stored.number(sent) == 32:
                tasks.cancel_scope.cancel()
            return moved

        stored.api.respond({f"PATCH {INSIGHT}": cancelled})
        original = stored.api.patch

        async def patch(path: str, body: Mapping[str, Any], **identifiers: object) -> Any:
            done = await original(path, body, **identifiers)
            await anyio.lowlevel.checkpoint()
            return done

        stored.api.patch = patch
        await run(UPDATE, stored.api, dashboard_id=9, add_insights=[32, 33])
    assert stored.insights == {31: [9], 32: [5], 33: []}


async def test_an_insight_that_was_moved_while_a_person_looked_is_left_alone() -> None:
    async def looked(_: Proposal, __: object) -> float:
        stored.insights[32] = [6]
        return 1.0

    stored = Stored({31: [9], 32: [5]}, approve=looked)
    with pytest.raises(Refused, match="changed while"):
        await run(UPDATE, stored.api, dashboard_id=9, add_insights=[32])
    assert stored.changes() == []
