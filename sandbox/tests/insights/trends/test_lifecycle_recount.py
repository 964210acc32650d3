"""LifecycleQuery against a recount in plain Python: drawn queries, thousands in a whole run."""

import random
from dataclasses import replace

import pytest

from posthog_sandbox.storage.engine import Engine

from ...oracle import EVERY_SEED, Effort
from ..recount.checking import drawn_disagreements
from ..recount.dataset import World, worlds
from ..recount.trends.lifecycle import drawn_lifecycle, lifecycle

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

CASES = 90
"""Drawn in a whole run for each of three worlds, four zones and two starts of the week."""


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


@EVERY_SEED
async def test_the_recount_of_drawn_queries_agrees(world: World, engine: Engine, effort: Effort) -> None:
    wrong = await drawn_disagreements(world, engine, "lifecycle", drawn_lifecycle, lifecycle, effort, CASES)
    assert not wrong, "".join(wrong)
