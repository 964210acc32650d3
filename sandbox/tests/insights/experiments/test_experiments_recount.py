"""ExperimentQuery and ExperimentExposureQuery against recounts in plain Python, over random events and experiments."""

import math
import random
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from starlette.datastructures import Headers, QueryParams

from posthog_sandbox.admin.clock import SettableClock
from posthog_sandbox.api.cohorts.resource import cohort_persons
from posthog_sandbox.dataset.story import tell
from posthog_sandbox.examples import fill
from posthog_sandbox.http.routing import Call, Services
from posthog_sandbox.queries.project import Projects
from posthog_sandbox.query_endpoint.runners import RUNNERS
from posthog_sandbox.storage.engine import Engine
from posthog_sandbox.storage.events import EventSource
from posthog_sandbox.storage.store import Store

from ...oracle import EFFORTS, Effort
from ...sandbox_client import BASE_URL, Shared
from ..hand_made import Event, open_engine
from ..recount.experiments.drawing import (
    FLAG,
    INTERNAL,
    NOW,
    VARIANTS,
    Case,
    drawn_case,
    drawn_events,
    drawn_funnel,
    drawn_mean,
    drawn_ratio,
    drawn_retention,
    drawn_session,
)
from ..recount.experiments.results import conversions, daily, retained, sums

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

PROJECT, EXPERIMENT = 1, 1
EVEN, UNEVEN = (34, 33, 33), (50, 25, 25)
CASES = 240
LEAST = 8
"""Fewer cases can all be of people without an exposure."""
"""Drawn in a whole run for each metric and data set, and a third as many over sessions."""
FIRST_SEED = 11


type Recorded = tuple[list[Event], Engine]


@dataclass(frozen=True, slots=True)
class Runner:
    """The events, and a project to run queries in."""

    events: list[Event]
    services: Services
    projects: Projects

    async def run(self, case: Case, **query: Any) -> dict[str, Any]:
        """Return the response to a query after setting the experiment to that of the case."""
        with self.services.store.transaction() as rows:
            project = rows.get("projects", PROJECT)
            experiment = rows.get("experiments", EXPERIMENT)
            assert project is not None
            assert experiment is not None
            flag = rows.get("feature_flags", experiment["_feature_flag"])
            assert flag is not None
            rows.save("projects", {**project, "timezone": case.zone, "test_account_filters": INTERNAL})
            rows.save("feature_flags", {**flag, "key": FLAG, "filters": flag_filters(case)})
            dates = {"start_date": shown(case.start), "end_date": shown(case.end)}
            rows.save("experiments", {**experiment, **dates, "exposure_criteria": case.criteria})
        body = {"experiment_id": EXPERIMENT, **query}
        call = Call(self.services, "POST", "", "", QueryParams(), Headers(), {"query": body}, {}, PROJECT)
        return await RUNNERS[query["kind"]](call, body, await self.projects.of(call))


def shown(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()


def flag_filters(case: Case, shares: tuple[int, ...] = EVEN) -> dict[str, Any]:
    variants = [{"key": key, "rollout_percentage": share} for key, share in zip(VARIANTS, shares, strict=True)]
    return {"multivariate": {"variants": variants}, "aggregation_group_type_index": 0 if case.by_group else None}


@pytest.fixture(scope="module", params=EFFORTS, ids=lambda effort: f"seed {effort.seed}")
def effort(request: pytest.FixtureRequest) -> Effort:
    return request.param


@pytest.fixture(scope="module")
def recorded(effort: Effort, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    events = drawn_events(FIRST_SEED + effort.seed)
    with open_engine(tmp_path_factory.mktemp("experiments") / "data", events) as engine:
        yield events, engine


@pytest.fixture
async def runner(recorded: Recorded) -> AsyncGenerator[Runner]:
    events, engine = recorded
    clock = SettableClock(lambda: NOW)
    store = Store(None, clock)
    fill(store, tell(date(2026, 4, 15)), BASE_URL)
    source = EventSource(lambda: Shared(engine))
    await source.open()
    services = Services(store, source, clock, lambda _job: None)
    yield Runner(events, services, Projects(cohort_persons))
    store.close()


def cases(effort: Effort) -> int:
    return effort.cases(CASES)


def drawn(runner: Runner, effort: Effort, metric: Callable[[random.Random], dict[str, Any]]) -> Iterator[Case]:
    draw = effort.chance(f"{FIRST_SEED} {metric.__name__}")
    whole = CASES // 3 if metric is drawn_session else CASES
    for _ in range(max(LEAST, effort.cases(whole))):
        yield drawn_case(draw, runner.events, metric)


def variants_of(response: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert response["baseline"]["key"] == "control"
    found = {one["key"]: one for one in (response["baseline"], *response["variant_results"])}
    assert found.keys() == set(VARIANTS)
    return found


def agree(case: Case, found: Sequence[Any], expected: Sequence[float]) -> None:
    assert all(
        math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) for one, other in zip(found, expected, strict=True)
    ), f"{case}: {found} is not {expected}"


@pytest.mark.parametrize("metric", [drawn_mean, drawn_session, drawn_ratio], ids=["mean", "session", "ratio"])
async def test_samples_and_sums_of_each_variant_are_those_of_a_recount(
    runner: Runner, effort: Effort, metric: Callable[[random.Random], dict[str, Any]]
) -> None:
    names = ["number_of_samples", "sum", "sum_squares"]
    if metric is drawn_ratio:
        names += ["denominator_sum", "denominator_sum_squares", "numerator_denominator_sum_product"]
    counted = 0
    for case in drawn(runner, effort, metric):
        response = await runner.run(case, kind="ExperimentQuery", metric=case.metric)
        expected = sums(case, runner.events)
        for key, found in variants_of(response).items():
            agree(case, [found[name] or 0 for name in names], expected.get(key, [0] * len(names)))
        counted += len(expected)
    assert counted > cases(effort) // 3


async def test_conversions_of_each_variant_are_those_of_a_recount(runner: Runner, effort: Effort) -> None:
    converted = 0
    for case in drawn(runner, effort, drawn_funnel):
        response = await runner.run(case, kind="ExperimentQuery", metric=case.metric)
        expected = conversions(case, runner.events)
        for key, found in variants_of(response).items():
            row = expected.get(key, [0] * (len(case.metric["series"]) + 1))
            agree(case, [found["number_of_samples"], *(found["step_counts"] or row[1:])], row)
            assert found["sum"] == found["sum_squares"] == row[-1]
            if found["step_sessions"] is not None:
                stopped = [before - after for before, after in zip(row, [*row[1:], 0], strict=True)]
                assert [len(sessions) for sessions in found["step_sessions"]] == stopped
            converted += row[-1]
    assert converted > cases(effort)


async def test_those_who_came_back_are_those_of_a_recount(runner: Runner, effort: Effort) -> None:
    names = ("number_of_samples", "denominator_sum", "denominator_sum_squares")
    back = ("sum", "sum_squares", "numerator_denominator_sum_product")
    counted = 0
    for case in drawn(runner, effort, drawn_retention):
        response = await runner.run(case, kind="ExperimentQuery", metric=case.metric)
        expected = retained(case, runner.events)
        for key, found in variants_of(response).items():
            row = expected.get(key, [0, 0])
            agree(case, [found[name] or 0 for name in names], [row[0]] * 3)
            agree(case, [found[name] or 0 for name in back], [row[1]] * 3)
            counted += row[1]
    assert counted > cases(effort) // 2


async def test_exposures_by_day_are_those_of_a_recount(runner: Runner, effort: Effort) -> None:
    biased = 0
    for number, case in enumerate(drawn(runner, effort, drawn_mean)):
        shares = (EVEN, UNEVEN)[number % 2]
        response = await runner.run(
            case,
            kind="ExperimentExposureQuery",
            experiment_name="Any",
            feature_flag={"key": FLAG, "filters": flag_filters(case, shares)},
            start_date=shown(case.start),
            end_date=shown(case.end),
            exposure_criteria=case.criteria,
        )
        expected = daily(case, runner.events)
        assert {one["variant"]: one["exposure_counts"] for one in response["timeseries"]} == expected, case
        totals = {variant: counts[-1] for variant, counts in expected.items()}
        assert response["total_exposures"] == totals, case
        risk = None
        if shares == UNEVEN and case.end is None and totals.get("$multiple"):
            risk = {"multiple_variant_percentage": pytest.approx(100 * totals["$multiple"] / sum(totals.values()))}
        assert response["bias_risk"] == risk, case
        biased += risk is not None
    assert biased >= cases(effort) // 60
