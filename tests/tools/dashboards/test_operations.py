import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.schemas.dashboards import CreateDashboard, UpdateDashboard
from maton_posthog.tools.dashboards.operations import OPERATIONS

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer, in_turn, page, run

pytestmark = pytest.mark.anyio

LIST, GET, CREATE, UPDATE, DELETE = OPERATIONS
DASHBOARDS = "/api/projects/{project_id}/dashboards/"
DASHBOARD = DASHBOARDS + "{dashboard_id}/"


def row(**changes: Any) -> dict[str, Any]:
    return answer("dashboard_list_row", **changes)


def stored(sent: Sent) -> dict[str, Any]:
    return answer("dashboard_retrieve", **(sent.body or {}))


def pages(rows: list[dict[str, Any]], ends: bool = True) -> Any:
    """Return PostHog's pages of 100; with `ends` False there is always another one."""

    def answer_page(sent: Sent) -> dict[str, Any]:
        offset, limit = sent.query["offset"], sent.query["limit"]
        more = not ends or offset + limit < len(rows)
        return page(*rows[offset : offset + limit], next_offset=offset + limit if more else None)

    return answer_page


async def test_list_shows_the_identifying_fields() -> None:
    api = FakeCall({f"GET {DASHBOARDS}": page(row(tags=["team"]), count=3, next_offset=1)})
    shown = await run(LIST, api, limit=1, tags=["team"])
    assert api.last.query == {"tags": "team", "limit": 1, "offset": 0}
    assert shown == {
        "dashboards": [
            {
                "id": 9,
                "name": "My Dashboard",
                "pinned": False,
                "is_shared": False,
                "tags": ["team"],
                "created_at": "2026-11-20T10:00:00.000000Z",
                "created_by": "ann@example.com",
            }
        ],
        "count": 3,
        "next_offset": 1,
    }


async def test_search_reads_all_pages_because_posthog_ignores_it() -> None:
    rows = [row(id=number, name=f"Board {number}") for number in range(1, 251)]
    rows[249]["description"] = "Weekly REVENUE"
    api = FakeCall({f"GET {DASHBOARDS}": pages(rows)})
    shown = await run(LIST, api, search="revenue")
    assert [found["id"] for found in shown["dashboards"]] == [250]
    assert shown["count"] == 1
    assert "truncated" not in shown
    assert [sent.query for sent in api.sent] == [{"limit": 100, "offset": offset} for offset in (0, 100, 200)]


async def test_search_results_are_paginated() -> None:
    api = FakeCall({f"GET {DASHBOARDS}": pages([row(id=number, name="Sales") for number in range(1, 6)])})
    shown = await run(LIST, api, search="sales", limit=2, offset=2)
    assert [found["id"] for found in shown["dashboards"]] == [3, 4]
    assert (shown["count"], shown["next_offset"]) == (5, 4)
    assert "next_offset" not in await run(LIST, api, search="sales", limit=2, offset=4)


async def test_search_stops_after_ten_pages_and_reports_it() -> None:
    rows = [row(id=number, name="Sales") for number in range(1, 1201)]
    api = FakeCall({f"GET {DASHBOARDS}": pages(rows, ends=False)})
    shown = await run(LIST, api, search="sales")
    assert len(api.sent) == 10
    assert shown["truncated"] is True
    assert "1000" in shown["how_to_continue"]


async def test_a_dashboard_with_any_of_several_tags_matches() -> None:
    rows = [row(id=1, tags=["a"]), row(id=2, tags=["b", "c"]), row(id=3, tags=["d"]), row(id=4)]
    api = FakeCall({f"GET {DASHBOARDS}": pages(rows)})
    shown = await run(LIST, api, tags=["a", "c"])
    assert [found["id"] for found in shown["dashboards"]] == [1, 2]


async def test_a_dashboard_shows_its_tiles_without_their_results() -> None:
    board = answer("dashboard_retrieve")
    board["tiles"][0]["insight"]["result"] = [{"data": list(range(1000))}]
    board["tiles"].append({"id": 71, "insight": None, "text": {"body": "Read me"}})
    api = FakeCall({f"GET {DASHBOARD}": board})
    shown = await run(GET, api, dashboard_id=9)
    brief = {"id": 31, "short_id": "AaVQ8Ijw", "name": "Daily Active Users", "kind": "TrendsQuery"}
    assert shown["tiles"] == [{"id": 70, "insight": brief}, {"id": 71, "text": "Read me"}]
    whole = await run(GET, api, dashboard_id=9, full=True)
    assert whole["tiles"][0]["insight"]["query"]["kind"] == "InsightVizNode"
    assert "999" not in json.dumps(whole)


async def test_create_and_update_send_the_given_fields_and_show_the_stored_ones() -> None:
    before = answer("dashboard_retrieve", tags=["old"])
    api = FakeCall({f"POST {DASHBOARDS}": stored, f"GET {DASHBOARD}": before, f"PATCH {DASHBOARD}": stored})
    made = await run(CREATE, api, name="Sales", description="Weekly")
    assert api.last.body == {"name": "Sales", "description": "Weekly"}
    assert (made["name"], made["description"]) == ("Sales", "Weekly")
    changed = await run(UPDATE, api, dashboard_id=9, pinned=True, tags=["a"], remove_tags=["old"])
    assert api.last == Sent("PATCH", f"/api/projects/{PROJECT_ID}/dashboards/9/", {}, {"pinned": True, "tags": ["a"]})
    assert changed["pinned"] is True


async def test_a_deleted_dashboard_shows_its_undo() -> None:
    api = FakeCall(
        {
            f"{method} {DASHBOARD}": answer("dashboard_retrieve", deleted=method == "PATCH")
            for method in ("GET", "PATCH")
        }
    )
    shown = await run(DELETE, api, dashboard_id=9)
    assert api.last.body == {"deleted": True}
    assert shown["undo"]["arguments"] == {"resource": "dashboard", "id": "9", "project_id": str(PROJECT_ID)}


def test_an_update_without_changes_is_rejected() -> None:
    with pytest.raises(ValidationError, match="nothing to change"):
        UpdateDashboard.model_validate({"dashboard_id": 9})


@given(st.text(max_size=500))
def test_a_name_is_valid_if_and_only_if_posthog_accepts_it(name: str) -> None:
    if 1 <= len(name) <= 400:
        assert CreateDashboard.model_validate({"name": name}).name == name
    else:
        with pytest.raises(ValidationError):
            CreateDashboard.model_validate({"name": name})


@pytest.mark.parametrize("field", [name for name in answer("dashboard_retrieve") if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in answer("dashboard_retrieve").items() if name != field}
    api = FakeCall({f"GET {DASHBOARD}": old, f"GET {DASHBOARDS}": in_turn(page(old), page(old))})
    assert (await run(GET, api, dashboard_id=9))["id"] == 9
    assert len((await run(LIST, api))["dashboards"]) == 1
    assert "count" in await run(LIST, api, search="dash")
