"""Settings of all tests: asyncio for async tests, and no limits that depend on the machine's speed."""

import pytest
from hypothesis import HealthCheck, settings

from .oracle import examples

settings.register_profile(
    "untimed", deadline=None, max_examples=examples(50, 1000), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
