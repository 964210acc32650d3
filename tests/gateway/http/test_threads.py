import gc
import threading
import time
from collections.abc import Callable, Generator

import anyio
import anyio.to_thread
import pytest

from maton_posthog.gateway.http import threads as module
from maton_posthog.gateway.http.threads import Pause, Threads

pytestmark = pytest.mark.anyio


async def test_work_is_done_in_another_thread_and_its_errors_are_raised_here() -> None:
    threads = Threads()
    assert await threads.run(lambda _: threading.get_ident(), float("inf")) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda _: 1 // 0, float("inf"))


async def test_at_most_two_works_run_at_a_time_and_the_deadline_covers_the_queue() -> None:
    threads, let_go, running = Threads(), threading.Event(), threading.Semaphore(0)

    def work(_: Pause) -> bool:
        running.release()
        return let_go.wait(60)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(threads.run, work, float("inf"))
        for _ in range(2):
            await anyio.to_thread.run_sync(running.acquire)
        with pytest.raises(TimeoutError):
            await threads.run(work, time.monotonic() + 0.01)
        assert not running.acquire(blocking=False), "it never began"
        let_go.set()


async def test_work_that_is_given_up_ends_at_its_next_pause() -> None:
    threads, begun, ended = Threads(), threading.Event(), threading.Event()

    def work(pause: Pause) -> None:
        begun.set()
        try:
            while True:
                pause()
        finally:
            ended.set()

    seconds = 0.01
    while not begun.is_set():  # on a busy machine the deadline can pass before the thread has begun
        with pytest.raises(TimeoutError):
            await threads.run(work, time.monotonic() + seconds)
        seconds *= 2
    assert await anyio.to_thread.run_sync(ended.wait, 60)
    begun.clear()
    ended.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(threads.run, work, float("inf"))
        await anyio.to_thread.run_sync(begun.wait, 60)
        tasks.cancel_scope.cancel()
    assert await anyio.to_thread.run_sync(ended.wait, 60)


def waiting(let_go: threading.Event) -> Callable[[Pause], bool]:
    """Return work that ends when it is let go."""
    return lambda _: let_go.wait(60)


@pytest.fixture
def collecting() -> Generator[None]:
    """Let the collector run before and after."""
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.usefixtures("collecting")
async def test_garbage_is_not_collected_during_work() -> None:
    threads, others = Threads(), Threads()
    assert not await threads.run(lambda _: gc.isenabled(), float("inf"))
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda _: 1 // 0, float("inf"))
    assert gc.isenabled()
    let_go = threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(threads.run, waiting(let_go), float("inf"))
        await anyio.wait_all_tasks_blocked()
        assert not await others.run(lambda _: gc.isenabled(), float("inf"))
        let_go.set()
    assert gc.isenabled()


@pytest.mark.usefixtures("collecting")
async def test_garbage_is_collected_at_last_when_there_is_always_some_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNCOLLECTED_S", -1.0)
    threads, let_go = Threads(), threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(threads.run, waiting(let_go), float("inf"))
        await anyio.wait_all_tasks_blocked()
        assert not gc.isenabled()
        await threads.run(lambda _: None, float("inf"))
        assert gc.isenabled()
        let_go.set()


@pytest.mark.usefixtures("collecting")
async def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    await Threads().run(lambda _: None, float("inf"))
    assert not gc.isenabled()
