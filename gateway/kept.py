"""A cache of upstream values. Calls that need the same value at the same time share one request."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import anyio

from .errors import GatewayError


@dataclass(frozen=True, slots=True)
class Aged[T]:
    """A value and its age in seconds."""

    value: T
    age_s: float


@dataclass(slots=True)
class _Asking:
    """A request in progress. It ends without answer and error when it was cancelled."""

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

    async def get[T](self, key: Hashable, max_age_s: float, ask: Callable[[], Awaitable[T]]) -> Aged[T]:
        """Return the value of this key, at most `max_age_s` old, or else the value of `ask`.

        One call requests it; the others wait for its value or GatewayError. When that call is cancelled, the next one
        requests it.
        """
        while True:
            known = self._answers.get(key)
            if known is not None and (age_s := self._clock() - known[0]) <= max_age_s:
                self._answers.move_to_end(key)
                return Aged(known[1], age_s)
            asking = self._asking.get(key)
            if asking is None:
                return await self._ask(key, ask)
            await asking.done.wait()
            if asking.answer is not None:
                return asking.answer
            if asking.error is not None:
                raise asking.error.with_() from asking.error

    async def _ask[T](self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> Aged[T]:
        asking = self._asking[key] = _Asking()
        try:
            value = await ask()
        except GatewayError as error:
            asking.error = error
            raise
        else:
            answer = asking.answer = Aged(value, 0.0)
            if self._asking.get(key) is asking:  # otherwise `forget` was called
                self._answers[key] = (self._clock(), value)
                self._answers.move_to_end(key)
                if len(self._answers) > self._most:
                    self._answers.popitem(last=False)
            return answer
        finally:
            asking.done.set()
            if self._asking.get(key) is asking:
                del self._asking[key]
