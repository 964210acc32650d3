"""Totals under breakdowns, and funnels compared with the range before, against a sandbox."""

from datetime import date, timedelta

import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.tools.analytics.comparing import range_before
from maton_posthog.tools.analytics.dates import Range

from ..posthog.live import NOW, LiveSandbox

pytestmark = pytest.mark.anyio


async def test_the_values_of_a_breakdown_have_their_total_where_they_add_up(sandbox: LiveSandbox) -> None:
    asked = {"events": "$pageview", "interval": "total", "date_from": "-14d"}
    whole = await sandbox.call("query_trends", **asked)
    split = await sandbox.call("query_trends", **asked, breakdown="$browser", breakdown_limit=2)
    assert split["all_values"] == whole["rows"][0][1] == sum(row[1] for row in split["rows"])
    assert "all_values" not in await sandbox.call("query_trends", **asked, breakdown="$browser", math="dau")
    steps = ["$pageview", "signed_up"]
    funnel = await sandbox.call("query_funnel", steps=steps)
    by_browser = await sandbox.call("query_funnel", steps=steps, breakdown="$browser", breakdown_limit=2)
    expected = {name: funnel["facts"][name] for name in ("entered", "completed", "conversion_percent")}
    assert by_browser["facts"]["all_values"] == expected


async def test_a_funnel_is_compared_with_the_whole_range_before(sandbox: LiveSandbox) -> None:
    steps = ["$pageview", "signed_up"]
    shown = await sandbox.call("query_funnel", steps=steps, date_from="-14d", compare="previous")
    (first, last), past = shown["range"], shown["facts"]["compared"]
    days = [date.fromisoformat(day[:10]) for day in (*past["range"], first, last)]
    assert days[2] - days[1] == timedelta(days=1)
    assert days[1] - days[0] == days[3] - days[2]
    for dates, facts in ((shown["range"], shown["facts"]), (past["range"], past)):
        alone = await sandbox.call("query_funnel", steps=steps, date_from=dates[0], date_to=dates[1])
        for name in ("entered", "completed", "conversion_percent"):
            assert facts[name] == alone["facts"][name]
    moved = round(shown["facts"]["conversion_percent"] - past["conversion_percent"], 1)
    assert past["change_points"] == moved
    assert "is not over and is left out" in shown["notes"][0]


async def test_a_funnel_by_value_is_compared_as_a_whole_and_a_shift_is_the_same_days_earlier(
    sandbox: LiveSandbox,
) -> None:
    asked = {"steps": ["$pageview", "signed_up"], "date_from": "-8d", "date_to": "-2d", "compare": "-1w"}
    whole = (await sandbox.call("query_funnel", **asked))["facts"]["compared"]
    split = (await sandbox.call("query_funnel", **asked, breakdown="$browser"))["facts"]["compared"]
    assert split == whole
    shown = await sandbox.call("query_funnel", **asked)
    began = [date.fromisoformat(span[0][:10]) for span in (whole["range"], shown["range"])]
    assert began[1] - began[0] == timedelta(days=7)


async def test_a_funnel_since_the_beginning_has_nothing_to_compare_with(sandbox: LiveSandbox) -> None:
    for date_from in ("all", "-400d"):
        asked = {"steps": ["$pageview", "signed_up"], "date_from": date_from}
        shown = await sandbox.call("query_funnel", **asked, compare="previous")
        assert "compared" not in shown["facts"]
        assert any("the period before begins earlier" in note or "this range begins" in note for note in shown["notes"])
    with pytest.raises(Refused, match="a range from all has none before it"):
        range_before("previous", Range(None, NOW, NOW))


async def test_a_comparison_of_a_funnel_is_not_stored(sandbox: LiveSandbox) -> None:
    query = {"tool": "query_funnel", "arguments": {"steps": ["$pageview", "signed_up"], "compare": "previous"}}
    with pytest.raises(Refused, match="PostHog stores no comparison of a funnel"):
        await sandbox.call("create_insight", name="x", query=query)


@pytest.mark.parametrize("tool", ["query_funnel", "query_trends"])
async def test_a_range_of_hours_of_today_is_compared_as_it_is(sandbox: LiveSandbox, tool: str) -> None:
    of = (
        {"steps": ["$pageview", "signed_up"]}
        if tool == "query_funnel"
        else {"events": "$pageview", "interval": "total"}
    )
    shown = await sandbox.call(tool, **of, date_from="-3h", compare="previous")
    assert not any("is left out" in note for note in shown.get("notes", ()))
