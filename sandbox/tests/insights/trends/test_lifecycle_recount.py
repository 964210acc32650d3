"""LifecycleQuery against a recount in plain Python: thousands of random queries."""

import random
from dataclasses import replace

import pytest

from posthog_sandbox.storage.engine import Engine

from ..recount.checking import drawn_disagreements
from ..recount.dataset import World, worlds
from ..recount.lifecycle import drawn_lifecycle, lifecycle

pytestmark = pytest.mark.anyio

CASES = 90
"""Number of cases for each of three worlds, four zones and two starts of the week."""


def _world(world: World) -> World:
    """Return the world with some events that have no person profile."""
    chance = random.Random(f"profiles of {world.name}")
    events = (
        replace(event, properties={**event.properties, "$process_person_profile": chance.choice((True, False))})
        if chance.random() < 0.15
        else event
        for event in world.events
    )
    return replace(world, events=tuple(events))


@pytest.fixture(scope="module", params=map(_world, worlds()), ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return request.param


async def test_random_queries_match_the_recount(world: World, engine: Engine) -> None:
    wrong = await drawn_disagreements(world, engine, "lifecycle", drawn_lifecycle, lifecycle, CASES)
    assert not wrong, "".join(wrong)
