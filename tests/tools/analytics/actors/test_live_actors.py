"""The actors behind every kind of number, on a sandbox: their count is the number of the typed query."""

from collections.abc import Mapping
from typing import Any

import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.tools.analytics.actors.points import POINTS
from maton_posthog.tools.analytics.kinds import KINDS
from tests.tools.posthog.live import LiveSandbox

pytestmark = pytest.mark.anyio

BY_BROWSER: Mapping[str, Any] = {"events": "$pageview", "breakdown": "$browser"}
FUNNEL: Mapping[str, Any] = {"steps": ["$pageview", "checkout_started", "purchase_completed"], "date_from": "-30d"}


async def counted(sandbox: LiveSandbox, tool: str, arguments: Mapping[str, Any], **point: Any) -> dict[str, Any]:
    return await sandbox.call("list_actors", of={"tool": tool, "arguments": arguments}, **point)


def test_every_kind_of_analysis_has_actors() -> None:
    assert [kind.tool for kind in KINDS if kind.tool not in POINTS] == []


@pytest.mark.parametrize("breakdown", [None, "$browser", "person.plan", ["$browser", "$os"]])
async def test_persons_of_a_day_of_a_trend_are_its_unique_users(sandbox: LiveSandbox, breakdown: Any) -> None:
    query = {"events": ["$pageview", "$autocapture"], "math": "dau", "date_from": "-3d"}
    query |= {"breakdown": breakdown, "breakdown_limit": 3} if breakdown else {}
    shown = await sandbox.call("query_trends", **query)
    places = [place for place in range(1, len(shown["columns"])) if "(other)" not in shown["columns"][place]]
    for row in shown["rows"][:1]:
        for place in places[:3]:
            series, _, value = shown["columns"][place].partition(": ")
            chosen = {"breakdown": value} if breakdown else {}
            found = await counted(sandbox, "query_trends", query, series=series, day=row[0], limit=1, **chosen)
            assert found["count"] == row[place], (row[0], shown["columns"][place])


async def test_events_of_a_trend_add_up_to_its_total(sandbox: LiveSandbox) -> None:
    query = {"events": "$pageview", "date_from": "-7d", "interval": "total"}
    shown = await sandbox.call("query_trends", **query)
    found = await counted(sandbox, "query_trends", query, limit=2)
    assert found["events"] == shown["rows"][0][1]
    assert found["count"] > 2
    assert found["next_offset"] == 2


async def test_an_hour_of_a_trend_is_an_hour(sandbox: LiveSandbox) -> None:
    day = "2026-11-22"
    query = {"events": "$pageview", "math": "dau", "date_from": day, "date_to": day, "interval": "hour"}
    shown = await sandbox.call("query_trends", **query)
    for hour, count in [row for row in shown["rows"] if row[1]][:1]:
        assert (await counted(sandbox, "query_trends", query, day=hour))["count"] == count


@pytest.mark.parametrize("breakdown", [None, "$browser", "person.plan"])
async def test_persons_of_a_step_are_those_of_the_funnel(sandbox: LiveSandbox, breakdown: str | None) -> None:
    query = {**FUNNEL, **({"breakdown": breakdown, "breakdown_limit": 3} if breakdown else {})}
    shown = await sandbox.call("query_funnel", **query)
    split = 1 if breakdown else 0
    at = shown["columns"].index("persons")
    rows = [row for row in shown["rows"] if row[0] != "(other)"][:3]
    for place, row in enumerate(rows):
        step = place % 3 + 1
        chosen = {"breakdown": row[0]} if split else {}
        assert (await counted(sandbox, "query_funnel", query, step=step, limit=1, **chosen))["count"] == row[at]
        if step > 1:
            left = await counted(sandbox, "query_funnel", query, step=step, outcome="dropped", limit=1, **chosen)
            assert left["count"] == rows[place - 1][at] - row[at]


async def test_persons_of_an_interval_of_a_funnel_trend_make_its_conversion(sandbox: LiveSandbox) -> None:
    query = {"steps": ["$pageview", "checkout_started"], "date_from": "-14d", "view": "trend", "interval": "week"}
    shown = await sandbox.call("query_funnel", **query)
    for week, percent in shown["rows"][:1]:
        converted = (await counted(sandbox, "query_funnel", query, day=week))["count"]
        left = (await counted(sandbox, "query_funnel", query, day=week, outcome="dropped"))["count"]
        assert round(100 * converted / (converted + left), 2) == pytest.approx(percent, abs=0.01)


@pytest.mark.parametrize("breakdown", [None, "$browser"])
async def test_persons_of_a_retention_are_those_of_its_cell(sandbox: LiveSandbox, breakdown: str | None) -> None:
    query = {"event": "$pageview", "period": "week", "periods": 4, "kind": "recurring"}
    query |= {"breakdown": breakdown} if breakdown else {}
    shown = await sandbox.call("query_retention", **query)
    split = 1 if breakdown else 0
    for row in [row for row in shown["rows"] if row[0] != "(other)"][:1]:
        chosen = {"breakdown": row[0]} if split else {}
        for period, count in enumerate(row[split + 1 :]):
            if count is None:
                continue
            found = await counted(sandbox, "query_retention", query, day=row[split], period=period, limit=1, **chosen)
            assert found["count"] == count, (row[:2], period)


@pytest.mark.parametrize("cumulative", [False, True])
async def test_persons_of_a_stickiness_are_those_active_on_that_many_days(
    sandbox: LiveSandbox, cumulative: bool
) -> None:
    query = {"events": ["$pageview", "$autocapture"], "date_from": "-7d", "cumulative": cumulative}
    shown = await sandbox.call("query_stickiness", **query)
    for row in shown["rows"][:1]:
        for place, series in enumerate(shown["columns"][1:], 1):
            found = await counted(sandbox, "query_stickiness", query, series=series, days=row[0], limit=1)
            assert found["count"] == row[place]


async def test_persons_of_a_lifecycle_have_the_status_on_that_day(sandbox: LiveSandbox) -> None:
    query = {"event": "$pageview", "date_from": "-4d"}
    shown = await sandbox.call("query_lifecycle", **query)
    for row in shown["rows"][:1]:
        for place, status in enumerate(shown["columns"][1:5], 1):
            found = await counted(sandbox, "query_lifecycle", query, day=row[0], status=status, limit=1)
            assert found["count"] == abs(row[place]), (row[0], status)


async def test_persons_of_an_edge_took_its_paths(sandbox: LiveSandbox) -> None:
    query = {"date_from": "-7d", "edges": 5}
    shown = await sandbox.call("query_paths", **query)
    for step, first, second, paths, _ in shown["rows"][:2]:
        found = await counted(sandbox, "query_paths", query, step=step, edge=[first, second], limit=1)
        assert found["events"] == paths


async def test_groups_are_listed_by_their_keys(sandbox: LiveSandbox) -> None:
    series = {"event": "$pageview", "math": "unique_group", "group_type_index": 0}
    query = {"events": [series], "date_from": "-7d", "interval": "total"}
    shown = await sandbox.call("query_trends", **query)
    found = await counted(sandbox, "query_trends", query, properties=["industry"], limit=3)
    assert found["count"] == shown["rows"][0][1]
    assert found["columns"] == ["group", "name", "events", "industry"]
    assert all(isinstance(row[0], str) and row[3] for row in found["rows"])


async def test_properties_and_recordings_are_shown_where_wanted(sandbox: LiveSandbox) -> None:
    found = await counted(
        sandbox, "query_trends", {"events": "$pageview", "date_from": "-7d", "interval": "total"},
        properties=["plan"], recordings=True, limit=100,
    )  # fmt: skip
    assert found["columns"] == ["person", "name", "distinct_id", "events", "plan", "recordings"]
    assert any(row[4] for row in found["rows"])
    assert any(row[5] for row in found["rows"])


@pytest.mark.parametrize(
    ("tool", "arguments", "point", "field"),
    [
        ("query_funnel", FUNNEL, {}, "step"),
        ("query_funnel", FUNNEL, {"step": 4}, "step"),
        ("query_funnel", FUNNEL, {"step": 1, "outcome": "dropped"}, "step"),
        ("query_funnel", FUNNEL, {"step": 1, "status": "new"}, "status"),
        ("query_trends", {"events": "$pageview"}, {}, "day"),
        ("query_trends", {"events": "$pageview"}, {"day": "soon"}, "day"),
        ("query_trends", {"events": ["$pageview", "$autocapture"]}, {"day": "2026-11-20"}, "series"),
        ("query_trends", BY_BROWSER, {"day": "2026-11-20", "breakdown": "Crome"}, "breakdown"),
        ("query_trends", {"events": "$pageview", "interval": "total"}, {"day": "2026-11-20"}, "day"),
        ("query_retention", {"event": "$pageview"}, {"day": "2019-01-01"}, "day"),
        ("query_paths", {}, {"step": 1}, "edge"),
        ("query_stickiness", {"events": "$pageview"}, {}, "days"),
        ("query_lifecycle", {"event": "$pageview"}, {"day": "2026-11-20"}, "status"),
    ],
)  # fmt: skip
async def test_a_number_that_the_result_does_not_have_is_rejected_by_its_field(
    sandbox: LiveSandbox, tool: str, arguments: Mapping[str, Any], point: Mapping[str, Any], field: str
) -> None:
    with pytest.raises(Refused) as rejected:
        await counted(sandbox, tool, arguments, **point)
    assert str(rejected.value.message).startswith((f"{field}: ", f"{field} is required."))
