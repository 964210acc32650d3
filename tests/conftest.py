"""Settings of all tests: asyncio for async tests, and no limits that depend on the machine's speed.

Property tests draw the same examples on every run, and others with `--hypothesis-profile=drawn`.
"""

import gc
import signal
import time
from collections.abc import Callable, Generator

import pytest
from hypothesis import HealthCheck, settings

from posthog_sandbox.testing import process

from .oracle import examples
from .server.forked import ForkedSandbox

settings.register_profile(
    "drawn", deadline=None, max_examples=examples(30, 1000), suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("repeatable", settings.get_profile("drawn"), derandomize=True)
settings.load_profile("repeatable")


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the run, which is most of it: it took a seventh of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Handle SIGINT, which a run in the background ignores and its child processes inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Share the data of sandboxes within this run, and leave the cache of its user alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTHOG_SANDBOX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def forked_sandboxes() -> Generator[None]:
    """Fork the processes of `Sandbox`. How they start is tested by the tests of the sandbox."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "start_process", ForkedSandbox)
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def skip(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Skip seconds of time for deadlines and everything else that the loop waits for."""
    real = time.monotonic
    skipped: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: real() + sum(skipped))
    return skipped.append
