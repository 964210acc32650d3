"""The events behind an asynchronous door: requests wait for the data, queries run in threads, a few at a time."""

import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

import anyio
from anyio import CapacityLimiter, Event, Semaphore, to_thread

from ..errors import server_error, throttled
from ..identity import DATA_PROJECT
from .engine import Engine, EngineError, Progress, Table

RUNNING_QUERIES = 3
"""Queries of the query endpoint that run at once, as PostHog allows a key."""
QUEUE_SECONDS = 30.0
"""How long a query waits for its turn before it is refused with 429."""
LIST_SECONDS = 20.0

_TABLES = (
    "events",
    "persons",
    "person_distinct_ids",
    "groups",
    "sessions",
    "session_replays",
    "event_definitions",
    "property_definitions",
)
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"})


class Database(Protocol):
    """What is needed of an Engine."""

    def select(self, sql: str, *, max_seconds: float = ..., max_memory_bytes: int = ...) -> Table:
        """The answer of one SELECT."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """A database that can stop a query, known by the comment that its SQL begins with."""

    def stop(self, mark: str) -> None:
        """End that query, if it runs."""
        ...

    def progress(self, mark: str) -> Progress | None:
        """How far that query is, if it runs."""
        ...


def literal(value: str | float | bool) -> str:
    """A value as a ClickHouse literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.encode("utf-8", "replace").decode().translate(_ESCAPES) + "'"


_mark: ContextVar[str | None] = ContextVar("mark", default=None)


def new_mark() -> str:
    """A comment that tells one query from all others."""
    return f"/* {uuid.uuid4().hex} */"


@contextmanager
def marked(mark: str) -> Generator[None]:
    """Give the queries of this task a mark, by which their progress can be asked for."""
    token = _mark.set(mark)
    try:
        yield
    finally:
        _mark.reset(token)


class EventSource:
    """The engine once it is there. Owns it: `close` ends running queries."""

    def __init__(self, open_engine: Callable[[], Engine | Database], queue_seconds: float = QUEUE_SECONDS) -> None:
        self._queue_seconds = queue_seconds
        self._open_engine = open_engine
        self._settled = Event()
        self._engine: Database | None = None
        self._failure = ""
        self._counts: dict[str, int] = {}
        self._queries = Semaphore(RUNNING_QUERIES)
        self._lists = Semaphore(1)
        self._threads = CapacityLimiter(RUNNING_QUERIES + 1)

    async def open(self) -> None:
        """Make or open the data; those who wait go on afterwards. Raises what opening raised, after telling them."""
        try:
            self._engine = await to_thread.run_sync(self._open_engine)
        except Exception as error:
            self._failure = str(error)
            raise
        finally:
            self._settled.set()

    async def query(self, project_id: int, sql: str, *, max_seconds: float = 60) -> Table:
        """Rows for the query endpoint. Raises EngineError, and ApiError 429 when the queue is too long."""
        return await self._select(self._queries, project_id, sql, max_seconds)

    async def rows(self, project_id: int, sql: str) -> list[list[Any]]:
        """Rows for lists of persons, recordings and definitions. Raises ApiError."""
        try:
            return (await self._select(self._lists, project_id, sql, LIST_SECONDS)).rows
        except EngineError as error:
            if error.code_name in {"TIMEOUT_EXCEEDED", "MEMORY_LIMIT_EXCEEDED"}:
                raise throttled("ClickHouse is at capacity. Try again later.") from error
            raise

    async def progress(self, mark: str) -> Progress | None:
        """How far the query with this mark is; None when it does not run."""
        engine = self._engine
        return await to_thread.run_sync(engine.progress, mark) if isinstance(engine, Stoppable) else None

    async def counts(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        """How many rows these tables have; None as long as the data are being made."""
        if self._engine is None:
            return dict.fromkeys(tables)
        if self._counts.keys() >= set(tables):  # nothing adds events later
            return {table: self._counts[table] for table in tables}
        counts = ", ".join(f"(SELECT count() FROM posthog.{table})" for table in tables)
        found = await self.rows(DATA_PROJECT, f"SELECT {counts}")
        self._counts |= zip(tables, found[0], strict=True)
        return {table: self._counts[table] for table in tables}

    async def close(self) -> None:
        """Close the engine."""
        if self._engine is not None:
            await to_thread.run_sync(self._engine.close)

    async def _select(self, turns: Semaphore, project_id: int, sql: str, max_seconds: float) -> Table:
        await self._settled.wait()
        engine = self._engine
        if engine is None:
            raise server_error(503, f"The sandbox has no events: {self._failure}")
        mark = (_mark.get() or new_mark()) if isinstance(engine, Stoppable) else ""
        commented = f"{mark} {_confined(project_id, sql)}".lstrip()
        await self._turn(turns)
        try:
            return await to_thread.run_sync(
                lambda: engine.select(commented, max_seconds=max_seconds), limiter=self._threads, abandon_on_cancel=True
            )
        except anyio.get_cancelled_exc_class():
            if isinstance(engine, Stoppable):
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(engine.stop, mark)
            raise
        finally:
            turns.release()

    async def _turn(self, turns: Semaphore) -> None:
        """Wait for a turn. PostHog refuses a query that waited too long, without `Retry-After`."""
        try:
            turns.acquire_nowait()
            return
        except anyio.WouldBlock:
            pass
        try:
            with anyio.fail_after(self._queue_seconds):
                await turns.acquire()
        except TimeoutError:
            limit = f"Exceeded maximum concurrency limit: {RUNNING_QUERIES} for key: sandbox and task: query."
            raise throttled(limit) from None


def _confined(project_id: int, sql: str) -> str:
    """The same query seeing only the project's own events: all of them, or none."""
    if project_id == DATA_PROJECT:
        return sql
    filters = ", ".join(f"'posthog.{table}': '0'" for table in _TABLES)
    return f"SELECT * FROM ({sql}) SETTINGS additional_table_filters = {{{filters}}}"
