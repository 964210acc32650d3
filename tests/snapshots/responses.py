"""The responses that are kept as snapshots, made by a real server over a sandbox whose data and clock are fixed."""

import json
import re
import time
import urllib.request
from collections.abc import Mapping
from datetime import date
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest
from mcp.types import CallToolResult, TextContent

from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.server.tool_list import tool_list
from posthog_sandbox import Sandbox
from tests.clients import client_of

from .calls import Pair

EVENTS = 10_000
TODAY = date(2026, 11, 23)
NOW = "2026-11-23T12:30:00Z"
PATIENCE_S = 60.0

_UNSTABLE = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://sandbox"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
)
_MEASURED = frozenset({"age_s", "resets_in_s", "last_calculation"})
_FIXED = "0" * 32


def responses(pairs: Mapping[str, Pair]) -> dict[str, dict[str, Any]]:
    """Return for each of these tools its two calls with what the server returned."""
    with Sandbox(events=EVENTS, today=TODAY, now=NOW) as sandbox:
        return anyio.run(_all, sandbox, pairs)


def stable(value: Any) -> Any:
    """Return a response without what differs between two runs.

    Placeholders replace the ports of addresses, random ids (32 hexadecimal digits, UUIDs of version 4) and the fields
    that depend on the speed of the machine.
    """
    if isinstance(value, str):
        for pattern, placeholder in _UNSTABLE:
            value = pattern.sub(lambda found, text=placeholder: found[0] if found[0] == _FIXED else text, value)
        return value
    if isinstance(value, list):
        return [stable(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: "<measured>" if name in _MEASURED else stable(item) for name, item in fields.items()}
    return value


async def _all(sandbox: Sandbox, pairs: Mapping[str, Pair]) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    changed = True
    for tool, pair in pairs.items():
        if changed:
            await anyio.to_thread.run_sync(_new_project, sandbox)
        changed = any(tool_list()[name].effect.writes for name in (tool, *(earlier for earlier, _ in pair.before)))
        # The mistake first: it changes nothing.
        bad = await _responded(sandbox, tool, pair, good=False)
        made[tool] = {"good": await _responded(sandbox, tool, pair, good=True), "bad": bad}
    return made


async def _responded(sandbox: Sandbox, tool: str, pair: Pair, *, good: bool) -> dict[str, Any]:
    """Make one call of a server that has answered nothing else, apart from the calls of `before`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATON_API_KEY", sandbox.key)
        runtime = Runtime(load(gateway_url=sandbox.url, control_url=sandbox.url, confirm="never" if good else "auto"))
    async with client_of(runtime) as client:
        shown: dict[str, Any] = {}
        for earlier, arguments in pair.before if good else ():
            shown = json.loads(_text(await client.call_tool(earlier, dict(arguments))))
        arguments = dict(pair.good(shown) if callable(pair.good) else pair.good) if good else dict(pair.bad)
        result = await client.call_tool(tool, arguments)
    text = _text(result)
    assert bool(result.is_error) is not good, f"{tool} {arguments}: {text}"
    return {"arguments": stable(arguments), "response": stable(json.loads(text))}


def _new_project(sandbox: Sandbox) -> None:
    """Reset the sandbox and wait until it has calculated its cohorts."""
    sandbox.reset()
    deadline = time.monotonic() + PATIENCE_S
    while any(cohort["is_calculating"] for cohort in _cohorts(sandbox)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _cohorts(sandbox: Sandbox) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    request = urllib.request.Request(f"{sandbox.posthog_url}/api/projects/1/cohorts/", headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        return json.load(response)["results"]


def _text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text
