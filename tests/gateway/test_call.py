"""What one call can send: paths, projects, soft deletes, queries, and its deadline."""

import threading
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.client import Gateway
from maton_posthog.gateway.connections import Connection
from maton_posthog.gateway.errors import Failed, Refused
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.queries.kinds import QUERY_KINDS, check_query
from maton_posthog.gateway.target import Target
from maton_posthog.schemas.restore import RESTORABLE
from maton_posthog.tools.operation.undoing import restoring

from .conftest import FLAG, FLAGS, ONE, SENT_FLAG, Caller, Opener, shared
from .fake_gateway import CONNECTION, FakeGateway, connections, maton_connection, reply

pytestmark = pytest.mark.anyio


def unaimed(opened: Gateway, *, budget: Budget, writes: bool) -> Call:
    return Call(opened.send, shared(opened), budget=budget, writes=writes)


async def test_a_detached_call_reports_no_progress_to_the_client_of_the_call_it_came_from(call: Caller) -> None:
    async def tell(_: float, __: str) -> None:
        raise AssertionError("its client has its response already")

    api = call()
    api.progress = tell
    detached = api.detached(60)
    assert (detached.progress, api.progress) == (None, tell)
    assert detached.place == api.place


async def test_query_values_are_written_as_posthog_reads_them(fake: FakeGateway, call: Caller) -> None:
    query = {"a": True, "b": False, "c": None, "d": 5, "e": ["x", "ü"], "f": {"k": 1}, "g": "text", "h": ("t",)}
    await call().get(FLAGS, query)
    assert fake.received[0].target.startswith("/posthog/api/projects/1/feature_flags/?")
    assert fake.received[0].query == {
        "a": "true",
        "b": "false",
        "d": "5",
        "e": '["x","ü"]',
        "f": '{"k":1}',
        "g": "text",
        "h": '["t"]',
    }


@pytest.mark.parametrize("value", [[float("nan")], ["\ud800"], {"a": float("inf")}])
async def test_a_query_value_that_is_not_json_is_rejected(fake: FakeGateway, call: Caller, value: Any) -> None:
    with pytest.raises(Refused) as error:
        await call().get(FLAGS, {"properties": value})
    assert error.value.code == "invalid_argument"
    assert fake.connections == 0


async def test_a_path_takes_the_project_of_the_call_and_no_other(fake: FakeGateway, call: Caller) -> None:
    await call().get(FLAG, flag_id=42, project_id=666)
    assert fake.received[0].path == SENT_FLAG


async def test_creating_and_changing_are_one_request_each(fake: FakeGateway, call: Caller) -> None:
    api = call()
    await api.post(FLAGS, {"key": "a"})
    await api.patch(FLAG, {"active": False}, flag_id=42)
    assert [(request.method, request.json) for request in fake.received] == [
        ("POST", {"key": "a"}),
        ("PATCH", {"active": False}),
    ]
    assert api.wrote


@pytest.mark.parametrize("resource", RESTORABLE)
@pytest.mark.parametrize("deleted", [True, False])
async def test_the_seven_soft_deletes_are_patches_and_checked(
    fake: FakeGateway, call: Caller, resource: str, deleted: bool
) -> None:
    fake.answers(reply(200, {"id": 42, "deleted": deleted}))
    path = f"/api/projects/{{project_id}}/{resource}/{{id}}/"
    api = call()
    answer = await (api.soft_delete if deleted else api.restore)(path, id=42)
    assert answer == {"id": 42, "deleted": deleted}
    [request] = fake.received
    assert (request.method, request.json) == ("PATCH", {"deleted": deleted})
    assert request.path == f"/posthog/api/projects/1/{resource}/42/"


@pytest.mark.parametrize(
    "path",
    [
        "/api/projects/{project_id}/surveys/{survey_id}/",
        "/api/projects/{project_id}/persons/{person_id}/",
        "/api/projects/{project_id}/session_recordings/{recording_id}/",
        "/api/projects/{project_id}/event_definitions/{id}/",
        "/api/projects/{project_id}/feature_flags/",
        "/api/projects/{project_id}/dashboards/{dashboard_id}/tiles/{tile_id}/",
        "/api/projects/{project_id}/",
        "/api/organizations/{project_id}/feature_flags/{flag_id}/",
        "/api/users/@me/",
    ],
)
async def test_nothing_else_is_soft_deleted(fake: FakeGateway, call: Caller, path: str) -> None:
    for change in (call().soft_delete, call().restore):
        with pytest.raises(RuntimeError, match="takes no soft delete"):
            await change(path, survey_id=1, person_id=1, recording_id=1, id=1, dashboard_id=1, tile_id=1, flag_id=1)
    assert fake.connections == 0


async def test_a_patch_cannot_delete_and_a_post_cannot_query(fake: FakeGateway, call: Caller) -> None:
    with pytest.raises(RuntimeError, match="soft_delete"):
        await call().patch(FLAG, {"deleted": True}, flag_id=42)
    with pytest.raises(RuntimeError, match=r"Call\.query"):
        await call().post("/api/projects/{project_id}/query/", {"query": {"kind": "HogQuery"}})
    assert fake.connections == 0


@pytest.mark.parametrize("answer", [{}, {"deleted": False}, {"deleted": "true"}, {"deleted": 1}, None, []])
async def test_a_delete_that_the_response_does_not_confirm_is_an_error(
    fake: FakeGateway, call: Caller, answer: Any
) -> None:
    fake.answers(reply(200, answer))
    api = call()
    with pytest.raises(Failed, match="does not confirm deleted: true") as error:
        await api.soft_delete(FLAG, flag_id=42)
    assert api.settle(error.value).outcome == "unknown"


async def test_the_undo_is_the_exact_call_that_restores(gateway: Opener) -> None:
    api = unaimed(gateway(connection_id=CONNECTION), budget=Budget.CRUD, writes=True)
    await api.aim(None, None)
    assert restoring(api, FLAG, 42) == {
        "undo": {
            "tool": "restore_deleted",
            "arguments": {"resource": "flag", "id": "42", "connection_id": CONNECTION},
        }
    }
    api.target = Target(Connection(CONNECTION), ONE)
    assert restoring(api, FLAG, 42)["undo"]["arguments"]["project_id"] == "1"


async def test_a_reading_operation_cannot_write(fake: FakeGateway, call: Caller) -> None:
    api = call(writes=False)
    changes = (
        api.post(FLAGS, {}),
        api.patch(FLAG, {}, flag_id=1),
        api.soft_delete(FLAG, flag_id=1),
        api.control.create(),
    )
    for change in changes:
        with pytest.raises(RuntimeError, match="an operation that reads"):
            await change
    assert fake.connections == 0


async def test_a_read_only_server_sends_no_request_for_a_write(fake: FakeGateway, gateway: Opener) -> None:
    for connection in (None, CONNECTION):
        api = unaimed(gateway(read_only=True), budget=Budget.CRUD, writes=True)
        with pytest.raises(Refused) as error:
            await api.aim(connection, "@current")
        assert (error.value.code, error.value.outcome) == ("read_only", "not_sent")
    assert fake.connections == 0


async def test_a_read_only_server_still_queries(fake: FakeGateway, call: Caller) -> None:
    await call(writes=False, read_only=True).query({"query": {"kind": "HogQLQuery", "query": "SELECT 1"}})
    assert fake.received[0].method == "POST"


@pytest.mark.parametrize("project_id", [2, "@current", 9])
async def test_a_pinned_project_is_the_only_one(fake: FakeGateway, gateway: Opener, project_id: Any) -> None:
    fake.answers(reply(200, {"id": 9, "name": "Pinned"}))
    fake.on("GET", "/connections", connections(maton_connection()))
    api = unaimed(gateway(project_id=9), budget=Budget.CRUD, writes=False)
    if project_id == 2:
        with pytest.raises(Refused) as error:
            await api.aim(None, project_id)
        assert error.value.code == "project_pinned"
        assert fake.connections == 0
    else:
        await api.aim(None, project_id)
        await api.get(FLAGS)
        assert {request.path.split("/")[4] for request in fake.received[1:]} == {"9"}


@pytest.mark.parametrize("writes", [False, True])
async def test_without_a_key_a_call_learns_that_first(fake: FakeGateway, gateway: Opener, writes: bool) -> None:
    api = unaimed(gateway(api_key=None), budget=Budget.CRUD, writes=writes)
    with pytest.raises(Refused) as error:
        await api.aim(None, "@current")
    assert error.value.code == "missing_api_key"
    assert fake.connections == 0


@pytest.mark.parametrize(
    "query",
    [
        None,
        "SELECT 1",
        [],
        {},
        {"kind": None},
        {"kind": ["HogQLQuery"]},
        {"kind": "HogQuery", "code": "return 1"},
        {"kind": "hogqlquery"},
        {"kind": "DataTableNode", "source": {"kind": "HogQuery"}},
        {"kind": "InsightVizNode", "source": {"kind": "TrendsQuery", "series": [{"source": {"kind": "HogQuery"}}]}},
        {"kind": "ActorsQuery", "source": {"kind": "InsightActorsQuery", "source": {"kind": "HogQuery"}}},
        {"kind": "HogQLMetadata", "sourceQuery": {"kind": "HogQuery"}},
    ],
)
async def test_a_query_of_another_kind_is_not_sent(fake: FakeGateway, call: Caller, query: Any) -> None:
    with pytest.raises(Refused, match="kind") as error:
        await call(writes=False).query({"query": query})
    assert error.value.code == "invalid_argument"
    assert "HogQLQuery" in str(error.value.hint)
    assert fake.connections == 0


@given(st.recursive(st.text(max_size=8), lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3)))
def test_no_kind_outside_the_list_passes(query: Any) -> None:
    with pytest.raises(Refused):
        check_query(query)
    with pytest.raises(Refused):
        check_query({"kind": "TrendsQuery", "deep": [query, {"kind": "HogQuery"}]})


@pytest.mark.parametrize("kind", sorted(QUERY_KINDS))
def test_each_kind_that_reads_passes(kind: str) -> None:
    check_query({"kind": kind, "source": {"kind": "HogQLQuery"}, "metrics": [{"source": {"kind": "EventsNode"}}]})


async def test_only_queries_show_their_budget(fake: FakeGateway, call: Caller) -> None:
    api = call(writes=False, budget=Budget.QUERY)
    await api.query({"query": {"kind": "HogQLQuery", "query": "SELECT 1"}})
    one = {"project": {"id": 1, "name": "One"}, "connection": {"resolved": False}}
    assert api.aimed() == {**one, "budget": {"class": "query", "used": 1, "limit": 120}}
    typed = call(writes=False, budget=Budget.ANALYTICS)
    await typed.query({"query": {"kind": "TrendsQuery"}})
    assert typed.aimed()["budget"] == {"class": "analytics", "used": 1, "limit": 240}
    assert call().aimed() == one
    assert call(project=None).aimed() == {}


async def test_the_130th_strict_query_is_rejected(fake: FakeGateway, gateway: Opener) -> None:
    opened = gateway(policy="strict")
    sent = refused = 0
    for _ in range(130):
        target = Target(project=Project(1))
        api = Call(opened.send, shared(opened), budget=Budget.QUERY, writes=False, target=target)
        try:
            await api.query({"query": {"kind": "HogQLQuery", "query": "SELECT 1"}})
            sent += 1
        except Refused:
            refused += 1
    assert (sent, refused, len(fake.received)) == (120, 10, 120)


@pytest.mark.parametrize(
    ("timezone_name", "value", "text"),
    [
        ("Europe/Berlin", date(2026, 1, 5), "2026-01-05T00:00:00+01:00"),
        ("Europe/Berlin", date(2026, 7, 5), "2026-07-05T00:00:00+02:00"),
        ("Europe/Berlin", datetime(2026, 7, 5, 12, 30), "2026-07-05T12:30:00+02:00"),
        ("America/New_York", date(2026, 1, 5), "2026-01-05T00:00:00-05:00"),
        ("Asia/Kolkata", date(2026, 1, 5), "2026-01-05T00:00:00+05:30"),
        ("UTC", date(2026, 1, 5), "2026-01-05T00:00:00+00:00"),
        ("Europe/Berlin", datetime(2026, 1, 5, 12, tzinfo=UTC), "2026-01-05T12:00:00+00:00"),
        (
            "Europe/Berlin",
            datetime(2026, 1, 5, 12, tzinfo=timezone(timedelta(hours=-3))),
            "2026-01-05T12:00:00-03:00",
        ),
        ("Not/AZone", date(2026, 1, 5), "2026-01-05T00:00:00+00:00"),
        ("America", date(2026, 1, 5), "2026-01-05T00:00:00+00:00"),
        ("../../etc/passwd", date(2026, 1, 5), "2026-01-05T00:00:00+00:00"),
        ("", date(2026, 1, 5), "2026-01-05T00:00:00+00:00"),
        ("a\x00b", date(2026, 1, 5), "2026-01-05T00:00:00+00:00"),
    ],
)
async def test_a_moment_without_offset_is_local_to_the_project(
    call: Caller, timezone_name: str, value: date, text: str
) -> None:
    assert call(project=Project(1, None, timezone_name)).moment(value) == text


async def test_a_moment_without_a_project_is_utc(call: Caller) -> None:
    assert call(project=None).moment(date(2026, 1, 5)) == "2026-01-05T00:00:00+00:00"


async def test_a_control_operation_is_not_aimed(fake: FakeGateway, call: Caller) -> None:
    fake.on("GET", "/connections", connections(maton_connection()))
    api = call(budget=Budget.CONTROL, project=None, connection_id=CONNECTION)
    await api.aim(None, None)
    assert (api.aimed(), fake.received) == ({}, [])


async def test_forgetting_connections_requests_everything_again(fake: FakeGateway, gateway: Opener) -> None:
    fake.on("GET", "/connections", connections(maton_connection()))
    fake.on("GET", "/posthog/api/projects/@current/", reply(200, {"id": 1, "name": "One"}))
    opened = gateway()
    directory = shared(opened)
    for _ in range(2):
        api = Call(opened.send, directory, budget=Budget.CRUD, writes=True)
        await api.aim(None, "@current")
        api.forget_connections()
    assert len(fake.received) == 4


async def test_a_call_with_large_responses_is_large(fake: FakeGateway, call: Caller) -> None:
    api = call()
    fake.answers(reply(200, {"id": 1, "name": "x" * 150_000}))
    await api.get(FLAGS)
    assert not api.is_large
    await api.get(FLAGS)
    assert api.is_large


async def test_the_deadline_covers_work_in_a_thread(gateway: Opener) -> None:
    opened = gateway()
    for deadline in (0.0, time.monotonic() + 0.05):
        api = Call(opened.send, shared(opened), budget=Budget.CRUD, writes=False, deadline=deadline)
        let_go = threading.Event()
        with pytest.raises(Failed, match="deadline") as error:
            await api.in_thread(lambda let_go=let_go: let_go.wait(60))
        let_go.set()
        assert error.value.code == "timeout"


@pytest.mark.parametrize(("size", "apart"), [(1_000, False), (300_000, True)])
async def test_work_on_large_responses_is_done_in_a_thread(
    fake: FakeGateway, call: Caller, size: int, apart: bool
) -> None:
    fake.answers(reply(200, {"text": "x" * size}))
    api = call()
    await api.get(FLAGS)
    worked_in = await api.apart(threading.current_thread)
    assert (worked_in is not threading.main_thread()) is apart
