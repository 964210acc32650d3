"""Running the HogQL of insights, and the common fields of their responses."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from anyio import CapacityLimiter, create_task_group, to_thread

from ..errors import ApiError
from ..http.routing import Call
from ..queries.project import Project
from ..queries.running import response_fields, run_hogql
from ..values import Row
from .counting import MOST_ROWS

_EARLIEST = "1980-01-01"
_AT_ONCE = 2
"""Concurrent queries per insight; more would take all slots that other requests wait for."""


@dataclass(slots=True)
class Session:
    """The queries of one insight, with their timings and the HogQL and SQL of the first."""

    call: Call
    project: Project
    timings: list[Row] = field(default_factory=list[Row])
    hogql: str | None = None
    sql: str | None = None

    async def rows(self, text: str) -> list[list[Any]]:
        """Run a query and return its rows. Raises ApiError."""
        ran = await run_hogql(self.call, text, replace(self.project.context, max_limit=MOST_ROWS))
        self.hogql = self.hogql or ran.translated.hogql
        self.sql = self.sql or ran.translated.sql
        self.timings += ran.timings
        return ran.table.rows

    def join(self, other: "Session") -> None:
        """Merge the queries of another session of the same insight."""
        self.hogql = self.hogql or other.hogql
        self.timings += other.timings

    async def earliest(self, condition: str, since: str = _EARLIEST) -> datetime | None:
        """Return the time of the first event that matches a condition since a day; None without one."""
        where = f"({condition}) AND timestamp >= {_day(since)}"
        found = await self.rows(f"SELECT min(timestamp), count() FROM events WHERE {where} LIMIT 1")
        return datetime.fromisoformat(str(found[0][0])) if found and found[0][1] else None

    def response(self, query: Row, results: list[Row]) -> Row:
        """Return a response with the fields common to all insights."""
        return {
            **response_fields(self.call, query, self.project),
            "results": results,
            "hogql": self.hogql or "",
            "timings": self.timings,
            "modifiers": {},
            "error": "",
        }


def _day(text: str) -> str:
    return f"toDateTime('{text}T00:00:00+00:00')"


async def reading[T](read: Callable[[], T]) -> T:
    """Run a blocking function that reads the project's rows, off the event loop."""
    return await to_thread.run_sync(read)


async def all_of_them[T](session: Session, jobs: Sequence[Callable[[Session], Awaitable[T]]]) -> list[T]:
    """Run jobs that query for one insight, a few at once, and return their results in order.

    Raises the ApiError of the first job that failed.
    """
    if len(jobs) == 1:
        return [await jobs[0](session)]
    sessions = [Session(session.call, session.project) for _ in jobs]
    found: dict[int, T] = {}
    failed: dict[int, ApiError] = {}
    limiter = CapacityLimiter(_AT_ONCE)

    async def run(place: int, job: Callable[[Session], Awaitable[T]]) -> None:
        async with limiter:
            try:
                if not failed:
                    found[place] = await job(sessions[place])
            except ApiError as error:
                failed[place] = error

    async with create_task_group() as running:
        for place, job in enumerate(jobs):
            running.start_soon(run, place, job)
    if failed:
        raise failed[min(failed)]
    for other in sessions:
        session.join(other)
    return [found[place] for place in range(len(jobs))]
