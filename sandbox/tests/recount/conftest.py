"""One small dataset per file: in ClickHouse behind a sandbox, and as plain rows."""

from collections.abc import AsyncGenerator, Iterator

import pytest

from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import Serving, Shared, serving
from ..shared_data import open_shared
from .recounting import EVENTS, SEED, Rows, generated


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(EVENTS, seed=SEED) as opened:
        yield opened


@pytest.fixture(scope="module")
def rows() -> Rows:
    return generated()


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running
