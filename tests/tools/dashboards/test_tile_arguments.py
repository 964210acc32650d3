"""Tiles that a new dashboard cannot have are rejected before anything is sent."""

from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.schemas.dashboards import CreateDashboard

from .test_making import VIEWS, PostHog

pytestmark = pytest.mark.anyio


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "needs `name` and `query`, or `text`"),
    ({"query": VIEWS}, "needs `name` and `query`"),
    ({"name": "Views"}, "needs `name` and `query`"),
    ({"text": "x", "name": "Views"}, "remove `text` or name"),
    ({"text": "x" * 4001}, "at most 4000"),
    ({"text": "x", "width": "wide"}, "must be full, two thirds, half, third, quarter, or 2 to 12 columns"),
    ({"text": "x", "width": 13}, "2 to 12 columns"),
    ({"text": "x", "width": True}, "2 to 12 columns"),
    ({"text": "x", "color": "blue"}, "color"),
    ({"name": "Views", "query": {"kind": "TrendsQuery"}}, "needs `series`"),
]


@pytest.mark.parametrize(("tile", "says"), WRONG)
def test_a_wrong_tile_is_rejected_with_its_place(tile: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        CreateDashboard.model_validate({"name": "Growth", "tiles": [{"text": "x"}, tile]})
    assert caught.value.errors()[0]["loc"][:2] == ("tiles", 1)


def test_at_most_twenty_tiles_are_made() -> None:
    assert CreateDashboard.model_validate({"name": "x", "tiles": [{"text": "x"}] * 20}).tiles
    with pytest.raises(ValidationError, match="at most 20"):
        CreateDashboard.model_validate({"name": "x", "tiles": [{"text": "x"}] * 21})


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ({"tool": "run_hogql", "arguments": {"query": "DROP TABLE events"}}, "hogql_", "tiles.1.query: "),
        ({"kind": "HogQLQuery", "query": "select ((1"}, "hogql_syntax_error", "tiles.1.query: "),
        ({**VIEWS, "funnelWindowInterval": 7}, "invalid_argument", "tiles.1.query: `funnelWindowInterval`"),
        (
            {"tool": "query_trends", "arguments": {"events": ["a"], "date_from": "last_7_weeks"}},
            "invalid_argument",
            "tiles.1.query: date_from",
        ),
    ],
)
async def test_a_query_that_cannot_run_is_rejected_before_anything_is_made(query: Any, code: str, says: str) -> None:
    posthog = PostHog()
    error = await posthog.failure(tiles=[{"text": "x"}, {"name": "A", "query": query}])
    assert error.code.startswith(code)
    assert error.message.startswith(says)
    assert posthog.sent() == []


def test_the_queries_name_one_project() -> None:
    def tile(**aim: str) -> dict[str, Any]:
        return {"name": "A", "query": {"tool": "query_trends", "arguments": {"events": ["a"], **aim}}}

    made = CreateDashboard.model_validate({"name": "x", "tiles": [tile(), tile(project_id="7")]})
    assert made.project_id == 7
    for arguments in (
        {"tiles": [tile(project_id="7"), tile(project_id="8")]},
        {"tiles": [tile(), tile(project_id="8")], "project_id": "7"},
    ):
        with pytest.raises(ValidationError, match=r"differs from the one in `tiles.1.query.arguments`"):
            CreateDashboard.model_validate({"name": "x", **arguments})
