"""Requirements for every operation, checked at both ends: an MCP client in front, a recording gateway behind."""

import json
import re
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from maton_posthog.schemas.base import InProject
from maton_posthog.server import calling
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.tools.operation import Effect, Operation
from maton_posthog.tools.operations import OPERATIONS
from tests.clients import Era, client_of
from tests.gateway.fake_gateway import CANARY, CONNECTION, OTHER_CONNECTION, FakeGateway, Peer, Received, raw
from tests.oracle import crossed
from tests.tools.posthog.fake import LEAK, answer, connection, marked, page

pytestmark = pytest.mark.anyio

BOTH_ERAS: tuple[Era, ...] = ("auto", "legacy")
ERAS = pytest.mark.parametrize("era", BOTH_ERAS)
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
APP = "https://us.posthog.com"
PERSON = "5d79eecb-93e6-5c8b-90f9-8510ba4040b8"
ERROR = "0190cccc-0000-7000-8000-000000000003"
PERFORMED = {"key": "$pageview", "type": "event", "value": "performed_event"}

ARGUMENTS: Mapping[str, dict[str, Any]] = {
    "manage_connection": {"action": "delete", "connection_id": CONNECTION},
    "get_query_result": {"query_id": "0" * 32},
    "cancel_query": {"query_id": "0" * 32},
    "check_hogql": {"query": "select event from events limit 2"},
    "run_hogql": {"query": "select event from events limit 2"},
    "query_trends": {"events": ["$pageview"]},
    "query_funnel": {"steps": ["$pageview", "purchase"]},
    "query_retention": {"event": "$pageview"},
    "query_stickiness": {"events": ["$pageview"]},
    "query_lifecycle": {"event": "$pageview"},
    "explain_change": {"event": "$pageview"},
    "list_actors": {"of": {"tool": "query_trends", "arguments": {"events": ["$pageview"]}}, "day": "2026-11-22"},
    "get_insight": {"insight_id": 31},
    "create_insight": {
        "name": "Daily Active Users", "query": {"tool": "query_trends", "arguments": {"events": ["$pageview"]}}
    },
    "update_insight": {"insight_id": 31, "name": "Daily users"},
    "delete_insight": {"insight_id": 31},
    "get_dashboard": {"dashboard_id": 9},
    "create_dashboard": {"name": "My Dashboard"},
    "update_dashboard": {"dashboard_id": 9, "pinned": True},
    "delete_dashboard": {"dashboard_id": 9},
    "get_flag": {"flag": "my-feature-flag"},
    "create_flag": {"key": "my-feature-flag", "rollout_percentage": 10},
    "update_flag": {"flag": 42, "rollout_percentage": 25},
    "delete_flag": {"flag": 42},
    "get_cohort": {"cohort_id": 7},
    "create_cohort": {"name": "Active Users", "groups": [{"properties": [PERFORMED]}]},
    "update_cohort": {"cohort_id": 7, "name": "Users"},
    "delete_cohort": {"cohort_id": 7},
    "create_action": {"name": "Signed Up", "steps": [{"event": "$identify"}]},
    "get_action": {"action_id": 3},
    "update_action": {"action_id": 3, "name": "Sign-up"},
    "delete_action": {"action_id": 3},
    "get_person": {"person_id": PERSON},
    "get_recording": {"recording_id": "019c8795-79e3-7a05-ac56-597b102f1960"},
    "get_error": {"error_id": ERROR},
    "create_annotation": {"content": "New feature launched"},
    "update_annotation": {"annotation_id": 5, "content": "Launch"},
    "delete_annotation": {"annotation_id": 5},
    "create_survey": {"name": "NPS", "type": "popover", "questions": [{"type": "rating", "question": "How likely?"}]},
    "get_survey": {"survey_id": "0190bbbb-0000-7000-8000-000000000002"},
    "get_survey_stats": {"survey_id": "0190bbbb-0000-7000-8000-000000000002"},
    "update_survey": {"survey_id": "0190bbbb-0000-7000-8000-000000000002", "archived": True},
    "create_experiment": {"name": "Button Color Test", "feature_flag_key": "button-color-test"},
    "get_experiment": {"experiment_id": 11},
    "get_experiment_results": {"experiment_id": 11},
    "update_experiment": {"experiment_id": 11, "name": "Colors"},
    "delete_experiment": {"experiment_id": 11},
    "restore_deleted": {"resource": "flag", "id": 42},
}  # fmt: skip
"""The minimum arguments of tools that need some."""

_HOGQL = {
    "columns": ["event"],
    "types": [["event", "String"]],
    "results": [["$pageview"], ["$identify"]],
    "error": None,
}
_SCHEMA = {
    "tables": {
        "events": {"type": "posthog", "fields": {"event": {"type": "string"}, "timestamp": {"type": "datetime"}}}
    }
}
_WINDOWS = [10, *[100] * 8, 0]
_EXPLAINED = [
    [0, "", _WINDOWS, [0], 9, 10, 810, "2026-09-21"],
    [2, "Chrome", _WINDOWS, [0], 9, 10, 810, "2026-09-21"],
]
_VOLUMES = [
    [window, "web", 500, 20 if window else 90, ["TypeError"] if window else ["RangeError"], 100, [0]]
    for window in range(9)
]
_PARTS = [["period", "now", 40, 9], ["period", "before", 50, 9], ["pages", "/", 40, 9]]
_ACTOR = {"id": PERSON, "properties": {"plan": "pro"}, "distinct_ids": ["user_1"], "is_identified": True}
_SURVEY_STATS = {"stats": {"survey shown": {"total_count": 2}, "survey sent": {"total_count": 1}}}
_METRIC = {"name": "mrr", "description": "Revenue of all plans", "status": "approved", "is_drifted": False}
_DAYS = {"days": ["2026-11-22", "2026-11-23"], "data": [1.0, 2.0]}
INSIGHTS: Mapping[str, Any] = {
    "TrendsQuery": [{**_DAYS, "label": "$pageview", "count": 3.0, "action": {"order": 0}}],
    "FunnelsQuery": [{"name": "$pageview", "order": 0, "count": 2}, {"name": "purchase", "order": 1, "count": 1}],
    "RetentionQuery": [{"date": "2026-11-22T00:00:00Z", "values": [{"count": 2}, {"count": 1}]}],
    "PathsQuery": [{"source": "1_/", "target": "2_/pricing", "value": 2, "average_conversion_time": 1000.0}],
    "StickinessQuery": [{"data": [1, 1], "days": [1, 2], "count": 2, "label": "$pageview", "action": {"order": 0}}],
    "ErrorTrackingQuery": [answer("error_tracking_result")],
    "LifecycleQuery": [{**_DAYS, "status": "new"}, {**_DAYS, "status": "dormant", "data": [0.0, -1.0]}],
}
"""Results of the typed queries."""
_OBJECTS: Mapping[str, str] = {"dashboards": "dashboard_retrieve", "persons": "person_retrieve"}
"""Names in answers.json that are not the singular of the resource."""
_ROWS: Mapping[str, str] = {"dashboards": "dashboard_list_row", "persons": "person_list_row"}


def upstream(request: Received) -> Any:
    """Return PostHog's or Maton's documented response to a request, as far as operations need it."""
    if request.path.startswith("/connections"):
        return {"connections": [connection()]} if request.method == "GET" else {}
    path = request.path.removeprefix("/posthog/api/")
    if path == "organizations/@current/":
        return answer("organization")
    if path == "users/@me/":
        return answer("user_me")
    if path == "projects/":
        return page(answer("project_list_row"))
    if re.fullmatch(r"projects/(@current|\d+)/", path):
        return answer("project_list_row")
    resource, *rest = path.split("/")[2:-1]
    if request.method == "DELETE":
        return {"message": "Query task revoked"}
    if resource == "query":
        kind = cast("dict[str, Any]", request.json)["query"]["kind"]
        if kind == "DatabaseSchemaQuery":
            return _SCHEMA
        if kind == "TeamTaxonomyQuery":
            return {"results": [{"event": "$pageview", "count": 2}]}
        if kind == "ActorsQuery":
            return {"results": [[_ACTOR, 3]], "hasMore": False}
        sql = cast("dict[str, Any]", request.json)["query"].get("query", "")
        if "arrayJoin(pairs)" in sql:
            return {"results": _EXPLAINED}
        if "issue_id" in sql:
            return {"results": _PARTS if "pair" in sql else [[ERROR, 40, 50, "1.2.3"]]}
        if "AS all_events" in sql:
            return {"results": _VOLUMES}
        if "AS held" in sql:
            return {"results": [["$pageview", "plan", '"pro"', 2]]}
        if kind == "EventsQuery":
            return {"results": [["s-1", 0, None, "9", *[None] * 6]]}
        return {"results": INSIGHTS[kind]} if kind in INSIGHTS else _HOGQL
    if resource == "data_catalog":
        return page(_METRIC)
    if resource == "groups_types":
        return [{"group_type": "organization", "group_type_index": 0}]
    if request.method == "GET" and rest[-1:] == ["stats"]:
        return _SURVEY_STATS
    if request.method == "GET" and not rest:
        return page(answer(_ROWS.get(resource, resource.removesuffix("s"))))
    stored = answer(_OBJECTS.get(resource, resource.removesuffix("s")))
    sent = cast("dict[str, Any]", request.json or {})
    return stored | {name: value for name, value in sent.items() if name in stored}


async def documented(request: Received, peer: Peer) -> None:
    """Respond as documented, with a field in every object that no view lists."""
    await peer.send(raw(200, json.dumps(marked(upstream(request))).encode()))


@asynccontextmanager
async def served(
    era: Era = "auto", *, learns_app: bool = False, **flags: Any
) -> AsyncGenerator[tuple[Client, FakeGateway]]:
    """Return a client of a server with the recording gateway. It requests no confirmation unless `confirm` is given.

    The address of the app is set unless the server `learns_app`, which takes one more request.
    """
    async with FakeGateway() as fake:
        fake.answers(documented)
        with key_set(app=None if learns_app else APP):
            runtime = Runtime(load(gateway_url=fake.url, control_url=fake.url, **{"confirm": "never", **flags}))
        async with client_of(runtime, era) as client:
            yield client, fake


@contextmanager
def key_set(app: str | None = APP) -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATON_API_KEY", CANARY)
        if app:
            patch.setenv("MATON_POSTHOG_APP_URL", app)
        yield


BY_QUERY_ID = frozenset({"get_query_result", "cancel_query"})
"""Tools for a query that this server ran before, which send nothing to find it (tests/tools/test_query.py)."""
RETURNING: tuple[Operation[Any], ...] = tuple(each for each in OPERATIONS if each.name not in BY_QUERY_ID)
ANSWERED = pytest.mark.parametrize("operation", RETURNING, ids=lambda operation: operation.name)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def methods(fake: FakeGateway) -> set[str]:
    """Return the sent methods, without the reads before every write and without queries, which read with POST."""
    return {
        request.method
        for request in fake.received
        if request.method != "GET" and not re.search(r"/(query|user_blast_radius)/$", request.path)
    }


@crossed(("operation", RETURNING), ("era", BOTH_ERAS))
async def test_it_returns_one_compact_object_that_names_the_project_and_fits_its_view(
    operation: Operation[Any], era: Era
) -> None:
    async with served(era) as (client, _):
        result = await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
    text = text_of(result)
    shown = json.loads(text)
    assert not result.is_error, text
    assert LEAK not in text
    assert CANARY not in text
    assert text == json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    if issubclass(operation.input, InProject):
        assert shown["project"]["id"] == 136209
    assert result.structured_content is None


@ANSWERED
async def test_large_integers_are_texts_in_its_structured_content(
    operation: Operation[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = {"id": 2**53 + 1, "rows": [[-(2**60), 2**53, -(2**53), True, 1.5, "9007199254740993", None]]}
    plain = calling.render

    def with_huge(result: dict[str, Any], *given: Any, **options: Any) -> Any:
        return plain({**result, "huge": huge}, *given, **options)

    monkeypatch.setattr(calling, "render", with_huge)
    async with served(structured=True) as (client, _):
        good = await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
        bad = await client.call_tool(operation.name, {"no such argument": 1})
    assert (good.is_error, bad.is_error) == (False, True)
    for result in (good, bad):
        assert json.loads(text_of(result))["huge"] == huge
        assert result.structured_content is not None
        assert result.structured_content["huge"] == {
            "id": "9007199254740993",
            "rows": [["-1152921504606846976", 2**53, -(2**53), True, 1.5, "9007199254740993", None]],
        }


@EVERY
async def test_its_hints_match_the_requests_it_sends(operation: Operation[Any]) -> None:
    async with served() as (client, fake):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
    hints = tools[operation.name].annotations
    assert hints is not None
    sent = methods(fake)
    if hints.read_only_hint or operation.effect is Effect.STOP:
        assert sent == set()
    elif hints.destructive_hint:
        assert sent == ({"DELETE"} if operation.name == "manage_connection" else {"PATCH"})
    else:
        assert sent == {"POST"}
    assert hints.idempotent_hint is (operation.effect not in (Effect.CREATE, Effect.MANAGE))
    assert hints.open_world_hint is True


@EVERY
async def test_an_unknown_argument_is_rejected_before_anything_is_sent(operation: Operation[Any]) -> None:
    async with served() as (client, fake):
        result = await client.call_tool(operation.name, {**ARGUMENTS.get(operation.name, {}), "no_such_argument": 1})
    error = json.loads(text_of(result))["error"]
    assert result.is_error
    assert (error["code"], error["outcome"]) == ("invalid_argument", "not_sent")
    assert "no_such_argument" in error["message"]
    assert fake.received == []


@ANSWERED
async def test_a_response_of_another_shape_is_never_the_callers_mistake(operation: Operation[Any]) -> None:
    async with served(connection_id=CONNECTION, project_id=136209) as (client, fake):

        async def odd(request: Received, peer: Peer) -> None:
            is_project = re.fullmatch(r"/posthog/api/projects/\d+/", request.path)
            await peer.send(raw(200, json.dumps(upstream(request) if is_project else ["odd"]).encode()))

        fake.answers(odd)
        arguments = ARGUMENTS.get(operation.name, {})
        result = await client.call_tool(operation.name, {"action": "list"} if "action" in arguments else arguments)
    if result.is_error:
        error = json.loads(text_of(result))["error"]
        assert error["code"] == "bad_upstream_response", error
        assert error.get("outcome") in (None, "applied", "unknown", "not_sent")
    else:
        # The response about the project is valid here; a check reports what it could not look up.
        assert operation.name in ("get_project", "check_hogql")


async def test_manage_connection_shows_the_configured_connection_as_default() -> None:
    async with served(connection_id=OTHER_CONNECTION) as (client, _):
        result = await client.call_tool("manage_connection", {"action": "list"})
    shown = json.loads(text_of(result))
    assert shown["default"] == OTHER_CONNECTION
    assert "connection" not in shown


@EVERY
async def test_no_request_leaves_the_project_or_uses_an_old_path(operation: Operation[Any]) -> None:
    async with served() as (client, fake):
        await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
    for request in fake.received:
        assert ("maton-connection" in request.headers) is request.path.startswith("/posthog/")
        assert re.match(r"/posthog/api/(projects|organizations|users)/|/connections", request.path)
        assert "/events/" not in request.path
        assert "/environments/" not in request.path
        if operation.name not in ("get_project", "list_projects") and request.path.startswith("/posthog/api/projects/"):
            assert request.path.startswith(("/posthog/api/projects/136209/", "/posthog/api/projects/@current/"))


@EVERY
async def test_a_write_names_its_connection_and_a_read_only_server_does_not_offer_it(operation: Operation[Any]) -> None:
    async with served(read_only=True) as (client, fake):
        listed = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
    assert (operation.name in listed) is (not operation.effect.writes or operation.name == "manage_connection")
    if operation.effect.writes:
        assert json.loads(text_of(result))["error"]["code"] == "read_only"
        assert methods(fake) == set()
        async with served() as (client, fake):
            await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
        changes = [request for request in fake.received if request.method in ("POST", "PATCH")]
        assert all(request.headers["maton-connection"] == CONNECTION for request in changes)
