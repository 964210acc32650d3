"""Nothing leaves towards a client with the key, with part of it, or with hidden characters, whatever the tool."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from mcp.shared.exceptions import MCPError

from maton_posthog.server.runtime import Runtime
from maton_posthog.tools.charts import drawing
from maton_posthog.tools.operation import Operation

from ...gateway.fake_gateway import CANARY, Peer, Received, raw, reply
from ...oracle import crossed
from ..queries.test_slow import PATH
from ..test_every_operation import ARGUMENTS, RETURNING, served, upstream
from .test_side_doors import FORMS, HIDDEN, leaks

pytestmark = pytest.mark.anyio

SELECTORS = "\ufe00\ufe07\U000e0100\U000e01ef"
_MACHINE_READ = re.compile(r"[0-9T:Z.+-]{8,}|[0-9a-f-]{36}|[A-Z]\w+|")
"""Dates, identifiers and constants, which tools parse."""


def poisoned(value: Any, name: str = "") -> Any:
    """Return a response whose texts end in the key: whole, encoded, cut at the places where tools cut, and hidden."""
    if isinstance(value, list):
        return [poisoned(item, name) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: poisoned(item, key) for key, item in cast("dict[str, Any]", value).items()}
    if not isinstance(value, str) or _MACHINE_READ.fullmatch(value) or name in ("type", "status", "kind", "key"):
        return value
    return f"{value}{HIDDEN}{SELECTORS} {' '.join(FORMS)} " + "".join(f"{'x' * 47}{CANARY}" for _ in range(9))


async def poison(request: Received, peer: Peer) -> None:
    found = upstream(request)
    is_plain = request.path.startswith("/connections") or "/query/" in request.path
    await peer.send(raw(200, json.dumps(found if is_plain else poisoned(found)).encode()))


@crossed(("operation", RETURNING), ("structured", (False, True)))
async def test_no_tool_shows_the_key_or_a_part_of_it(operation: Operation[Any], structured: bool) -> None:
    async with served(structured=structured) as (client, fake):
        fake.answers(poison)
        result = await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
    shown = result.model_dump_json()
    assert not leaks(shown)
    assert CANARY[:12] not in shown
    assert not any(selector in shown for selector in SELECTORS)


async def test_a_fault_of_this_server_does_not_reach_the_client_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Runtime, name: str) -> Any:
        raise RuntimeError(f"{name} {CANARY}")

    async with served() as (client, _):
        monkeypatch.setattr(Runtime, "operation", fail)
        for ask in (client.call_tool("list_flags", {}), client.read_resource("posthog://schema")):
            with pytest.raises(MCPError) as caught:
                await ask
            assert caught.value.error.message == "Internal error in this server."


async def test_a_picture_is_drawn_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    async def record(spec: Mapping[str, Any], _: float) -> str:
        drawn.append(json.dumps(spec, ensure_ascii=False))
        return "not drawn"

    monkeypatch.setattr(drawing, "_draw", record)
    async with served() as (client, fake):
        rows = [[f"{form}{HIDDEN}", number] for number, form in enumerate(FORMS)]
        fake.on("POST", PATH, reply(200, {"columns": ["event", "count"], "results": rows}))
        plot = {"x": "event", "y": "count"}
        await client.call_tool("run_hogql", {"query": "select 1", "check": "off", "plot": plot})
    assert "[redacted]" in drawn[0]
    assert not leaks(drawn[0])


def content(directory: Path) -> str:
    """Return what the only file of a directory contains."""
    (file,) = directory.iterdir()
    return file.read_bytes().decode("utf-8", "ignore")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_a_file_is_written_without_the_key(tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    async with served(export_dir=tmp_path) as (client, fake):
        rows = [[f"{form}{HIDDEN}", {form: form}] for form in FORMS]
        fake.on("POST", PATH, reply(200, {"columns": ["event", CANARY], "results": rows}))
        await client.call_tool("run_hogql", {"query": "select event from events limit 2", "export": kind})
    written = content(tmp_path)
    assert "[redacted]" in written
    assert not leaks(written)


@pytest.mark.parametrize("shown", [3, 12, 13, 14])
@pytest.mark.parametrize("place", ["detail", "attr", "name"])
async def test_a_text_that_is_cut_does_not_show_half_the_key(place: str, shown: int) -> None:
    limit = {"detail": 500, "attr": 100, "name": 100}[place]
    text = "x" * (limit - 1 - shown) + CANARY + "x" * limit
    async with served() as (client, fake):
        if place != "name":
            error = {"type": "validation_error", "code": "x", "detail": "No.", "attr": "a", place: text}
            fake.on("GET", "/posthog/api/projects/136209/feature_flags/", reply(400, error))
        arguments = {"search": "a"} if place != "name" else {text: 1}
        result = await client.call_tool("list_flags", arguments)
    sent = str(result.content)
    assert CANARY[:12] not in sent
    assert result.is_error
