import weakref
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway import kept as kept_values
from maton_posthog.gateway.errors import Failed, GatewayError
from maton_posthog.gateway.kept import Aged, Kept

from .conftest import pending_timers

pytestmark = pytest.mark.anyio


class Upstream:
    """An upstream that counts requests and returns when it is released."""

    def __init__(self, *, error: GatewayError | None = None) -> None:
        self.asked = 0
        self.error = error
        self.let_go = anyio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.let_go.wait()
        if self.error is not None:
            raise self.error
        return number


def answered() -> Upstream:
    upstream = Upstream()
    upstream.let_go.set()
    return upstream


async def value_of(kept: Kept, key: str, max_age_s: float, upstream: Upstream) -> Aged[int]:
    async with kept.slot(key, max_age_s) as slot:
        return slot.found or slot.fill(await upstream())


async def test_a_value_is_cached_up_to_its_greatest_age_and_has_its_age() -> None:
    now = 100.0
    kept = Kept(clock=lambda: now)
    upstream = answered()
    assert (await value_of(kept, "key", 60, upstream)).age_s == 0
    now = 160.0
    aged = await value_of(kept, "key", 60, upstream)
    assert (aged.value, aged.age_s) == (1, 60)
    now = 160.5
    assert (await value_of(kept, "key", 60, upstream)).value == 2


async def test_calls_at_the_same_time_share_one_value() -> None:
    kept = Kept()
    upstream = Upstream()
    answers: list[int] = []

    async def ask() -> None:
        answers.append((await value_of(kept, "key", 60, upstream)).value)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
        await until(lambda: upstream.asked == 1)
        upstream.let_go.set()
    assert answers == [1] * 50
    assert upstream.asked == 1


async def test_an_error_is_shared_by_waiting_calls_and_not_cached() -> None:
    kept = Kept()
    upstream = Upstream(error=Failed("unavailable", "no"))
    errors: list[GatewayError] = []

    async def ask() -> None:
        with pytest.raises(Failed) as caught:
            await value_of(kept, "key", 60, upstream)
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        await until(lambda: upstream.asked == 1)
        await anyio.lowlevel.checkpoint()
        upstream.let_go.set()
    assert upstream.asked == 1
    assert len({id(error) for error in errors}) == 3, "each call settles an error of its own"
    assert {(error.code, error.message) for error in errors} == {("unavailable", "no")}
    assert (await value_of(kept, "key", 60, answered())).value == 1


async def test_when_the_requesting_call_is_cancelled_the_next_one_requests() -> None:
    kept = Kept()
    upstream = Upstream()
    answers: list[int] = []
    first = anyio.CancelScope()

    async def ask(scope: anyio.CancelScope) -> None:
        with scope:
            answers.append((await value_of(kept, "key", 60, upstream)).value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, first)
        await until(lambda: upstream.asked == 1)
        tasks.start_soon(ask, anyio.CancelScope())
        await anyio.lowlevel.checkpoint()
        first.cancel()
        await until(lambda: upstream.asked == 2)
        upstream.let_go.set()
    assert answers == [2]


async def test_the_least_recently_used_value_is_dropped_first() -> None:
    kept = Kept(most=2)
    upstream = answered()
    for key in ("a", "b", "a", "c"):
        await value_of(kept, key, 60, upstream)
    assert [(await value_of(kept, key, 60, upstream)).value for key in ("a", "c", "b")] == [1, 3, 4]


async def test_a_value_requested_before_the_cache_was_cleared_is_not_cached() -> None:
    kept = Kept()
    upstream = Upstream()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(value_of, kept, "key", 60, upstream)
        await until(lambda: upstream.asked == 1)
        kept.forget()
        upstream.let_go.set()
    assert (await value_of(kept, "key", 60, upstream)).value == 2


async def until(holds: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not holds():
            await anyio.lowlevel.checkpoint()

    await within_seconds(wait)


async def within_seconds(work: Callable[[], Awaitable[None]]) -> None:
    with anyio.fail_after(60):
        await work()


async def test_a_value_is_dropped_when_it_is_too_old_although_nothing_else_happens() -> None:
    kept, dropped = Kept(), anyio.Event()
    async with kept.slot("key", 0.0) as slot:
        weakref.finalize(slot.fill(Upstream()).value, dropped.set)
    del slot
    await value_of(kept, "another", 60, answered())
    with anyio.fail_after(60):
        await dropped.wait()
    assert len(kept) == 1
    kept.close()


async def test_closing_leaves_no_value_and_no_timer() -> None:
    kept = Kept()
    await value_of(kept, "key", 60, answered())
    assert len(pending_timers()) == 1
    kept.close()
    assert (len(kept), pending_timers()) == (0, [])


async def test_the_least_recently_used_values_make_room_for_heavy_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_values, "MOST_WEIGHT", 25_000)
    kept = Kept()
    for key in ("first", "second", "third"):
        async with kept.slot(key, 60) as slot:
            slot.fill("x" * 10_000)
    found: list[bool] = []
    for key in ("first", "second", "third"):
        async with kept.slot(key, 60) as slot:
            found.append(slot.found is not None)
    assert found == [False, True, True]
    kept.close()
