"""The actors behind a funnel: their number equals the funnel's, at every step and in every interval."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from starlette.datastructures import Headers, QueryParams

from posthog_sandbox.http.routing import Call
from posthog_sandbox.insights.funnels.reached import FunnelActor, FunnelEntry, funnel_actors, funnel_entries
from posthog_sandbox.queries.project import Project
from posthog_sandbox.storage.engine import Engine

from ..recount.dataset import open_world, worlds
from ..recount.running import PROJECT, Runner, open_runner, opened

pytestmark = pytest.mark.anyio

WORLD = worlds()[0]
STEPS = ("$pageview", "buy", "sign up")
MANY = {"date_from": "-90d"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_world(WORLD, tmp_path_factory.mktemp("funnel actors") / "data") as opened_engine:
        yield opened_engine


@pytest.fixture
async def runner(engine: Engine) -> AsyncGenerator[Runner]:
    with open_runner(WORLD, engine) as found:
        yield await opened(found)


def funnel(**wanted: Any) -> dict[str, Any]:
    steps = [{"kind": "EventsNode", "event": event} for event in wanted.pop("steps", STEPS)]
    fields = {name: wanted.pop(name) for name in ("breakdownFilter", "interval") if name in wanted}
    return {"kind": "FunnelsQuery", "series": steps, "dateRange": MANY, "funnelsFilter": wanted, **fields}


async def _call(runner: Runner) -> tuple[Call, Project]:
    call = Call(
        services=runner.services,
        method="POST",
        path=f"/api/projects/{PROJECT}/query/",
        query="",
        params=QueryParams(),
        headers=Headers(),
        body={},
        arguments={},
        project_id=PROJECT,
    )
    return call, await runner.projects.of(call)


async def people(runner: Runner, query: dict[str, Any]) -> tuple[FunnelActor, ...]:
    call, project = await _call(runner)
    return await funnel_actors(call, query, project)


async def comings(runner: Runner, query: dict[str, Any]) -> tuple[FunnelEntry, ...]:
    call, project = await _call(runner)
    return await funnel_entries(call, query, project)


ORDERS = ("ordered", "strict", "unordered")
EXCLUSION = {"kind": "EventsNode", "event": "$pageleave", "funnelFromStep": 0, "funnelToStep": 2}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("more", [{}, {"exclusions": [EXCLUSION]}], ids=["plain", "excluding"])
async def test_each_step_counts_the_actors_that_completed_it(runner: Runner, order: str, more: dict[str, Any]) -> None:
    query = funnel(funnelOrderType=order, funnelWindowInterval=3, **more)
    response: Any = await runner.run(query)
    found = await people(runner, query)

    assert [sum(actor.taken >> place & 1 for actor in found) for place in range(3)] == [
        step["count"] for step in response["results"]
    ]
    assert {len(actor.times) for actor in found} >= {1, 2}
    assert all(list(actor.times) == sorted(actor.times) for actor in found)
    assert len({actor.actor for actor in found}) == len(found)


@pytest.mark.parametrize("attribution", ["first_touch", "last_touch", "all_events", "step"])
async def test_actors_have_the_breakdown_values_that_the_funnel_shows(runner: Runner, attribution: str) -> None:
    by_plan = {"breakdown": "plan", "breakdown_type": "event", "breakdown_limit": 2}
    query = funnel(breakdownFilter=by_plan, breakdownAttributionType=attribution, breakdownAttributionValue=1)
    response: Any = await runner.run(query)
    found = await people(runner, query)
    entered = Counter(str(actor.breakdown_value) for actor in found)

    assert entered == {str(steps[0]["breakdown_value"]): steps[0]["count"] for steps in response["results"]}
    assert "['Other']" in entered


async def test_entries_match_conversion_over_time(runner: Runner) -> None:
    query = funnel(steps=STEPS[:2], funnelVizType="trends", interval="week")
    response: Any = await runner.run(query)
    entered, converted = Counter[str](), Counter[str]()
    for entry in await comings(runner, query):
        entered[entry.interval.date().isoformat()] += 1
        converted[entry.interval.date().isoformat()] += entry.converted
    (row,) = response["results"]

    assert [round(converted[day] / entered[day] * 100, 2) if entered[day] else 0.0 for day in row["days"]] == row[
        "data"
    ]
    assert sum(converted.values()) < sum(entered.values())
