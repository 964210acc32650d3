"""A cancelled query stops in the engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest

from posthog_sandbox.storage.engine import Engine, Progress

from ..sandbox_client import Serving, Shared, serving
from ..shared_data import open_shared

pytestmark = pytest.mark.anyio

ENDLESS = "select count() from numbers(1000000000000) where cityHash64(number) % 7 = 9"
RUNNING = (
    "SELECT count() FROM system.processes WHERE query LIKE '%1000000000000%' AND query NOT LIKE '%system.processes%'"
)


@dataclass(frozen=True, slots=True)
class Stoppable(Shared):
    """A shared engine that can stop queries."""

    def stop(self, mark: str) -> None:
        """Stop the queries with a mark."""
        self.engine.stop(mark)

    def progress(self, mark: str) -> Progress | None:
        """Return the progress of a query."""
        return self.engine.progress(mark)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(500) as opened:
        yield opened


async def running(engine: Engine) -> int:
    return (await anyio.to_thread.run_sync(engine.select, RUNNING)).rows[0][0]


async def until_running(engine: Engine, wanted: int) -> None:
    with anyio.fail_after(30):
        while await running(engine) != wanted:
            await anyio.lowlevel.checkpoint()


def body(**more: Any) -> dict[str, Any]:
    return {"query": {"kind": "HogQLQuery", "query": ENDLESS}, "client_query_id": "endless", **more}


async def test_cancelling_an_asynchronous_query_stops_it_in_the_engine(engine: Engine) -> None:
    async with serving(Stoppable(engine)) as sandbox:
        await sandbox.send("POST", "query/", body(refresh="force_async"))
        await until_running(engine, 1)
        cancelled = await sandbox.send("DELETE", "query/endless/")
        await until_running(engine, 0)

        assert (cancelled.status_code, list(cancelled.json())) == (200, ["message"])
        assert (await sandbox.send("GET", "query/endless/")).status_code == 404


async def test_a_running_query_reports_its_progress_on_request(engine: Engine) -> None:
    async with serving(Stoppable(engine)) as sandbox:
        await sandbox.send("POST", "query/", body(refresh="force_async"))
        silent = await sandbox.send("GET", "query/endless/")
        status = 0
        progress: dict[str, Any] = {}
        with anyio.fail_after(30):
            while progress.get("rows_read", 0) < 10_000:  # the query that looks up properties comes first and is short
                polled = await sandbox.send("GET", "query/endless/", show_progress="true")
                status = polled.status_code
                progress = polled.json()["query_status"]["query_progress"] or progress
        await sandbox.send("DELETE", "query/endless/")
        await until_running(engine, 0)

        assert silent.json()["query_status"]["query_progress"] is None
        assert status == 202
        assert progress.keys() == {
            "active_cpu_time", "bytes_read", "estimated_rows_total", "rows_read", "time_elapsed",
        }  # fmt: skip
        assert progress["bytes_read"] == 8 * progress["rows_read"]
        assert engine.progress("/* nobody */") is None


async def test_a_blocking_query_is_cancelled_by_its_client_id(engine: Engine) -> None:
    responses: list[httpx2.Response] = []

    async def ask(sandbox: Serving) -> None:
        responses.append(await sandbox.send("POST", "query/", body()))

    async with serving(Stoppable(engine)) as sandbox, anyio.create_task_group() as group:
        group.start_soon(ask, sandbox)
        await until_running(engine, 1)
        elsewhere = await sandbox.send("DELETE", "/posthog/api/projects/2/query/endless/")
        cancelled = await sandbox.send("DELETE", "query/endless/")
        await until_running(engine, 0)
        assert (elsewhere.status_code, cancelled.status_code) == (404, 200)

    assert responses[0].status_code == 503
    assert responses[0].json()["detail"] == "The query was cancelled."


async def test_an_insight_is_cancelled_by_the_id_of_its_query(engine: Engine) -> None:
    async with serving(Stoppable(engine)) as sandbox:
        await sandbox.send("POST", "query/", body(refresh="force_async"))
        await until_running(engine, 1)
        cancelled = await sandbox.send("POST", "insights/cancel/", {"client_query_id": "endless"})
        await until_running(engine, 0)

    assert cancelled.status_code == 201


async def test_stopping_cancels_the_marked_query_and_no_other(engine: Engine) -> None:
    stopped: list[str] = []

    async def run(mark: str) -> None:
        with pytest.raises(Exception, match="QUERY_WAS_CANCELLED"):
            await anyio.to_thread.run_sync(engine.select, f"{mark} {ENDLESS}")
        stopped.append(mark)

    async with anyio.create_task_group() as group:
        for mark in ("/* one */", "/* two */"):
            group.start_soon(run, mark)
        await until_running(engine, 2)
        engine.stop("/* two */")
        await until_running(engine, 1)
        while not stopped:
            await anyio.lowlevel.checkpoint()
        assert stopped == ["/* two */"]
        engine.stop("/* one */")
    engine.stop("/* nobody */")
