"""Asynchronous access to the events: requests wait for the data, queries run in a few threads."""

import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

import anyio
from anyio import CapacityLimiter, Event, Semaphore, to_thread

from ..errors import server_error, throttled
from ..identity import DATA_PROJECT
from .engine import Engine, EngineError, Progress, ResultTable

RUNNING_QUERIES = 3
"""Concurrent queries of the query endpoint, PostHog's limit per key."""
QUEUE_SECONDS = 30.0
"""Seconds that a query waits for its turn before it is rejected with 429."""
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
    """The part of an Engine that is used here."""

    def select(self, sql: str, *, max_seconds: float = ..., max_memory_bytes: int = ...) -> ResultTable:
        """Return the result of one SELECT."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """A database that can stop a query, identified by the comment its SQL begins with."""

    def stop(self, mark: str) -> None:
        """Cancel that query, if it is running."""
        ...

    def progress(self, mark: str) -> Progress | None:
        """Return the progress of that query, if it is running."""
        ...


def literal(value: str | float | bool) -> str:
    """Format a value as a ClickHouse literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.encode("utf-8", "replace").decode().translate(_ESCAPES) + "'"


_mark: ContextVar[str | None] = ContextVar("mark", default=None)


def new_mark() -> str:
    """Return a comment that identifies one query."""
    return f"/* {uuid.uuid4().hex} */"


@contextmanager
def marked(mark: str) -> Generator[None]:
    """Give the queries of this task a mark that identifies them to `progress`."""
    token = _mark.set(mark)
    try:
        yield
    finally:
        _mark.reset(token)


class EventSource:
    """The engine, once it is open. Owns it: `close` cancels running queries."""

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
        """Create or open the data, then release the waiting requests. Re-raises any error after that."""
        try:
            self._engine = await to_thread.run_sync(self._open_engine)
        except Exception as error:
            self._failure = str(error)
            raise
        finally:
            self._settled.set()

    async def query(self, project_id: int, sql: str, *, max_seconds: float = 60) -> ResultTable:
        """Return rows for the query endpoint. Raises EngineError, and ApiError 429 when the queue is too long."""
        return await self._select(self._queries, project_id, sql, max_seconds)

    async def rows(self, project_id: int, sql: str) -> list[list[Any]]:
        """Return rows for lists of persons, recordings and definitions. Raises ApiError."""
        try:
            return (await self._select(self._lists, project_id, sql, LIST_SECONDS)).rows
        except EngineError as error:
            if error.code_name in {"TIMEOUT_EXCEEDED", "MEMORY_LIMIT_EXCEEDED"}:
                raise throttled("ClickHouse is at capacity. Try again later.") from error
            raise

    async def progress(self, mark: str) -> Progress | None:
        """Return the progress of the query with this mark; None if it is not running."""
        engine = self._engine
        return await to_thread.run_sync(engine.progress, mark) if isinstance(engine, Stoppable) else None

    async def counts(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        """Return the number of rows of these tables; None while the data are being generated."""
        if self._engine is None:
            return dict.fromkeys(tables)
        if self._counts.keys() >= set(tables):  # the events never change
            return {table: self._counts[table] for table in tables}
        counts = ", ".join(f"(SELECT count() FROM posthog.{table})" for table in tables)
        found = await self.rows(DATA_PROJECT, f"SELECT {counts}")
        self._counts |= zip(tables, found[0], strict=True)
        return {table: self._counts[table] for table in tables}

    async def close(self) -> None:
        """Close the engine."""
        if self._engine is not None:
            await to_thread.run_sync(self._engine.close)

    async def _select(self, turns: Semaphore, project_id: int, sql: str, max_seconds: float) -> ResultTable:
        await self._settled.wait()
        engine = self._engine
        if engine is None:
            raise server_error(503, f"The sandbox could not open its events: {self._failure}")
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
        """Wait for a turn. PostHog rejects a query that waited too long, without `Retry-After`."""
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
    """Return the query limited to the project's own events: all of them, or none."""
    if project_id == DATA_PROJECT:
        return sql
    filters = ", ".join(f"'posthog.{table}': '0'" for table in _TABLES)
    return f"SELECT * FROM ({sql}) SETTINGS additional_table_filters = {{{filters}}}"
