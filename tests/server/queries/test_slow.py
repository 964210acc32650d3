"""Slow queries, as a client of the whole server sees them."""

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ResourceLink

from maton_posthog.gateway.call import Call
from maton_posthog.gateway.errors import Failed
from maton_posthog.gateway.queries import background
from maton_posthog.server import calling
from maton_posthog.tools import operation
from maton_posthog.tools.query import operations as query

from ...gateway.fake_gateway import FakeGateway, Peer, Received, raw
from ..test_every_operation import documented, served, text_of, upstream

pytestmark = pytest.mark.anyio

PATH = "/posthog/api/projects/136209/query/"
TIMEOUT_S = 30.0
"""A timeout that only passes when time is skipped, shorter than the deadline of a call."""
SQL = "SELECT event FROM events WHERE timestamp > now() - INTERVAL 1 DAY"
ANSWER: dict[str, Any] = {"columns": ["event"], "results": [["$pageview"], ["$identify"]]}


class Slow:
    """An endpoint that responds when it is released."""

    def __init__(self) -> None:
        self.released = anyio.Event()
        self.at_request: Callable[[], object] = lambda: None
        self.answer = ANSWER

    async def __call__(self, request: Received, peer: Peer) -> None:
        if request.json["query"]["kind"] != "HogQLQuery":
            await documented(request, peer)
            return
        self.at_request()
        await self.released.wait()
        await peer.send(raw(200, json.dumps(self.answer).encode()))


def shown(result: CallToolResult) -> dict[str, Any]:
    return json.loads(text_of(result))


async def ready(client: Client, fake: FakeGateway) -> Slow:
    """Return a server on which all requests but the query itself get a response at once."""
    await client.call_tool("run_hogql", {"query": SQL})
    slow = Slow()
    fake.on("POST", PATH, slow)
    return slow


def asked(fake: FakeGateway) -> list[Received]:
    """Return the HogQL queries that arrived."""
    return [request for request in fake.of("POST", PATH) if request.json["query"]["kind"] == "HogQLQuery"]


def cancelled(fake: FakeGateway) -> list[str]:
    return [request.path for request in fake.received if request.method == "DELETE"]


async def test_a_long_query_reports_progress_and_outlives_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PROGRESS_EVERY_S", 0.02)
    told: list[tuple[float, str | None]] = []
    halfway = anyio.Event()

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        told.append((progress, message))
        if len(told) == 3:
            halfway.set()

    async with served() as (client, fake):
        slow = await ready(client, fake)
        before = len(asked(fake))
        monkeypatch.setattr(query, "_FOR_THE_ANSWER_S", 54.5)
        running = shown(await client.call_tool("run_hogql", {"query": f"{SQL} LIMIT 9"}, progress_callback=tell))
        assert (running["status"], "rows" in running) == ("running", False)
        with anyio.fail_after(60):
            await halfway.wait()
        assert [seconds for seconds, _ in told] == sorted({seconds for seconds, _ in told})
        assert {message for _, message in told} == {"Running in PostHog"}
        monkeypatch.setattr(query, "_FOR_THE_ANSWER_S", 5.0)
        slow.released.set()
        answer = shown(await client.call_tool("get_query_result", {"query_id": running["query_id"]}))
        assert (answer["rows"], answer["rows_total"]) == (ANSWER["results"], 2)
        assert len(asked(fake)) == before + 1
        assert cancelled(fake) == []


async def test_a_client_that_cancels_its_call_cancels_the_query_at_posthog(skip: Callable[[float], None]) -> None:
    async with served() as (client, fake):
        slow = await ready(client, fake)
        slow.at_request = partial(skip, TIMEOUT_S)
        with pytest.raises(MCPError):
            await client.call_tool("run_hogql", {"query": f"{SQL} LIMIT 9"}, read_timeout_seconds=TIMEOUT_S)
        await fake.until(lambda: cancelled(fake) != [])
        sent = asked(fake)[-1].json["client_query_id"]
        assert cancelled(fake) == [f"{PATH}{sent}/"]


async def test_a_query_that_another_call_waits_for_is_not_cancelled() -> None:
    async with served() as (client, fake):
        slow = await ready(client, fake)
        arguments = {"query": f"{SQL} LIMIT 9"}
        answers: list[dict[str, Any]] = []

        async def wait() -> None:
            answers.append(shown(await client.call_tool("run_hogql", arguments)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await fake.until(lambda: len(asked(fake)) == 2)
            with pytest.raises(MCPError):
                await client.call_tool("run_hogql", arguments, read_timeout_seconds=0.2)
            slow.released.set()
        assert answers[0]["rows"] == ANSWER["results"]
        assert cancelled(fake) == []


async def test_the_end_of_the_server_cancels_queries_that_run_in_posthog() -> None:
    async with served() as (client, fake):
        await ready(client, fake)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(query, "_FOR_THE_ANSWER_S", 54.9)
            running = shown(await client.call_tool("run_hogql", {"query": f"{SQL} LIMIT 9"}))
        assert running["status"] == "running"
    assert cancelled(fake) == [f"{PATH}{running['query_id']}/"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_a_whole_result_becomes_a_file_that_the_result_links(kind: str, tmp_path: Any) -> None:
    async with served(export_dir=tmp_path) as (client, fake):
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "run_hogql")
        assert "export" in tool.input_schema["properties"]
        result = await client.call_tool("run_hogql", {"query": SQL, "export": kind, "name": "Daily events!"})
    text, link = result.content
    answer = json.loads(getattr(text, "text", ""))
    assert (answer["rows_written"], answer["columns"]) == (2, ["event"])
    assert "rows" not in answer
    (path,) = tmp_path.iterdir()
    assert answer["file"] == str(path)
    assert path.name.endswith(f"-daily-events.{kind}")
    assert isinstance(link, ResourceLink)
    assert (str(link.uri), link.size) == (path.as_uri(), path.stat().st_size)
    assert path.stat().st_mode & 0o077 == 0
    assert asked(fake)[-1].json["query"]["query"].endswith("LIMIT 50000")


async def test_without_a_directory_export_is_neither_offered_nor_done() -> None:
    async with served() as (client, fake):
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "run_hogql")
        assert "export" not in tool.input_schema["properties"]
        result = await client.call_tool("run_hogql", {"query": SQL, "export": "csv"})
        assert shown(result)["error"]["code"] == "invalid_argument"
        assert asked(fake) == []


@pytest.mark.parametrize(("count", "large"), [(100, False), (5_000, True)])
async def test_only_large_results_are_rendered_in_another_thread(
    monkeypatch: pytest.MonkeyPatch, count: int, large: bool
) -> None:
    plain, threads = calling.render, list[bool]()

    def render(*given: Any, **options: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return plain(*given, **options)

    rows = [[f"event {number:090}"] for number in range(count)]
    async with served() as (client, fake):
        slow = await ready(client, fake)
        slow.answer = {"columns": ["event"], "results": rows}
        slow.released.set()
        monkeypatch.setattr(calling, "render", render)
        result = shown(await client.call_tool("run_hogql", {"query": f"{SQL} LIMIT {count}"}))
        assert result["rows"] == rows[: len(result["rows"])]
        assert ("query_id" in result) is large
        if large:
            assert f"Only {len(result['rows'])} of {count} rows fit" in result["how_to_continue"]
            arguments = {"query_id": result["query_id"], "offset": 4_990}
            rest = shown(await client.call_tool("get_query_result", arguments))
            assert (rest["rows"], rest["rows_total"]) == (rows[4_990:], count)
    assert threads[0] is not large


async def test_rendering_counts_towards_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(*_: object) -> None:
        raise Failed("timeout", "The result could not be prepared before the deadline of the call.")

    async with served() as (client, fake):
        slow = await ready(client, fake)
        slow.answer = {"columns": ["event"], "results": [["x" * 100]] * 5_000}
        slow.released.set()
        monkeypatch.setattr(Call, "in_thread", late)
        error = shown(await client.call_tool("run_hogql", {"query": f"{SQL} LIMIT 5000"}))["error"]
    assert error["code"] == "timeout"


async def test_a_result_with_one_large_row_is_rendered_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, threads = calling.render, list[bool]()

    def render(*given: Any, **options: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return plain(*given, **options)

    async with served() as (client, fake):
        slow = await ready(client, fake)
        slow.answer = {"columns": ["event"], "results": [[[{"a": number} for number in range(30_000)]]]}
        slow.released.set()
        monkeypatch.setattr(calling, "render", render)
        result = shown(await client.call_tool("run_hogql", {"query": f"{SQL} LIMIT 10"}))
        assert result["truncated"]
    assert threads == [False]


@pytest.mark.parametrize("size", [1_000, 300_000])
@pytest.mark.parametrize("tool", ["list_flags", "list_persons", "list_annotations", "list_dashboards", "list_insights"])
async def test_a_large_page_is_read_in_another_thread(monkeypatch: pytest.MonkeyPatch, tool: str, size: int) -> None:
    plain, threads = operation.read, list[bool]()

    def read(*given: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return plain(*given)

    async def padded(request: Received, peer: Peer) -> None:
        page = upstream(request)
        await peer.send(raw(200, json.dumps({**page, "padding": "x" * size} if "results" in page else page).encode()))

    async with served() as (client, fake):
        await client.call_tool(tool, {})
        fake.answers(padded)
        monkeypatch.setattr(operation, "read", read)
        assert not (await client.call_tool(tool, {})).is_error
    assert threads
    assert set(threads) == {size < 200_000}
