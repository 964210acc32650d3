"""At most three queries of a project at a time; callers take turns, and one that waits knows its place."""

import math
import time
from collections import Counter
from collections.abc import Hashable
from random import Random

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.gateway.queries import lanes
from maton_posthog.gateway.queries.lanes import MOST_AT_ONCE, Lanes, ReportPlace

pytestmark = pytest.mark.anyio


class Work:
    """Queries that run until they are let go."""

    def __init__(self) -> None:
        self.lanes = Lanes()
        self.running: list[tuple[Hashable, Hashable]] = []
        self.order: list[Hashable] = []
        self.most = Counter[Hashable]()
        self._go = anyio.Event()

    async def query(
        self, project: Hashable, caller: Hashable, *, deadline: float = math.inf, report: ReportPlace | None = None
    ) -> None:
        async with self.lanes.turn(project, caller, deadline, report):
            self.running.append((project, caller))
            self.order.append(caller)
            self.most[project] = max(self.most[project], sum(each == project for each, _ in self.running))
            try:
                await self._go.wait()
            finally:
                self.running.remove((project, caller))

    def let_go(self) -> None:
        self._go.set()
        self._go = anyio.Event()


async def settle() -> None:
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_three_queries_of_a_project_run_and_others_are_not_behind_them() -> None:
    work = Work()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(work.query, 1, "a")
        tasks.start_soon(work.query, 2, "a")
        await settle()
        assert Counter(project for project, _ in work.running) == {1: MOST_AT_ONCE, 2: 1}
        while work.running:
            work.let_go()
            await settle()
    assert work.most == {1: MOST_AT_ONCE, 2: 1}
    assert not work.lanes.busy


async def test_callers_take_turns() -> None:
    work = Work()
    async with anyio.create_task_group() as tasks:
        for caller in ["greedy"] * 30 + ["b", "c", "b"]:
            tasks.start_soon(work.query, 1, caller)
            await settle()
        while work.running:
            work.let_go()
            await settle()
    assert work.order[:9] == ["greedy", "greedy", "greedy", "greedy", "b", "c", "greedy", "b", "greedy"]
    assert len(work.order) == 33


async def test_a_query_that_waits_reports_how_many_are_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "REPORT_EVERY_S", 0.001)
    work = Work()
    reported: list[int] = []
    seen = anyio.Event()

    async def report(ahead: int) -> None:
        reported.append(ahead)
        seen.set()

    async with anyio.create_task_group() as tasks:
        for caller in ["a", "a", "a", "a", "a", "b"]:
            tasks.start_soon(work.query, 1, caller)
            await settle()
        tasks.start_soon(lambda: work.query(1, "a", report=report))
        with anyio.fail_after(60):
            await seen.wait()
        tasks.cancel_scope.cancel()
    assert set(reported) == {3}


async def test_a_query_that_is_late_is_rejected_and_leaves_the_line() -> None:
    work = Work()
    async with anyio.create_task_group() as tasks:
        for _ in range(MOST_AT_ONCE):
            tasks.start_soon(work.query, 1, "a")
        await settle()
        with pytest.raises(Refused, match="nothing was sent") as caught:
            await work.query(1, "b", deadline=time.monotonic())
        assert (caught.value.code, caught.value.outcome) == ("timeout", "not_sent")
        tasks.start_soon(work.query, 1, "c")
        await settle()
        work.let_go()
        await settle()
        assert work.running == [(1, "c")]
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(30))
async def test_no_turn_is_lost_when_queries_are_cancelled(seed: int) -> None:
    random, work = Random(seed), Work()
    scopes: list[anyio.CancelScope] = []

    async def one(caller: int) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await work.query(1, caller)

    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            match random.randrange(3):
                case 0:
                    tasks.start_soon(one, random.randrange(4))
                case 1 if scopes:
                    random.choice(scopes).cancel()
                case _:
                    work.let_go()
            for _ in range(random.randrange(4)):
                await anyio.lowlevel.checkpoint()
            assert len(work.running) <= MOST_AT_ONCE
        await settle()
        for scope in scopes:
            scope.cancel()
        await settle()
        assert not work.lanes.busy
