"""TrendsQuery against a recount in plain Python: thousands of drawn queries."""

import random
from collections.abc import Iterator

import pytest

from maton_posthog.sandbox.engine import Engine

from .recount.checking import Case, disagreements
from .recount.dataset import World, open_world, without_ties, worlds
from .recount.running import asking, opened
from .recount.trends import trends
from .recount.trends_drawing import drawn_trends

pytestmark = pytest.mark.anyio

CASES = 90
"""Drawn for each of three worlds, four zones and two starts of the week."""


@pytest.fixture(scope="module", params=worlds(), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return without_ties(request.param)


@pytest.fixture(scope="module")
def engine(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_world(world, tmp_path_factory.mktemp("world") / "data") as opened_engine:
        yield opened_engine


async def test_the_recount_of_drawn_queries_agrees(world: World, engine: Engine) -> None:
    with asking(world, engine) as asked:
        await opened(asked)
        chance = random.Random(f"trends of {world.name}")
        cases = [
            Case(setting, drawn_trends(chance, asked.world, setting))
            for setting in world.settings()
            for _ in range(CASES)
        ]
        wrong = await disagreements(asked, cases, trends)
    assert not wrong, "".join(wrong)


async def test_values_past_the_limit_are_summed_up_alike_when_there_are_too_many_rows(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maton_posthog.sandbox.insights.trends.MOST_ROWS", 1)
    with asking(world, engine) as asked:
        await opened(asked)
        chance = random.Random(f"many rows of {world.name}")
        drawn = (
            (setting, drawn_trends(chance, asked.world, setting))
            for setting in world.settings()[:2]
            for _ in range(100)
        )
        cases = [Case(setting, query) for setting, query in drawn if "breakdownFilter" in query]
        wrong = await disagreements(asked, cases, trends)
    assert not wrong, "".join(wrong)
