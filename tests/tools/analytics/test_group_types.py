"""Breakdowns and filters by properties of groups and sessions, which would otherwise count as having no value."""

from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.errors import Refused, Rejected
from maton_posthog.schemas.analytics.queries import QueryFunnel, QueryTrends
from maton_posthog.tools.analytics.operations import OPERATIONS
from maton_posthog.tools.insights.operations import OPERATIONS as INSIGHTS

from ..posthog.fake import QUERY_PATH, FakeCall, Sent, answer, page, run
from ..posthog.live import LiveSandbox

pytestmark = pytest.mark.anyio

TRENDS, FUNNEL, RETENTION, *_ = OPERATIONS
CREATE, UPDATE = INSIGHTS[2:4]
TYPES = "/api/projects/{project_id}/groups_types/"
SAVED = "/api/projects/{project_id}/insights/"


def api_with(types: Any = None, *, properties: tuple[str, ...] = ("$browser", "a.b")) -> FakeCall:
    known = [{"group_type": "organization", "group_type_index": 0}, {"group_type": "team", "group_type_index": 1}]
    names = page(*({"name": name} for name in properties))
    return FakeCall(
        {
            f"POST {QUERY_PATH}": {"results": []},
            f"GET {TYPES}": known if types is None else types,
            "GET /api/projects/{project_id}/event_definitions/": page(),
            "GET /api/projects/{project_id}/property_definitions/": names,
            f"POST {SAVED}": lambda sent: answer("insight", query=(sent.body or {})["query"]),
            f"GET {SAVED}{{insight_id}}/": answer("insight"),
            f"PATCH {SAVED}{{insight_id}}/": lambda sent: answer("insight", query=(sent.body or {})["query"]),
        }
    )


def asked(api: FakeCall) -> dict[str, Any]:
    (body,) = [sent.body for sent in api.sent if sent.method == "POST" and sent.body]
    return body["query"]


def looked_up(api: FakeCall) -> list[Sent]:
    return [sent for sent in api.sent if "groups_types" in sent.path]


async def test_a_breakdown_names_the_type_of_its_group() -> None:
    of_team = {"property": "size", "type": "group", "group_type_index": 1}
    for operation, arguments in ((TRENDS, {"events": ["a"]}), (RETENTION, {"event": "a"})):
        api = api_with()
        await run(operation, api, breakdown="team.size", **arguments)
        assert asked(api)["breakdownFilter"]["breakdowns"] == [of_team]
    api = api_with()
    await run(FUNNEL, api, steps=["a", "b"], breakdown="team.size")
    assert asked(api)["breakdownFilter"] == {
        "breakdown_type": "group",
        "breakdown": "size",
        "breakdown_limit": 10,
        "breakdown_group_type_index": 1,
    }


async def test_filters_and_conditions_of_events_do_so_too() -> None:
    api = api_with()
    where = [{"key": "organization.industry", "value": "retail"}]
    await run(TRENDS, api, events=[{"event": "a", "where": where}], filters=[{**where[0], "type": "group"}])
    industry = {"key": "industry", "value": "retail", "operator": "exact", "type": "group", "group_type_index": 0}
    assert asked(api)["properties"] == [industry]
    assert asked(api)["series"][0]["properties"] == [industry]
    assert len(looked_up(api)) == 1


async def test_a_group_type_can_be_written_by_its_index_without_a_look_up() -> None:
    api = api_with()
    await run(TRENDS, api, events=["a"], breakdown="group_1.size", filters=[{"key": "$group_0.plan", "value": "pro"}])
    assert asked(api)["breakdownFilter"]["breakdowns"][0] == {
        "property": "size",
        "type": "group",
        "group_type_index": 1,
    }
    assert asked(api)["properties"][0]["group_type_index"] == 0
    assert looked_up(api) == []


async def test_an_event_property_with_a_dot_in_its_name_stays_one() -> None:
    api = api_with(properties=("organization.industry", "a.b"))
    await run(TRENDS, api, events=["a"], breakdown=["organization.industry", "a.b"])
    assert [one["type"] for one in asked(api)["breakdownFilter"]["breakdowns"]] == ["event", "event"]


async def test_an_unknown_group_type_is_rejected_with_the_known_ones() -> None:
    api = api_with()
    with pytest.raises(Refused, match=r"`company.size` names no type of groups") as refused:
        await run(TRENDS, api, events=["a"], filters=[{"type": "group", "key": "company.size", "value": 1}])
    assert "`organization`, `team`" in (refused.value.hint or "")


async def test_a_connection_that_cannot_read_group_types_still_counts_events() -> None:
    api = api_with(Rejected("permission_denied", "no"))
    await run(TRENDS, api, events=["a"], breakdown="organization.industry")
    assert asked(api)["breakdownFilter"]["breakdowns"] == [{"property": "organization.industry", "type": "event"}]


async def test_a_funnel_by_properties_of_two_types_is_rejected() -> None:
    with pytest.raises(Refused, match=r"not `\$browser` \(event\), `team.size` \(group\)"):
        await run(FUNNEL, api_with(), steps=["a", "b"], breakdown=["$browser", "team.size"])


async def test_stored_queries_have_the_group_type_too() -> None:
    query = {"tool": "query_trends", "arguments": {"events": ["a"], "breakdown": "team.size"}}
    for operation, more in ((CREATE, {"name": "x"}), (UPDATE, {"insight_id": 31})):
        api = api_with()
        await run(operation, api, query=query, **more)
        (stored,) = [one.body for one in api.sent if one.body and "source" in one.body.get("query", {})]
        (split,) = stored["query"]["source"]["breakdownFilter"]["breakdowns"]
        assert split == {"property": "size", "type": "group", "group_type_index": 1}


async def test_names_that_only_sessions_have_need_no_scope() -> None:
    api = api_with()
    await run(TRENDS, api, events=["a"], breakdown="$channel_type", filters=[{"key": "$entry_pathname", "value": "/"}])
    assert asked(api)["breakdownFilter"]["breakdowns"] == [{"property": "$channel_type", "type": "session"}]
    assert asked(api)["properties"][0]["type"] == "session"
    api = api_with()
    await run(RETENTION, api, event="a", breakdown="$channel_type")
    assert asked(api)["breakdownFilter"]["breakdowns"] == [{"property": "session.$channel_type", "type": "hogql"}]


def test_several_cohorts_are_a_breakdown_and_a_mixture_is_none() -> None:
    read = QueryFunnel.model_validate({"steps": ["a", "b"], "breakdown": ["cohort.7", "cohort.8"]})
    assert [one.property for one in read.breakdown or ()] == [7, 8]
    with pytest.raises(ValidationError, match="cohorts cannot be mixed"):
        QueryTrends.model_validate({"events": "a", "breakdown": ["cohort.7", "$browser"]})


NULL = "$$_posthog_breakdown_null_$$"


async def test_a_breakdown_that_splits_nothing_is_reported() -> None:
    api = api_with()
    line = {"data": [3], "days": ["2026-11-23"], "label": NULL, "breakdown_value": [NULL], "action": {"order": 0}}
    api.respond({f"POST {QUERY_PATH}": {"results": [line]}})
    shown = await run(TRENDS, api, events=["a"], breakdown="$os")
    assert shown["notes"][0] == "No event counted here has a value for $os: the breakdown splits nothing."
    api.respond({f"POST {QUERY_PATH}": {"results": [line, {**line, "label": "Mac", "breakdown_value": ["Mac"]}]}})
    assert "splits nothing" not in str(await run(TRENDS, api, events=["a"], breakdown="$os", refresh=True))


SPLITS = {
    "organization.industry": "group_0.properties.industry",
    "$channel_type": "session.$channel_type",
    "hogql:upper(properties.$browser)": "upper(properties.$browser)",
}


@pytest.mark.parametrize("breakdown", SPLITS)
async def test_every_breakdown_counts_what_sql_counts(sandbox: LiveSandbox, breakdown: str) -> None:
    sql = f"toString({SPLITS[breakdown]})"
    counted = await sandbox.rows(
        f"SELECT ifNull(nullIf({sql}, ''), '(none)') AS value, count(), count(DISTINCT person_id) FROM events "
        "WHERE event = '$pageview' AND timestamp >= '2026-11-16' AND timestamp < '2026-11-23 12:30:00' GROUP BY value"
    )
    asked = {"breakdown": breakdown, "date_from": "2026-11-16"}
    trends = await sandbox.call("query_trends", events=["$pageview"], interval="total", breakdown_limit=50, **asked)
    assert {row[0]: row[1] for row in trends["rows"]} == {value: count for value, count, _ in counted}
    funnel = await sandbox.call("query_funnel", steps=["$pageview", "$pageview"], breakdown_limit=50, **asked)
    assert {row[0] for row in funnel["rows"]} <= {value for value, *_ in counted}
    kept = await sandbox.call(
        "query_retention", event="$pageview", period="month", periods=2, kind="recurring", **asked
    )
    values = {row[0] for row in kept["rows"]}
    assert len(counted) > 2
    assert values >= {value for value, *_ in counted}
