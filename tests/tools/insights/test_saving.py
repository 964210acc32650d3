"""Queries in the form of tool calls, stored as insights."""

import json
from typing import Any

import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.tools.analytics.operations import OPERATIONS as QUERIES
from maton_posthog.tools.insights.operations import OPERATIONS

from ..posthog.fake import FakeCall, Sent, answer, page, run

pytestmark = pytest.mark.anyio

CREATE, UPDATE = OPERATIONS[2:4]
POST = "POST /api/projects/{project_id}/query/"
INSIGHTS = "/api/projects/{project_id}/insights/"
ASKED: dict[str, dict[str, Any]] = {
    "query_trends": {"events": ["$pageview"], "breakdown": "$browser"},
    "query_funnel": {"steps": ["$pageview", "purchase"], "window": 7},
    "query_retention": {"event": "$pageview"},
    "query_stickiness": {"events": ["$pageview"]},
    "query_lifecycle": {"event": "$pageview"},
}


INSIGHT = INSIGHTS + "{insight_id}/"


def stored(sent: Sent) -> dict[str, Any]:
    return answer("insight", query=(sent.body or {}).get("query"))


def posted(api: FakeCall) -> Any:
    """Return the body of the new insight."""
    (sent,) = [each for each in api.sent if each.method == "POST" and each.path.endswith("/insights/")]
    return sent.body


@pytest.mark.parametrize("tool", ASKED)
async def test_the_stored_query_is_the_one_that_is_computed(tool: str) -> None:
    (operation,) = [each for each in QUERIES if each.name == tool]
    names = {f"GET /api/projects/{{project_id}}/{kind}_definitions/": page() for kind in ("event", "property")}
    api = FakeCall({POST: {"results": []}, f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": answer("insight"), **names})
    await run(operation, api, **ASKED[tool])
    shown = await run(CREATE, api, name="Views", query={"tool": tool, "arguments": {**ASKED[tool], "chart": True}})
    asked, saved = api.sent[0], posted(api)
    assert asked.body
    node = {"kind": "InsightVizNode", "source": asked.body["query"]}
    assert saved == {"name": "Views", "query": node, "saved": True}
    assert shown["query"] == node


async def test_paths_are_stored_with_the_edges_that_are_shown() -> None:
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": answer("insight")})
    await run(CREATE, api, name="Paths", query={"tool": "query_paths", "arguments": {"edges": 12}})
    assert posted(api)["query"]["source"]["pathsFilter"]["edgeLimit"] == 12


@pytest.mark.parametrize(
    ("arguments", "source"),
    [
        ({"query": "SELECT 1"}, {"query": "SELECT 1"}),
        ({"query": "SELECT 1", "limit": 500, "check": "off"}, {"query": "SELECT 1 LIMIT 500"}),
        ({"query": "SELECT 1 LIMIT 5", "limit": 500}, {"query": "SELECT 1 LIMIT 5"}),
        ({"query": "SELECT {a}", "values": {"a": 1}}, {"query": "SELECT {a}", "values": {"a": 1}}),
    ],
)
async def test_sql_is_stored_with_its_values_and_its_limit(arguments: dict[str, Any], source: dict[str, Any]) -> None:
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": answer("insight")})
    await run(CREATE, api, name="One", query={"tool": "run_hogql", "arguments": arguments})
    assert posted(api)["query"] == {
        "kind": "DataVisualizationNode",
        "source": {"kind": "HogQLQuery", **source},
    }


async def test_an_update_takes_the_same_form_also_as_text() -> None:
    one = f"{INSIGHTS}{{insight_id}}/"
    api = FakeCall({f"GET {one}": answer("insight"), f"PATCH {one}": stored})
    query = {"tool": "query_trends", "arguments": json.dumps({"events": "$pageview"})}
    shown = await run(UPDATE, api, insight_id=31, query=json.dumps(query))
    assert api.last.body
    assert api.last.body.keys() == {"query"}
    assert shown["query"]["source"]["series"][0]["event"] == "$pageview"


NEWER = {"kind": "TrendsQuery", "series": [{"kind": "EventsNode", "event": "a"}], "trendsFilter": {"newerField": 1}}
MISTAKEN = {**NEWER, "trendsFilter": {}, "funnelWindowInterval": 7}


@pytest.mark.parametrize("query", [MISTAKEN, {"kind": "InsightVizNode", "source": MISTAKEN}])
async def test_a_query_that_posthogs_models_reject_is_not_stored(query: dict[str, Any]) -> None:
    api = FakeCall({f"GET {INSIGHTS}{{insight_id}}/": answer("insight")})
    with pytest.raises(Refused, match="query: `funnelWindowInterval` is not a field of TrendsQuery") as refused:
        await run(CREATE, api, name="Views", query=query)
    assert refused.value.code == "invalid_argument"
    with pytest.raises(Refused, match="`funnelWindowInterval` is not a field of TrendsQuery"):
        await run(UPDATE, api, insight_id=31, query=query)
    assert [sent.method for sent in api.sent] == ["GET"]


async def test_it_is_rejected_before_anything_is_sent() -> None:
    args = CREATE.input.model_validate({"name": "Views", "query": MISTAKEN})
    assert CREATE.prepare
    with pytest.raises(Refused, match="is not a field of TrendsQuery"):
        CREATE.prepare(args, None)


async def test_what_a_newer_posthog_has_stored_can_be_sent_back() -> None:
    one = f"{INSIGHTS}{{insight_id}}/"
    node = {"kind": "InsightVizNode", "source": NEWER}
    api = FakeCall({f"GET {one}": answer("insight", query=node), f"PATCH {one}": stored})
    await run(UPDATE, api, insight_id=31, query={**node, "source": {**NEWER, "interval": "week"}})
    assert api.last.body
    assert api.last.body["query"]["source"]["interval"] == "week"


async def test_a_newer_kind_of_query_is_stored_in_its_node() -> None:
    api = FakeCall({f"POST {INSIGHTS}": stored, f"GET {INSIGHT}": answer("insight")})
    node = {"kind": "DataTableNode", "source": {"kind": "NewerQuery", "field": 1}}
    await run(CREATE, api, name="New", query=node)
    assert posted(api)["query"] == node
