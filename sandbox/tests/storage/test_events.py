"""Access to the engine: waiting for the data, taking turns, separating projects."""

import threading

import anyio
import pytest

from posthog_sandbox.errors import ApiError
from posthog_sandbox.storage.engine import EngineError, ResultTable
from posthog_sandbox.storage.events import RUNNING_QUERIES, EventSource

pytestmark = pytest.mark.anyio


class Gate:
    """A database whose queries wait until the gate is open; it records their SQL."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.statements: list[str] = []
        self.fails_with: EngineError | None = None
        self.closed = False

    def select(self, sql: str, *, max_seconds: float = 60, max_memory_bytes: int = 0) -> ResultTable:
        """Return one row."""
        self.statements.append(sql)
        assert self.open.wait(20)
        if self.fails_with is not None:
            raise self.fails_with
        return ResultTable(("x",), ("UInt8",), [[1]])

    def close(self) -> None:
        """Record that it was closed."""
        self.closed = True


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def opened(gate: Gate, queue_seconds: float = 20) -> EventSource:
    source = EventSource(lambda: gate, queue_seconds)
    await source.open()
    return source


async def test_a_query_waits_for_the_data(gate: Gate) -> None:
    gate.open.set()
    source = EventSource(lambda: gate)
    responses: list[ResultTable] = []

    async def ask() -> None:
        responses.append(await source.query(1, "SELECT 1"))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert responses == []
        await source.open()

    assert responses[0].rows == [[1]]


async def test_a_failed_generation_is_reported_to_every_query() -> None:
    def fail() -> Gate:
        raise OSError("the disk is full")

    source = EventSource(fail)
    with pytest.raises(OSError, match="disk"):
        await source.open()
    with pytest.raises(ApiError) as rejected:
        await source.query(1, "SELECT 1")

    assert rejected.value.status == 503
    assert "the disk is full" in rejected.value.body["detail"]


async def test_some_queries_run_at_once_and_those_queued_too_long_are_rejected(gate: Gate) -> None:
    source = await opened(gate, queue_seconds=0)

    async with anyio.create_task_group() as group:
        for _ in range(RUNNING_QUERIES):
            group.start_soon(source.query, 1, "SELECT 1")
        await anyio.wait_all_tasks_blocked()
        try:
            with pytest.raises(ApiError) as rejected:
                await source.query(1, "SELECT 2")
            assert (rejected.value.status, rejected.value.headers) == (429, {})
        finally:
            gate.open.set()

    assert "SELECT 2" not in gate.statements


async def test_lists_are_served_while_all_queries_run(gate: Gate) -> None:
    source = await opened(gate)

    async with anyio.create_task_group() as group:
        for _ in range(RUNNING_QUERIES):
            group.start_soon(source.query, 1, "SELECT 1")
        group.start_soon(source.rows, 1, "SELECT 'list'")
        while "SELECT 'list'" not in gate.statements:
            await anyio.lowlevel.checkpoint()
        gate.open.set()


async def test_a_slow_list_is_reported_as_in_posthog(gate: Gate) -> None:
    gate.open.set()
    gate.fails_with = EngineError("TIMEOUT_EXCEEDED", "Timeout exceeded.")
    source = await opened(gate)

    with pytest.raises(ApiError) as rejected:
        await source.rows(1, "SELECT 1")
    assert (rejected.value.status, rejected.value.body["detail"]) == (
        429,
        "ClickHouse is at capacity. Try again later.",
    )


async def test_only_the_first_project_sees_the_events(gate: Gate) -> None:
    gate.open.set()
    source = await opened(gate)
    await source.query(1, "SELECT 1")
    await source.query(2, "SELECT 1")

    assert gate.statements[0] == "SELECT 1"
    assert "'posthog.events': '0'" in gate.statements[1]


async def test_tables_are_counted_once_they_are_open(gate: Gate) -> None:
    gate.open.set()
    source = EventSource(lambda: gate)

    assert await source.counts(("events",)) == {"events": None}
    await source.open()
    assert await source.counts(("events",)) == {"events": 1}
    await source.close()
    assert gate.closed
