"""The engine of a world, shared by the recounts."""

from collections.abc import Iterator

import pytest

from posthog_sandbox.storage.engine import Engine

from .recount.dataset import World, open_world


@pytest.fixture(scope="module")
def engine(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return an engine with the events of the module's `world`."""
    with open_world(world, tmp_path_factory.mktemp("world") / "data") as opened:
        yield opened
