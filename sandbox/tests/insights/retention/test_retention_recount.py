"""RetentionQuery against a recount in plain Python: drawn queries, thousands in a whole run."""

import pytest

from posthog_sandbox.storage.engine import Engine

from ...oracle import EVERY_SEED, Effort
from ..recount.checking import drawn_disagreements
from ..recount.dataset import World, worlds
from ..recount.retention.drawing import drawn_retention
from ..recount.retention.results import retention

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

CASES = 90
"""Drawn in a whole run for each of three worlds, four zones and two starts of the week."""


@pytest.fixture(scope="module", params=worlds(), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return request.param


@EVERY_SEED
async def test_the_recount_of_drawn_queries_agrees(world: World, engine: Engine, effort: Effort) -> None:
    wrong = await drawn_disagreements(world, engine, "retention", drawn_retention, retention, effort, CASES)
    assert not wrong, "".join(wrong)
