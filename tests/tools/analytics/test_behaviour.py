"""Results of retention, paths, stickiness and lifecycle queries over documented responses."""

from typing import Any

import pytest

from ..posthog.fake import run
from .answers import GRID, LIFECYCLE, PATHS, RETENTION, STICKINESS, VIEWS, answered, cohort

pytestmark = pytest.mark.anyio


async def test_retention_omits_future_periods_and_rates_of_incomplete_ones() -> None:
    shown = await run(RETENTION, answered(GRID), event="$pageview", periods=3)
    assert shown == {
        "columns": ["began", "size", "Day 1", "Day 2"],
        "rows": [["2026-11-21", 120, 41, 22], ["2026-11-22", 98, 30, None], ["2026-11-23", 75, None, None]],
        "incomplete_last": "2026-11-23",
        "facts": {"began": 293, "returned_percent": {"Day 1": 34.2}, "of": {"Day 1": 120}},
    }
    over = await run(RETENTION, answered(GRID, last_refresh="2026-11-24T00:00:01Z"), event="$pageview", periods=3)
    assert "incomplete_last" not in over
    assert over["facts"]["returned_percent"] == {"Day 1": 32.6, "Day 2": 18.3}
    assert over["facts"]["of"] == {"Day 1": 218, "Day 2": 120}


async def test_retention_by_property_has_a_grid_for_each_value() -> None:
    rows = [{**row, "breakdown_value": value} for value in ("Chrome", "") for row in GRID]
    shown = await run(RETENTION, answered(rows), event="$pageview", periods=3, breakdown="$browser")
    assert shown["columns"][:3] == ["$browser", "began", "size"]
    assert [row[0] for row in shown["rows"]] == ["Chrome"] * 3 + ["(none)"] * 3
    assert [fact["value"] for fact in shown["facts"]] == ["Chrome", "(none)"]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([cohort("2026-11-23T00:00:00Z", 0, 0)], "signed_up"),
        ([cohort("2026-11-22T00:00:00Z", 5, 0)], "bought"),
        ([], "signed_up"),
    ],
)  # fmt: skip
async def test_retention_of_an_event_that_never_happened_names_it(rows: list[Any], named: str) -> None:
    shown = await run(RETENTION, answered(rows), event="signed_up", returning_event="bought")
    assert f" {named}." in shown["notes"][0]
    assert shown["notes"][1] == "`bought` has never been seen: describe_data with search finds names."


async def test_hours_of_retention_are_shown_in_the_projects_timezone() -> None:
    shown = await run(RETENTION, answered([cohort("2026-11-23T09:00:00Z", 5, 1)]), event="x", period="Hour")
    assert shown["rows"][0][0] == "2026-11-23 09:00"


async def test_paths_are_split_into_steps_and_items() -> None:
    edges = [
        {"source": "1_/", "target": "2_/a_b", "value": 2, "average_conversion_time": 420000.0},
        {"source": "1_/", "target": "2_/pricing", "value": 1, "average_conversion_time": None},
        {"source": "2_/pricing", "target": "3_\n", "value": 1, "average_conversion_time": 60000.0},
    ]
    api = answered(edges)
    shown = await run(PATHS, api, edges=3)
    assert shown["rows"] == [[1, "/", "/a_b", 2, 420], [1, "/", "/pricing", 1, None], [2, "/pricing", "\n", 1, 60]]
    assert shown["facts"] == {"most_frequent": {"from": "/", "to": "/a_b", "paths": 2}, "starts": {"/": 3}}
    assert "notes" not in shown
    assert api.last.body
    assert api.last.body["query"]["pathsFilter"]["edgeLimit"] == 1000
    cut = await run(PATHS, answered(edges), edges=2)
    assert (cut["rows"], cut["facts"]) == (shown["rows"][:2], shown["facts"])
    assert cut["notes"] == ["These are the 2 most frequent of 3 edges; raise `edges` to see more."]
    many = await run(PATHS, answered(edges[:1] * 1000))
    assert many["notes"] == ["These are the 30 most frequent of 1000 or more edges; raise `edges` to see more."]
    assert "whole URLs" in (await run(PATHS, answered([]), start="/pricing"))["notes"][0]


async def test_stickiness_with_a_comparison_pairs_alternating_results() -> None:
    one = {"data": [8.0, 4, 2], "days": [1, 2, 3], "count": 14.0, "label": "$pageview", "action": {"order": 0}}
    lines = [{**one, "compare_label": "current"}, {**one, "compare_label": "previous", "count": 7.0}]
    shown = await run(STICKINESS, answered(lines), events=["$pageview"], compare="previous")
    assert shown["columns"] == ["active_days", "$pageview", "$pageview before"]
    assert shown["facts"][0] == {
        "series": "$pageview", "persons": 14, "average_days": 1.57, "in_all": 2, "once_percent": 57.1
    }  # fmt: skip


async def test_stickiness_says_that_no_users_were_active_in_all_intervals() -> None:
    one = {"data": [8.0, 4, 0], "days": [1, 2, 3], "count": 12.0, "label": "$pageview", "action": {"order": 0}}
    shown = await run(STICKINESS, answered([one]), events=["$pageview"])
    assert shown["facts"] == [
        {"series": "$pageview", "persons": 12, "average_days": 1.33, "in_all": 0, "once_percent": 66.7}
    ]


async def test_lifecycle_reports_growth_over_complete_intervals() -> None:
    def line(status: str, *data: float) -> dict[str, Any]:
        return {**VIEWS, "status": status, "data": list(data)}

    lines = [
        line("new", 5, 3, 1),
        line("returning", 0, 4, 2),
        line("resurrecting", 1, 0, 0),
        line("dormant", 0, -2, -9),
    ]
    shown = await run(LIFECYCLE, answered(lines), event="$pageview")
    assert shown["rows"][1] == ["2026-11-22", 3, 4, 0, -2]
    assert shown["facts"] == {
        "last_complete": {
            "interval": "2026-11-22",
            "active": 7,
            "vs_one_before_percent": 16.7,
            "vs_one_before_from": 6,
        },
        "net_growth": 1,
        "totals": {"new": 8, "returning": 4, "resurrecting": 1, "dormant": -2},
        "quick_ratio": 4.5,
    }
    assert "not come back yet" in shown["notes"][0]
