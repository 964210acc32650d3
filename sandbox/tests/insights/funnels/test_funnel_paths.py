"""PathsQuery with a `funnelPathsFilter`: paths of a funnel's actors after, before and between its steps."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Event, Person, at, open_engine, results

pytestmark = pytest.mark.anyio

WALKER, LEAVER, HELPER = Person("walker"), Person("leaver"), Person("helper")
DATES = {"date_from": "2020-01-10", "date_to": "2020-01-10"}


def _done(person: Person, group: str, *events: tuple[str, str]) -> list[Event]:
    return [Event(person, name, at(f"2020-01-10T{time}:00"), group=group) for name, time in events]


def _events() -> list[Event]:
    walk = (("a", "10:00"), ("start", "10:05"), ("b", "10:10"), ("finish", "11:00"), ("c", "11:10"))
    left = (("start", "10:00"), ("x", "10:02"), ("y", "11:00"), ("z", "11:05"), ("late", "13:00"))
    return [
        *_done(WALKER, "acme", *walk),
        *_done(LEAVER, "", *left),
        *_done(HELPER, "acme", ("called", "10:06"), ("thanked", "10:07")),
    ]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("funnel paths") / "data", _events()) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def paths(kind: str | None, step: int | None, hours: int | None = None, **source: Any) -> dict[str, Any]:
    window = {} if hours is None else {"funnelWindowInterval": hours, "funnelWindowIntervalUnit": "hour"}
    funnel = {
        "kind": "FunnelsQuery",
        "series": [{"kind": "EventsNode", "event": name} for name in ("start", "finish")],
        "dateRange": DATES,
        "funnelsFilter": window,
        **source,
    }
    wanted = {"funnelPathType": kind, "funnelSource": funnel, "funnelStep": step}
    return {"kind": "PathsQuery", "pathsFilter": {}, "dateRange": DATES, "funnelPathsFilter": wanted}


async def edges(sandbox: Serving, query: dict[str, Any]) -> list[str]:
    found = await results(sandbox, query)
    return sorted(f"{edge['source']} {edge['target']}" for edge in found)


async def test_paths_after_a_step_begin_with_it_and_last_as_long_as_the_window(sandbox: Serving) -> None:
    assert await edges(sandbox, paths("funnel_path_after_step", 1)) == [
        "1_start 2_b",
        "1_start 2_x",
        "2_b 3_finish",
        "2_x 3_y",
        "3_finish 4_c",
        "3_y 4_z",
        "4_z 5_late",
    ]


async def test_paths_before_a_step_end_with_it(sandbox: Serving) -> None:
    found = await edges(sandbox, paths("funnel_path_before_step", 2))

    assert found == ["1_a 2_start", "2_start 3_b", "3_b 4_finish"]


async def test_paths_between_steps_begin_at_the_previous_step(sandbox: Serving) -> None:
    assert await edges(sandbox, paths("funnel_path_between_steps", 2)) == ["1_start 2_b", "2_b 3_finish"]


async def test_paths_after_a_drop_off_begin_at_the_end_of_the_window(sandbox: Serving) -> None:
    assert await edges(sandbox, paths("funnel_path_after_step", -2, hours=1)) == ["1_y 2_z"]


async def test_paths_of_a_group_include_all_of_its_persons(sandbox: Serving) -> None:
    query = paths("funnel_path_between_steps", 2, aggregation_group_type_index=0)

    assert await edges(sandbox, query) == ["1_called 2_thanked", "1_start 2_b", "2_b 3_finish"]


async def test_a_funnel_without_conversions_has_no_paths(sandbox: Serving) -> None:
    series = [{"kind": "EventsNode", "event": name} for name in ("start", "never")]

    assert await edges(sandbox, paths("funnel_path_before_step", 2, series=series)) == []


@pytest.mark.parametrize(
    "query",
    [
        paths(None, 1),
        paths("funnel_path_around_step", 1),
        paths("funnel_path_after_step", None),
        paths("funnel_path_after_step", 0),
        {"kind": "PathsQuery", "pathsFilter": {}, "funnelPathsFilter": {"funnelPathType": "funnel_path_after_step"}},
    ],
)
async def test_an_invalid_funnel_path_is_rejected(sandbox: Serving, query: dict[str, Any]) -> None:
    assert (await sandbox.rejection("POST", "query/", {"query": query}))[0] == 400
