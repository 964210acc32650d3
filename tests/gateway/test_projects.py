from typing import Any

import anyio
import pytest

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.directory import Directory
from maton_posthog.gateway.errors import Advice, GatewayError
from maton_posthog.gateway.projects import CURRENT, Project

from .conftest import Opener, inside
from .directories import new_directory, through
from .fake_gateway import (
    CONNECTION,
    LIST_CONNECTIONS,
    OTHER_CONNECTION,
    FakeGateway,
    connections,
    drop,
    maton_connection,
    posthog,
    reply,
)

pytestmark = pytest.mark.anyio

PROJECTS = "/posthog/api/projects"
ME = "/posthog/api/users/@me/"
FORBIDDEN = reply(403, posthog("API key missing required scope 'project:read'", "permission_denied"))


def project(number: int = 136209, name: str = "Default project", **more: Any) -> Any:
    return reply(200, {"id": number, "name": name, "timezone": "Europe/Berlin", "api_token": "phc_x", **more})


async def aimed(
    opened: Any, project_id: int | str = CURRENT, *, writes: bool = False, directory: Directory, connection: Any = None
) -> Call:
    call = Call(opened.send, through(opened, directory), budget=Budget.CRUD, writes=writes)
    await call.aim(connection, project_id)  # pyright: ignore[reportArgumentType]
    call.remember_target()
    return call


@pytest.fixture
def directory() -> Directory:
    return new_directory()


@pytest.fixture(autouse=True)
def one_connection(fake: FakeGateway) -> None:
    fake.on("GET", LIST_CONNECTIONS, connections(maton_connection()))


HERE = {"connection": {"id": CONNECTION}}


async def test_the_current_project_is_requested_once_and_its_number_is_sent(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project(), project(7, "Moved on"))
    opened = gateway()
    for _ in range(3):
        call = await aimed(opened, directory=directory)
        await call.get("/api/projects/{project_id}/feature_flags/")
        assert call.aimed() == {"project": {"id": 136209, "name": "Default project"}, **HERE}
    assert [request.path for request in fake.received] == [
        LIST_CONNECTIONS,
        f"{PROJECTS}/@current/",
        *[f"{PROJECTS}/136209/feature_flags/"] * 3,
    ]


async def test_32_calls_at_once_share_one_request(fake: FakeGateway, gateway: Opener, directory: Directory) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project())
    opened = gateway()
    found: list[Project | None] = []

    async def one() -> None:
        found.append((await aimed(opened, directory=directory)).project)

    async with anyio.create_task_group() as group:
        for _ in range(32):
            group.start_soon(one)
    assert [request.path for request in fake.received] == [LIST_CONNECTIONS, f"{PROJECTS}/@current/"]
    assert set(found) == {Project(136209, "Default project", "Europe/Berlin")}
    assert inside(directory.projects)._asking == {}


async def test_the_name_of_an_explicit_project_is_requested_once(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/42/", project(42, "Shop"))
    opened = gateway()
    for _ in range(2):
        call = await aimed(opened, 42, directory=directory)
        assert call.aimed() == {"project": {"id": 42, "name": "Shop"}, **HERE}
    assert [request.path for request in fake.received] == [LIST_CONNECTIONS, f"{PROJECTS}/42/"]


async def test_the_number_of_the_current_project_needs_no_second_request(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project())
    opened = gateway()
    await aimed(opened, directory=directory)
    assert (await aimed(opened, 136209, directory=directory)).project == Project(
        136209, "Default project", "Europe/Berlin"
    )
    assert [request.path for request in fake.received] == [LIST_CONNECTIONS, f"{PROJECTS}/@current/"]


async def test_each_connection_has_its_own_current_project(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project(1), project(2))
    opened = gateway()
    first = await aimed(opened, directory=directory, connection=CONNECTION)
    second = await aimed(opened, directory=directory, connection=OTHER_CONNECTION)
    assert (first.project and first.project.id, second.project and second.project.id) == (1, 2)
    assert [request.headers["maton-connection"] for request in fake.received] == [CONNECTION, OTHER_CONNECTION]


async def test_without_permission_to_read_projects_the_users_team_is_the_project(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", FORBIDDEN)
    fake.on("GET", ME, reply(200, {"email": "a@b.c", "team": {"id": 5, "name": "Five", "timezone": "UTC"}}))
    opened = gateway()
    for _ in range(2):
        assert (await aimed(opened, directory=directory, connection=CONNECTION, writes=True)).project == Project(
            5, "Five"
        )
    assert [request.path for request in fake.received] == [f"{PROJECTS}/@current/", ME]


async def test_an_unknown_project_is_read_as_current_and_shown_as_unresolved(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", FORBIDDEN)
    fake.on("GET", ME, FORBIDDEN)
    opened = gateway()
    for _ in range(2):
        call = await aimed(opened, directory=directory)
        await call.get("/api/projects/{project_id}/insights/")
        assert call.aimed() == {"project": {"resolved": False}, **HERE}
    assert [request.path for request in fake.received].count(f"{PROJECTS}/@current/insights/") == 2
    assert len(fake.received) == 5


@pytest.mark.parametrize(
    ("user", "hint"),
    [
        (FORBIDDEN, "Pass project_id as a number."),
        (
            reply(200, {"team": None, "organization": {"teams": [{"id": 1, "name": "One\u202e"}, {"id": 2}, {}]}}),
            "Pass project_id as a number (candidates: 1 One, 2).",
        ),
        (reply(200, {"team": None, "organization": None}), "Pass project_id as a number."),
    ],
)
async def test_a_write_into_an_unknown_project_is_rejected_with_the_candidates(
    fake: FakeGateway, gateway: Opener, directory: Directory, user: Any, hint: str
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", FORBIDDEN)
    fake.on("GET", ME, user)
    with pytest.raises(GatewayError) as error:
        await aimed(gateway(), directory=directory, writes=True, connection=CONNECTION)
    assert (error.value.code, error.value.outcome) == ("project_unresolved", "not_sent")
    assert (error.value.hint, error.value.advice) == (hint, Advice.LIST_PROJECTS)
    assert {request.method for request in fake.received} == {"GET"}


async def test_an_explicit_number_needs_no_right_to_read_projects(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/42/", FORBIDDEN)
    call = await aimed(gateway(), 42, directory=directory, writes=True, connection=CONNECTION)
    await call.post("/api/projects/{project_id}/annotations/", {"content": "x"})
    assert call.aimed()["project"] == {"id": 42}
    assert fake.received[-1].path == f"{PROJECTS}/42/annotations/"


@pytest.mark.parametrize("project_id", [CURRENT, 42])
@pytest.mark.parametrize("code", ["not_found", "unavailable"])
async def test_other_failures_are_reported_and_not_cached(
    fake: FakeGateway, gateway: Opener, directory: Directory, project_id: int | str, code: str
) -> None:
    failure = reply(404, posthog("Project not found.")) if code == "not_found" else reply(500, posthog("x"))
    fake.on("GET", f"{PROJECTS}/{project_id}/", failure, project(42))
    opened = gateway()
    with pytest.raises(GatewayError) as error:
        await aimed(opened, project_id, directory=directory)
    assert error.value.code == code
    assert (await aimed(opened, project_id, directory=directory)).project
    assert inside(directory.projects)._asking == {}


async def test_a_failing_user_request_is_reported(fake: FakeGateway, gateway: Opener, directory: Directory) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", FORBIDDEN)
    fake.on("GET", ME, reply(500, posthog("x")))
    with pytest.raises(GatewayError) as error:
        await aimed(gateway(), directory=directory)
    assert error.value.code == "unavailable"


@pytest.mark.parametrize("answer", [{}, [], None, {"id": "42"}, {"id": True}, {"id": 43, "name": "Other"}])
async def test_a_response_about_another_project_is_an_error(
    fake: FakeGateway, gateway: Opener, directory: Directory, answer: Any
) -> None:
    fake.on("GET", f"{PROJECTS}/42/", reply(200, answer))
    with pytest.raises(GatewayError, match="did not return project 42") as error:
        await aimed(gateway(), 42, directory=directory)
    assert error.value.code == "bad_upstream_response"


async def test_a_project_without_name_or_timezone_is_valid(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/42/", reply(200, {"id": 42, "name": None, "timezone": 5}))
    call = await aimed(gateway(), 42, directory=directory)
    assert call.project == Project(42)
    assert call.aimed()["project"] == {"id": 42}


async def test_a_project_requested_before_connections_changed_is_not_cached(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    async def changes(request: Any, peer: Any) -> None:
        directory.forget()
        await project(1)(request, peer)

    fake.on("GET", f"{PROJECTS}/@current/", changes, project(2))
    opened = gateway()
    await aimed(opened, directory=directory)
    call = await aimed(opened, directory=directory)
    assert call.project
    assert call.project.id == 2


async def test_a_fresh_project_comes_with_the_previous_one(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project(1, "One"), project(2, "Two"))
    opened = gateway()
    first = await aimed(opened, directory=directory)
    assert await first.fresh_project() == (Project(1, "One", "Europe/Berlin"), None)
    assert len(fake.of("GET", f"{PROJECTS}/@current/")) == 1, "this call had just asked"
    second = await aimed(opened, directory=directory)
    now, before = await second.fresh_project()
    assert (now.id, before and before.id) == (2, 1)
    assert second.aimed()["project"]["id"] == 2
    assert (await aimed(opened, directory=directory)).project == now


async def test_a_pinned_project_does_not_move(fake: FakeGateway, gateway: Opener, directory: Directory) -> None:
    fake.on("GET", f"{PROJECTS}/9/", project(9, "Pinned"))
    call = await aimed(gateway(project_id=9), directory=directory)
    now, before = await call.fresh_project()
    assert now == before == call.project
    assert [request.path for request in fake.received] == [LIST_CONNECTIONS, f"{PROJECTS}/9/"]


async def test_very_many_projects_do_not_fill_the_memory(
    fake: FakeGateway, gateway: Opener, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maton_posthog.gateway.projects._MOST_PROJECTS", 10)
    opened = gateway()
    for number in range(1, 30):
        fake.on("GET", f"{PROJECTS}/{number}/", project(number))
        await aimed(opened, number, directory=directory)
    assert len(inside(directory.projects)._known) <= 10


async def test_a_write_goes_to_the_project_that_earlier_reads_named(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project(1, "One"), project(2, "Two"))
    opened = gateway()
    read = await aimed(opened, directory=directory)
    written = await aimed(opened, directory=directory, writes=True)
    named = await aimed(opened, directory=directory, writes=True, connection=CONNECTION)
    assert read.aimed() == written.aimed() == named.aimed() == {"project": {"id": 1, "name": "One"}, **HERE}
    assert len(fake.of("GET", f"{PROJECTS}/@current/")) == 1


@pytest.mark.parametrize("how", ["a connection was created", "the control plane was away", "many projects"])
async def test_a_write_is_rejected_after_current_moved_since_results_named_it(
    fake: FakeGateway, gateway: Opener, directory: Directory, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project(1, "One"), project(2, "Two"))
    opened = gateway()
    if how == "the control plane was away":
        fake.on("GET", LIST_CONNECTIONS, drop, connections(maton_connection()))
    await aimed(opened, directory=directory)
    if how == "many projects":
        monkeypatch.setattr("maton_posthog.gateway.projects._MOST_PROJECTS", 2)
        for number in (7, 8):
            fake.on("GET", f"{PROJECTS}/{number}/", project(number))
            await aimed(opened, number, directory=directory)
    elif how == "a connection was created":
        directory.forget()
    for _ in range(2):
        with pytest.raises(GatewayError, match=r"@current is now project 2 Two, but .* about project 1 One") as error:
            await aimed(opened, directory=directory, writes=True)
        assert (error.value.code, error.value.outcome) == ("project_unresolved", "not_sent")
        assert (error.value.hint, error.value.advice) == ("Pass project_id as a number.", Advice.LOOK_AT_PROJECT)
    fake.on("GET", f"{PROJECTS}/2/", project(2, "Two"))
    assert (await aimed(opened, 2, directory=directory, writes=True)).aimed()["project"]["id"] == 2
    seen = await aimed(opened, directory=directory)
    assert seen.aimed()["project"]["id"] == 2
    assert (await aimed(opened, directory=directory, writes=True)).aimed()["project"]["id"] == 2


async def test_another_connection_that_the_caller_names_has_its_own_project(
    fake: FakeGateway, gateway: Opener, directory: Directory
) -> None:
    fake.on("GET", f"{PROJECTS}/@current/", project(1, "One"), project(2, "Two"))
    fake.on("GET", LIST_CONNECTIONS, drop)
    opened = gateway()
    await aimed(opened, directory=directory)
    written = await aimed(opened, directory=directory, writes=True, connection=OTHER_CONNECTION)
    assert written.aimed()["project"]["id"] == 2
