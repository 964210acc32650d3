"""TrendsQuery against a recount in plain Python: thousands of random queries."""

import random

import pytest

from posthog_sandbox.storage.engine import Engine

from ..recount.checking import Case, disagreements, drawn_disagreements
from ..recount.dataset import World, without_ties, worlds
from ..recount.running import open_runner, opened
from ..recount.trends import trends
from ..recount.trends_drawing import drawn_trends

pytestmark = pytest.mark.anyio

CASES = 90
"""Number of cases for each of three worlds, four zones and two starts of the week."""


@pytest.fixture(scope="module", params=worlds(), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return without_ties(request.param)


async def test_random_queries_match_the_recount(world: World, engine: Engine) -> None:
    wrong = await drawn_disagreements(world, engine, "trends", drawn_trends, trends, CASES)
    assert not wrong, "".join(wrong)


async def test_values_beyond_the_limit_are_combined_equally_when_there_are_too_many_rows(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthog_sandbox.insights.trends.query.MOST_ROWS", 1)
    with open_runner(world, engine) as runner:
        await opened(runner)
        chance = random.Random(f"many rows of {world.name}")
        drawn = (
            (setting, drawn_trends(chance, runner.world, setting))
            for setting in world.settings()[:2]
            for _ in range(100)
        )
        cases = [Case(setting, query) for setting, query in drawn if "breakdownFilter" in query]
        wrong = await disagreements(runner, cases, trends)
    assert not wrong, "".join(wrong)
