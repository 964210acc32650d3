"""Long texts in cells, and columns whose names nobody chose."""

from typing import Any

import pytest

from maton_posthog.schemas.json.rows import Rows
from maton_posthog.schemas.text import shortened

from ..posthog.fake import FakeCall
from .running import POST, RESULT, RUN, run

pytestmark = pytest.mark.anyio

LONG = "ab" * 10_000
SUM = "sum(multiIf(equals(properties.plan, 'pro'), 1, equals(properties.plan, 'team'), 2, 0))"


def answering(*rows: list[Any], columns: list[str]) -> FakeCall:
    return FakeCall({POST: {"columns": columns, "results": list(rows), "hasMore": False}})


async def test_a_long_text_is_cut_and_its_length_told_and_the_whole_is_one_call_away() -> None:
    api = answering(["a", LONG, 1], ["b", {"deep": [LONG]}, 2], columns=["x", "y", "z"])
    shown = await run(RUN, api, query="SELECT x, y, z FROM events")
    cut = f"{LONG[:300]}… (20000 characters)"
    assert shown["rows"] == [["a", cut, 1], ["b", {"deep": [cut]}, 2]]
    assert "full: true" in shown["long_texts"]
    again = await run(RESULT, api, query_id=shown["query_id"])
    assert again["rows"] == shown["rows"]
    assert "full: true" in again["long_texts"]
    whole = await run(RESULT, api, query_id=shown["query_id"], full=True)
    assert whole["rows"][0][1] == LONG
    assert "long_texts" not in whole
    assert len(api.sent) == 1


async def test_short_texts_cost_nothing() -> None:
    shown = await run(RUN, answering(["a" * 300], columns=["x"]), query="SELECT x FROM events")
    assert shown["rows"] == [["a" * 300]]
    assert shown.keys().isdisjoint({"long_texts", "query_id"})


def test_rows_that_are_still_text_are_cut_when_they_are_read() -> None:
    rows = Rows.of([[at, LONG if at % 7 == 0 else "short"] for at in range(100)])
    assert list(rows.cut(300)) == [shortened(row, 300) for row in rows]
    assert list(rows.cut(300)[7:9]) == [[7, f"{LONG[:300]}… (20000 characters)"], [8, "short"]]
    assert rows.cut(300).cuts()
    assert not rows.cut(30_000).cuts()
    assert not rows.cuts()
    assert not Rows.of([]).cut(300).cuts()


async def test_a_column_without_an_alias_gets_a_short_name_and_a_chosen_one_is_kept() -> None:
    api = answering([1, 2, 3, 4], columns=["count()", SUM, SUM.replace("2, 0", "3, 0"), "a" * 60])
    shown = await run(RUN, api, query=f"SELECT count(), {SUM}, 3, 4 FROM events")
    short = "sum(multiIf(equals(properties.plan, 'pr…"
    assert shown["columns"] == ["count()", short, f"{short} #3", "a" * 60]
    name = "Revenue of the last 30 days (without taxes and refunds)"
    chosen = await run(RUN, answering([1], columns=[name]), query=f"SELECT 1 AS `{name}` FROM events")
    assert chosen["columns"] == [name]
