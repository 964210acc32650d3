"""RetentionQuery against a recount in plain Python: thousands of drawn queries."""

import random
from collections.abc import Iterator

import pytest

from maton_posthog.sandbox.engine import Engine

from .recount.checking import Case, disagreements
from .recount.dataset import World, open_world, worlds
from .recount.retention import retention
from .recount.retention_drawing import drawn_retention
from .recount.running import asking, opened

pytestmark = pytest.mark.anyio

CASES = 90
"""Drawn for each of three worlds, four zones and two starts of the week."""


@pytest.fixture(scope="module", params=worlds(), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return request.param


@pytest.fixture(scope="module")
def engine(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_world(world, tmp_path_factory.mktemp("world") / "data") as opened_engine:
        yield opened_engine


async def test_the_recount_of_drawn_queries_agrees(world: World, engine: Engine) -> None:
    with asking(world, engine) as asked:
        await opened(asked)
        chance = random.Random(f"retention of {world.name}")
        cases = [
            Case(setting, drawn_retention(chance, asked.world, setting))
            for setting in world.settings()
            for _ in range(CASES)
        ]
        wrong = await disagreements(asked, cases, retention)
    assert not wrong, "".join(wrong)
