from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.errors import Rejected
from maton_posthog.schemas.insights import CreateInsight, UpdateInsight
from maton_posthog.tools.insights.operations import OPERATIONS

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer, in_turn, page, run

pytestmark = pytest.mark.anyio

LIST, GET, CREATE, UPDATE, DELETE = OPERATIONS
INSIGHTS = "/api/projects/{project_id}/insights/"
INSIGHT = INSIGHTS + "{insight_id}/"
TRENDS = {"kind": "TrendsQuery", "series": [{"kind": "EventsNode", "event": "$pageview", "math": "dau"}]}
SQL = {"kind": "HogQLQuery", "query": "SELECT 1"}


def insight(**changes: Any) -> dict[str, Any]:
    return answer("insight", **changes)


def stored(sent: Sent) -> dict[str, Any]:
    return insight(**{name: value for name, value in (sent.body or {}).items() if name in insight()})


async def test_list_requests_rows_without_results_latest_change_first() -> None:
    api = FakeCall({f"GET {INSIGHTS}": page(insight(), count=9, next_offset=1)})
    shown = await run(LIST, api, search="daily", saved=True, insight="TRENDS", dashboards=[9], limit=1)
    assert api.last.query == {
        "search": "daily",
        "saved": True,
        "insight": "TRENDS",
        "dashboards": [9],
        "limit": 1,
        "offset": 0,
        "basic": True,
        "order": "-last_modified_at",
    }
    assert shown == {
        "insights": [
            {
                "id": 31,
                "short_id": "AaVQ8Ijw",
                "name": "Daily Active Users",
                "saved": False,
                "favorited": False,
                "dashboards": [9],
                "last_modified_at": "2026-11-20T10:00:00.000000Z",
                "kind": "TrendsQuery",
            }
        ],
        "count": 9,
        "next_offset": 1,
    }


async def test_dashboards_are_read_from_the_tiles_if_posthog_names_them_only_there() -> None:
    tiles = [{"id": 1, "dashboard_id": 9, "deleted": None}, {"id": 2, "dashboard_id": 8, "deleted": True}]
    api = FakeCall({f"GET {INSIGHTS}": page(insight(dashboards=None, dashboard_tiles=tiles))})
    assert (await run(LIST, api))["insights"][0]["dashboards"] == [9]


async def test_an_insight_without_a_computed_result_is_reported() -> None:
    api = FakeCall({f"GET {INSIGHT}": insight()})
    shown = await run(GET, api, insight_id=31)
    assert api.last == Sent("GET", f"/api/projects/{PROJECT_ID}/insights/31/")
    assert "refresh: true" in shown["note"]
    assert shown["query"]["source"]["kind"] == "TrendsQuery"
    assert shown["created_by"] == "ann@example.com"


async def test_refresh_computes_and_the_result_is_that_of_the_typed_query() -> None:
    series = {
        "label": "$pageview",
        "count": 3,
        "data": [1, 2],
        "days": ["2026-01-01", "2026-01-02"],
        "labels": ["1-Jan-2026", "2-Jan-2026"],
        "action": {"id": "$pageview", "order": 0},
        "persons_urls": [{"url": "api/..."}],
        "filter": {"insight": "TRENDS"},
    }
    api = FakeCall({f"GET {INSIGHT}": insight(result=[series], is_cached=False, last_refresh="2026-01-03T09:00:00Z")})
    shown = await run(GET, api, insight_id="AaVQ8Ijw", refresh=True)
    assert api.last.query == {"refresh": "force_blocking"}
    assert shown["columns"] == ["day", "$pageview (dau)"]
    assert shown["rows"] == [["2026-01-01", 1], ["2026-01-02", 2]]
    assert shown["headline"] == {
        "what": "$pageview (dau): 2026-01-02",
        "value": 2,
        "change_percent": 100,
        "change_of": "2026-01-02 against the day before",
    }
    assert shown["last_refresh"] == "2026-01-03T09:00:00Z"
    assert shown["age_s"] == 324 * 86_400 + 3.5 * 3600
    assert "note" not in shown
    assert "result" not in shown
    whole = await run(GET, api, insight_id=31, full=True)
    assert whole["result"] == [series]


@pytest.mark.parametrize("result", [[["a", 1]], [[{"name": "step", "count": 2}]], {"value": 1}, 0])
async def test_results_that_do_not_match_the_query_are_shown_unchanged(result: Any) -> None:
    shown = await run(GET, FakeCall({f"GET {INSIGHT}": insight(result=result)}), insight_id=31)
    assert shown["result"] == result
    assert "note" not in shown


async def test_a_short_id_is_found_through_the_list_on_older_servers() -> None:
    missing = Rejected("not_found", "PostHog does not have this.")
    api = FakeCall({f"GET {INSIGHT}": in_turn(missing, insight()), f"GET {INSIGHTS}": page(insight())})
    shown = await run(GET, api, insight_id="AaVQ8Ijw")
    assert shown["id"] == 31
    assert api.sent[1].query["short_id"] == "AaVQ8Ijw"
    other = FakeCall({f"GET {INSIGHT}": missing, f"GET {INSIGHTS}": page(insight())})
    with pytest.raises(Rejected, match="does not have"):
        await run(GET, other, insight_id="zzzzzzzz")


@pytest.mark.parametrize(
    ("query", "node"),
    [
        (TRENDS, "InsightVizNode"),
        ({"kind": "RetentionQuery", "retentionFilter": {}}, "InsightVizNode"),
        (SQL, "DataVisualizationNode"),
        ({"kind": "EventsQuery", "select": ["event"]}, "DataTableNode"),
    ],
)
async def test_a_bare_query_is_wrapped_in_the_node_that_draws_it(query: dict[str, Any], node: str) -> None:
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": insight()})
    shown = await run(CREATE, api, name="Visitors", query=query, add_to_dashboards=[9])
    assert api.sent[0].body == {
        "name": "Visitors",
        "query": {"kind": node, "source": query},
        "dashboards": [9],
        "saved": True,
    }
    assert shown["query"] == {"kind": node, "source": query}
    assert shown["saved"] is True


async def test_a_node_is_sent_unchanged() -> None:
    node = {"kind": "InsightVizNode", "source": TRENDS, "full": True}
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": insight()})
    await run(CREATE, api, name="Visitors", query=node, saved=False)
    assert api.sent[0].body == {"name": "Visitors", "query": node, "saved": False}


@pytest.mark.parametrize("onto", [{"dashboards": [9, 8]}, {"dashboards": [9], "add_to_dashboards": [8, 9]}])
async def test_the_former_name_of_add_to_dashboards_is_accepted(onto: dict[str, Any]) -> None:
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": insight()})
    await run(CREATE, api, name="Visitors", query=TRENDS, **onto)
    assert api.sent[0].body
    assert api.sent[0].body["dashboards"] == [9, 8]


async def test_a_new_insight_shows_its_headline_number() -> None:
    series = {"data": [4, 6], "days": ["2026-01-01", "2026-01-02"], "label": "$pageview", "action": {"order": 0}}
    computed = insight(result=[series], last_refresh="2026-01-03T09:00:00Z")
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": computed})
    shown = await run(CREATE, api, name="Visitors", query=TRENDS)
    assert api.sent[1:] == [Sent("GET", f"/api/projects/{PROJECT_ID}/insights/31/", {"refresh": "blocking"})]
    assert (shown["headline"]["value"], shown["headline"]["change_percent"]) == (6, 50)
    assert "note" not in shown


@pytest.mark.parametrize(
    ("computed", "why"),
    [
        (Rejected("validation_failed", "No."), "validation_failed"),
        (insight(id=32), "PostHog responded with another insight"),
        (insight(), "no result"),
        ({"id": 31, "query": {"source": {"kind": "HogQLQuery"}}, "result": [["a"]]}, "no number in the result"),
    ],
    ids=["rejected", "another", "none", "no number"],
)
async def test_an_insight_is_stored_also_if_its_number_cannot_be_had(computed: Any, why: str) -> None:
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": computed})
    shown = await run(CREATE, api, name="Visitors", query=TRENDS)
    assert (shown["id"], shown["no_headline"]) == (31, why)
    assert "Everything is stored" in shown["note"]
    assert api.wrote


async def test_a_dry_run_computes_no_number() -> None:
    shown = await run(CREATE, FakeCall(), name="Visitors", query=TRENDS, dry_run=True)
    assert shown["would_send"]["name"] == "Visitors"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "`kind` must be one of TrendsQuery"),
    ({"kind": "HogQuery", "code": "return 1"}, "`kind` must be one of"),
    ({"kind": "InsightVizNode"}, "needs a `source`"),
    ({"kind": "InsightVizNode", "source": {"kind": "HogQuery"}}, "`kind` must be one of"),
    ({"kind": "HogQLQuery"}, "needs its SQL"),
    ({"kind": "TrendsQuery"}, "needs `series` with at least 1"),
    ({"kind": "FunnelsQuery", "series": [{"kind": "EventsNode"}]}, "needs `series` with at least 2"),
]


@pytest.mark.parametrize(("query", "says"), REFUSED)
def test_a_query_that_cannot_be_drawn_is_rejected(query: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CreateInsight.model_validate({"name": "x", "query": query})


async def test_update_sends_only_the_given_fields() -> None:
    api = FakeCall({f"GET {INSIGHT}": insight(dashboards=[9]), f"PATCH {INSIGHT}": stored})
    shown = await run(UPDATE, api, insight_id=31, query=SQL, remove_from_dashboards=[9])
    assert api.last.body == {"query": {"kind": "DataVisualizationNode", "source": SQL}, "dashboards": []}
    assert shown["query"]["source"] == SQL


async def test_an_insight_keeps_dashboards_that_posthog_names_only_in_its_tiles() -> None:
    tiles = [{"dashboard_id": 9, "deleted": None}, {"dashboard_id": 8, "deleted": True}]
    api = FakeCall({f"GET {INSIGHT}": insight(dashboards=None, dashboard_tiles=tiles), f"PATCH {INSIGHT}": stored})
    await run(UPDATE, api, insight_id=31, add_to_dashboards=[10])
    assert api.last.body == {"dashboards": [9, 10]}


def test_an_update_without_changes_is_rejected() -> None:
    with pytest.raises(ValidationError, match="nothing to change"):
        UpdateInsight.model_validate({"insight_id": 31, "name": None})


async def test_a_deleted_insight_shows_an_undo_with_its_number() -> None:
    api = FakeCall({f"GET {INSIGHT}": insight(), f"PATCH {INSIGHT}": insight(deleted=True)})
    shown = await run(DELETE, api, insight_id="AaVQ8Ijw")
    assert api.last.body == {"deleted": True}
    assert shown["undo"]["arguments"] == {"resource": "insight", "id": "31", "project_id": str(PROJECT_ID)}


@pytest.mark.parametrize("field", [name for name in insight() if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in insight().items() if name != field}
    api = FakeCall({f"GET {INSIGHT}": old, f"GET {INSIGHTS}": page(old)})
    assert (await run(GET, api, insight_id=31))["id"] == 31
    assert len((await run(LIST, api))["insights"]) == 1
