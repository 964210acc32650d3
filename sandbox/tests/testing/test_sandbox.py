"""`Sandbox`: a real process that is controlled from Python, and that leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

import posthog_sandbox
from posthog_sandbox import Sandbox, SandboxError
from posthog_sandbox.testing import process as process_module

TODAY = date(2026, 11, 23)
NOON = "2026-11-23T12:00:00Z"
FLAGS = "/api/projects/1/feature_flags/"
QUERY = "/api/projects/1/query/"
PATIENCE_S = 60


def client_of(sandbox: Sandbox) -> httpx2.Client:
    """Return a client of PostHog's API."""
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    return httpx2.Client(base_url=sandbox.posthog_url, headers=headers, timeout=PATIENCE_S)


def now(sandbox: Sandbox) -> str:
    """Return the time in the sandbox."""
    return query(sandbox, "select toString(toDateTime(now()))", refresh="force_blocking")["results"][0][0]


def query(sandbox: Sandbox, text: str, **options: str) -> Any:
    """Return the response to a HogQL query."""
    with client_of(sandbox) as client:
        response = client.post(QUERY, json={"query": {"kind": "HogQLQuery", "query": text}, **options})
    assert response.status_code == 200, response.text
    return response.json()


def make_flag(sandbox: Sandbox, key: str) -> int:
    """Return the status of a request to create a flag."""
    flag: dict[str, Any] = {"key": key, "filters": {"groups": [{}]}}
    with client_of(sandbox) as client:
        return client.post(FLAGS, json=flag).status_code


def flags(sandbox: Sandbox) -> set[str]:
    """Return the keys of all flags."""
    with client_of(sandbox) as client:
        return {row["key"] for row in client.get(FLAGS, params={"limit": 1000}).json()["results"]}


def listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE_S).close()
    except ConnectionError:
        return False
    return True


@pytest.fixture(scope="module")
def shared() -> Generator[Sandbox]:
    with Sandbox(events=300, today=TODAY, now=NOON) as started:
        yield started


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.reset()
    return shared


def test_only_the_public_names_are_exported() -> None:
    assert all(getattr(posthog_sandbox, name) is not None for name in posthog_sandbox.__all__)
    assert set(posthog_sandbox.__all__) <= set(dir(posthog_sandbox))
    with pytest.raises(AttributeError, match="Sandbocks"):
        getattr(posthog_sandbox, "Sandbocks")  # noqa: B009 - pyright knows that the name does not exist


def test_importing_the_package_and_the_plugin_loads_little() -> None:
    program = (
        "import sys, posthog_sandbox, posthog_sandbox.testing.plugin\n"
        "sys.exit(' '.join(sys.modules.keys() & {'starlette', 'uvicorn', 'anyio', 'chdb', 'http.client'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.usefixtures("unforked")
def test_a_block_has_a_sandbox_and_leaves_no_process_file_or_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = threading.active_count()
    with Sandbox(events=200) as sandbox:
        url = sandbox.url
        assert query(sandbox, "select count() from events")["results"] == [[200]]
        assert list(tmp_path.iterdir()) != []
    assert not listens(url)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before
    with pytest.raises(SandboxError, match="`with` block"):
        _ = sandbox.url


def test_a_block_that_raises_ends_its_sandbox() -> None:
    urls: list[str] = []

    def fail() -> None:
        with Sandbox(events=200) as sandbox:
            urls.append(sandbox.url)
            raise RuntimeError("of the test")

    with pytest.raises(RuntimeError, match="of the test"):
        fail()
    assert not listens(urls[0])


def test_a_sandbox_ends_when_its_owner_is_killed() -> None:
    program = (
        "import sys\nfrom posthog_sandbox import Sandbox\n"
        "with Sandbox(events=200) as sandbox:\n    print(sandbox.url, flush=True)\n    sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(posthog_sandbox.__file__).parents[1])}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        assert listens(url)
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while listens(url):
        assert time.monotonic() < deadline


def test_a_sandbox_runs_once_at_a_time(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="already running"):
        sandbox.__enter__()
    assert listens(sandbox.url)


def test_the_arguments_choose_the_data_and_the_time(sandbox: Sandbox) -> None:
    [[count, last]] = query(sandbox, "select count(), max(toDate(timestamp)) from events")["results"]
    assert count == 300
    assert "2026-11-16" < last <= "2026-11-23"
    assert now(sandbox) == "2026-11-23 12:00:00"


def test_a_kept_directory_is_used_by_the_next_sandbox_and_its_rate_is_limited(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"events": 200, "today": TODAY, "directory": tmp_path, "seed": 7, "hostile": False}
    with Sandbox(**kept) as first:
        assert make_flag(first, "kept") == 201
    with Sandbox(**kept, rate=1000) as second:
        assert "kept" in flags(second)
        with client_of(second) as client:
            page = client.get(f"{second.url}/").text
    assert "Requests are limited to 1000 per second" in page


@pytest.mark.usefixtures("unforked")
def test_a_sandbox_that_does_not_start_gives_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="--events: must be at least 1"), Sandbox(events=0):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError, match="--dir"), Sandbox(directory=tmp_path / "file" / "inside"):
        pass


@pytest.mark.usefixtures("unforked")
@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 3", "exit code 3"), ("exec cat", "no output"), ("trap '' TERM; cat; cat <&1", "no ou")],
)
def test_a_process_that_never_becomes_a_sandbox_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(process_module, "SILENCE_S", 0.2)
    monkeypatch.setattr(process_module, "END_S", 0.2)
    with pytest.raises(SandboxError, match=reason), Sandbox():
        pass


@pytest.mark.usefixtures("unforked")
def test_a_sandbox_does_not_get_keys_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nenv | grep -c CANARY >&2\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("MATON_API_KEY", "CANARY")
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", "CANARY")
    with pytest.raises(SandboxError, match=r"did not start: 0$"), Sandbox():
        pass


@pytest.mark.usefixtures("unforked")
def test_a_sandbox_that_was_killed_is_reported() -> None:
    with Sandbox(events=200) as sandbox:
        os.kill(sandbox.pid, signal.SIGKILL)
        with pytest.raises(SandboxError, match=r"its process has ended \(exit code -9\)"):
            sandbox.clear_faults()


def test_the_clock_is_set_moved_and_reset(sandbox: Sandbox) -> None:
    sandbox.set_clock("2026-11-20T08:00:00", frozen=True)
    set_to = now(sandbox)
    sandbox.advance_clock(3600)
    moved = now(sandbox)
    sandbox.reset_clock()
    assert (set_to, moved, now(sandbox)) == ("2026-11-20 08:00:00", "2026-11-20 09:00:00", "2026-11-23 12:00:00")
    with pytest.raises(ValueError, match="ISO 8601"):
        sandbox.set_clock("tomorrow")


def test_faults_apply_in_order_and_as_often_as_given(sandbox: Sandbox) -> None:
    sandbox.add_fault(method="GET", path="*/feature_flags/", status=500, times=1)
    sandbox.add_fault(path="*/feature_flags/", status=429, headers={"Retry-After": "7"}, body={"detail": "Slow down"})
    with client_of(sandbox) as client:
        statuses = [client.get(FLAGS).status_code for _ in range(2)]
        throttled = client.post(FLAGS, json={})
        sandbox.clear_faults()
        statuses.append(client.get(FLAGS).status_code)
    assert statuses == [500, 429, 200]
    assert (throttled.headers["retry-after"], throttled.json()) == ("7", {"detail": "Slow down"})


def test_faults_of_several_threads_are_all_kept(sandbox: Sandbox) -> None:
    def add(status: int) -> None:
        sandbox.add_fault(path="*/feature_flags/", status=status, times=1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(500, 516)))
    with client_of(sandbox) as client:
        statuses = [client.get(FLAGS).status_code for _ in range(17)]
    assert sorted(statuses) == [200, *range(500, 516)]


def test_an_invalid_fault_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="`status` must be a number from 200 to 599"):
        sandbox.add_fault(status=99)


def test_requests_are_recorded_with_their_bodies_before_the_response(sandbox: Sandbox) -> None:
    with client_of(sandbox) as client:
        client.get(FLAGS, params={"limit": 1})
        client.post(FLAGS, json={"key": "recorded"})
        client.post(FLAGS, content=b"not JSON")
        client.post(FLAGS, json={"key": "x" * 100_000})
        sandbox.add_fault(path="*/feature_flags/", drop="before")
        with pytest.raises(httpx2.TransportError):
            client.get(FLAGS)
        client.get(f"{sandbox.url}/")
    shown = [(request.method, request.query, request.status, request.body) for request in sandbox.requests]
    assert {request.path for request in sandbox.requests} == {f"/posthog{FLAGS}"}
    assert shown == [
        ("GET", "limit=1", 200, None),
        ("POST", "", 400, {"key": "recorded"}),
        ("POST", "", 400, None),
        ("POST", "", 400, None),
        ("GET", "", 0, None),
    ]


def test_a_reset_sandbox_is_as_new(sandbox: Sandbox) -> None:
    def kept() -> tuple[set[str], bool, int]:
        """Return the flags, whether a query was served from the cache, and the number of connections."""
        cached = bool(query(sandbox, "select 1")["is_cached"])
        with client_of(sandbox) as client:
            connections = client.get(f"{sandbox.url}/connections").json()["connections"]
        return flags(sandbox), cached, len(connections)

    new = kept()
    make_flag(sandbox, "mine")
    with client_of(sandbox) as client:
        client.post(f"{sandbox.url}/connections", json={"app": "posthog"}).raise_for_status()
    changed = kept()
    sandbox.set_clock("2026-11-01")
    sandbox.add_fault(status=500)
    sandbox.reset()

    assert sandbox.requests == ()
    assert changed == ({*new[0], "mine"}, True, new[2] + 1)
    assert kept() == new
    assert now(sandbox) == "2026-11-23 12:00:00"
    assert make_flag(sandbox, "mine") == 201
