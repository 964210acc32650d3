"""The sandbox process and its owner, with small programs instead of the sandbox."""

import json
import logging
import os
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from maton_posthog.gateway.errors import Failed
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.sandbox import child as sandbox_module
from maton_posthog.server.sandbox.child import Sandbox, SandboxError
from maton_posthog.server.settings import load
from tests.server.processes import DEADLINE_S, eventually

pytestmark = pytest.mark.anyio

ADDRESSES = '{"gateway_url": "http://127.0.0.1:9", "control_url": "http://127.0.0.1:9", "key": "sandbox"}'
ANNOUNCE = f"import os, signal, sys, time; print('{ADDRESSES}', flush=True); "
OBEDIENT = ANNOUNCE + "sys.stdin.read()"
NOTE_PID = "import os, sys; open({!r}, 'w').write(str(os.getpid()));"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + ANNOUNCE + "sys.stdin.read(); time.sleep(600)"
)


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def pid_in(file: Path) -> int:
    """Return the process id that a program writes into a file."""

    def read() -> int:
        eventually(lambda: file.exists() and file.read_text() != "", f"a process id in {file}")
        return int(file.read_text())

    return await anyio.to_thread.run_sync(read)


async def refusal_of(runtime: Runtime) -> Failed:
    """Return the first error of a runtime whose sandbox was killed, once the event loop has noticed."""
    with anyio.fail_after(DEADLINE_S):
        while True:
            try:
                await runtime.gateway()
            except Failed as error:
                return error
            await anyio.sleep(0.02)


async def test_its_first_line_has_its_urls() -> None:
    sandbox = await Sandbox.start(program(OBEDIENT))
    try:
        assert sandbox.running
        assert sandbox.addresses.gateway_url == sandbox.addresses.control_url == "http://127.0.0.1:9"
        assert sandbox.addresses.key == "sandbox"
    finally:
        await sandbox.aclose()
    assert not sandbox.running


async def test_it_ends_when_its_input_ends(tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    sandbox = await Sandbox.start(program(OBEDIENT + f"; open({str(mark)!r}, 'w').close()"))
    await sandbox.aclose()
    assert mark.exists()


async def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sandbox_module, "END_S", 0.05)
    monkeypatch.setattr(sandbox_module, "TERMINATE_S", 0.05)
    file = tmp_path / "pid"
    sandbox = await Sandbox.start(program(f"{NOTE_PID.format(str(file))} {STUBBORN}"))
    await sandbox.aclose()
    assert gone(await pid_in(file))


@pytest.mark.parametrize(
    "line",
    [
        "Serving on http://127.0.0.1:9",
        "[]",
        "{}",
        '{"gateway_url": 1, "control_url": 2, "key": "x"}',
        '{"gateway_url": "http://sandbox.example.com", "control_url": "http://127.0.0.1:9", "key": "x"}',
    ],
)
async def test_a_first_line_without_urls_is_an_error_and_leaves_no_process(tmp_path: Path, line: str) -> None:
    file = tmp_path / "pid"
    text = f"{NOTE_PID.format(str(file))} print({line!r}, flush=True); sys.stdin.read()"
    with pytest.raises(SandboxError, match="first line"):
        await Sandbox.start(program(text))
    assert gone(await pid_in(file))


async def test_its_last_line_on_stderr_is_the_reason() -> None:
    text = "import sys; print('noise', file=sys.stderr); sys.exit('Needs an extra: pip install x[sandbox]\\x1b[0m')"
    with pytest.raises(SandboxError) as told:
        await Sandbox.start(program(text))
    assert str(told.value) == "Needs an extra: pip install x[sandbox][0m"


async def test_a_silent_end_is_reported_with_its_exit_code() -> None:
    with pytest.raises(SandboxError, match="exit code 3"):
        await Sandbox.start(program("import sys; sys.exit(3)"))


async def test_a_missing_command_is_an_error() -> None:
    with pytest.raises(SandboxError, match="cannot run"):
        await Sandbox.start(("/nonexistent/python",))


async def test_a_missing_sandbox_is_reported_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "posthog_sandbox", None)
    with pytest.raises(SandboxError, match=r"pip install 'maton-posthog-mcp\[sandbox\]'"):
        await Sandbox.start()


async def test_a_sandbox_without_output_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "START_S", 0.1)
    with pytest.raises(SandboxError, match="no URL within"):
        await Sandbox.start(program("import sys; sys.stdin.read()"))


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    text = f"{NOTE_PID.format(str(file))} sys.stdin.read()"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Sandbox.start, program(text))
        await pid_in(file)
        tasks.cancel_scope.cancel()
    assert gone(await pid_in(file))


async def test_it_does_not_get_the_servers_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_API_KEY", "mtk_CANARY_7f3a")
    monkeypatch.setenv("MATON_POSTHOG_TOKEN", "token-CANARY")
    text = (
        "import os, sys; sys.exit(' '.join(name for name, value in os.environ.items() if 'CANARY' in value) or 'none')"
    )
    with pytest.raises(SandboxError, match=r"^none$"):
        await Sandbox.start(program(text))


async def test_it_never_waits_for_a_reader() -> None:
    noise = "[print('x' * 100_000, file=out, flush=True) for out in (sys.stdout, sys.stderr) for _ in range(20)]; "
    sandbox = await Sandbox.start(program(ANNOUNCE + noise + "sys.exit('said all')"))
    with anyio.fail_after(DEADLINE_S):
        assert await sandbox.last_words() == "said all"
    await sandbox.aclose()


async def test_its_progress_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="maton_posthog")
    progress = json.dumps({"progress": 0.5, "message": "making events"})
    sandbox = await Sandbox.start(program(ANNOUNCE + f"sys.exit({progress!r})"))
    assert await sandbox.last_words() == "exit code 1"
    await sandbox.aclose()
    record = next(record for record in caplog.records if "making events" in record.getMessage())
    assert vars(record)["fields"] == {"progress": 0.5}


async def test_calls_at_once_start_one_sandbox_and_share_one_client(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    text = f"open({str(file)!r}, 'a').write('x'); {OBEDIENT}"
    runtime = Runtime(load(sandbox=True), sandbox_command=program(text))
    made: list[object] = []

    async def call() -> None:
        made.append(await runtime.gateway())

    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(call)
        assert len({id(gateway) for gateway in made}) == 1
        assert file.read_text() == "x"
    finally:
        await runtime.aclose()


async def test_the_client_of_a_sandbox_connects_only_to_it() -> None:
    settings = load(sandbox=True, api_key="mtk_CANARY_7f3a", gateway_url="https://maton.example.com")
    runtime = Runtime(settings, sandbox_command=program(OBEDIENT))
    try:
        config = (await runtime.gateway()).config
    finally:
        await runtime.aclose()
    assert config.api_key == "sandbox"
    assert config.gateway_urls == config.control_urls == ("http://127.0.0.1:9",)
    assert config.pace is None


async def test_an_ended_sandbox_is_reported_once_and_then_restarted(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    text = f"{NOTE_PID.format(str(file))} {OBEDIENT}"
    runtime = Runtime(load(sandbox=True), sandbox_command=program(text))
    try:
        first = await runtime.gateway()
        os.kill(await pid_in(file), 9)
        told = await refusal_of(runtime)
        assert (told.code, told.outcome) == ("unavailable", "not_sent")
        assert "exit code -9" in told.message
        assert await runtime.gateway() is not first
    finally:
        await runtime.aclose()
    assert gone(await pid_in(file))


async def test_a_sandbox_that_cannot_start_fails_the_call_and_not_the_server() -> None:
    runtime = Runtime(load(sandbox=True), sandbox_command=program("import sys; sys.exit('no room on this disk')"))
    for _ in range(2):
        with pytest.raises(Failed, match="no room on this disk"):
            await runtime.gateway()
    await runtime.aclose()


async def test_a_closed_runtime_stays_closed(tmp_path: Path) -> None:
    runtime = Runtime(load(sandbox=True), sandbox_command=program(OBEDIENT))
    await runtime.gateway()
    await runtime.aclose()
    await runtime.aclose()
    with pytest.raises(Failed, match="shutting down"):
        await runtime.gateway()


async def test_without_the_sandbox_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MATON_API_KEY", raising=False)
    runtime = Runtime(load(), sandbox_command=("/nonexistent/python",))
    assert (await runtime.gateway()).config.api_key is None
    await runtime.aclose()
