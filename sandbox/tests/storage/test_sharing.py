"""Several clients on one sandbox, several sandboxes on one machine, and a kept directory: real processes."""

import json
import shlex
import shutil
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ..test_process import PATIENCE_S, Process, failed, running

FLAGS = "/posthog/api/projects/1/feature_flags/"


def flag(key: str) -> dict[str, Any]:
    return {"key": key, "filters": {"groups": [{}]}}


def keys(client: Any) -> set[str]:
    return {row["key"] for row in client.get(FLAGS, params={"limit": 1000}).json()["results"]}


def test_two_sandboxes_on_one_machine_do_not_collide() -> None:
    query = {"query": {"kind": "HogQLQuery", "query": "select count() from events"}}
    with (
        running("--json") as first,
        running("--json", "--events", "700") as second,
        first.client() as one,
        second.client() as other,
    ):
        one.post(FLAGS, json=flag("only-in-the-first")).raise_for_status()
        counts = [client.post("/posthog/api/projects/1/query/", json=query).json() for client in (one, other)]
        seen = ["only-in-the-first" in keys(client) for client in (one, other)]

    assert [count["results"] for count in counts] == [[[500]], [[700]]]
    assert seen == [True, False]


def test_sandboxes_that_start_at_once_all_get_their_own_events_and_address(tmp_path: Path) -> None:
    """All use one directory, where each creates its temporary one and removes those of killed processes."""
    sizes = (300, 400, 500)
    query = {"query": {"kind": "HogQLQuery", "query": "select count() from events"}}

    with ExitStack() as stack, ThreadPoolExecutor(len(sizes)) as pool:

        def start(size: int) -> Process:
            return stack.enter_context(running("--json", "--events", str(size), TMPDIR=str(tmp_path)))

        started = list(pool.map(start, sizes))
        clients = [stack.enter_context(process.client()) for process in started]
        responses = [client.post("/posthog/api/projects/1/query/", json=query).json() for client in clients]
        addresses = {str(client.base_url) for client in clients}

    assert [response["results"] for response in responses] == [[[size]] for size in sizes]
    assert len(addresses) == len(sizes)


def test_a_second_process_on_a_directory_fails_with_one_line_and_changes_nothing_there(tmp_path: Path) -> None:
    with running("--json", "--dir", str(tmp_path)) as process, process.client() as client:
        code, lines = failed("--dir", str(tmp_path))
        url = client.get("/connections").json()["connections"][0]["url"]
        own = json.loads(process.first_line)["gateway_url"]

    assert code == 2
    assert len(lines) == 1
    assert f"in use by process {process.popen.pid}" in lines[0]
    assert url.startswith(own)


def test_every_kind_of_row_survives_a_restart(tmp_path: Path) -> None:
    seen: list[dict[str, int]] = []
    for _ in range(2):
        with running("--json", "--dir", str(tmp_path)) as process, process.client() as client:
            if not seen:
                client.post(FLAGS, json=flag("kept")).raise_for_status()
                client.patch("/posthog/api/users/@me/", json={"set_current_team": 2}).raise_for_status()
                client.post("/connections", json={"app": "posthog"}).raise_for_status()
            assert "kept" in keys(client)
            assert client.get("/posthog/api/projects/@current/").json()["id"] == 2
            areas = ("insights", "dashboards", "cohorts", "actions", "annotations", "surveys", "experiments")
            counts = {area: client.get(f"/posthog/api/projects/1/{area}/").json()["count"] for area in areas}
            seen.append({**counts, "connections": len(client.get("/connections").json()["connections"])})
            assert process.ready.wait(PATIENCE_S)
            process.popen.send_signal(signal.SIGTERM)
            assert process.ended() == 0

    assert seen[0] == seen[1]
    assert all(seen[0].values())


def test_the_next_start_regenerates_an_incomplete_dataset_and_keeps_its_rows(tmp_path: Path) -> None:
    with running("--json", "--events", "1000000", "--dir", str(tmp_path)) as killed, killed.client() as client:
        client.post(FLAGS, json=flag("before-the-kill")).raise_for_status()
        killed.popen.kill()
        killed.ended()
    query = {"query": {"kind": "HogQLQuery", "query": "select count() from events"}}
    with running("--json", "--dir", str(tmp_path)) as process, process.client() as client:
        counted = client.post("/posthog/api/projects/1/query/", json=query).json()
        seen = keys(client)

    assert counted["results"] == [[500]]
    assert "before-the-kill" in seen


def test_rows_locked_by_another_program_are_an_error_of_the_request_only(tmp_path: Path) -> None:
    with running("--json", "--dir", str(tmp_path)) as process, process.client() as client:
        with closing(sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            rejected = client.post(FLAGS, json=flag("locked"))
            unconnected = client.post("/connections", json={"app": "posthog"})
            other.execute("ROLLBACK")
        stored = client.post(FLAGS, json=flag("free"))

    assert (rejected.status_code, rejected.json()["type"]) == (503, "server_error")
    assert (unconnected.status_code, unconnected.json()["error"]["code"]) == (503, 503)
    assert stored.status_code == 201
    assert "Traceback" not in "".join(process.errors)


@contextmanager
def small_disk(at: Path, size: str) -> Generator[None]:
    """Yield a disk of this size; skip the test where nothing can be mounted."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def test_a_full_disk_is_one_line_that_names_the_fix(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k"):
        code, lines = failed("--dir", str(tmp_path))

    assert code == 2
    assert len(lines) == 1
    assert "free some space" in lines[0]


def test_a_disk_that_fills_up_at_runtime_is_reported_and_rows_can_be_stored_again_afterwards(tmp_path: Path) -> None:
    path = "/posthog/api/projects/1/annotations/"
    long = {"content": "a" * 8000, "scope": "project"}
    with small_disk(tmp_path, "80m"), running("--json", "--dir", str(tmp_path)) as process, process.client() as client:
        assert process.ready.wait(PATIENCE_S)
        filling = tmp_path / "filling"
        with suppress(OSError), filling.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(2**16))
        statuses = [client.post(path, json=long).status_code for _ in range(20)]
        read = client.get(path).status_code
        filling.unlink()
        stored = client.post(path, json=long).status_code
        process.popen.send_signal(signal.SIGTERM)
        assert process.ended() == 0

    assert statuses[-1] == 503
    assert (read, stored) == (200, 201)
    assert "Traceback" not in "".join(process.errors)


def read_by_urllib(url: str, key: str) -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        return json.load(response)


def test_the_printed_lines_are_enough_to_use_any_posthog_client() -> None:
    with running() as process:
        assert process.popen.stdout is not None
        lines = [process.first_line, *(process.popen.stdout.readline() for _ in range(6))]
        [line] = [line for line in lines if line.startswith("Any PostHog client:")]
        host, key = line.removeprefix("Any PostHog client: host ").strip().split(", personal API key: ")
        [limited] = [line.partition(":")[2] for line in lines if line.startswith("Keys with limits:")]
        names = [
            read_by_urllib(f"{host}/api/projects/@current/", name.strip())["name"] for name in (key, "sandbox-read")
        ]

    assert names == ["Sandbox (synthetic data)"] * 2
    assert "sandbox-scoped-1" in limited


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_curl_command_works_unchanged() -> None:
    with running() as process:
        assert process.popen.stdout is not None
        lines = [process.popen.stdout.readline() for _ in range(6)]
        [command] = [line.partition(":")[2] for line in lines if line.startswith("By hand:")]
        ended = subprocess.run(
            ["curl", "-sS", *shlex.split(command)[1:]], capture_output=True, timeout=PATIENCE_S, check=True
        )

    assert json.loads(ended.stdout)["name"] == "Sandbox (synthetic data)"


def test_requests_above_the_given_rate_are_rejected() -> None:
    with running("--json", "--rate", "1") as process, process.client() as client:
        responses = [client.get("/posthog/api/users/@me/") for _ in range(50)]
        rejected = [response for response in responses if response.status_code == 429]

    assert responses[0].status_code == 200
    assert rejected
    assert rejected[0].json()["error"]["code"] == 429
    assert rejected[0].headers["retry-after"] == "1"


@pytest.mark.parametrize("rate", ["-1", "many"])
def test_an_invalid_rate_is_rejected(rate: str) -> None:
    code, lines = failed("--rate", rate)

    assert code == 2
    assert "--rate" in lines[-1]
