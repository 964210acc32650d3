"""A cache of upstream values. Calls that need the same value at the same time share one request."""

import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from .errors import GatewayError


@dataclass(frozen=True, slots=True)
class Aged[T]:
    """A value and its age in seconds."""

    value: T
    age_s: float


class Slot:
    """The place of one value in the cache. `found` is the value, None until it is filled."""

    def __init__(self, found: Aged[Any] | None) -> None:
        self.found = found

    def fill(self, value: Any) -> Aged[Any]:
        """Keep a value and return it."""
        self.found = Aged(value, 0.0)
        return self.found


@dataclass(slots=True)
class _Asking:
    """A request in progress. It ends without a result or error if it was cancelled."""

    done: anyio.Event = field(default_factory=anyio.Event)
    answer: Aged[Any] | None = None
    error: GatewayError | None = None


class Kept:
    """A cache of at most `most` values; the least recently used ones are dropped first."""

    def __init__(self, most: int = 256, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._asking: dict[Hashable, _Asking] = {}

    def forget(self) -> None:
        """Drop all values, also those of requests in progress."""
        self._answers.clear()
        self._asking.clear()

    @asynccontextmanager
    async def slot(self, key: Hashable, max_age_s: float) -> AsyncGenerator[Slot]:
        """Lock the slot of a key, with its value if that is at most `max_age_s` old, otherwise empty, to be filled.

            async with kept.slot("schema", 600) as slot:
                return slot.found or slot.fill(await request_schema())

        One call fills it; the others wait for its value or GatewayError. When that call is cancelled, the next one
        fills it.
        """
        if (found := await self._found(key, max_age_s)) is not None:
            yield Slot(found)
            return
        asking = self._asking[key] = _Asking()
        slot = Slot(None)
        try:
            yield slot
        except GatewayError as error:
            asking.error = error
            raise
        else:
            asking.answer = slot.found
            if slot.found is not None and self._asking.get(key) is asking:  # otherwise `forget` was called
                self._keep(key, slot.found.value)
        finally:
            asking.done.set()
            if self._asking.get(key) is asking:
                del self._asking[key]

    async def _found(self, key: Hashable, max_age_s: float) -> Aged[Any] | None:
        """Return the cached value or the one that another call is requesting; None without either."""
        while True:
            known = self._answers.get(key)
            if known is not None and (age_s := self._clock() - known[0]) <= max_age_s:
                self._answers.move_to_end(key)
                return Aged(known[1], age_s)
            asking = self._asking.get(key)
            if asking is None:
                return None
            await asking.done.wait()
            if asking.answer is not None:
                return asking.answer
            if asking.error is not None:
                raise asking.error.with_() from asking.error

    def _keep(self, key: Hashable, value: object) -> None:
        self._answers[key] = (self._clock(), value)
        self._answers.move_to_end(key)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
