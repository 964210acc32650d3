"""A cache of upstream values. Calls that need the same value at the same time share one request."""

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any, cast

import anyio

from .errors import GatewayError

MOST_WEIGHT = 50_000_000
"""Largest total of the kept values, in bytes of memory."""
_SAMPLE = 20
"""How many items of a list or an object are weighed; the others count as much on average."""
_DROP_AFTER_S = 0.01
"""Added to a timer, so that what it waits for is over."""


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


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    since: float
    until: float
    weight: int


class Kept:
    """A cache of at most `most` values, which take at most MOST_WEIGHT; the least recently used ones are dropped first.

    Values that are too old are dropped by a timer. Close it with `close`.
    """

    def __init__(self, most: int = 256, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._asking: dict[Hashable, _Asking] = {}
        self._expiry: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._answers)

    def forget(self) -> None:
        """Drop all values, also those of requests in progress."""
        self._answers.clear()
        self._asking.clear()

    def close(self) -> None:
        """Drop all values. No timer is left."""
        self.forget()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

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
                self._keep(key, slot.found.value, max_age_s)
        finally:
            asking.done.set()
            if self._asking.get(key) is asking:
                del self._asking[key]

    async def _found(self, key: Hashable, max_age_s: float) -> Aged[Any] | None:
        """Return the cached value or the one that another call is requesting; None without either."""
        while True:
            known = self._answers.get(key)
            if known is not None and (age_s := self._clock() - known.since) <= max_age_s:
                self._answers.move_to_end(key)
                return Aged(known.value, age_s)
            asking = self._asking.get(key)
            if asking is None:
                return None
            await asking.done.wait()
            if asking.answer is not None:
                return asking.answer
            if asking.error is not None:
                raise asking.error.with_() from asking.error

    def _keep(self, key: Hashable, value: object, max_age_s: float) -> None:
        now = self._clock()
        self._answers[key] = _Answer(value, now, now + max_age_s, weight_of(value))
        self._answers.move_to_end(key)
        weight = sum(answer.weight for answer in self._answers.values())
        while len(self._answers) > self._most or weight > MOST_WEIGHT:
            weight -= self._answers.popitem(last=False)[1].weight
        if self._expiry is None:
            self._expire_later()

    def _expire_later(self) -> None:
        """Drop the values that are too old now, and those that will be when the first of them is."""
        now = self._clock()
        for key in [key for key, answer in self._answers.items() if answer.until < now]:
            del self._answers[key]
        self._expiry = None
        if self._answers:
            left_s = min(answer.until for answer in self._answers.values()) - now
            self._expiry = asyncio.get_running_loop().call_later(left_s + _DROP_AFTER_S, self._expire_later)


def weight_of(value: object) -> int:
    """Return about how many bytes a value takes, with all that it contains; what it contains twice counts twice."""
    own = sys.getsizeof(value)
    if isinstance(value, (str, bytes, type, Enum)):
        return own
    if isinstance(value, Mapping):
        return own + _sampled([part for item in cast("Mapping[Any, Any]", value).items() for part in item])
    if isinstance(value, (Sequence, Set)):
        return own + _sampled(list(cast("Sequence[Any]", value)))
    if is_dataclass(value) and not isinstance(value, type):
        return own + sum(weight_of(getattr(value, part.name)) for part in fields(value))
    return own + weight_of(vars(value)) if hasattr(value, "__dict__") else own


def _sampled(parts: list[Any]) -> int:
    step = max(1, len(parts) // _SAMPLE)
    step += step % 2 == 0 and step > 1  # an odd step meets both keys and values
    chosen = parts[::step]
    return sum(map(weight_of, chosen)) * len(parts) // max(1, len(chosen))
