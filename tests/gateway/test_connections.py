from typing import Any

import anyio
import pytest

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.connections import ActiveConnections, Grants
from maton_posthog.gateway.directory import Directory
from maton_posthog.gateway.errors import Advice, GatewayError

from .conftest import Clock, Opener, inside
from .directories import new_directory, through
from .fake_gateway import CONNECTION, OTHER_CONNECTION, FakeGateway, connections, drop, hang, maton_connection, reply

pytestmark = pytest.mark.anyio

LIST = "/connections"
OLD = maton_connection(CONNECTION, created="2026-01-05")
NEW = maton_connection(OTHER_CONNECTION, created="2026-02-05")
FAILED = maton_connection(OTHER_CONNECTION, "FAILED")
DEAD = maton_connection(CONNECTION, "FAILED")
BROKEN = reply(500, {"message": "Internal Server Error"})


@pytest.fixture
def directory() -> Directory:
    return new_directory()


def control(opened: Any, directory: Directory) -> Call:
    return Call(opened.send, through(opened, directory), budget=Budget.CONTROL, writes=True)


async def write(opened: Any, directory: Directory, connection: str | None = None) -> Call:
    call = Call(opened.send, through(opened, directory), budget=Budget.CRUD, writes=True)
    await call.aim(connection, None)
    return call


async def test_a_write_uses_and_names_the_oldest_active_connection(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", LIST, connections(NEW, FAILED, {**OLD, "app": "slack", "connection_id": "slack-one"}, OLD))
    opened = gateway()
    for _ in range(2):
        call = await write(opened, directory)
        await call.post("/api/projects/", {})
        assert call.aimed() == {"connection": {"id": CONNECTION, "others": 1}}
        assert fake.received[-1].headers["maton-connection"] == CONNECTION
    assert len(fake.of("GET", LIST)) == 1
    assert fake.of("GET", LIST)[0].query == {"app": "posthog", "status": "ACTIVE"}
    assert "maton-connection" not in fake.of("GET", LIST)[0].headers


async def test_32_writes_at_once_request_the_connections_once(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", LIST, connections(OLD))
    opened = gateway()
    async with anyio.create_task_group() as group:
        for _ in range(32):
            group.start_soon(write, opened, directory)
    assert len(fake.received) == 1


async def test_a_named_connection_is_used_without_a_lookup(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    for call in (
        await write(gateway(), directory, OTHER_CONNECTION),
        await write(gateway(connection_id=OTHER_CONNECTION), directory),
        await write(gateway(connection_id=OTHER_CONNECTION), directory, OTHER_CONNECTION),
    ):
        assert call.aimed() == {"connection": {"id": OTHER_CONNECTION}}
    assert fake.received == []


async def test_a_pinned_connection_is_the_only_one(fake: FakeGateway, gateway: Opener, directory: Directory) -> None:
    opened = gateway(connection_id=OTHER_CONNECTION)
    for writes in (False, True):
        call = Call(opened.send, through(opened, directory), budget=Budget.CRUD, writes=writes)
        with pytest.raises(GatewayError) as error:
            await call.aim(CONNECTION, None)
        assert (error.value.code, error.value.outcome) == ("connection_pinned", "not_sent")
        assert OTHER_CONNECTION in error.value.message
    assert fake.received == []


async def reading(opened: Any, directory: Directory) -> Call:
    call = Call(opened.send, through(opened, directory), budget=Budget.CRUD, writes=False)
    await call.aim(None, None)
    return call


async def test_reads_and_writes_use_one_connection_that_is_requested_once(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", LIST, connections(NEW, OLD), connections(NEW))
    opened = gateway()
    for call in (await reading(opened, directory), await write(opened, directory), await reading(opened, directory)):
        await call.get("/api/projects/")
        assert call.aimed() == {"connection": {"id": CONNECTION, "others": 1}}
        assert fake.received[-1].headers["maton-connection"] == CONNECTION
    assert len(fake.of("GET", LIST)) == 1


AWAY = {
    "drop": drop,
    "500": BROKEN,
    "403": reply(403, {"message": "x"}),
    "404": reply(404, b""),
    "429": reply(429, {"message": "x"}, retry_after="0"),
    "html": reply(200, b"<html>"),
    "another shape": reply(200, {}),
}


@pytest.mark.parametrize("how", AWAY)
async def test_without_the_control_plane_reads_work_unresolved_and_writes_are_rejected(
    fake: FakeGateway, gateway: Opener, how: str
) -> None:
    clock = Clock()
    directory = new_directory()
    directory.connections = ActiveConnections(clock)
    fake.on("GET", LIST, AWAY[how])
    opened = gateway()
    for _ in range(2):
        call = await reading(opened, directory)
        await call.get("/api/projects/")
        assert call.aimed() == {"connection": {"resolved": False}}
        assert "maton-connection" not in fake.received[-1].headers
    assert len(fake.of("GET", LIST)) == 1, "reads ask once a minute"
    with pytest.raises(GatewayError) as error:
        await write(opened, directory)
    assert (
        Call(opened.send, through(opened, directory), budget=Budget.CRUD, writes=True).settle(error.value).outcome
        != "applied"
    )
    assert {request.path for request in fake.received} == {LIST, "/posthog/api/projects/"}
    fake.on("GET", LIST, connections(OLD))
    assert (await reading(opened, directory)).connection is None
    clock.now += 60
    assert (await reading(opened, directory)).connection == CONNECTION


async def test_a_hanging_control_plane_delays_a_read_by_seconds_only(
    fake: FakeGateway, gateway: Opener, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maton_posthog.gateway.connections.READ_WAITS_S", 0.05)
    fake.on("GET", LIST, hang)
    call = await reading(gateway(deadline_s=600.0), directory)
    assert call.aimed() == {"connection": {"resolved": False}}


async def test_a_rejected_key_is_reported_without_retries(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", LIST, reply(401, {"message": "x"}))
    with pytest.raises(GatewayError) as error:
        await reading(gateway(), directory)
    assert error.value.code == "invalid_key"
    assert len(fake.received) == 1


@pytest.mark.parametrize("aim", [write, reading])
async def test_without_any_active_connection_a_call_is_rejected(
    fake: FakeGateway, gateway: Opener, directory: Directory, aim: Any
) -> None:
    fake.on("GET", LIST, connections(FAILED), connections(OLD))
    opened = gateway()
    with pytest.raises(GatewayError) as error:
        await aim(opened, directory)
    assert (error.value.code, error.value.outcome) == ("missing_connection", "not_sent")
    assert error.value.advice is Advice.CREATE_CONNECTION
    assert (await aim(opened, directory)).connection == CONNECTION


@pytest.mark.parametrize("connection", ["x", "../../etc/passwd", "0b6f7a52\r\nX: 1"])
async def test_an_invalid_connection_id_is_rejected(
    fake: FakeGateway, gateway: Opener, directory: Directory, connection: str
) -> None:
    with pytest.raises(GatewayError, match="connection_id"):
        await write(gateway(), directory, connection)
    assert fake.connections == 0


async def test_a_connection_requested_before_connections_changed_is_not_cached(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    async def changes(request: Any, peer: Any) -> None:
        directory.forget()
        await connections(OLD)(request, peer)

    fake.on("GET", LIST, changes, connections(NEW))
    opened = gateway()
    assert (await write(opened, directory)).connection == CONNECTION
    assert (await write(opened, directory)).connection == OTHER_CONNECTION


@pytest.mark.parametrize("status", [401, 404, 412])
async def test_a_connection_that_no_longer_exists_is_looked_up_again(
    fake: FakeGateway, gateway: Opener, directory: Directory, status: int
) -> None:
    error = (
        {"type": "authentication_error", "detail": "Access token has expired."} if status == 401 else {"message": "x"}
    )
    fake.on("GET", LIST, connections(OLD), connections(NEW))
    fake.answers(reply(status, error))
    opened = gateway()
    call = await write(opened, directory)
    with pytest.raises(GatewayError):
        await call.post("/api/projects/", {})
    assert (await write(opened, directory)).connection == OTHER_CONNECTION


async def test_the_control_plane_lists_sorts_and_filters(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", LIST, connections(NEW, FAILED, OLD))
    call = control(gateway(), directory)
    both = await call.control.list(("ACTIVE", "FAILED"))
    assert [row["status"] for row in both] == ["FAILED", "ACTIVE", "ACTIVE"]
    assert fake.received[0].query == {"app": "posthog"}
    assert [row["connection_id"] for row in await call.control.list()] == [CONNECTION, OTHER_CONNECTION]


@pytest.mark.parametrize(
    "answer",
    [
        {"connection_id": CONNECTION, "status": "PENDING"},
        {"connection_Id": CONNECTION, "status": "PENDING"},
        {"id": CONNECTION, "status": "PENDING"},
        {"connection": {"id": CONNECTION, "status": "PENDING"}},
    ],
)
async def test_every_known_form_of_a_new_connection_is_read(
    fake: FakeGateway, gateway: Opener, directory: Directory, answer: Any
) -> None:
    fake.on("POST", LIST, reply(201, answer))
    call = control(gateway(), directory)
    made = await call.control.create()
    assert (made["connection_id"], made["status"]) == (CONNECTION, "PENDING")
    assert fake.received[0].json == {"app": "posthog"}
    assert call.wrote


NO_CONNECTIONS: list[Any] = [None, {}, {"connections": {}}, {"connections": [1]}, {"connections": [{}]}]


@pytest.mark.parametrize("answer", NO_CONNECTIONS)
async def test_a_response_without_connections_is_an_error(
    fake: FakeGateway, gateway: Opener, directory: Directory, answer: Any
) -> None:
    fake.on("GET", LIST, reply(200, answer))
    call = control(gateway(), directory)
    with pytest.raises(GatewayError, match="other than the documented connections"):
        await call.control.list()


async def test_a_bare_list_of_connections_is_read_too(fake: FakeGateway, gateway: Opener, directory: Directory) -> None:
    fake.on("GET", LIST, reply(200, [OLD]))
    assert await control(gateway(), directory).control.list() == [OLD]


async def test_a_connection_is_read_and_deleted_by_its_id(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{LIST}/{CONNECTION}", reply(200, {"connection": OLD}))
    fake.on("DELETE", f"{LIST}/{CONNECTION}", reply(204, b""), reply(200, {"deleted": True}))
    call = control(gateway(), directory)
    assert await call.control.get(CONNECTION) == OLD
    for _ in range(2):
        await call.control.delete(CONNECTION)
    with pytest.raises(GatewayError, match="connection_id"):
        await call.control.delete("../x")
    assert len(fake.received) == 3


async def test_a_read_only_server_reads_connections_but_changes_none(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", LIST, connections(OLD))
    call = control(gateway(read_only=True), directory)
    await call.aim(None, None)
    assert await call.control.list()
    for change in (call.control.create(), call.control.delete(CONNECTION)):
        with pytest.raises(GatewayError) as error:
            await change
        assert error.value.code == "read_only"
    assert [request.method for request in fake.received] == ["GET"]


async def read(opened: Any, directory: Directory, connection: str | None = None) -> GatewayError:
    call = Call(opened.send, through(opened, directory), budget=Budget.CRUD, writes=False)
    await call.aim(connection, None)
    with pytest.raises(GatewayError) as error:
        await call.get("/api/projects/")
    return call.settle(error.value)


@pytest.mark.parametrize(
    ("rows", "named", "dead"),
    [
        ([DEAD], None, True),
        ([DEAD, FAILED], None, True),
        ([DEAD], CONNECTION, True),
        ([DEAD, NEW], CONNECTION, True),
        ([DEAD, NEW], None, True),
        ([OLD, FAILED], CONNECTION, False),
        ([OLD, FAILED], None, False),
        ([OLD], None, False),
        ([], CONNECTION, False),
        ([maton_connection(CONNECTION, "PENDING")], CONNECTION, False),
    ],
)
async def test_a_500_of_maton_means_reconnect_only_with_evidence(
    fake: FakeGateway, gateway: Opener, directory: Directory, rows: list[Any], named: str | None, dead: bool
) -> None:
    fake.answers(BROKEN)
    before = [] if named else [connections(OLD, NEW)]
    fake.on("GET", LIST, *before, connections(*rows))
    error = await read(gateway(), directory, named)
    assert error.code == ("connection_expired" if dead else "unavailable")
    assert error.advice is (Advice.RECONNECT if dead else Advice.SUSPECT_CONNECTION)
    assert error.status == 500
    assert len(fake.received) == 2 + len(before)


async def test_many_500s_are_looked_into_once_a_minute(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    clock = Clock()
    directory.grants = Grants(clock)
    fake.answers(BROKEN)
    fake.on("GET", LIST, connections(DEAD))
    opened = gateway()

    async def one() -> None:
        assert (await read(opened, directory, CONNECTION)).code == "connection_expired"

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(one)
    assert len(fake.of("GET", LIST)) == 1
    clock.now += 59.9
    await one()
    assert len(fake.of("GET", LIST)) == 1
    clock.now += 0.1
    await one()
    assert len(fake.of("GET", LIST)) == 2


@pytest.mark.parametrize("behaviour", [drop, BROKEN, reply(401, {"message": "x"}), reply(200, b"<html>")])
async def test_a_failing_control_plane_is_requested_once_and_is_no_evidence(
    fake: FakeGateway, gateway: Opener, directory: Directory, behaviour: Any
) -> None:
    fake.answers(BROKEN)
    fake.on("GET", LIST, behaviour)
    opened = gateway()
    for _ in range(3):
        assert (await read(opened, directory, CONNECTION)).code == "unavailable"
    assert len(fake.of("GET", LIST)) == 1


async def test_a_hanging_control_plane_does_not_delay_the_error(
    fake: FakeGateway, gateway: Opener, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maton_posthog.gateway.connections.GRANT_CHECK_S", 0.05)
    fake.answers(BROKEN)
    fake.on("GET", LIST, hang)
    assert (await read(gateway(), directory, CONNECTION)).code == "unavailable"


async def test_a_500_of_posthog_is_no_sign_of_a_dead_grant(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.answers(reply(500, {"type": "server_error", "code": "error", "detail": "A server error occurred."}))
    assert (await read(gateway(), directory, CONNECTION)).source == "posthog"
    assert len(fake.received) == 1


async def test_a_write_that_hits_a_dead_grant_has_an_unknown_outcome(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.answers(BROKEN)
    fake.on("GET", LIST, connections(DEAD))
    call = await write(gateway(), directory, CONNECTION)
    with pytest.raises(GatewayError) as error:
        await call.post("/api/projects/", {})
    assert (error.value.code, call.settle(error.value).outcome) == ("connection_expired", "unknown")
    assert inside(error.value).__cause__.code == "outcome_unknown"
