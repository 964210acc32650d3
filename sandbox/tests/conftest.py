"""Settings of all tests: asyncio for async tests, and no limits that depend on the machine's speed.

Property tests draw the same examples on every run, and others with `--hypothesis-profile=drawn`.
"""

import pytest
from hypothesis import HealthCheck, settings

from .oracle import examples

settings.register_profile(
    "drawn", deadline=None, max_examples=examples(50, 1000), suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("repeatable", settings.get_profile("drawn"), derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
