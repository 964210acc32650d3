"""Explanations on a sandbox whose data begin 47 days before the slow week."""

from typing import Any

import pytest

from maton_posthog.gateway.call import Call
from maton_posthog.tools.analytics.changes import queries
from tests.tools.posthog.live import LiveSandbox

pytestmark = pytest.mark.anyio

WEEK = {"date_from": "2026-10-12", "date_to": "2026-10-18"}


async def test_a_period_in_which_the_data_only_begin_is_not_compared_with(sandbox: LiveSandbox) -> None:
    shown = await sandbox.call("explain_change", event="$pageview", **WEEK)
    assert shown["compared_with"].startswith("6 periods before")
    assert shown["notes"] == ["Only 6 of the 8 periods before have data throughout."]


async def test_periods_with_data_from_their_first_days_are_all_compared_with(sandbox: LiveSandbox) -> None:
    shown = await sandbox.call("explain_change", event="$pageview")
    assert shown["compared_with"].startswith("8 periods before")
    assert "notes" not in shown


async def test_people_of_a_pair_of_values_are_counted_once(
    sandbox: LiveSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[Any] = []
    ask = queries.ask_rows

    async def noted(api: Call, sql: str, *given: Any) -> list[Any]:
        rows = await ask(api, sql, *given)
        pairs.extend(rows if " AS mask" in sql else ())
        return rows

    monkeypatch.setattr(queries, "ask_rows", noted)
    shown = await sandbox.call("explain_change", event="$pageview", math="dau", **WEEK)
    assert all(part["value"] <= shown["value"] for part in shown["changed_parts"])
    assert {pair.mask.bit_count() for pair in pairs} == {2}
    assert 0 < max(pair.numbers[0] for pair in pairs) <= shown["value"]


async def test_a_conversion_is_expected_to_be_at_most_1(sandbox: LiveSandbox) -> None:
    funnel = {"tool": "query_funnel", "arguments": {"steps": ["checkout_started", "purchase_completed"]}}
    shown = await sandbox.call("explain_change", of=funnel, date_from="2026-11-10", date_to="2026-11-13")
    assert shown["expected_range"][1] == 1
