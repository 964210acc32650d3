"""Queries run in process against a world: no HTTP, one project whose settings change between batches."""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast

import anyio
from anyio import CapacityLimiter
from starlette.datastructures import Headers, QueryParams

from posthog_sandbox.admin.clock import SettableClock
from posthog_sandbox.api.actions.resource import ACTIONS
from posthog_sandbox.api.cohorts.resource import COHORTS, cohort_persons
from posthog_sandbox.dataset.story import tell
from posthog_sandbox.errors import ApiError
from posthog_sandbox.examples import fill
from posthog_sandbox.http.resource import Change, add_row
from posthog_sandbox.http.routing import Call, Services
from posthog_sandbox.queries.project import Projects
from posthog_sandbox.query_endpoint.runners import RUNNERS
from posthog_sandbox.storage.engine import Engine
from posthog_sandbox.storage.events import EventSource
from posthog_sandbox.storage.store import Store

from ...sandbox_client import BASE_URL, NOW, Shared
from .dataset import Action, Cohort, Setting, World
from .filters import PATH_CLEANING, TEST_ACCOUNTS

PROJECT = 1
_AT_ONCE = 2
_STEPS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "Did buy": ({"event": "buy"},),
    "Looked or began": (
        {"event": "$pageview", "url": "pricing", "url_matching": "contains"},
        {"event": "sign up"},
    ),
    "Of a paid plan": (
        {
            "event": None,
            "properties": [{"type": "event", "key": "plan", "operator": "exact", "value": ["pro", "Pro"]}],
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected query: the status and PostHog's detail."""

    status: int
    detail: str


type Response = Mapping[str, Any] | Rejection


@dataclass(frozen=True, slots=True)
class Runner:
    """A world with its project, ready for queries. `world` has the ids of its actions and cohorts."""

    world: World
    services: Services
    clock: SettableClock
    projects: Projects

    def settle(self, setting: Setting, **row: Any) -> None:
        """Set the project's zone, week start and current time; `row` changes its other columns."""
        self.clock.set(setting.now, frozen=True)
        with self.services.store.transaction() as rows:
            project = rows.get("projects", PROJECT)
            assert project is not None
            changed = {"timezone": setting.zone, "week_start_day": setting.week_start}
            filters = {"test_account_filters": TEST_ACCOUNTS, "path_cleaning_filters": PATH_CLEANING}
            rows.save("projects", {**project, **changed, **filters, **row})

    async def run(self, query: Mapping[str, Any]) -> Response:
        """Return the sandbox's result for a query."""
        call = Call(
            services=self.services,
            method="POST",
            path=f"/api/projects/{PROJECT}/query/",
            query="",
            params=QueryParams(),
            headers=Headers(),
            body={"query": dict(query)},
            arguments={},
            project_id=PROJECT,
        )
        try:
            return await RUNNERS[str(query["kind"])](call, dict(query), await self.projects.of(call))
        except ApiError as error:
            return Rejection(error.status, str(error.body["detail"]))

    async def run_all(self, queries: Sequence[Mapping[str, Any]]) -> list[Response]:
        """Return the results of queries in their order; a few run at once."""
        limiter = CapacityLimiter(_AT_ONCE)
        found: dict[int, Response] = {}

        async def ask(index: int) -> None:
            async with limiter:
                found[index] = await self.run(queries[index])

        async with anyio.create_task_group() as runner:
            for index in range(len(queries)):
                runner.start_soon(ask, index)
        return [found[index] for index in range(len(queries))]


@contextmanager
def open_runner(world: World, engine: Engine) -> Generator[Runner]:
    """Yield the project of a world with this engine's events. Belongs to one event loop; the engine outlives it."""
    clock = SettableClock(lambda: NOW)
    clock.set(world.now, frozen=True)
    store = Store(None, clock)
    try:
        fill(store, tell(date(2026, 11, 23)), BASE_URL)
        served = _with_rows(world, store)
        events = EventSource(lambda: Shared(engine))
        services = Services(store, events, clock, lambda _job: None)
        yield Runner(served, services, clock, Projects(cohort_persons))
    finally:
        store.close()


async def opened(runner: Runner) -> Runner:
    """Return the project once its events can be read."""
    await runner.services.events.open()
    return runner


def _with_rows(world: World, store: Store) -> World:
    """Return the world with the actions and cohorts of the store."""
    actions: list[Action] = []
    cohorts: list[Cohort] = []
    members = {
        "Odd ones": frozenset(person.id for person in world.persons[1::2]),
        "Nobody": frozenset[str](),
        "First ones": frozenset(person.id for person in world.persons[:5]),
    }
    with store.transaction() as rows:
        for name, steps in _STEPS.items():
            values = {"name": name, "steps": [dict(step) for step in steps]}
            row = add_row(ACTIONS, Change(rows, PROJECT, values, values, None))
            actions.append(Action(row["id"], name, tuple(steps)))
        for name, persons in members.items():
            values = {"name": name, "is_static": True}
            body = {**values, "_create_static_person_ids": sorted(persons)}
            row = add_row(COHORTS, Change(rows, PROJECT, body, values, None))
            cohorts.append(Cohort(row["id"], name, persons))
    return replace(world, actions=tuple(actions), cohorts=tuple(cohorts))


def agree(returned: Any, recounted: Any) -> bool:
    """Return whether both are equal up to rounding; object fields missing in the recount are not compared."""
    if isinstance(returned, list) and isinstance(recounted, list):
        one, other = cast("list[Any]", returned), cast("list[Any]", recounted)
        return len(one) == len(other) and all(agree(left, right) for left, right in zip(one, other, strict=True))
    if isinstance(returned, dict) and isinstance(recounted, dict):
        left, right = cast("dict[str, Any]", returned), cast("dict[str, Any]", recounted)
        return all(name in left and agree(left[name], value) for name, value in right.items())
    if isinstance(returned, bool) or isinstance(recounted, bool):
        return returned is recounted
    if isinstance(returned, int | float) and isinstance(recounted, int | float):
        return math.isclose(returned, recounted, rel_tol=1e-9, abs_tol=1e-9)
    return returned == recounted
