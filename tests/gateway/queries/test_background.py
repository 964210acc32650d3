import asyncio
import logging
import weakref
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway.errors import Failed, GatewayError
from maton_posthog.gateway.queries import background
from maton_posthog.gateway.queries.background import Background, Query

from ..conftest import pending_timers

pytestmark = pytest.mark.anyio
PLACE = ("connection", 1)


@dataclass
class Cells:
    weight: int = 1


class Work:
    """A query that returns when it is released, and records when it was stopped."""

    def __init__(self, result: Cells | Exception | None = None) -> None:
        self.result = result or Cells()
        self.let_go = anyio.Event()
        self.stopped: list[str] = []

    async def run(self, query: Query) -> None:
        async with query.settled(stop=partial(self.stop, query)):
            await self.let_go.wait()
            if isinstance(self.result, Exception):
                raise self.result
            query.finish(self.result)

    async def stop(self, query: Query) -> None:
        self.stopped.append(query.id)


def started(queries: Background, work: Work, key: str = "key") -> Query:
    query = queries.add(PLACE, (key,))
    queries.own(query, asyncio.create_task(work.run(query)))
    return query


async def test_a_query_that_outlives_its_call_keeps_running_and_is_found_by_id_in_its_place() -> None:
    queries = Background()
    work = Work()
    query = started(queries, work)
    assert await query.wait(0) is False
    assert queries.find(query.id, PLACE) is query
    assert queries.find(query.id, ("connection", 2)) is None
    assert queries.find("0" * 32, PLACE) is None
    work.let_go.set()
    assert await query.wait(10) is True
    assert query.answer is work.result
    assert work.stopped == []
    await queries.aclose()


async def test_the_last_call_that_gives_up_stops_the_query() -> None:
    queries = Background()
    work = Work()
    query = started(queries, work)
    first, second = anyio.CancelScope(), anyio.CancelScope()

    async def wait(scope: anyio.CancelScope) -> None:
        with scope:
            await query.wait(60)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, first)
        tasks.start_soon(wait, second)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        first.cancel()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        assert work.stopped == []
        second.cancel()
    await anyio.wait_all_tasks_blocked()
    assert work.stopped == [query.id]
    await queries.aclose()


async def test_a_query_whose_id_was_given_out_is_stopped_only_by_that() -> None:
    queries = Background()
    work = Work()
    query = started(queries, work)
    await query.wait(0)
    with anyio.move_on_after(0.01):
        await query.wait(60)
    assert work.stopped == []
    assert query.cancel()
    with pytest.raises(Failed, match="cancelled"):
        await query.wait(10)
    await queries.aclose()
    assert work.stopped == [query.id]
    assert not query.cancel(), "there is nothing left to stop"


async def test_a_query_that_is_being_cancelled_is_not_shared() -> None:
    queries = Background()
    work = Work()
    query = started(queries, work)
    assert queries.shared("key", 60) is query
    assert query.cancel()
    assert queries.shared("key", 60) is None
    with pytest.raises(Failed, match="cancelled"):
        await query.wait(10)
    await queries.aclose()


async def test_a_query_that_was_stopped_before_it_began_has_ended() -> None:
    queries = Background()
    query = started(queries, Work())
    assert query.cancel()
    for _ in range(3):
        await anyio.lowlevel.checkpoint()
    assert isinstance(query.error, Failed)
    await queries.aclose()


async def test_an_error_reaches_all_waiting_calls_and_no_later_one() -> None:
    queries = Background()
    work = Work(Failed("unavailable", "no"))
    query = started(queries, work)
    work.let_go.set()
    for _ in range(2):
        with pytest.raises(Failed) as caught:
            await query.wait(10)
        assert caught.value is not work.result
    assert queries.shared("key", 60) is None
    await queries.aclose()


async def test_a_bug_is_logged_and_reported_as_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    queries = Background()
    work = Work(ValueError("a fault"))
    query = started(queries, work)
    work.let_go.set()
    with caplog.at_level(logging.ERROR), pytest.raises(GatewayError) as caught:
        await query.wait(10)
    assert caught.value.code == "internal_error"
    assert "a fault" in caplog.text
    await queries.aclose()


async def test_closing_cancels_running_queries_and_waits_for_their_end() -> None:
    queries = Background()
    work = Work()
    query = started(queries, work)
    await anyio.lowlevel.checkpoint()
    await queries.aclose()
    assert work.stopped == [query.id]


async def test_the_oldest_results_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MOST_WEIGHT", 10)
    queries = Background()
    done: list[Query] = []
    for number in range(4):
        work = Work(Cells(4))
        done.append(started(queries, work, key=f"key {number}"))
        work.let_go.set()
        await done[-1].wait(10)
        await anyio.lowlevel.checkpoint()
    await queries.aclose()
    assert [queries.find(query.id, PLACE) is query for query in done] == [False, False, True, True]
    assert queries.shared("key 0", 60) is None
    assert queries.shared("key 3", 60) is done[3]


async def test_a_result_is_dropped_when_it_is_too_old_although_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "KEPT_S", 0.0)
    queries, work = Background(), Work()
    query = started(queries, work)
    work.let_go.set()
    await query.wait(10)
    dropped = anyio.Event()
    weakref.finalize(query, dropped.set)
    del query
    with anyio.fail_after(60):
        await dropped.wait()
    await queries.aclose()


async def test_closing_leaves_no_timer() -> None:
    queries, work = Background(), Work()
    query = started(queries, work)
    work.let_go.set()
    await query.wait(10)
    await anyio.lowlevel.checkpoint()
    assert any(timer.when() for timer in pending_timers())
    await queries.aclose()
    assert pending_timers() == []
