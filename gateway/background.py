"""Queries that run apart from the calls that wait for them: calls share one, time out, come back, or cancel it."""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from functools import partial
from typing import Any, Protocol

import anyio

from .errors import Failed, GatewayError

logger = logging.getLogger("maton_posthog.gateway")

KEPT_S = 900.0
"""How long the answer of a query can be fetched by its id."""
MOST_QUERIES = 64
MOST_WEIGHT = 200_000_000
"""Bytes of all kept answers together, as they weigh themselves."""
PROGRESS_EVERY_S = 2.0
STOP_WITHIN_S = 3.0

type Progress = Callable[[float, str], Awaitable[None]]
"""Tells a client seconds gone by, and what is known of the progress."""


class Weighed(Protocol):
    """An answer that knows about how many bytes it takes."""

    @property
    def weight(self) -> int: ...


class Query:
    """One query. `answer` or `error` is there once it is done; `news` is what PostHog says of its progress."""

    def __init__(self, place: Hashable) -> None:
        self.id = uuid.uuid4().hex
        self.place = place
        """Connection and project; no other place may see it."""
        self.started = time.monotonic()
        self.finished: float | None = None
        self.answer: Any = None
        self.error: GatewayError | None = None
        self.news = "Running in PostHog"
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False
        """It ends as soon as its task learns of it."""
        self._done = anyio.Event()
        self._waiting = 0
        self._handed_out = False

    @property
    def seconds(self) -> float:
        """How long it runs, or ran."""
        return (self.finished or time.monotonic()) - self.started

    @property
    def age_s(self) -> float:
        """Seconds since it was answered."""
        return 0.0 if self.finished is None else time.monotonic() - self.finished

    async def wait(self, seconds: float, progress: Progress | None = None) -> bool:
        """Whether it is done within so many seconds; if not, it goes on, and its id finds it again.

        When the last call that waits for it is cancelled, so is the query. Raises its GatewayError.
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
        """Stop it, here and at PostHog; whether there was something to stop."""
        self.cancelled = self.task is not None and self.task.cancel()
        return self.cancelled

    def finish(self, answer: Any, error: GatewayError | None) -> None:
        self.answer, self.error, self.finished = answer, error, time.monotonic()
        self._done.set()

    async def _watch(self, progress: Progress | None) -> None:
        while not self._done.is_set():
            with anyio.move_on_after(PROGRESS_EVERY_S):
                await self._done.wait()
            if progress is not None and not self._done.is_set():
                await progress(round(self.seconds, 3), self.news)


class Background:
    """Runs queries and keeps their answers. Whoever made it closes it."""

    def __init__(self) -> None:
        self._queries: OrderedDict[str, Query] = OrderedDict()
        self._by_key: dict[Hashable, Query] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def shared(self, key: Hashable, max_age_s: float) -> Query | None:
        """The query of this key that runs, or was answered at most so many seconds ago."""
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
        """The query of this id and place, None when it is unknown or no longer kept."""
        query = self._queries.get(query_id)
        if query is None or query.place != place or query.age_s > KEPT_S:
            return None
        return query

    def start(
        self,
        place: Hashable,
        keys: Iterable[Hashable],
        run: Callable[[Query], Awaitable[Weighed]],
        stop: Callable[[Query], Awaitable[None]],
    ) -> Query:
        """Run a query in a task of its own. Under each of its keys it can be shared; `stop` is awaited when it is
        cancelled before it has an answer.
        """
        query = Query(place)
        self._queries[query.id] = query
        self._by_key |= dict.fromkeys(keys, query)
        query.task = asyncio.create_task(self._run(query, run, stop))
        self._tasks.add(query.task)
        query.task.add_done_callback(partial(self._ended, query))
        return query

    def _ended(self, query: Query, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if query.finished is None:  # cancelled before it began
            query.finish(None, _cancelled())

    async def _run(
        self, query: Query, run: Callable[[Query], Awaitable[Weighed]], stop: Callable[[Query], Awaitable[None]]
    ) -> None:
        try:
            query.finish(await run(query), None)
        except GatewayError as error:
            query.finish(None, error)
        except asyncio.CancelledError:
            query.finish(None, _cancelled())
            with anyio.move_on_after(STOP_WITHIN_S, shield=True):
                await stop(query)
            raise
        except Exception:  # the end of the task: a fault of ours must reach those who wait, or they wait for good
            logger.exception("a query failed in the background")
            query.finish(None, _fault())
        finally:
            self._tidy()

    def _tidy(self) -> None:
        """Forget what is too old, and the oldest of what is too much."""
        finished = [query for query in self._queries.values() if query.finished is not None]
        weight = sum(_weight(query) for query in finished)
        for query in finished:
            many = len(self._queries) > MOST_QUERIES or weight > MOST_WEIGHT
            if not many and query.age_s <= KEPT_S:
                continue
            weight -= _weight(query)
            del self._queries[query.id]
        self._by_key = {key: query for key, query in self._by_key.items() if query.id in self._queries}


def _weight(query: Query) -> int:
    return 0 if query.answer is None else query.answer.weight


def _cancelled() -> Failed:
    return Failed("unavailable", "The query was cancelled.", "Run it again if you still need its answer.")


def _fault() -> GatewayError:
    return GatewayError("internal_error", "This server has a fault.", "The log on stderr has the details.")
