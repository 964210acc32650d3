"""The sandbox starts with the server, and what calls get before it is ready."""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.types import CallToolResult

from maton_posthog.gateway.errors import Failed
from maton_posthog.server.app import build
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.sandbox import waiting
from maton_posthog.server.sandbox.child import COMMAND
from maton_posthog.server.settings import load
from tests.server.processes import DEADLINE_S, ServerProcess, eventually
from tests.server.sandbox.test_child import ADDRESSES, NOTE_PID, OBEDIENT, gone, pid_in, program
from tests.server.starting.test_signals import listens
from tests.server.test_every_operation import text_of

pytestmark = pytest.mark.anyio

BUSY = (*COMMAND, "--events", "20000000")
"""A sandbox that creates its events for longer than any test runs."""
COUNT = {"query": "SELECT count() FROM events"}


@asynccontextmanager
async def connected(*command: str) -> AsyncGenerator[tuple[Client, Runtime]]:
    """A client of a server whose sandbox has started."""
    runtime = Runtime(load(sandbox=True), sandbox_command=command)
    try:
        runtime.start()
        await runtime.gateway()
        async with Client(build(runtime)) as client:
            yield client, runtime
    finally:
        await runtime.aclose()


def error_in(result: CallToolResult) -> dict[str, Any]:
    assert result.is_error
    return json.loads(text_of(result))["error"]


async def until_running(caplog: pytest.LogCaptureFixture) -> None:
    await anyio.to_thread.run_sync(eventually, lambda: "The sandbox is running" in caplog.text, "the sandbox to run")


@pytest.mark.parametrize("flags", [(), ("--transport", "http", "--port", "0")], ids=["stdio", "http"])
def test_it_starts_before_the_first_call_and_ends_with_the_server(flags: tuple[str, ...]) -> None:
    with ServerProcess("--sandbox", "--log-json", *flags) as server:
        url = json.loads(server.wait_for_error_line("The sandbox is running"))["url"]
        host, _, port = url.removeprefix("http://").partition(":")
        assert listens((host, int(port)))
        server.process.terminate()
        assert server.exit_code() == 0
        assert not listens((host, int(port)))


async def test_a_server_that_ends_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    text = f"{NOTE_PID.format(str(file))} sys.stdin.read()"
    runtime = Runtime(load(sandbox=True), sandbox_command=program(text))
    runtime.start()
    pid = await pid_in(file)
    await runtime.aclose()
    assert gone(pid)


async def test_one_that_no_call_has_used_ends_with_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="maton_posthog")
    file = tmp_path / "pid"
    runtime = Runtime(load(sandbox=True), sandbox_command=program(f"{NOTE_PID.format(str(file))} {OBEDIENT}"))
    runtime.start()
    await until_running(caplog)
    await runtime.aclose()
    assert gone(await pid_in(file))


async def test_a_call_waits_for_the_one_that_was_started(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    command = program(f"open({str(file)!r}, 'a').write('x'); {OBEDIENT}")
    async with connected(*command) as (_, runtime):
        runtime.start()
        assert (await runtime.gateway()).config.gateway_urls == ("http://127.0.0.1:9",)
    assert file.read_text() == "x"


async def test_a_start_that_failed_is_reported_by_each_call_and_tried_again(tmp_path: Path) -> None:
    mark = tmp_path / "repaired"
    text = f"import os, sys; os.path.exists({str(mark)!r}) or sys.exit('no room on this disk'); {OBEDIENT}"
    runtime = Runtime(load(sandbox=True), sandbox_command=program(text))
    runtime.start()
    try:
        for _ in range(2):
            with pytest.raises(Failed, match="no room on this disk"):
                await runtime.call()
        mark.touch()
        await runtime.call()
    finally:
        await runtime.aclose()


async def test_a_call_without_progress_does_not_wait_long_for_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.05)
    go, starts = tmp_path / "go", tmp_path / "starts"
    text = (
        f"import os, sys, time; open({str(starts)!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"print('{ADDRESSES}', flush=True); sys.stdin.read()"
    )
    runtime = Runtime(load(sandbox=True), sandbox_command=program(text))
    runtime.start()
    try:
        with pytest.raises(Failed, match="The sandbox is starting") as told:
            await runtime.call()
        assert (told.value.outcome, told.value.retryable, told.value.retry_after_s) == ("not_sent", True, 2.0)
        go.touch()
        await runtime.gateway()
        assert starts.read_text() == "x"
    finally:
        await runtime.aclose()


async def test_without_progress_a_call_that_needs_events_fails_soon_and_says_when_to_retry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.2)
    async with connected(*BUSY) as (client, _):
        for tool, arguments in (("run_hogql", COUNT), ("list_persons", {})):
            error = error_in(await client.call_tool(tool, arguments))
            assert error["message"].startswith("The sandbox is creating its synthetic events (")
            assert error["hint"] == "Call again in 2 seconds."
            assert (error["code"], error["source"]) == ("unavailable", "local")
            assert (error["outcome"], error["retryable"], error["retry_after_s"]) == ("not_sent", True, 2.0)


async def test_with_progress_a_call_that_needs_events_waits_and_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    monkeypatch.setattr(waiting, "REPORT_EVERY_S", 0.05)
    reports: list[tuple[float, str | None]] = []
    reported = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, message))
        if len(reports) == 3:
            reported.set()

    async with connected(*BUSY) as (client, _), anyio.create_task_group() as tasks:

        async def call() -> None:
            await client.call_tool("list_persons", {}, progress_callback=note, meta={"progress_token": 1})

        tasks.start_soon(call)
        with anyio.fail_after(DEADLINE_S):
            await reported.wait()
        tasks.cancel_scope.cancel()
    seconds = [progress for progress, _ in reports]
    assert seconds == sorted(set(seconds))
    assert all("synthetic events (" in (message or "") for _, message in reports)


async def test_what_needs_no_events_is_there_before_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", DEADLINE_S)
    async with connected(*BUSY) as (client, _):
        listed = await client.call_tool("list_flags", {})
        created = await client.call_tool("create_annotation", {"content": "Before the events"})
    assert json.loads(text_of(listed))["flags"]
    assert not created.is_error


async def test_calls_work_once_the_events_exist() -> None:
    async with connected(*COMMAND, "--events", "500") as (client, _):
        answer = await client.call_tool("run_hogql", COUNT, meta={"progress_token": 1})
        again = await client.call_tool("list_persons", {"limit": 1})
    assert json.loads(text_of(answer))["rows"] == [[500]]
    assert not again.is_error


async def test_progress_of_two_clocks_only_rises() -> None:
    reports: list[tuple[float, str]] = []

    async def note(seconds: float, news: str) -> None:
        reports.append((seconds, news))

    report = waiting.rising(note)
    for seconds, news in ((1.0, "a"), (0.5, "b"), (1.0, "c"), (2.0, "d")):
        await report(seconds, news)
    assert reports == [(1.0, "a"), (2.0, "d")]
