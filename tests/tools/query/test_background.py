"""Queries that outlive a request or a call: waiting for them, finding them, cancelling them."""

from contextlib import suppress
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway.errors import Failed, Refused, Rejected, Upstream
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.queries.lanes import MOST_AT_ONCE
from maton_posthog.gateway.target import Target
from maton_posthog.tools.query import running as query_running

from ..posthog.fake import PROJECT_ID, FakeCall, answer, in_turn
from .running import CANCEL, DELETE, POLL, POST, RESULT, RUN, SQL, rows, run, sent_body_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_running, "_PAUSES_S", (0,))


@pytest.mark.usefixtures("impatient")
async def test_a_query_that_runs_in_the_background_is_waited_for() -> None:
    done = answer("query_poll_done_200")
    api = FakeCall({POST: answer("query_async_202"), POLL: in_turn(answer("query_async_202"), done)})
    shown = await run(RUN, api, query=SQL)
    assert shown["rows_returned"] == 2
    assert api.last.path == f"/api/projects/{PROJECT_ID}/query/2fbd4b19413342a4ad08c307155187bc/"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("end", ["query_poll_done_200", "query_poll_error_400"])
async def test_a_background_query_has_its_turn_until_it_has_ended(end: str) -> None:
    ended = anyio.Event()
    running, done = answer("query_async_202"), answer(end)
    api = FakeCall({POST: running, POLL: lambda _: done if ended.is_set() else running})
    begun = 0

    def posts() -> int:
        return sum(sent.method == "POST" for sent in api.sent)

    async def query(number: int) -> None:
        nonlocal begun
        begun += 1
        with suppress(Rejected):
            await run(RUN, api, query=f"{SQL} LIMIT {number}", background=True)

    async with anyio.create_task_group() as tasks:
        for number in range(1, MOST_AT_ONCE + 3):
            tasks.start_soon(query, number)
        while begun < MOST_AT_ONCE + 2 or len(api.sent) < 10 * MOST_AT_ONCE:
            await anyio.lowlevel.checkpoint()
        assert posts() == MOST_AT_ONCE
        ended.set()
    assert posts() == MOST_AT_ONCE + 2


@pytest.mark.usefixtures("impatient")
async def test_a_background_query_that_fails_is_a_failure() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_poll_error_400")})
    with pytest.raises(Rejected) as caught:
        await run(RUN, api, query=SQL)
    assert caught.value.code == "hogql_query_error"
    assert caught.value.upstream == Upstream("Unable to resolve field: foo")


@pytest.mark.usefixtures("impatient")
async def test_a_query_that_outlives_the_call_is_found_by_its_id() -> None:
    release = anyio.Event()
    done = answer("query_poll_done_200")
    api = FakeCall(
        {POST: answer("query_async_202"), POLL: lambda _: done if release.is_set() else answer("query_async_202")}
    )
    api.end_in(5.0)  # the time reserved for the response, so none is left to wait
    running = await run(RUN, api, query=SQL, background=True)
    assert (running["status"], running["progress"]) == ("running", "Running in PostHog")
    assert sent_body_of(api.sent[0])["refresh"] == "async"
    assert "get_query_result" in running["how_to_continue"]
    release.set()
    api.end_in(30.0)
    shown = await run(RESULT, api, query_id=running["query_id"])
    assert (shown["rows_returned"], shown["rows_total"]) == (2, 2)
    assert sum(sent.method == "POST" for sent in api.sent) == 1, "no second query"


async def test_a_cancelled_call_cancels_the_query_at_posthog() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_async_202"), DELETE: {"message": "revoked"}})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(run, RUN, api, query=SQL))
        while not api.sent:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(60):
        while api.last.method != "DELETE":
            await anyio.lowlevel.checkpoint()
    assert api.sent[0].body is not None
    assert api.last.path.endswith(f"/query/{api.sent[0].body['client_query_id']}/")


async def test_a_query_cancelled_by_its_id_is_reported_as_cancelled() -> None:
    api = FakeCall({POST: answer("query_async_202"), POLL: answer("query_async_202"), DELETE: {"message": "revoked"}})
    api.end_in(5.0)
    running = await run(RUN, api, query=SQL)
    assert await run(CANCEL, api, query_id=running["query_id"]) == {"query_id": running["query_id"], "cancelled": True}
    api.end_in(30.0)
    with pytest.raises(Failed, match="cancelled"):
        await run(RESULT, api, query_id=running["query_id"])
    assert api.last.method == "DELETE"


async def test_a_query_that_is_unknown_or_of_another_project_is_not_found() -> None:
    api = FakeCall({POST: rows(3)})
    await run(RUN, api, query=SQL)
    assert api.last.body is not None
    known = api.last.body["client_query_id"]
    assert (await run(RESULT, api, query_id=known))["rows_total"] == 3
    for place, query_id in [(PROJECT_ID, "0" * 32), (PROJECT_ID + 1, known)]:
        api.target = Target(project=Project(place, "another"))
        with pytest.raises(Refused) as caught:
            await run(RESULT, api, query_id=query_id)
        assert caught.value.code == "not_found"
