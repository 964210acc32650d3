"""Queries in separate tasks. Calls share them, wait for them, fetch their results later, and cancel them."""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import anyio

from ..errors import Failed, GatewayError

logger = logging.getLogger("maton_posthog.gateway")

KEPT_S = 900.0
"""The time in which the result of a query can be fetched by its id."""
MOST_QUERIES = 64
MOST_WEIGHT = 200_000_000
"""Largest total of `Weighed.weight` over all kept results, in bytes."""
_TIDY_AFTER_S = 0.01
"""Added to a timer, so that what it waits for is over."""
PROGRESS_EVERY_S = 2.0
RUNNING = "Running in PostHog"
STOP_WITHIN_S = 3.0

type Progress = Callable[[float, str], Awaitable[None]]
"""Reports the elapsed seconds and a message to a client."""


class Weighed(Protocol):
    """A result that knows what memory it takes."""

    @property
    def weight(self) -> int:
        """The memory in bytes."""
        ...


class Query:
    """One query. `answer` or `error` is set once it is done; `news` is the progress that PostHog reports."""

    def __init__(self, place: Hashable) -> None:
        self.id = uuid.uuid4().hex
        self.place = place
        """Connection and project; calls with another place cannot see the query."""
        self.started = time.monotonic()
        self.finished: float | None = None
        self.answer: Any = None
        self.weight = 0
        """The memory of the answer in bytes."""
        self.error: GatewayError | None = None
        self.news = RUNNING
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False
        """True once cancellation was requested; the task ends a moment later."""
        self._done = anyio.Event()
        self._waiting = 0
        self._handed_out = False

    @property
    def seconds(self) -> float:
        """Seconds that the query has been running, or ran."""
        return (self.finished or time.monotonic()) - self.started

    @property
    def age_s(self) -> float:
        """Seconds since it finished; 0 while it runs."""
        return 0.0 if self.finished is None else time.monotonic() - self.finished

    async def wait(self, seconds: float, progress: Progress | None = None) -> bool:
        """Return whether it finishes within that many seconds. If not, it keeps running and can be found by its id.

        The query is cancelled together with the last call that waits for it. Raises its GatewayError.
        """
        self._waiting += 1
        try:
            with anyio.move_on_after(seconds):
                await self._watch(progress)
        except asyncio.CancelledError:
            if self._waiting == 1 and not self._handed_out:
                self.cancel()
            raise
        finally:
            self._waiting -= 1
        if not self._done.is_set():
            self._handed_out = True
        elif self.error is not None:
            raise self.error.with_() from self.error
        return self._done.is_set()

    def cancel(self) -> bool:
        """Stop the query here and in PostHog. Return whether it was still running."""
        self.cancelled = self.task is not None and self.task.cancel()
        return self.cancelled

    @asynccontextmanager
    async def settled(self, stop: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
        """Record how the work inside ends; `stop` is awaited when it is cancelled before it has a result."""
        try:
            yield
        except GatewayError as error:
            self.finish(None, error)
        except asyncio.CancelledError:
            self.finish(None, _cancelled())
            with anyio.move_on_after(STOP_WITHIN_S, shield=True):
                await stop()
            raise
        except Exception:  # without this, a bug would leave the waiting calls without an end
            logger.exception("A background query failed")
            self.finish(None, _fault())

    def finish(self, answer: Weighed | None, error: GatewayError | None = None) -> None:
        """Set the result or the error, and wake the calls that wait."""
        self.answer = answer
        self.weight = 0 if answer is None else answer.weight
        self.error = error
        self.finished = time.monotonic()
        self._done.set()

    async def _watch(self, progress: Progress | None) -> None:
        while not self._done.is_set():
            with anyio.move_on_after(PROGRESS_EVERY_S):
                await self._done.wait()
            if progress is not None and not self._done.is_set():
                await progress(round(self.seconds, 3), self.news)


class Background:
    """Runs queries and keeps their results. Close it with `aclose`."""

    def __init__(self) -> None:
        self._queries: OrderedDict[str, Query] = OrderedDict()
        self._by_key: dict[Hashable, Query] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._weight = 0
        """The memory of all finished queries, in bytes."""
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    async def aclose(self) -> None:
        """Cancel the running queries and wait until they have ended. No timer is left."""
        self._closed = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._expiry is not None:
            self._expiry.cancel()

    def shared(self, key: Hashable, max_age_s: float) -> Query | None:
        """Return the query of this key that is running or finished at most `max_age_s` ago."""
        query = self._by_key.get(key)
        if (
            query is None
            or query.error is not None
            or query.cancelled
            or (query.finished is not None and query.age_s > max_age_s)
        ):
            return None
        return query

    def find(self, query_id: str, place: Hashable) -> Query | None:
        """Return the query of this id and place; None when it is unknown or expired."""
        query = self._queries.get(query_id)
        if query is None or query.place != place or query.age_s > KEPT_S:
            return None
        return query

    def add(self, place: Hashable, keys: Iterable[Hashable]) -> Query:
        """Return a new query, shared under each of its keys. Give its task to `own` at once."""
        query = Query(place)
        self._queries[query.id] = query
        self._by_key |= dict.fromkeys(keys, query)
        return query

    def own(self, query: Query, task: asyncio.Task[None]) -> None:
        """Take over the task of a query, which works inside `Query.settled`: it ends with `aclose` at the latest."""
        query.task = task
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, query))

    def _ended(self, query: Query, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if query.finished is None:  # cancelled before it began
            query.finish(None, _cancelled())
        self._weight += query.weight
        self._drop_oldest()
        if self._expiry is None:
            self._expire_later()

    def _drop_oldest(self) -> None:
        """Drop the oldest finished queries over the limits."""
        dropped: list[Query] = []
        count, weight = len(self._queries), self._weight
        for query in self._queries.values():
            if count <= MOST_QUERIES and weight <= MOST_WEIGHT:
                break
            if query.finished is not None:
                dropped.append(query)
                count, weight = count - 1, weight - query.weight
        self._drop(dropped)

    def _expire(self) -> None:
        """Drop the expired queries."""
        first = time.monotonic() - KEPT_S
        self._drop([query for query in self._queries.values() if query.finished is not None and query.finished < first])
        self._expire_later()

    def _drop(self, dropped: list[Query]) -> None:
        for query in dropped:
            self._weight -= query.weight
            del self._queries[query.id]
        if dropped:
            self._by_key = {key: query for key, query in self._by_key.items() if query.id in self._queries}

    def _expire_later(self) -> None:
        """Drop the next query that expires: results take memory also while no other query ends."""
        finished = [query.finished for query in self._queries.values() if query.finished is not None]
        self._expiry = None
        if finished and not self._closed:
            left_s = max(min(finished) + KEPT_S - time.monotonic(), 0.0)
            self._expiry = asyncio.get_running_loop().call_later(left_s + _TIDY_AFTER_S, self._expire)


def _cancelled() -> Failed:
    return Failed("unavailable", "The query was cancelled.", "Run it again if you still need its result.")


def _fault() -> GatewayError:
    return GatewayError("internal_error", "Internal error in this server.", "See the log on stderr for details.")
