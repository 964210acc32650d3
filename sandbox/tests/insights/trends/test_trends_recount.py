"""TrendsQuery against a recount in plain Python: drawn queries, thousands in a whole run."""

import pytest

from posthog_sandbox.storage.engine import Engine

from ...oracle import EVERY_SEED, Effort
from ..recount.checking import Case, disagreements, drawn_disagreements
from ..recount.dataset import World, without_ties, worlds
from ..recount.running import open_runner, opened
from ..recount.trends.drawing import drawn_trends
from ..recount.trends.results import trends

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

CASES = 90
"""Drawn in a whole run for each of three worlds, four zones and two starts of the week."""


@pytest.fixture(scope="module", params=worlds(), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return without_ties(request.param)


@EVERY_SEED
async def test_the_recount_of_drawn_queries_agrees(world: World, engine: Engine, effort: Effort) -> None:
    wrong = await drawn_disagreements(world, engine, "trends", drawn_trends, trends, effort, CASES)
    assert not wrong, "".join(wrong)


@EVERY_SEED
async def test_values_beyond_the_limit_are_combined_even_with_too_many_rows(
    world: World, engine: Engine, effort: Effort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthog_sandbox.insights.trends.query.MOST_ROWS", 1)
    with open_runner(world, engine) as runner:
        await opened(runner)
        chance = effort.chance(f"many rows of {world.name}")
        drawn = (
            (setting, drawn_trends(chance, runner.world, setting))
            for setting in world.settings()[:2]
            for _ in range(effort.cases(300))
        )
        cases = [Case(setting, query) for setting, query in drawn if "breakdownFilter" in query]
        wrong = await disagreements(runner, cases, trends)
    assert not wrong, "".join(wrong)
