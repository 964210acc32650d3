"""FunnelsQuery against a recount in plain Python: drawn queries, thousands in a whole run."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from posthog_sandbox.storage.engine import Engine

from ...oracle import EVERY_SEED, Effort
from ..recount.dataset import Setting, World, worlds
from ..recount.funnels.drawing import drawn_funnel, happening
from ..recount.funnels.results import funnels
from ..recount.running import Rejection, Response, Runner, agree, open_runner, opened

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

CASES = 105
"""Drawn in a whole run for each of three worlds, four zones and two starts of the week."""
DECIDED = 0.65
"""The least share of a world's cases that PostHog's rules decide. They do not define the order of simultaneous
events, the values past the limit of a breakdown, and the bins of a funnel without conversions."""
TWINS = "autumn"
"""The world with several events at one instant."""
SHOWN = 5

WORLDS = [happening(world, twins=world.name == TWINS) for world in worlds()]


@pytest.fixture(scope="module", params=WORLDS, ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    return request.param


@EVERY_SEED
async def test_the_recount_of_drawn_queries_agrees(world: World, engine: Engine, effort: Effort) -> None:
    with open_runner(world, engine) as runner:
        await opened(runner)
        chance = effort.chance(f"funnels of {world.name}")
        cases = effort.cases(CASES)
        wrong: list[str] = []
        decided = 0
        for setting in world.settings():
            drawn = [drawn_funnel(chance, runner.world, setting, twins=world.name == TWINS) for _ in range(cases)]
            recounted = [funnels(query, runner.world, setting) for query in drawn]
            decided += sum(results is not None for results in recounted)
            wrong += await _disagreements(runner, setting, drawn, recounted)
    assert not wrong, "".join(wrong[:SHOWN])
    assert decided >= DECIDED * cases * len(world.settings())


async def _disagreements(
    runner: Runner, setting: Setting, queries: list[dict[str, Any]], recounts: list[Any]
) -> list[str]:
    runner.settle(setting)
    found: list[str] = []
    for query, response, recounted in zip(queries, await runner.run_all(queries), recounts, strict=True):
        returned = _sorted(response)
        agreed = recounted is None or (agree(returned, recounted) and _is_in_order(response))
        if isinstance(returned, Rejection) or not agreed:
            told = f"{setting.zone}, week start {setting.week_start}, now {setting.now.isoformat()}"
            found.append(f"\n{told}\n{json.dumps(query)}\nanswered  {returned}\nrecounted {recounted}\n")
    return found


def _is_in_order(response: Response) -> bool:
    """Return whether breakdown values are ordered by their actors at the last step, then at the one before."""
    results: Any = [] if isinstance(response, Rejection) else response["results"]
    if not isinstance(results, list) or not results or not isinstance(results[0], list):
        return True
    counts = [[row["count"] for row in reversed(rows)] for rows in cast("list[list[dict[str, Any]]]", results)]
    return counts == sorted(counts, reverse=True)


def _sorted(response: Response) -> Any:
    """Return the results, with breakdown values sorted, because PostHog orders them by count alone."""
    if isinstance(response, Rejection):
        return response
    results: Any = response["results"]
    if not isinstance(results, list):
        return results
    rows = cast("list[Any]", results)
    return sorted(rows, key=_value) if rows and "breakdown_value" in _first(rows[0]) else rows


def _first(found: Any) -> Mapping[str, Any]:
    """Return a line over time, or the first step of a breakdown value."""
    return cast("list[Any]", found)[0] if isinstance(found, list) else cast("Mapping[str, Any]", found)


def _value(found: Any) -> list[str]:
    value: Any = _first(found)["breakdown_value"]
    texts = cast("list[str]", value) if isinstance(value, list) else [str(value)]
    return ["" if text == "None" else text for text in texts]
