from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.errors import Refused
from maton_posthog.schemas.query import DescribeData
from maton_posthog.tools.query.describe import OPERATIONS
from posthog_sandbox.hogql.schema.describe import describe_schema

from ..posthog.fake import QUERY_PATH, FakeCall, Sent, page, run

pytestmark = pytest.mark.anyio

(DESCRIBE,) = OPERATIONS
LONG = "x" * 200
SAMPLED = [
    ["$pageview", "$current_url", '"https://a.example/"', 60],
    ["signed_up", "plan", '"free"', 9],
    ["signed_up", "plan", '"pro"', 3],
    ["signed_up", "seats", "12", 7],
    ["signed_up", "email", '"ann@example.com"', 1],
]
ID = "01a20102-35e3-771b-9146-aed4f0c2e87a"


def upstream() -> FakeCall:
    taxonomy: Mapping[str, Any] = {
        "TeamTaxonomyQuery": [{"event": "$pageview", "count": 900}, {"event": "signed_up", "count": 12}],
        "EventTaxonomyQuery": [
            {"property": "plan", "sample_values": ["free", "pro", LONG, "team"], "sample_count": 4},
            {"property": "order_id", "sample_values": [ID, ID[::-1]], "sample_count": 2},
            {"property": "basket", "sample_values": [LONG, "{}"], "sample_count": 2},
            {"property": "$browser", "sample_values": ["Chrome", "Safari"], "sample_count": 2},
        ],
    }

    def query(sent: Sent) -> Any:
        assert sent.body is not None
        kind = sent.body["query"]["kind"]
        if kind == "DatabaseSchemaQuery":
            return describe_schema(("organization",))
        if kind == "HogQLQuery":
            return {"results": SAMPLED}
        nothing = sent.body["query"].get("properties") == ["nothing"]
        return {"results": [] if nothing else taxonomy[kind]}

    def properties(sent: Sent) -> Any:
        of = {"person": ["email", "plan"], "group": ["industry"]}
        found = of.get(sent.query["type"], ["plan", "revenue", "$os"])
        named = [name for name in found if sent.query.get("search", "") in name]
        return page(*({"name": name, "property_type": "String"} for name in named))

    def events(sent: Sent) -> Any:
        named = [name for name in ("$pageview", "signed_up", "old event") if sent.query.get("search", "") in name]
        return page(*({"name": name, "last_seen_at": "2026-11-23T10:00:00Z"} for name in named))

    return FakeCall(
        {
            f"POST {QUERY_PATH}": query,
            "GET /api/projects/{project_id}/event_definitions/": events,
            "GET /api/projects/{project_id}/property_definitions/": properties,
            "GET /api/projects/{project_id}/persons/values/": [
                {"name": "pro", "count": 3},
                {"name": "free", "count": 9},
            ],
            "GET /api/projects/{project_id}/groups_types/": [{"group_type": "organization", "group_type_index": 0}],
            "GET /api/projects/{project_id}/data_catalog/metrics/": page(
                {"name": "mrr", "description": "Revenue a month", "unit": "usd", "status": "approved"},
                {"name": "proposal", "description": "x", "status": "proposed"},
                {"name": "changed", "description": "x", "status": "approved", "is_drifted": True},
            ),
        }
    )


async def test_without_arguments_it_lists_events_by_volume_tables_and_person_properties() -> None:
    shown = await run(DESCRIBE, upstream())
    assert shown["columns"] == ["event", "count_30d", "last_seen", "properties"]
    assert shown["events"] == [
        ["$pageview", 900, "2026-11-23", ["$current_url"]],
        ["signed_up", 12, "2026-11-23", ["plan", "seats", "email"]],
    ]
    assert shown["other_events"] == ["old event"]
    assert shown["person_properties"] == ["email", "plan"]
    assert shown["tables"]["posthog"][:1] == ["events"]
    assert "system.feature_flags" in shown["tables"]["system"]
    assert shown["age_s"] == 0


async def test_a_table_shows_its_columns_by_type_and_its_joins() -> None:
    shown = await run(DESCRIBE, upstream(), table="events")
    assert "event" in shown["columns"]["string"]
    assert shown["columns"]["json"] == ["properties"]
    assert shown["joins"]["person"] == "persons"
    assert shown["joins"]["poe"] == ["id", "created_at", "properties"]


async def test_an_event_shows_its_properties_with_types_and_short_samples() -> None:
    shown = await run(DESCRIBE, upstream(), event="signed_up")
    assert shown["columns"] == ["property", "type", "samples"]
    assert shown["properties"][0] == ["plan", "String", ["free", "pro", f"{'x' * 60}…"]]
    assert shown["other_properties"] == ["revenue"]


async def test_ids_and_long_values_have_one_sample() -> None:
    shown = await run(DESCRIBE, upstream(), event="signed_up")
    assert shown["properties"][1:] == [["order_id", None, [ID]], ["basket", None, [f"{'x' * 60}…"]]]


async def test_properties_of_every_event_are_listed_by_type_without_samples() -> None:
    shown = await run(DESCRIBE, upstream(), event="signed_up")
    assert shown["context_properties"] == {"String": ["$os"], "other": ["$browser"]}


async def test_a_property_shows_its_values_for_an_event_or_for_persons() -> None:
    shown = await run(DESCRIBE, upstream(), event="signed_up", property="plan")
    assert (shown["values"][:2], shown["distinct"]) == (["free", "pro"], 4)
    shown = await run(DESCRIBE, upstream(), property="plan")
    assert (shown["columns"], shown["values"]) == (["value", "persons"], [["pro", 3], ["free", 9]])


async def test_a_search_finds_events_properties_and_columns() -> None:
    shown = await run(DESCRIBE, upstream(), search="plan")
    assert shown["property_columns"] == ["property", "type", "events", "top_values"]
    assert shown["properties"] == [["plan", "String", ["signed_up"], ["free", "pro"]]]
    assert shown["person_properties"] == ["plan"]
    shown = await run(DESCRIBE, upstream(), search="revenue")
    assert shown["event_properties"] == ["revenue"]
    shown = await run(DESCRIBE, upstream(), search="e")
    assert shown["events"] == [
        ["$pageview", 900, "2026-11-23"],
        ["signed_up", 12, "2026-11-23"],
        ["old event", 0, "2026-11-23"],
    ]
    shown = await run(DESCRIBE, upstream(), search="utm_source")
    assert shown["table_columns"] == ["sessions.$entry_utm_source"]
    shown = await run(DESCRIBE, upstream(), search="signedup")
    assert (shown["found"], shown["nearest"]) == (0, ["signed_up"])


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ({"table": "sesions"}, "sessions"),
        ({"event": "signed up"}, "signed_up"),
        ({"event": "signup", "property": "plan"}, "signed_up"),
        ({"event": "signed_up", "property": "nothing"}, "search"),
    ],
)
async def test_an_unknown_name_is_reported_with_the_nearest_one(arguments: dict[str, str], near: str) -> None:
    with pytest.raises(Refused) as caught:
        await run(DESCRIBE, upstream(), **arguments)
    assert caught.value.code == "not_found"
    assert near in (caught.value.hint or "")


async def test_nothing_is_requested_twice_within_ten_minutes() -> None:
    api = upstream()
    for arguments in ({}, {"event": "signed_up"}, {"event": "signed_up", "property": "plan"}, {"search": "plan"}):
        await run(DESCRIBE, api, **arguments)
        before = len(api.sent)
        await run(DESCRIBE, api, **arguments)
        assert len(api.sent) == before
    kinds = [sent.body["query"]["kind"] for sent in api.sent if sent.body]
    assert kinds.count("HogQLQuery") == 1


@pytest.mark.parametrize(
    "arguments",
    [{"search": "a", "table": "events"}, {"table": "events", "property": "plan"}, {"event": "a", "search": "b"}],
)
def test_only_one_argument_is_accepted_at_a_time(arguments: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        DescribeData.model_validate(arguments)
