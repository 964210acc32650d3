"""FunnelsQuery over hand-written events, and over random ones against a recount of every actor's events."""

import random
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...oracle import examples
from ...sandbox_client import Serving, Shared, serving
from ..funnel_queries import LETTERS, PEOPLE, RANDOM_EVENTS, SIGNED_UP, counts, funnel, funnel_events, results, step
from ..hand_made import open_engine, run_query

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("funnels") / "data", funnel_events()) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


async def test_steps_have_posthogs_format(sandbox: Serving) -> None:
    sent = await run_query(
        sandbox, funnel(series=[step("sign up", custom_name="Joined"), step("play movie"), step("buy")])
    )

    assert sent["results"][:2] == [
        {
            "action_id": "sign up",
            "name": "sign up",
            "custom_name": "Joined",
            "order": 0,
            "people": [],
            "count": 3,
            "type": "events",
            "average_conversion_time": None,
            "median_conversion_time": None,
        },
        {
            "action_id": "play movie",
            "name": "play movie",
            "custom_name": None,
            "order": 1,
            "people": [],
            "count": 2,
            "type": "events",
            "average_conversion_time": 5400.0,
            "median_conversion_time": 5400.0,
        },
    ]
    assert sent["resolved_date_range"] == {
        "date_from": "2020-01-01T00:00:00Z",
        "date_to": "2020-01-31T23:59:59.999999Z",
    }
    assert sent["isUdf"] is True


async def test_a_breakdown_by_browser_returns_the_steps_of_each(sandbox: Serving) -> None:
    by_browser = {"breakdown": "$browser", "breakdown_type": "event"}
    chrome, safari = await results(sandbox, funnel(*SIGNED_UP, breakdownFilter=by_browser))

    assert [row["breakdown"] for row in (*chrome, *safari)] == [["Chrome"]] * 3 + [["Safari"]] * 3
    assert [row["breakdown_value"] for row in chrome] == [["Chrome"]] * 3
    assert (counts(chrome), counts(safari)) == ([1, 1, 1], [2, 1, 0])
    assert [row["average_conversion_time"] for row in chrome] == [None, 3600.0, 7200.0]
    assert [row["median_conversion_time"] for row in safari] == [None, 7200.0, None]


async def test_a_funnel_without_entries_is_empty(sandbox: Serving) -> None:
    assert await results(sandbox, funnel("never", "finish")) == []


async def test_an_event_after_the_range_is_not_a_conversion(sandbox: Serving) -> None:
    dates = {"date_from": "2020-01-10", "date_to": "2020-01-10T01:00:00", "explicitDate": True}

    assert counts(await results(sandbox, funnel("start", "finish", dateRange=dates))) == [4, 1]


async def test_an_excluded_actor_is_missing_from_the_first_step_too(sandbox: Serving) -> None:
    cancel = {**step("cancel"), "funnelFromStep": 0, "funnelToStep": 1}

    assert counts(await results(sandbox, funnel("start", "finish", exclusions=[cancel]))) == [3, 3]


async def test_the_window_can_be_given_in_seconds(sandbox: Serving) -> None:
    wanted = {"funnelWindowInterval": 7200, "funnelWindowIntervalUnit": "second"}

    assert counts(await results(sandbox, funnel("start", "finish", **wanted))) == [4, 3]


async def test_unordered_steps_are_named_by_the_number_completed(sandbox: Serving) -> None:
    rows = await results(sandbox, funnel("finish", "start", funnelOrderType="unordered"))

    assert [(row["action_id"], row["name"]) for row in rows] == [
        (None, "Completed 1 step"),
        (None, "Completed 2 steps"),
    ]
    assert counts(rows) == [4, 4]


async def test_an_optional_step_can_be_skipped(sandbox: Serving) -> None:
    series = [step("start"), step("cancel", optionalInFunnel=True), step("finish")]

    assert counts(await results(sandbox, funnel(series=series))) == [4, 1, 4]


async def test_time_to_convert_has_bins_and_the_last_includes_the_longest(sandbox: Serving) -> None:
    assert await results(sandbox, funnel("start", "finish", funnelVizType="time_to_convert")) == {
        "bins": [[3600, 3], [51800, 0], [100000, 1]],
        "average_conversion_time": 29500.0,
    }


async def test_time_to_convert_accepts_a_number_of_bins(sandbox: Serving) -> None:
    sent: Any = await results(sandbox, funnel("start", "finish", funnelVizType="time_to_convert", binCount=4))

    assert [count for _, count in sent["bins"]] == [3, 0, 0, 0, 1]


async def test_conversion_over_time_counts_actors_by_the_interval_of_their_entry(sandbox: Serving) -> None:
    dates = {"date_from": "2020-01-09", "date_to": "2020-01-11"}
    hours = {"funnelWindowInterval": 2, "funnelWindowIntervalUnit": "hour"}

    assert await results(sandbox, funnel("start", "finish", funnelVizType="trends", dateRange=dates, **hours)) == [
        {
            "count": 3,
            "data": [0.0, 75.0, 0.0],
            "days": ["2020-01-09", "2020-01-10", "2020-01-11"],
            "labels": ["9-Jan-2020", "10-Jan-2020", "11-Jan-2020"],
        }
    ]


async def test_conversion_over_time_shows_a_missing_property_as_none(sandbox: Serving) -> None:
    query = funnel("start", "finish", funnelVizType="trends", breakdownFilter={"breakdown": "absent"})
    (row,) = await results(sandbox, query)

    assert row["breakdown_value"] == ["None"]
    assert sum(row["data"]) == 100.0


async def test_a_missing_property_is_an_empty_text(sandbox: Serving) -> None:
    (rows,) = await results(sandbox, funnel("start", "finish", breakdownFilter={"breakdown": "absent"}))

    assert rows[0]["breakdown"] == [""]


async def test_values_beyond_the_limit_become_other(sandbox: Serving) -> None:
    by_plan = {"breakdown": ["plan"], "breakdown_type": "event", "breakdown_limit": 2}
    found = await results(sandbox, funnel("start", "finish", breakdownFilter=by_plan))

    assert [rows[0]["breakdown"] for rows in found] == [["Other"], ["excluded"], ["later"]]
    assert [counts(rows) for rows in found] == [[2, 2], [1, 1], [1, 1]]
    assert found[0][1]["average_conversion_time"] == 5400.0


async def test_groups_can_be_counted_instead_of_persons(sandbox: Serving) -> None:
    query = funnel("finish", "finish") | {"aggregation_group_type_index": 0}

    assert counts(await results(sandbox, query)) == [1, 1]


async def test_an_expression_can_be_counted_instead_of_persons(sandbox: Serving) -> None:
    rows = await results(sandbox, funnel("sign up", "play movie", funnelAggregateByHogQL="properties.$browser"))

    assert counts(rows) == [2, 2]


async def test_groups_take_precedence_over_an_expression(sandbox: Serving) -> None:
    query = funnel("finish", "finish", funnelAggregateByHogQL="distinct_id") | {"aggregation_group_type_index": 0}

    assert counts(await results(sandbox, query)) == [1, 1]


async def test_all_users_are_a_cohort_of_a_breakdown(sandbox: Serving) -> None:
    everybody = {"breakdown": ["all"], "breakdown_type": "cohort"}
    (rows,) = await results(sandbox, funnel("start", "finish", breakdownFilter=everybody))

    assert (rows[0]["breakdown_value"], counts(rows)) == (0, [4, 4])


async def test_a_step_can_be_limited_to_the_first_such_event_ever(sandbox: Serving) -> None:
    first = step("sign up", math="first_time_for_user")
    later = {"date_from": "2020-01-02", "date_to": "2020-01-31"}

    assert counts(await results(sandbox, funnel(series=[first, step("buy")]))) == [3, 1]
    assert await results(sandbox, funnel(series=[first, step("buy")], dateRange=later)) == []


def _longest(times: list[tuple[str, Any]], names: tuple[str, ...], window: timedelta) -> int:
    """Return the number of steps in the best chain of ever later events."""
    best = 0
    for place, (name, start) in enumerate(times):
        chains = {(place, 1)} if name == names[0] else set[tuple[int, int]]()
        while chains:
            last, length = chains.pop()
            best = max(best, length)
            if length < len(names):
                later = enumerate(times[last + 1 :], last + 1)
                chains |= {(at, length + 1) for at, (n, t) in later if n == names[length] and t - start <= window}
    return best


def _recount(names: tuple[str, ...], window: timedelta, days: tuple[int, int]) -> list[int]:
    """Return how many persons reached each step with the events of these days of March, both inclusive."""
    reached: list[int] = []
    for person in PEOPLE:
        mine = [event for event in RANDOM_EVENTS if event.person == person]
        times = [(event.event, event.timestamp) for event in mine if days[0] <= event.timestamp.day <= days[1]]
        reached.append(_longest(sorted(times, key=lambda item: item[1]), names, window))
    return [sum(length > place for length in reached) for place in range(len(names))]


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(examples(20, 200)))
async def test_random_funnels_match_a_recount_of_every_chain(sandbox: Serving, seed: int) -> None:
    chance = random.Random(seed)
    names = tuple(chance.choices(LETTERS, k=chance.randint(2, 4)))
    hours, first, last = chance.randint(1, 100), chance.randint(1, 3), chance.randint(3, 6)
    dates = {"date_from": f"2020-03-{first:02}", "date_to": f"2020-03-{last:02}"}
    wanted = {"funnelWindowInterval": hours, "funnelWindowIntervalUnit": "hour"}
    expected = _recount(names, timedelta(hours=hours), (first, last))

    assert counts(await results(sandbox, funnel(*names, dateRange=dates, **wanted))) == (
        expected if any(expected) else []
    )


@pytest.mark.parametrize("attribution", ["first_touch", "last_touch", "all_events", "step"])
async def test_attribution_decides_the_breakdown_value_of_an_actor(sandbox: Serving, attribution: str) -> None:
    wanted = {"breakdownAttributionType": attribution, "breakdownAttributionValue": 1}
    dates = {"date_from": "2020-03-01", "date_to": "2020-03-06"}
    found = await results(sandbox, funnel("A", "B", dateRange=dates, breakdownFilter={"breakdown": "plan"}, **wanted))
    reached: dict[str, list[int]] = {}
    for person in PEOPLE:
        mine = sorted(
            (event for event in RANDOM_EVENTS if event.person == person and event.event in "AB"),
            key=lambda event: event.timestamp,
        )
        plans = [event.properties.get("plan", "") for event in mine]
        known = [plan for plan in plans if plan]
        values = {
            "first_touch": {known[0] if known else ""},
            "last_touch": {known[-1] if known else ""},
            "all_events": set(plans),
            "step": {plan for event, plan in zip(mine, plans, strict=True) if event.event == "B"},
        }[attribution]
        for value in values:
            counted = [
                (event.event, event.timestamp)
                for event, plan in zip(mine, plans, strict=True)
                if attribution in ("first_touch", "last_touch")
                or plan == value
                or (attribution == "step" and event.event == "A")
            ]
            for place in range(_longest(counted, ("A", "B"), timedelta(days=14))):
                reached.setdefault(value, [0, 0])[place] += 1

    assert {rows[0]["breakdown"][0]: counts(rows) for rows in found} == reached
