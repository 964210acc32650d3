"""Queries of one project wait for each other, and progress tells a waiting client how many are ahead."""

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway.queries import background, lanes
from maton_posthog.gateway.queries.lanes import MOST_AT_ONCE

from ..processes import DEADLINE_S
from ..test_every_operation import served
from .test_slow import SQL, asked, ready

pytestmark = pytest.mark.anyio


async def test_a_fourth_query_waits_for_its_turn_and_its_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PROGRESS_EVERY_S", 0.02)
    monkeypatch.setattr(lanes, "REPORT_EVERY_S", 0.01)
    waiting = anyio.Event()

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert (progress >= 0, total) == (True, None)
        if message == "Waiting for 1 other query of this project":
            waiting.set()

    async with served() as (client, fake):
        slow = await ready(client, fake)
        before = len(asked(fake))
        async with anyio.create_task_group() as tasks:

            async def query(number: int) -> None:
                arguments = {"query": f"{SQL} LIMIT {number}"}
                result = await client.call_tool("run_hogql", arguments, progress_callback=tell)
                assert not result.is_error

            for number in range(1, MOST_AT_ONCE + 2):
                tasks.start_soon(query, number)
            with anyio.fail_after(DEADLINE_S):
                await waiting.wait()
                while len(asked(fake)) < before + MOST_AT_ONCE:  # the others may still be on their way
                    await anyio.lowlevel.checkpoint()
            assert len(asked(fake)) == before + MOST_AT_ONCE
            assert not (await client.call_tool("list_flags", {})).is_error
            slow.released.set()
        assert len(asked(fake)) == before + MOST_AT_ONCE + 1
