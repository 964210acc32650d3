"""Makes server/starting/ready.json: what the SDK answers to requests that depend on nothing but the settings."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

import anyio
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION

from maton_posthog.server.app import RESOURCES, build
from maton_posthog.server.features.prompts import PLANS
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import Settings, load
from maton_posthog.server.starting.opening import PassedLine
from maton_posthog.server.starting.ready import LISTS, MODERN, traits
from maton_posthog.server.transports import stdio
from maton_posthog.server.transports.wire import LineWriter

META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "client", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
VERSIONS = (*HANDSHAKE_PROTOCOL_VERSIONS, MODERN)


def every_kind_of_settings(directory: Path) -> list[Settings]:
    """Return settings with every combination of what changes a tool; all toolsets are offered."""
    return [
        load(project_id=1 if pinned else None, read_only=read_only, export_dir=directory if exports else None)
        for pinned, read_only, exports in product((False, True), repeat=3)
    ]


def requests_of(version: str) -> list[dict[str, Any]]:
    """Return the requests with a ready answer, as a client of a protocol version sends them."""
    if version == MODERN:
        return [{"method": method, "params": {"_meta": META}} for method in ("server/discover", *LISTS)]
    client = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "client", "version": "1"}}
    return [{"method": "initialize", "params": client}, {"method": "ping"}, *({"method": name} for name in LISTS)]


class Sink(LineWriter):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def send(self, line: bytes) -> None:
        self.lines.append(line)

    async def write(self, line: bytes) -> None:
        self.lines.append(line)

    async def flush(self) -> None:
        pass

    async def broken(self) -> None:
        await anyio.sleep_forever()


def line(request: Mapping[str, Any], number: int | str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, **request}).encode()


async def results_of_sdk(settings: Settings, version: str) -> dict[str, str]:
    """Return the texts of the results, by method, as the SDK's server writes them."""
    sink, requests = Sink(), requests_of(version)

    async def lines() -> AsyncIterator[PassedLine]:
        for number, request in enumerate(requests):
            yield PassedLine(line(request, number))

    runtime = Runtime(settings)
    try:
        await stdio.serve(build(runtime), lines(), sink)
    finally:
        await runtime.aclose()
    texts: dict[str, str] = {}
    for written in sink.lines:
        number = json.loads(written)["id"]
        before = f'{{"jsonrpc":"2.0","id":{number},"result":'
        assert written.decode().startswith(before), written
        texts[requests[number]["method"]] = written.decode().removeprefix(before)[:-1]
    return texts


async def ready_file(kinds: Sequence[Settings]) -> dict[str, Any]:
    """Return the content of ready.json."""
    texts: dict[str, int] = {}
    eras: list[dict[str, Any]] = []
    era: dict[str, int] = {}
    initialize: dict[str, str] = {}
    discover = ""
    for version in VERSIONS:
        lists: dict[str, Any] = {}
        for settings in kinds:
            found = await results_of_sdk(settings, version)
            for method in LISTS:
                _add(lists.setdefault(method, {}), found[method], traits(settings), texts)
            if version == MODERN:
                discover = found["server/discover"]
            else:
                initialize[version] = found["initialize"]
        made = {method: {**parts, "items": list(parts["items"].values())} for method, parts in lists.items()}
        if made not in eras:
            eras.append(made)
        era[version] = eras.index(made)
    return {
        "latest": LATEST_HANDSHAKE_VERSION,
        "initialize": initialize,
        "discover": discover,
        "era": era,
        "eras": eras,
        "texts": list(texts),
    }


def _add(parts: dict[str, Any], text: str, kind: str, texts: dict[str, int]) -> None:
    result = json.loads(text)
    (field,) = (name for name, value in result.items() if isinstance(value, list))
    items = cast("list[dict[str, Any]]", result[field])
    shown = [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items]
    opened, closed = text.split(f"[{','.join(shown)}]")
    parts |= {"open": f"{opened}[", "close": f"]{closed}"}
    for item, part in zip(items, shown, strict=True):
        index = texts.setdefault(part, len(texts))
        name = item.get("uri") or item.get("uriTemplate") or item["name"]
        known = parts.setdefault("items", {}).setdefault(name, {"needs": _needs(field, item), "texts": {}})
        known["texts"].setdefault("", index)
        if known["texts"][""] != index:
            known["texts"][kind] = index


def _needs(field: str, item: Mapping[str, Any]) -> list[str]:
    """Return the tools without which an item is not listed."""
    if field == "tools":
        return [item["name"]]
    if field == "prompts":
        return sorted(next(plan.tools for plan in PLANS if plan.name == item["name"]))
    provider = next(
        each for each in RESOURCES if item["name"] in {one.name for one in (*each.resources, *each.templates)}
    )
    return [provider.tool] if provider.tool else []
