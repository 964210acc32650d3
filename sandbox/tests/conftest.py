"""Settings of all tests: asyncio for async tests, and no limits that depend on the machine's speed.

Property tests draw the same examples on every run, and others with `--hypothesis-profile=drawn`.
"""

import gc
import subprocess
from collections.abc import Generator, Mapping, Sequence
from typing import cast

import pytest
from hypothesis import HealthCheck, settings

from posthog_sandbox.testing import process

from .forked import ForkedSandbox
from .oracle import examples

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
def cache_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Share the data of sandboxes within this run, and leave the cache of its user alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTHOG_SANDBOX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def forked_sandboxes() -> Generator[None]:
    """Fork the processes of `Sandbox`, apart from tests that use `unforked`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "start_process", _fork)
        yield


@pytest.fixture
def unforked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the processes of `Sandbox` with the command, for tests of the start."""
    monkeypatch.setattr(process, "start_process", _START)


_START = process.start_process


def _fork(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return cast("subprocess.Popen[str]", ForkedSandbox(arguments, environment, stderr=subprocess.STDOUT))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
