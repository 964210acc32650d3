"""One small dataset per file: in ClickHouse behind a sandbox, and as plain rows."""

from collections.abc import AsyncGenerator, Iterator

import pytest

from posthog_sandbox.dataset import open_dataset
from posthog_sandbox.storage.engine import Engine

from ..sandbox_client import TODAY, Serving, Shared, serving
from .recounting import EVENTS, SEED, Rows, generated


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_dataset(None, events=EVENTS, seed=SEED, today=TODAY) as opened:
        yield opened


@pytest.fixture(scope="module")
def rows() -> Rows:
    return generated()


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running
