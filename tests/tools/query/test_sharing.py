"""Equal queries share one request, and rows are kept for later calls."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from maton_posthog.gateway.errors import Failed
from maton_posthog.gateway.queries import background
from maton_posthog.schemas.json.rows import Block, Rows

from ..posthog.fake import FakeCall, answer, in_turn
from .running import POST, RESULT, RUN, SQL, rows, run

pytestmark = pytest.mark.anyio


async def test_equal_queries_at_the_same_time_make_one_request() -> None:
    api = FakeCall({POST: rows(2)})
    shown: list[dict[str, Any]] = []

    async def ask() -> None:
        shown.append(await run(RUN, api, query=SQL))

    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(ask)
    assert len(api.sent) == 1
    assert [answer["rows"] for answer in shown] == [[["event 0", 0], ["event 1", 1]]] * 200


async def test_an_equal_query_within_a_minute_is_cached_and_refresh_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(background, "time", SimpleNamespace(monotonic=lambda: now))
    api = FakeCall({POST: rows(2)})
    assert "age_s" not in await run(RUN, api, query=SQL)
    now += 59
    assert (await run(RUN, api, query=SQL, name="another name"))["age_s"] == 59
    assert len(api.sent) == 1
    await run(RUN, api, query=SQL, refresh=True)
    await run(RUN, api, query=SQL, limit=5)
    assert len(api.sent) == 3
    now += 61
    await run(RUN, api, query=SQL)
    assert len(api.sent) == 4


async def test_equal_refreshes_at_the_same_time_make_one_request() -> None:
    api = FakeCall({POST: rows(2)})
    await run(RUN, api, query=SQL)
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(partial(run, RUN, api, query=SQL, refresh=True))
    assert len(api.sent) == 2
    await run(RUN, api, query=SQL, refresh=True)
    assert len(api.sent) == 3


async def test_rows_weigh_what_they_take() -> None:
    api = FakeCall({POST: rows(3)})
    await run(RUN, api, query=SQL)
    assert api.last.body is not None
    query = api.queries.find(api.last.body["client_query_id"], api.place)
    assert query is not None
    heavy = replace(query.answer, rows=Rows.of([["x" * 10_000, 1]] * 1000))
    assert query.answer.weight < 1000
    assert 10_000_000 < heavy.weight < 11_000_000


async def test_rows_are_parsed_for_the_calls_that_wait_and_kept_as_text() -> None:
    first = Rows.within(b"[1]", [Block(0, 3, 1)], [["parsed"]])
    api = FakeCall({POST: {"results": first, "columns": ["a"]}})
    assert (await run(RUN, api, query=SQL))["rows"] == [["parsed"]]
    await anyio.lowlevel.checkpoint()
    assert (await run(RUN, api, query=SQL))["rows"] == [[1]]
    assert len(api.sent) == 1


async def test_a_failed_query_is_sent_again() -> None:
    api = FakeCall({POST: in_turn(Failed("unavailable", "no"), rows(1))})
    with pytest.raises(Failed):
        await run(RUN, api, query=SQL)
    assert (await run(RUN, api, query=SQL))["rows_returned"] == 1


async def test_the_rows_of_a_large_result_are_paginated_without_a_request() -> None:
    wide = answer(
        "hogql_response_with_limit_in_sql", results=[[f"event {number:040}", number] for number in range(900)]
    )
    api = FakeCall({POST: wide})
    shown = await run(RUN, api, query=SQL, limit=1000)
    seen: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        page = await run(RESULT, api, query_id=shown["query_id"], offset=offset, limit=400)
        seen += page["rows"]
        offset = page.get("next_offset")
    assert seen == shown["rows"] == wide["results"]
    assert len(api.sent) == 1
