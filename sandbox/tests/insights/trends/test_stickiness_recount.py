"""StickinessQuery against a recount in plain Python: thousands of random queries."""

import pytest

from posthog_sandbox.storage.engine import Engine

from ..recount.checking import drawn_disagreements
from ..recount.dataset import World, worlds
from ..recount.stickiness import drawn_stickiness, stickiness

pytestmark = pytest.mark.anyio

CASES = 90
"""Number of cases for each of three worlds, four zones and two starts of the week."""


@pytest.fixture(scope="module", params=worlds(), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return request.param


async def test_random_queries_match_the_recount(world: World, engine: Engine) -> None:
    wrong = await drawn_disagreements(world, engine, "stickiness", drawn_stickiness, stickiness, CASES)
    assert not wrong, "".join(wrong)
