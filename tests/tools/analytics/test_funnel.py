"""Results of query_funnel over documented responses."""

from typing import Any

import pytest

from ..posthog.fake import run
from .answers import FUNNEL, TRENDS, VIEWS, answered, step

pytestmark = pytest.mark.anyio


async def test_a_funnel_reports_the_biggest_drop_between_required_steps() -> None:
    steps = [step("seen", 100), step("tried", 10, 5.0), step("bought", 37, 3600.0)]
    shown = await run(
        FUNNEL,
        answered(steps, total_median_conversion_time=4000.0),
        steps=["seen", {"event": "tried", "optional": True}, {"event": "bought", "name": "Purchase"}],
    )
    assert shown["rows"] == [
        ["seen", 100, None, 100, None, None],
        ["tried", 10, 10, 10, 5, 5],
        ["Purchase", 37, 37, 37, 3600, 3600],
    ]
    assert shown["facts"] == {
        "entered": 100,
        "completed": 37,
        "conversion_percent": 37,
        "biggest_drop": {"from": "seen", "to": "Purchase", "lost": 63, "lost_percent": 63, "of": 100},
        "median_total_s": 4000,
    }


async def test_a_funnel_with_one_value_or_an_empty_step_has_fewer_facts() -> None:
    group = [{**step(name, count), "breakdown_value": ["Chrome"]} for name, count in (("a", 5), ("b", 2), ("c", 0))]
    shown = await run(FUNNEL, answered([group]), steps=["a", "b", "c"], breakdown="$browser")
    assert shown["facts"]["biggest_drop"] == {"from": "a", "to": "b", "lost": 3, "lost_percent": 60, "of": 5}
    assert shown["notes"][0].startswith("No users reached c.")


async def test_a_median_is_not_computed_from_the_medians_of_steps() -> None:
    steps = [step("a", 9), step("b", 5, 10.0), step("c", 4, 10.0)]
    assert "median_total_s" not in (await run(FUNNEL, answered(steps), steps=["a", "b", "c"]))["facts"]
    assert (await run(FUNNEL, answered(steps[:2]), steps=["a", "b"]))["facts"]["median_total_s"] == 10


async def test_unordered_steps_are_only_counted() -> None:
    steps = [step("Completed 1 step", 9), step("Completed 2 steps", 5, 10.0)]
    shown = await run(FUNNEL, answered(steps), steps=["a", "b"], order="unordered")
    assert [row[0] for row in shown["rows"]] == ["Completed 1 step", "Completed 2 steps"]


async def test_cohorts_are_shown_by_name() -> None:
    steps = [{**step(name, 3), "breakdown": "Payers", "breakdown_value": 7} for name in ("a", "b")]
    funnel = await run(FUNNEL, answered([steps]), steps=["a", "b"], breakdown="cohort.7")
    assert [row[0] for row in funnel["rows"]] == ["Payers", "Payers"]
    line = {**VIEWS, "label": "Payers", "breakdown_value": 7}
    trend = await run(TRENDS, answered([line]), events=["$pageview"], breakdown="cohort.7")
    assert trend["columns"] == ["day", "Payers"]
    assert "share_percent" not in trend["facts"][0]


@pytest.mark.parametrize(
    ("bins", "facts"),
    [
        ([[3600, 3], [51800, 0], [100000, 1]], {"converted": 4, "average_s": 29500, "median_between_s": [3600, 51800]}),
        ([[60, 0], [120, 2]], {"converted": 2, "average_s": 29500, "median_between_s": [120, None]}),
        ([], {"converted": 0, "average_s": 29500}),
        (None, {"converted": 0, "average_s": 29500}),
    ],
)  # fmt: skip
async def test_the_median_time_to_convert_lies_in_a_bin(bins: Any, facts: dict[str, Any]) -> None:
    times = {"bins": bins, "average_conversion_time": 29500.0}
    shown = await run(FUNNEL, answered(times), steps=["a", "b"], view="time_to_convert")
    assert shown["facts"] == facts


def by_value(**counts: tuple[int, int]) -> list[Any]:
    pairs = [(value, name, count) for value, both in counts.items() for name, count in zip("ab", both, strict=True)]
    steps = [{**step(name, count), "breakdown_value": [value]} for value, name, count in pairs]
    return [steps[at : at + 2] for at in range(0, len(steps), 2)]


async def test_small_groups_are_neither_best_nor_worst_and_ties_are_all_named() -> None:
    groups = by_value(Chrome=(200, 50), Arc=(29, 29), Safari=(40, 10), Opera=(30, 0), Edge=(5, 0))
    shown = await run(FUNNEL, answered(groups), steps=["a", "b"], breakdown="$browser")
    assert shown["facts"] == {
        "all_values": {"entered": 304, "completed": 89, "conversion_percent": 29.3},
        "best": {"value": "Chrome", "entered": 200, "conversion_percent": 25, "tied": ["Safari (40)"]},
        "worst": {"value": "Opera", "entered": 30, "conversion_percent": 0},
    }
    assert "Best and worst have at least 30 users that entered; 2 have fewer." in shown["notes"]


async def test_equal_groups_have_no_best_and_equal_drops_are_all_named() -> None:
    shown = await run(FUNNEL, answered(by_value(A=(40, 10), B=(80, 20))), steps=["a", "b"], breakdown="$browser")
    assert shown["facts"] == {"all_values": {"entered": 120, "completed": 30, "conversion_percent": 25}}
    equal = await run(FUNNEL, answered([step("a", 90), step("b", 60), step("c", 30)]), steps=["a", "b", "c"])
    assert equal["facts"]["biggest_drop"] == {
        "from": "a", "to": "b", "lost": 30, "lost_percent": 33.3, "of": 90, "also_to": ["c"]
    }  # fmt: skip
