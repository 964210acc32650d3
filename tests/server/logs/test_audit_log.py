"""The file of `--audit-log`: what is changed is recorded before it is sent and after it ended, in every outcome."""

import errno
import json
import logging
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from maton_posthog.server.logs import audit
from maton_posthog.server.settings import SettingsError, load
from maton_posthog.tools.operation import Operation

from ...gateway.fake_gateway import CANARY, CONNECTION, Behaviour, Peer, Received, drop, posthog, raw, reply
from ..test_every_operation import ARGUMENTS, documented, served, text_of
from ..test_writes import WRITES, is_write

pytestmark = pytest.mark.anyio

FLAGS = "/posthog/api/projects/136209/feature_flags/"
FLAG = {"key": "secret-launch", "name": "Do not tell", "rollout_percentage": 10}


def entries(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the file; an empty object for one that was torn."""
    return [json.loads(line) if line.endswith("}") else {} for line in path.read_text().splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@WRITES
async def test_every_change_has_a_line_before_and_a_line_after(operation: Operation[Any], file: Path) -> None:
    async with served(audit_log=file) as (client, fake):
        await client.call_tool(operation.name, ARGUMENTS[operation.name])
        changes = [request for request in fake.received if is_write(request)]
    found = entries(file)
    assert [entry["event"] for entry in found] == ["sending", "settled"] * len(changes)
    assert len(changes) == 1
    before, after = found
    assert before["id"] == after["id"]
    assert {entry["tool"] for entry in found} == {operation.name}
    assert after["outcome"] == "applied"
    assert before["method"] == changes[0].method
    assert changes[0].path.endswith(before["object"])


async def test_the_first_line_is_written_before_anything_is_sent(file: Path) -> None:
    seen: list[list[dict[str, Any]]] = []

    async def look(request: Received, peer: Peer) -> None:
        seen.append(entries(file))
        await documented(request, peer)

    async with served(audit_log=file) as (client, fake):
        fake.on("POST", FLAGS, look)
        await client.call_tool("create_flag", FLAG)
    ((before,),) = seen
    assert (before["event"], before["project"], before["connection"]) == ("sending", 136209, CONNECTION)
    assert before["changes"]["filters.groups.0.rollout_percentage"] == 10
    assert before["changes"]["key"] == "text of length 13"


@pytest.mark.parametrize(
    ("behaviour", "outcome", "code"),
    [
        (reply(400, posthog("This key exists already.")), "rejected", "validation_failed"),
        (drop, "unknown", "outcome_unknown"),
        (reply(200, b"<html>Log in</html>", content_type="text/html"), "unknown", "bad_upstream_response"),
        (reply(200, {"ok": True}), "unknown", "bad_upstream_response"),
    ],
    ids=["rejected", "lost", "a login page", "another object"],
)
async def test_the_second_line_has_the_outcome(file: Path, behaviour: Behaviour, outcome: str, code: str) -> None:
    async with served(audit_log=file) as (client, fake):
        fake.on("POST", FLAGS, behaviour)
        await client.call_tool("create_flag", FLAG)
    assert [(entry.get("outcome"), entry.get("code")) for entry in entries(file)] == [(None, None), (outcome, code)]


async def test_upstreams_id_of_the_request_and_the_stored_object_are_recorded(file: Path) -> None:
    async def identified(_: Received, peer: Peer) -> None:
        await peer.send(raw(200, b'{"id":42,"key":"a","active":true}', x_request_id="abc-123"))

    async with served(audit_log=file) as (client, fake):
        fake.on("POST", FLAGS, identified)
        await client.call_tool("create_flag", FLAG)
    assert (entries(file)[1]["request_id"], entries(file)[1]["stored_id"]) == ("abc-123", 42)


@pytest.mark.parametrize("stored", [False, True])
async def test_a_cancelled_write_has_both_lines(file: Path, stored: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "maton_posthog.audit")
    arrived, applied = anyio.Event(), 0

    async def hang(_: Received, __: Peer) -> None:
        nonlocal applied
        applied += stored
        arrived.set()
        await anyio.sleep_forever()

    async with served(audit_log=file) as (client, fake):
        fake.on("POST", FLAGS, hang)
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                await client.call_tool("create_flag", FLAG)

            tasks.start_soon(call)
            await arrived.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(60):
            while len(entries(file)) < 2:
                await anyio.lowlevel.checkpoint()
    before, after = entries(file)
    assert (after["id"], after["outcome"], after["code"]) == (before["id"], "unknown", "cancelled")
    assert applied == stored
    assert sum("tool=create_flag effect=create outcome=cancelled" in line for line in caplog.messages) == 1


async def test_no_line_contains_the_key_or_a_text_of_the_arguments(file: Path) -> None:
    async with served(audit_log=file) as (client, _):
        await client.call_tool("create_flag", {**FLAG, "name": CANARY})
    assert "secret-launch" not in str(entries(file))
    assert CANARY not in str(entries(file))


async def test_reads_are_not_recorded(file: Path) -> None:
    async with served(audit_log=file) as (client, _):
        await client.call_tool("list_flags", {})
        await client.call_tool("manage_connection", {"action": "list"})
    assert entries(file) == []


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_only_its_owner_can_read_the_file_and_earlier_lines_stay(file: Path) -> None:
    os.close(os.open(file, os.O_CREAT, 0o644))
    async with served(audit_log=file) as (client, _):
        await client.call_tool("delete_flag", {"flag_id": 42})
    async with served(audit_log=file) as (client, _):
        await client.call_tool("create_flag", FLAG)
    assert [entry["event"] for entry in entries(file)] == ["sending", "settled"] * 2
    assert mode(file) == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_on_a_full_disk_nothing_is_changed() -> None:
    async with served(audit_log=Path("/dev/full")) as (client, fake):
        result = await client.call_tool("create_flag", FLAG)
        assert not any(map(is_write, fake.received))
        assert not (await client.call_tool("list_flags", {})).is_error
    error = json.loads(text_of(result))["error"]
    assert (error["code"], error["outcome"]) == ("unavailable", "not_sent")
    assert "No space left on device" in error["message"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_on_a_full_disk_the_operator_can_continue_with_lines_on_stderr(caplog: pytest.LogCaptureFixture) -> None:
    async with served(audit_log=Path("/dev/full"), audit_full="continue") as (client, fake):
        assert not (await client.call_tool("create_flag", FLAG)).is_error
        assert sum(map(is_write, fake.received)) == 1
    written = [line for line in caplog.messages if "cannot be written (No space left on device)" in line]
    assert ['"event": "sending"' in line for line in written] == [True, False]
    assert '"outcome": "applied"' in written[1]


async def test_a_line_that_finds_no_room_afterwards_goes_to_the_log(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        """The module `os` of a machine whose disk is full after some writes."""

        def __init__(self, left: int) -> None:
            self.left = left

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def write(self, descriptor: int, data: bytes) -> int:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return os.write(descriptor, data if self.left else data[:20])

    monkeypatch.setattr(audit, "os", Full(2))
    async with served(audit_log=file) as (client, _):
        assert not (await client.call_tool("create_flag", FLAG)).is_error
        monkeypatch.setattr(audit, "os", os)
        await client.call_tool("create_flag", FLAG)
    assert '"outcome": "applied"' in caplog.text
    assert [entry.get("event") for entry in entries(file)] == ["sending", None, "sending", "settled"]


def test_a_file_that_cannot_be_written_is_named_at_the_start(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "audit.jsonl"):
        with pytest.raises(SettingsError, match=r"^MATON_POSTHOG_AUDIT_LOG \(--audit-log\) cannot be written: .*\.$"):
            load(audit_log=path)
